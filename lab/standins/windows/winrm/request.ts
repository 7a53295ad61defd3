import { ns } from './namespaces.ts';
import { WsmanFault } from './faults.ts';
import { parseXml } from './xml.ts';
import type { XmlElement } from './xml.ts';

/** A request as far as the shell resource needs it. */
export type WsmanRequest = {
  readonly action: string;
  readonly to: string;
  readonly messageId: string;
  readonly resourceUri: string;
  readonly operationTimeoutMs: number;
  readonly maxEnvelopeBytes: number;
  readonly options: ReadonlyMap<string, string>;
  readonly shellId: string | undefined;
  readonly body: XmlElement;
};

/** Header elements that a client may insist on (DSP0226, MS-WSMV 2.2.4). */
const understood = new Set([
  ...['Action', 'To', 'ReplyTo', 'FaultTo', 'From', 'MessageID', 'RelatesTo'].map((local) => `${ns.a} ${local}`),
  ...['ResourceURI', 'MaxEnvelopeSize', 'OperationTimeout', 'Locale', 'OptionSet', 'SelectorSet'].map(
    (local) => `${ns.w} ${local}`,
  ),
  ...['DataLocale', 'SessionId', 'OperationID', 'SequenceId', 'ActivityId'].map((local) => `${ns.p} ${local}`),
]);

/** Reads an envelope. Throws {@link WsmanFault} for what Windows answers with a fault. */
export function readRequest(bytes: Buffer): WsmanRequest {
  let envelope: XmlElement;
  try {
    envelope = parseXml(textOf(bytes));
  } catch {
    throw new WsmanFault('invalid-xml');
  }
  const header = envelope.child(ns.s, 'Header');
  const body = envelope.child(ns.s, 'Body');
  if (header === undefined || body === undefined) throw new WsmanFault('schema');
  const messageId = header.child(ns.a, 'MessageID')?.text.trim() ?? '';
  for (const element of header.children) {
    if (isTrue(element.attribute('mustUnderstand')) && !understood.has(`${element.uri} ${element.local}`))
      throw new WsmanFault('must-understand', { messageId, notUnderstood: { uri: element.uri, local: element.local } });
  }
  const text = (uri: string, local: string): string => header.child(uri, local)?.text.trim() ?? '';
  const named = (set: string, item: string): ReadonlyMap<string, string> =>
    new Map(
      (header.child(ns.w, set)?.all(ns.w, item) ?? []).map((element) => [
        element.attribute('Name') ?? '',
        element.text.trim(),
      ]),
    );
  return {
    action: text(ns.a, 'Action'),
    to: text(ns.a, 'To'),
    messageId,
    resourceUri: text(ns.w, 'ResourceURI'),
    operationTimeoutMs: readTimeout(text(ns.w, 'OperationTimeout'), messageId),
    maxEnvelopeBytes: Number(text(ns.w, 'MaxEnvelopeSize')) || 153_600,
    options: named('OptionSet', 'Option'),
    shellId: named('SelectorSet', 'Selector').get('ShellId'),
    body,
  };
}

/** A duration of hours, minutes and seconds (XML Schema Part 2, 3.2.6), in milliseconds. Undefined when it is none. */
export function durationMs(text: string): number | undefined {
  const match = /^P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$/.exec(text);
  if (match === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
}

/** Whether an option or attribute says yes; clients write it in several ways. */
export function isTrue(text: string | undefined): boolean {
  return ['true', '1'].includes(text?.trim().toLowerCase() ?? '');
}

/** Without the header Windows waits as long as its own `MaxTimeoutms`, which also clamps what is asked for. */
const maxTimeoutMs = 60_000;

function readTimeout(text: string, messageId: string): number {
  if (text === '') return maxTimeoutMs;
  const ms = durationMs(text);
  if (ms === undefined || ms <= 0) throw new WsmanFault('invalid-timeout', { messageId });
  return Math.min(ms, maxTimeoutMs);
}

function textOf(bytes: Buffer): string {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return bytes.toString(utf16 ? 'utf16le' : 'utf8').replace(/^\uFEFF/, '');
}
