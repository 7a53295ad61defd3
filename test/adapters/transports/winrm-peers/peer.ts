import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ConnectionOptions } from '../../../../adapters/transports/winrm/http/options.ts';
import { outsideWorld } from '../../../../adapters/transports/winrm/http/connection.ts';
import { python, pythonPackages, pythonPackagesMissing } from '../../../python-packages.ts';

export const run = promisify(execFile);

/** Of the account that every peer knows, besides its name. */
export const account = { domain: 'LAB', user: 'dana', password: 'Grüße, "quoted" & long' } as const;

/** Why there is no such acceptor here; undefined when there is. */
export async function acceptorMissing(acceptor: PeerOptions['acceptor']): Promise<string | undefined> {
  if (acceptor === 'pyspnego') return pythonPackagesMissing();
  if (acceptor === 'gss' && !existsSync('/etc/gss/mech.d/mech.ntlmssp.conf')) return 'gss-ntlmssp is not installed';
  return run(python, ['-c', 'import gssapi']).then(
    () => undefined,
    () => "Python's gssapi is not installed (Debian: apt-get install python3-gssapi)",
  );
}

export type PeerOptions = {
  readonly acceptor: 'gss' | 'krb5' | 'pyspnego';
  readonly tls?: Certificate;
  /** Hash of tls-server-end-point that the peer expects; absent: it expects none. */
  readonly bind?: string;
  readonly bindTo?: Certificate;
  /** What the peer gives as proof of itself when a login is done. */
  readonly proof?: 'given' | 'absent' | 'wrong';
  readonly env?: Readonly<Record<string, string>>;
};

/** One of the peers of server.py, on a loopback port. */
export class Peer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly #log: string[];

  private constructor(port: number, process: ChildProcessWithoutNullStreams, folder: string, log: string[]) {
    this.port = port;
    this.#process = process;
    this.#folder = folder;
    this.#log = log;
  }

  static async start(options: PeerOptions): Promise<Peer> {
    const folder = await mkdtemp(join(tmpdir(), 'detproof-winrm-peer-'));
    const users = join(folder, 'users');
    await writeFile(users, `${account.domain}:${account.user}:${account.password}\n`, { mode: 0o600 });
    const { tls, bind, bindTo, proof = 'given', env = {} } = options;
    const child = spawn(
      python,
      [
        fileURLToPath(new URL('server.py', import.meta.url)),
        ...['--acceptor', options.acceptor, '--proof', proof],
        ...(tls === undefined ? [] : ['--cert', tls.certFile, '--key', tls.keyFile]),
        ...(bind === undefined ? [] : ['--bind', bind]),
        ...(bindTo === undefined ? [] : ['--bind-to', bindTo.certFile]),
      ],
      { env: { NTLM_USER_FILE: users, PYTHONPATH: pythonPackages, LC_ALL: 'C.UTF-8', ...env } },
    );
    const log: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
    const gone = once(child, 'exit').then(() => {
      throw new Error(`the peer ended: ${log.join('')}`);
    });
    gone.catch(() => undefined);
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), gone])) as [string];
    return new Peer(Number(line), child, folder, log);
  }

  /** What it has said on stderr. */
  get log(): string {
    return this.#log.join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill();
      await ended;
    }
    await rm(this.#folder, { recursive: true });
  }
}

/** A self-signed certificate for 127.0.0.1 and `localhost`. */
export class Certificate implements AsyncDisposable {
  readonly certFile: string;
  readonly keyFile: string;
  readonly pem: Buffer;
  readonly keyPem: Buffer;
  readonly #folder: string;

  private constructor(folder: string, pem: Buffer, keyPem: Buffer) {
    this.#folder = folder;
    this.certFile = join(folder, 'cert.pem');
    this.keyFile = join(folder, 'key.pem');
    this.pem = pem;
    this.keyPem = keyPem;
  }

  /** Upper-case hex with colons. */
  get fingerprint256(): string {
    return new X509Certificate(this.pem).fingerprint256;
  }

  /** `days`: negative for one that has expired. `signed`: more of what `openssl req -x509` takes. */
  static async make({
    key: kind = 'rsa:2048',
    signed = [],
    names = 'IP:127.0.0.1,DNS:localhost',
    subject = '/CN=localhost',
    days = 2,
  }: {
    readonly key?: string;
    readonly signed?: readonly string[];
    readonly names?: string;
    readonly subject?: string;
    readonly days?: number;
  } = {}): Promise<Certificate> {
    const folder = await mkdtemp(join(tmpdir(), 'detproof-winrm-cert-'));
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const curve = kind === 'ec' ? ['-pkeyopt', 'ec_paramgen_curve:P-256'] : [];
    await run('openssl', [
      ...['req', '-x509', '-nodes', '-newkey', kind, ...curve, ...signed, '-days', '2'],
      ...['-subj', subject, '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert],
    ]);
    if (days < 0) await run('openssl', ['x509', '-in', cert, '-signkey', key, '-days', String(days), '-out', cert]);
    return new Certificate(folder, await readFile(cert), await readFile(key));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

/** What a test asks of a connection to a loopback port, with some of it changed. */
export function connectionTo(
  port: number,
  changes: Partial<ConnectionOptions> & { readonly https?: boolean } = {},
): ConnectionOptions {
  const { https = false, ...rest } = changes;
  return {
    endpoint: { target: 'peer', host: '127.0.0.1', port, tls: https, path: '/wsman' },
    login: ntlm(),
    tls: {},
    channelBinding: true,
    connectTimeoutMs: 60_000,
    workstation: 'RUNNER',
    ...outsideWorld,
    ...rest,
  };
}

export function ntlm(
  user: string = `${account.domain}\\${account.user}`,
  password: string = account.password,
): ConnectionOptions['login'] {
  return { kind: 'negotiate', user, password: () => Promise.resolve(Buffer.from(password)) };
}

/** A request with time enough for a slow machine. */
export function patient(): { readonly timeoutMs: number; readonly signal: AbortSignal } {
  return { timeoutMs: 60_000, signal: new AbortController().signal };
}
