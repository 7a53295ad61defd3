import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './peer.ts';

/** Why no realm of our own can be had here; undefined when it can. */
export async function kdcMissing(): Promise<string | undefined> {
  for (const program of ['/usr/sbin/krb5kdc', '/usr/sbin/kadmin.local', '/usr/sbin/kdb5_util'])
    try {
      await access(program);
    } catch {
      return `${program} is not installed (Debian: apt-get install krb5-kdc krb5-admin-server)`;
    }
  return undefined;
}

/** An MIT Kerberos realm on a loopback port, with the user `dana` and the service `HTTP/localhost`. */
export class Kdc implements AsyncDisposable {
  /** For a process that logs in as dana; its tickets are made from her keytab. */
  readonly client: Readonly<Record<string, string>>;
  /** For the process that is the service. */
  readonly service: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, process: ChildProcess) {
    this.#folder = folder;
    this.#process = process;
    const config = { KRB5_CONFIG: join(folder, 'krb5.conf') };
    this.client = {
      ...config,
      KRB5_CLIENT_KTNAME: join(folder, 'dana.keytab'),
      KRB5CCNAME: `FILE:${join(folder, 'tickets')}`,
    };
    this.service = { ...config, KRB5_KTNAME: join(folder, 'http.keytab'), KRB5RCACHENAME: 'none:' };
  }

  static async start(): Promise<Kdc> {
    const folder = await mkdtemp(join(tmpdir(), 'detproof-kdc-'));
    const port = await freePort();
    await writeFile(
      join(folder, 'krb5.conf'),
      `[libdefaults]
 default_realm = LAB.EXAMPLE
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 LAB.EXAMPLE = {
  kdc = 127.0.0.1:${port}
 }
[domain_realm]
 localhost = LAB.EXAMPLE
`,
    );
    await writeFile(
      join(folder, 'kdc.conf'),
      `[kdcdefaults]
 kdc_listen = 127.0.0.1:${port}
 kdc_tcp_listen = 127.0.0.1:${port}
[realms]
 LAB.EXAMPLE = {
  database_name = ${folder}/principal
  key_stash_file = ${folder}/stash
 }
`,
    );
    const env = {
      KRB5_CONFIG: join(folder, 'krb5.conf'),
      KRB5_KDC_PROFILE: join(folder, 'kdc.conf'),
      PATH: '/usr/sbin:/usr/bin',
    };
    await run('kdb5_util', ['create', '-s', '-P', 'of a test realm'], { env });
    for (const [principal, keytab] of [
      ['dana', 'dana.keytab'],
      ['HTTP/localhost', 'http.keytab'],
    ] as const) {
      await run('kadmin.local', ['addprinc', '-randkey', principal], { env });
      await run('kadmin.local', ['ktadd', '-k', join(folder, keytab), principal], { env });
    }
    const kdc = spawn('krb5kdc', ['-n', '-P', join(folder, 'pid')], { env, stdio: ['ignore', 'ignore', 'ignore'] });
    await once(kdc, 'spawn');
    while (!(await answers(port))) {
      if (kdc.exitCode !== null) throw new Error(`krb5kdc ended with ${kdc.exitCode}`);
      await sleep(20);
    }
    return new Kdc(folder, kdc);
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

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
