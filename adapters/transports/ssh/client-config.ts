import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { TransportFailure } from '../../../runner/ports.ts';
import { type AlgorithmKind, type AlgorithmLists, unknownAlgorithms } from './algorithms.ts';

/** What an ssh_config(5) file says of one host, as far as it is used here. */
export type HostConfig = {
  readonly hostName?: string;
  readonly port?: number;
  readonly user?: string;
  /** Absolute path; the first, as one credential is tried once. */
  readonly identityFile?: string;
  readonly jump: readonly { readonly address: string; readonly port?: number; readonly user?: string }[];
  /** In the words of the settings: `30s`. */
  readonly connectTimeout?: string;
  readonly keepalive?: string;
  readonly algorithms: AlgorithmLists;
  /** For messages: ` (from FILE: HostName 192.0.2.7, Port 2222)`, or empty. */
  readonly taken: string;
};

export const noConfig: HostConfig = { jump: [], algorithms: {}, taken: '' };

/** These change where or how ssh(1) connects, and are not done here: nothing is better than something else. */
const notDone = ['proxycommand', 'hostkeyalias', 'certificatefile', 'bindaddress', 'bindinterface'] as const;

const lists: Readonly<Record<string, AlgorithmKind>> = {
  kexalgorithms: 'kexAlgorithms',
  hostkeyalgorithms: 'hostKeyAlgorithms',
  ciphers: 'ciphers',
  macs: 'macs',
  pubkeyacceptedalgorithms: 'pubkeyAcceptedAlgorithms',
};

/**
 * Reads the file and looks a host up in it. Nothing that the file names is run. Throws {@link TransportFailure} `not-started`
 * where ssh(1) would do something that this transport does not.
 */
export async function readClientConfig(file: string): Promise<(host: string) => HostConfig> {
  const refuse = (why: string, cause?: unknown): TransportFailure =>
    new TransportFailure('not-started', `${file}: ${why}`, { cause });
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refuse(`it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  });
  const { default: SSHConfig } = await import('ssh-config');
  let parsed: ReturnType<typeof SSHConfig.parse>;
  try {
    parsed = SSHConfig.parse(text);
  } catch (cause) {
    throw refuse(`it is no ssh_config file: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const unread = /^[ \t]*(Match|Include|CanonicalizeHostname)\b(?![ \t=]+no[ \t]*$)/im.exec(text)?.[1];
  if (unread !== undefined)
    throw refuse(
      `${unread} is not read by this transport. Give it a file without, or use the transport openssh, which runs ssh itself`,
    );
  return (host) => hostConfig(file, host, parsed.compute(host, { ignoreCase: true, matchExec: false }), refuse);
}

function hostConfig(
  file: string,
  host: string,
  values: Readonly<Record<string, string | readonly string[]>>,
  refuse: (why: string) => TransportFailure,
): HostConfig {
  const value = (name: string): string | undefined => {
    const one = values[name];
    return typeof one === 'string' ? one : one?.[0];
  };
  for (const name of notDone)
    if ((value(name) ?? 'none').toLowerCase() !== 'none')
      throw refuse(`${name} is set for ${host}, and is not done by this transport. Use the transport openssh for it`);
  const seconds = (name: string): string | undefined => {
    const number = Number(value(name));
    return Number.isInteger(number) && number > 0 ? `${number}s` : undefined;
  };
  const port = value('port');
  if (port !== undefined && !isPort(port)) throw refuse(`${JSON.stringify(port)} is no port (of ${host})`);
  const jumpText = value('proxyjump') ?? 'none';
  const algorithms = Object.entries(lists).flatMap(([name, kind]) => {
    const list = value(name);
    return list === undefined ? [] : [[kind, list] as const];
  });
  const used = {
    ...optional('hostName', value('hostname')?.replaceAll('%h', host)),
    ...optional('port', port === undefined ? undefined : Number(port)),
    ...optional('user', value('user')),
    ...optional('identityFile', identityFile(value('identityfile'), refuse)),
    ...optional('connectTimeout', seconds('connecttimeout')),
    ...optional('keepalive', seconds('serveraliveinterval')),
  };
  const said = [
    ...Object.entries(used).map(([name, one]) => `${name} ${String(one)}`),
    ...(jumpText.toLowerCase() === 'none' ? [] : [`proxyJump ${jumpText}`]),
    ...algorithms.map(([kind, list]) => {
      const unknown = unknownAlgorithms(kind, list);
      return `${kind} ${list}${unknown.length === 0 ? '' : `, of which not supported here: ${unknown.join(', ')}`}`;
    }),
  ];
  return {
    ...used,
    jump: jumpText.toLowerCase() === 'none' ? [] : jumpText.split(',').map((text) => parseJump(text.trim(), refuse)),
    algorithms: Object.fromEntries(algorithms),
    taken: said.length === 0 ? '' : ` (from ${file}: ${said.join('; ')})`,
  };
}

/** `[user@]host[:port]`, also `[::1]:22` and `ssh://…` (ssh_config(5), ProxyJump). */
function parseJump(text: string, refuse: (why: string) => TransportFailure): HostConfig['jump'][number] {
  const match = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:@\s]+))(?::(\d+))?\/?$/.exec(text);
  const address = match?.[2] ?? match?.[3];
  if (address === undefined || (match?.[4] !== undefined && !isPort(match[4])))
    throw refuse(`${JSON.stringify(text)} is no [user@]host[:port] for ProxyJump`);
  return {
    address,
    ...optional('user', match?.[1]),
    ...optional('port', match?.[4] === undefined ? undefined : Number(match[4])),
  };
}

function identityFile(path: string | undefined, refuse: (why: string) => TransportFailure): string | undefined {
  if (path === undefined || path.toLowerCase() === 'none') return undefined;
  const home = path.replace(/^~(?=\/)/, homedir()).replaceAll('%d', homedir());
  if (!home.startsWith('/') || home.includes('%'))
    throw refuse(`IdentityFile ${path} is not an absolute path. Write it out, or give the account its key`);
  return home;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
}
