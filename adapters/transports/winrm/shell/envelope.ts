import { type Action, actionUri, ns, resourceUri } from './namespaces.ts';
import { xmlText } from './xml-text.ts';

/** Of answers, in bytes: every host can send that much, since the default of the oldest is 150 KB. */
const maxEnvelopeBytes = 153_600;

export type Request = {
  readonly action: Action;
  readonly shellId?: string;
  readonly options?: Readonly<Record<string, string>>;
  /** XML; made with the functions below. */
  readonly body: string;
};

export type Addressing = {
  /** The listener's URL. */
  readonly to: string;
  /** `uuid:` and an upper-case GUID, new for each request. */
  readonly messageId: string;
  readonly operationTimeoutMs: number;
};

/** A whole request (MS-WSMV, section 3.1.4.1; header by header as recorded clients send it and Windows accepts it). */
export function envelope(request: Request, { to, messageId, operationTimeoutMs }: Addressing): string {
  const options = Object.entries(request.options ?? {}).map(
    ([name, value]) => `<w:Option Name="${xmlText(name)}">${xmlText(value)}</w:Option>`,
  );
  return [
    `<s:Envelope xmlns:s="${ns.soap}" xmlns:wsa="${ns.addressing}" xmlns:w="${ns.wsman}" xmlns:p="${ns.microsoft}" xmlns:rsp="${ns.shell}">`,
    '<s:Header>',
    `<wsa:Action s:mustUnderstand="true">${actionUri(request.action)}</wsa:Action>`,
    `<wsa:To>${xmlText(to)}</wsa:To>`,
    `<wsa:ReplyTo><wsa:Address s:mustUnderstand="true">${ns.addressing}/role/anonymous</wsa:Address></wsa:ReplyTo>`,
    `<wsa:MessageID>${xmlText(messageId)}</wsa:MessageID>`,
    `<w:ResourceURI s:mustUnderstand="true">${resourceUri}</w:ResourceURI>`,
    `<w:MaxEnvelopeSize s:mustUnderstand="true">${maxEnvelopeBytes}</w:MaxEnvelopeSize>`,
    `<w:OperationTimeout>${seconds(operationTimeoutMs)}</w:OperationTimeout>`,
    '<w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/>',
    options.length === 0 ? '' : `<w:OptionSet s:mustUnderstand="true">${options.join('')}</w:OptionSet>`,
    request.shellId === undefined
      ? ''
      : `<w:SelectorSet><w:Selector Name="ShellId">${xmlText(request.shellId)}</w:Selector></w:SelectorSet>`,
    '</s:Header>',
    `<s:Body>${request.body}</s:Body>`,
    '</s:Envelope>',
  ].join('');
}

/** xs:duration, in seconds. */
function seconds(ms: number): string {
  return `PT${Number((ms / 1000).toFixed(3))}S`;
}

/** A shell that nobody uses any more dies after this, should it not have been deleted. */
const idleTimeoutMs = 300_000;

export function createRequest(workingDirectory?: string): Request {
  return {
    action: 'Create',
    options: { WINRS_NOPROFILE: 'FALSE', WINRS_CODEPAGE: '65001' },
    body:
      '<rsp:Shell>' +
      // The order of the schema (MS-WSMV, section 2.2.4.37).
      (workingDirectory === undefined
        ? ''
        : `<rsp:WorkingDirectory>${xmlText(workingDirectory)}</rsp:WorkingDirectory>`) +
      `<rsp:IdleTimeOut>${seconds(idleTimeoutMs)}</rsp:IdleTimeOut>` +
      '<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>',
  };
}

/** `line` is for cmd.exe, whole: servers join arguments in ways of their own, so there are none. */
export function commandRequest(shellId: string, line: string): Request {
  return {
    action: 'Command',
    shellId,
    options: { WINRS_CONSOLEMODE_STDIN: 'FALSE', WINRS_SKIP_CMD_SHELL: 'FALSE' },
    body: `<rsp:CommandLine><rsp:Command>${xmlText(line)}</rsp:Command></rsp:CommandLine>`,
  };
}

export function receiveRequest(shellId: string, commandId: string): Request {
  return {
    action: 'Receive',
    shellId,
    options: { WSMAN_CMDSHELL_OPTION_KEEPALIVE: 'TRUE' },
    body: `<rsp:Receive><rsp:DesiredStream CommandId="${xmlText(commandId)}">stdout stderr</rsp:DesiredStream></rsp:Receive>`,
  };
}

/** `end`: nothing follows, the command reads the end of its input. */
export function sendRequest(shellId: string, commandId: string, bytes: Uint8Array, end: boolean): Request {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return {
    action: 'Send',
    shellId,
    body: `<rsp:Send><rsp:Stream Name="stdin" CommandId="${xmlText(commandId)}"${end ? ' End="true"' : ''}>${data}</rsp:Stream></rsp:Send>`,
  };
}

/** `terminate` also gives back what the command holds on the host, and is due after every command. */
export function signalRequest(shellId: string, commandId: string, signal: 'ctrl_c' | 'terminate'): Request {
  return {
    action: 'Signal',
    shellId,
    body: `<rsp:Signal CommandId="${xmlText(commandId)}"><rsp:Code>${ns.shell}/signal/${signal}</rsp:Code></rsp:Signal>`,
  };
}

export function deleteRequest(shellId: string): Request {
  return { action: 'Delete', shellId, body: '' };
}
