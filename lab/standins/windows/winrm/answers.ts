import { randomUUID } from 'node:crypto';
import { anonymous, ns, shellResource } from './namespaces.ts';
import { escapeXml } from './xml.ts';

/** Some output of a command, or its end. */
export type StreamPiece = { readonly name: 'stdout' | 'stderr'; readonly bytes: Uint8Array; readonly end: boolean };

/** A shell as the answer to Create describes it. */
export type ShellView = {
  readonly shellId: string;
  readonly to: string;
  readonly owner: string;
  readonly clientIp: string;
  readonly idleTimeoutMs: number;
  readonly inputStreams: string;
  readonly outputStreams: string;
};

const transferred = `${ns.x}/`;
const shellAction = `${ns.rsp}/`;
/** The prefixes that Windows binds; the empty answers of Delete do without those of the shell. */
const shellPrefixes = ['s', 'a', 'w', 'rsp', 'p'] as const;
const allPrefixes = ['s', 'a', 'x', 'w', 'rsp', 'p'] as const;

export const answers = {
  create(relatesTo: string, shell: ShellView): string {
    const id = escapeXml(shell.shellId);
    const created =
      `<x:ResourceCreated><a:Address>${escapeXml(shell.to)}</a:Address><a:ReferenceParameters>` +
      `<w:ResourceURI>${shellResource}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">${id}</w:Selector></w:SelectorSet>` +
      '</a:ReferenceParameters></x:ResourceCreated>';
    const described =
      `<rsp:Shell xmlns:rsp="${ns.rsp}"><rsp:ShellId>${id}</rsp:ShellId><rsp:ResourceUri>${shellResource}</rsp:ResourceUri>` +
      `<rsp:Owner>${escapeXml(shell.owner)}</rsp:Owner><rsp:ClientIP>${escapeXml(shell.clientIp)}</rsp:ClientIP>` +
      `<rsp:IdleTimeOut>PT${(shell.idleTimeoutMs / 1000).toFixed(3)}S</rsp:IdleTimeOut>` +
      `<rsp:InputStreams>${escapeXml(shell.inputStreams)}</rsp:InputStreams><rsp:OutputStreams>${escapeXml(shell.outputStreams)}</rsp:OutputStreams>` +
      '<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>';
    return envelope(`${transferred}CreateResponse`, relatesTo, allPrefixes, created + described);
  },

  command(relatesTo: string, commandId: string): string {
    const body = `<rsp:CommandResponse><rsp:CommandId>${commandId}</rsp:CommandId></rsp:CommandResponse>`;
    return envelope(`${shellAction}CommandResponse`, relatesTo, allPrefixes, body);
  },

  /** `exitCode` undefined: the command still runs. */
  receive(relatesTo: string, commandId: string, pieces: readonly StreamPiece[], exitCode: number | undefined): string {
    const streams = pieces.map(({ name, bytes, end }) => {
      const data = Buffer.from(bytes).toString('base64');
      return `<rsp:Stream Name="${name}" CommandId="${commandId}"${end ? ' End="true"' : ''}>${data}</rsp:Stream>`;
    });
    const state = exitCode === undefined ? 'Running' : 'Done';
    const code = exitCode === undefined ? '' : `<rsp:ExitCode>${exitCode}</rsp:ExitCode>`;
    const body =
      `<rsp:ReceiveResponse>${streams.join('')}<rsp:CommandState CommandId="${commandId}" ` +
      `State="${ns.rsp}/CommandState/${state}">${code}</rsp:CommandState></rsp:ReceiveResponse>`;
    return envelope(`${shellAction}ReceiveResponse`, relatesTo, shellPrefixes, body);
  },

  send(relatesTo: string): string {
    return envelope(`${shellAction}SendResponse`, relatesTo, allPrefixes, '<rsp:SendResponse/>');
  },

  signal(relatesTo: string): string {
    return envelope(`${shellAction}SignalResponse`, relatesTo, allPrefixes, '<rsp:SignalResponse/>');
  },

  delete(relatesTo: string): string {
    return envelope(`${transferred}DeleteResponse`, relatesTo, ['s', 'a', 'w', 'p'], '');
  },

  /** The answer to a probe without login (DSP0226, 11); what Windows tells of itself then is no version. */
  identify(): string {
    return (
      `<s:Envelope xml:lang="en-US" xmlns:s="${ns.s}" xmlns:wsmid="${ns.identity}"><s:Header/><s:Body>` +
      `<wsmid:IdentifyResponse><wsmid:ProtocolVersion>${ns.w}</wsmid:ProtocolVersion>` +
      '<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>' +
      '<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>'
    );
  },
};

function envelope(action: string, relatesTo: string, prefixes: readonly (keyof typeof ns)[], body: string): string {
  const bound = prefixes.map((prefix) => `xmlns:${prefix}="${ns[prefix]}"`);
  return (
    `<s:Envelope xml:lang="en-US" ${bound.join(' ')}><s:Header><a:Action>${action}</a:Action>` +
    `<a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID><a:To>${anonymous}</a:To>` +
    `<a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`
  );
}
