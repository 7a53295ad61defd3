import { execFile, spawn } from 'node:child_process';
import { access, chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export const run = promisify(execFile);

const sshdPath = '/usr/sbin/sshd';
const uid = 60_123;

/** Why no sshd of our own can be started here; undefined when it can. */
export async function sshdMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'starting sshd with accounts of its own takes root';
  return access(sshdPath).then(
    () => undefined,
    () => `${sshdPath} is not installed (Debian: apt-get install openssh-server)`,
  );
}

export type SshdOptions = {
  /** Lines that come before the defaults, so that they win (sshd_config(5): the first value is used). */
  readonly config?: readonly string[];
  readonly listen?: readonly string[];
  /** False: a server without the SFTP subsystem. */
  readonly sftp?: boolean;
  /** Logins by password through PAM, against a shadow file of its own: `user` has `password`, `expired` an expired one. */
  readonly pam?: { readonly password: string; readonly service?: readonly string[] };
  /** Login shell of `user`; /bin/sh when not said. */
  readonly shell?: string;
  /** Login shell of root; /bin/bash when not said. */
  readonly rootShell?: string;
  /** Shell commands that are run in the mount namespace before sshd starts; `$0` is the folder. */
  readonly prepare?: string;
  /** Another server whose port (on other addresses) and login key this one shares. */
  readonly like?: Sshd;
};

/**
 * A real OpenSSH server on a loopback port, with everything it needs in a folder of its own. Its accounts exist in its own
 * mount namespace only: `user` (unprivileged, /bin/sh) and root (/bin/bash), both with homes in the folder.
 */
export class Sshd implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  /** Private key that both accounts accept. */
  readonly key: string;
  readonly knownHosts: string;
  readonly pid: number;
  /** What it has logged so far. */
  readonly log: () => string;
  readonly #stop: () => Promise<void>;

  private constructor(
    folder: string,
    port: number,
    key: string,
    pid: number,
    log: () => string,
    stop: () => Promise<void>,
  ) {
    this.folder = folder;
    this.port = port;
    this.key = key;
    this.knownHosts = join(folder, 'known_hosts');
    this.pid = pid;
    this.log = log;
    this.#stop = stop;
  }

  static async start(options: SshdOptions = {}): Promise<Sshd> {
    const folder = await mkdtemp(join(tmpdir(), 'sshd-'));
    await chmod(folder, 0o755);
    const port = options.like?.port ?? (await freePort());
    const listen = options.listen ?? ['127.0.0.1'];
    for (const [account, owner] of [
      ['user', uid],
      ['root', 0],
    ] as const) {
      await mkdir(join(folder, 'home', account), { recursive: true });
      await chown(join(folder, 'home', account), owner, owner);
    }
    for (const type of ['ed25519', 'ecdsa'])
      await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'host', '-f', join(folder, `host_${type}`)]);
    const key = options.like?.key ?? join(folder, 'id_ed25519');
    if (options.like === undefined)
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'login', '-f', key]);
    await writeFile(join(folder, 'authorized_keys'), await readFile(`${key}.pub`));
    const names = listen.map((address) => `[${address}]:${port}`).join(',');
    const hostKey = await readFile(join(folder, 'host_ed25519.pub'), 'utf8');
    await writeFile(join(folder, 'known_hosts'), `${names} ${hostKey}`);
    await writeFile(
      join(folder, 'passwd'),
      `root:x:0:0::${folder}/home/root:${options.rootShell ?? '/bin/bash'}\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nuser:x:${uid}:${uid}::${folder}/home/user:${options.shell ?? '/bin/sh'}\nexpired:x:${uid + 2}:${uid}::/:/bin/sh\nlocked:x:${uid + 1}:${uid}::/:/usr/sbin/nologin\n`,
    );
    await writeFile(
      join(folder, 'sshd_config'),
      [
        ...(options.config ?? []),
        `Port ${port}`,
        ...listen.map((address) => `ListenAddress ${address}`),
        `HostKey ${folder}/host_ed25519`,
        `HostKey ${folder}/host_ecdsa`,
        `AuthorizedKeysFile ${folder}/authorized_keys`,
        'PidFile none',
        'StrictModes no',
        ...(options.pam === undefined
          ? ['UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no']
          : ['UsePAM yes']),
        'PermitRootLogin prohibit-password',
        'PrintMotd no',
        'LogLevel VERBOSE',
        ...(options.sftp === false ? [] : ['Subsystem sftp internal-sftp']),
        '',
      ].join('\n'),
    );
    if (options.pam !== undefined) {
      const hash = await hashed(options.pam.password);
      const today = Math.floor(Date.now() / 86_400_000);
      await writeFile(
        join(folder, 'shadow'),
        `root:*:${today}:0:99999:7:::\nuser:${hash}:${today}:0:99999:7:::\nexpired:${hash}:0:0:99999:7:::\n`,
        { mode: 0o600 },
      );
      await writeFile(
        join(folder, 'pam'),
        [
          ...(options.pam.service ?? []),
          'auth required pam_unix.so nodelay',
          'account required pam_unix.so',
          'password required pam_unix.so',
          'session required pam_unix.so',
          '',
        ].join('\n'),
      );
    }
    const binds =
      options.pam === undefined
        ? ''
        : 'mount --bind "$0/shadow" /etc/shadow && mount --bind "$0/pam" /etc/pam.d/sshd && ';
    const prepare = options.prepare === undefined ? '' : `${options.prepare} && `;
    const child = spawn(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        `mount --bind "$0/passwd" /etc/passwd && ${binds}mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && ${prepare}exec "$1" -D -e -f "$0/sshd_config"`,
        folder,
        sshdPath,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve();
      });
    });
    const stop = async (): Promise<void> => {
      child.kill();
      await exited;
      await rm(folder, { recursive: true, force: true });
    };
    for (let tries = 0; !(await accepts(listen[0] ?? '127.0.0.1', port)); tries += 1) {
      if (child.exitCode !== null || tries > 100) {
        await stop();
        throw new Error(`sshd did not start: ${said}`);
      }
      await sleep(30);
    }
    if (child.pid === undefined) throw new Error('sshd has no process id');
    return new Sshd(folder, port, key, child.pid, () => said, stop);
  }

  home(account: 'user' | 'root'): string {
    return join(this.folder, 'home', account);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

/** As crypt(3) makes it; the password goes by standard input. */
async function hashed(password: string): Promise<string> {
  const child = run('openssl', ['passwd', '-6', '-stdin']);
  child.child.stdin?.end(`${password}\n`);
  return (await child).stdout.trim();
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    resolve(typeof address === 'object' && address !== null ? address.port : 0);
  });
  const port = await promise;
  server.close();
  return port;
}

function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
