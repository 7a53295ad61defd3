import { TransportFailure } from '../../../../runner/ports.ts';
import { child, childrenOf, type Element } from './element.ts';
import { ns } from './namespaces.ts';

/** Takes the id from the Selector: old hosts send nothing else, and write `uuid:` before it. It is kept verbatim. */
export function readShellId(body: Element): string {
  const parameters = child(child(body, ns.transfer, 'ResourceCreated'), ns.addressing, 'ReferenceParameters');
  const selector = childrenOf(child(parameters, ns.wsman, 'SelectorSet'), ns.wsman, 'Selector').find(
    ({ attributes }) => attributes.get('Name') === 'ShellId',
  );
  return id(selector, 'ShellId');
}

export function readCommandId(body: Element): string {
  return id(child(child(body, ns.shell, 'CommandResponse'), ns.shell, 'CommandId'), 'CommandId');
}

function id(element: Element | undefined, name: string): string {
  if (element === undefined || element.text === '')
    throw new TransportFailure('protocol', `the answer holds no ${name}. Is that the WinRM service of Windows?`);
  return element.text;
}

/** One answer to Receive. */
export type Received = {
  /** In the order in which they came; white space between the lines of base64 is no part of it. */
  readonly output: readonly { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }[];
  /** Present when the command has ended. */
  readonly done?: { readonly exitCode: number | undefined };
};

/** Of several states only the one that ends in `Done` counts; streams of other commands are left out. */
export function readReceived(body: Element, commandId: string): Received {
  const response = child(body, ns.shell, 'ReceiveResponse');
  if (response === undefined) throw new TransportFailure('protocol', 'the answer to Receive holds no ReceiveResponse');
  const ours = ({ attributes }: Element): boolean =>
    attributes.get('CommandId') === undefined || attributes.get('CommandId')?.toUpperCase() === commandId.toUpperCase();
  const output = childrenOf(response, ns.shell, 'Stream')
    .filter(ours)
    .flatMap((stream) => {
      const name = stream.attributes.get('Name');
      return name === 'stdout' || name === 'stderr' ? [{ stream: name, bytes: base64(stream.text) } as const] : [];
    });
  const done = childrenOf(response, ns.shell, 'CommandState')
    .filter(ours)
    .find(({ attributes }) => attributes.get('State') === `${ns.shell}/CommandState/Done`);
  return { output, ...(done === undefined ? {} : { done: { exitCode: exitCode(child(done, ns.shell, 'ExitCode')) } }) };
}

function base64(text: string): Uint8Array {
  const packed = text.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(packed) || packed.length % 4 !== 0)
    throw new TransportFailure('protocol', 'a stream of the answer is not base64');
  return Buffer.from(packed, 'base64');
}

/** A DWORD: some hosts write it with a sign. */
function exitCode(element: Element | undefined): number | undefined {
  if (element === undefined || element.text === '') return undefined;
  const value = /^-?\d{1,10}$/.test(element.text) ? Number(element.text) : NaN;
  if (!(value >= -(2 ** 31) && value < 2 ** 32))
    throw new TransportFailure('protocol', `${JSON.stringify(element.text.slice(0, 50))} is no exit code`);
  return value >>> 0;
}
