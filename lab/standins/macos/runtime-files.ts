import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import type { StandInContext } from '../stand-in.ts';
import { macFiles, macHost } from './host.ts';

const PROGRAMS = path.join(import.meta.dirname, 'programs');

/** Debian's interpreter, the file itself: `/usr/bin/python3.N`. */
export function machinePython(): string {
  return realpathSync('/usr/bin/python3');
}

/** Writes everything that setup.sh needs below the runtime folder, with a host key that the lab then trusts. */
export async function writeRuntimeFiles(context: StandInContext): Promise<void> {
  const files = macFiles(context.folders.runtime);
  for (const folder of [files.root, files.syslogDir, path.dirname(files.sshd)]) mkdirSync(folder, { recursive: true });
  copyFileSync('/usr/sbin/sshd', files.sshd);
  copyFileSync(machinePython(), files.launchd);
  copyFileSync(path.join(PROGRAMS, 'launchd.py'), path.join(path.dirname(files.launchd), 'launchd.py'));
  for (const [from, to] of [
    ['bin', files.bin],
    ['usr-bin', files.usrBin],
  ] as const) {
    cpSync(path.join(PROGRAMS, from), to, { recursive: true });
    for (const name of readdirSync(to)) chmodSync(path.join(to, name), 0o755);
  }
  writeFileSync(files.shimCalls, '');
  chmodSync(files.shimCalls, 0o666);
  await writeEtc(context, files.etc);
}

/** How often /usr/bin/python3, the shim, was called since the stand-in is up, a line each: seconds since the epoch and its arguments. */
export function shimCalls(runtime: string): readonly string[] {
  return readFileSync(macFiles(runtime).shimCalls, 'utf8').split('\n').slice(0, -1);
}

async function writeEtc(context: StandInContext, etc: string): Promise<void> {
  const { account, uid, gid, port, name } = macHost;
  for (const folder of ['ssh/authorized_keys', 'pam.d', 'zsh'])
    mkdirSync(path.join(etc, folder), { recursive: true, mode: 0o755 });
  const write = (file: string, lines: readonly string[], mode = 0o644): void => {
    writeFileSync(path.join(etc, file), lines.map((line) => `${line}\n`).join(''), { mode });
    chmodSync(path.join(etc, file), mode);
  };
  const accounts = [
    'root:x:0:0:System Administrator:/var/root:/bin/sh',
    `${account}:x:${uid}:${gid}:Carol:/Users/${account}:/bin/zsh`,
    'daemon:x:1:1:System Services:/var/root:/usr/bin/false',
    // sshd wants this account for the part of it that has no rights.
    'sshd:x:75:75:sshd Privilege separation:/var/empty:/usr/bin/false',
    'nobody:x:65534:65534:Unprivileged User:/var/empty:/usr/bin/false',
  ];
  write('passwd', accounts);
  write('group', ['wheel:x:0:', 'daemon:x:1:', 'tty:x:5:', 'sshd:x:75:', `staff:x:${gid}:`, 'nogroup:x:65534:']);
  write(
    'shadow',
    accounts.map((entry) => `${entry.split(':')[0] ?? ''}:*:20000:0:99999:7:::`),
    0o600,
  );
  write('nsswitch.conf', ['passwd: files', 'group: files', 'shadow: files', 'hosts: files dns']);
  write('hosts', ['127.0.0.1 localhost', `127.0.1.1 ${name}`, '::1 localhost']);
  write('shells', ['/bin/bash', '/bin/sh', '/bin/zsh']);
  write('pam.d/sshd', [
    'auth required pam_unix.so',
    'account required pam_unix.so',
    'session required pam_loginuid.so',
    'session required pam_unix.so',
  ]);
  write(
    'pam.d/other',
    ['auth', 'account', 'password', 'session'].map((kind) => `${kind} required pam_deny.so`),
  );
  // Debian's zsh reads this folder; a Mac's reads /etc itself.
  copyFileSync(path.join(PROGRAMS, 'zshenv'), path.join(etc, 'zsh/zshenv'));
  symlinkSync('zsh/zshenv', path.join(etc, 'zshenv'));
  write('ssh/sshd_config', sshdConfig(port, context.address), 0o600);
  write(`ssh/authorized_keys/${account}`, [context.clientPublicKey.trim()]);
  const hostKey = path.join(etc, 'ssh/ssh_host_ed25519_key');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', hostKey], { stdin: 'ignore' });
  context.trust(port, [readFileSync(`${hostKey}.pub`, 'utf8').trim()]);
}

/** A Mac's PATH over ssh has no Homebrew in it. */
function sshdConfig(port: number, address: string): readonly string[] {
  return [
    `Port ${port}`,
    `ListenAddress ${address}`,
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'PidFile none',
    'AuthorizedKeysFile /etc/ssh/authorized_keys/%u',
    `AllowUsers ${macHost.account}`,
    'PermitRootLogin no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM yes',
    'MaxStartups 50:30:100',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'X11Forwarding no',
    'AllowAgentForwarding no',
    'PermitTunnel no',
    'Subsystem sftp /usr/libexec/sftp-server',
    'SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin',
  ];
}
