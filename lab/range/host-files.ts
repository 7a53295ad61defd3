import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { LAB_ADDRESS, LAB_HOSTS, RUNTIME_DIR, hostFiles, runtimeFiles, stateFiles } from './layout.ts';
import type { LabHost } from './layout.ts';

const HOST_KEY_TYPES = ['ed25519', 'rsa'] as const;

/** Copies the daemons and writes each lab host's /etc, host keys, the client's key and its known_hosts. */
export async function writeHostFiles(stateDir: string): Promise<void> {
  mkdirSync(runtimeFiles.bin, { recursive: true, mode: 0o755 });
  copyFileSync('/usr/sbin/sshd', runtimeFiles.sshd);
  copyFileSync('/usr/sbin/cron', runtimeFiles.cron);
  symlinkSync('/usr/bin/sleep', runtimeFiles.holder);
  const { clientKey, knownHosts } = stateFiles(stateDir);
  for (const { name } of LAB_HOSTS) {
    for (const folder of ['ssh/authorized_keys', 'pam.d', 'cron.d', 'profile.d']) {
      mkdirSync(path.join(hostFiles(name).etc, folder), { recursive: true, mode: 0o755 });
    }
    mkdirSync(hostFiles(name).syslogDir, { recursive: true, mode: 0o755 });
  }
  await Promise.all([
    existsSync(clientKey) ? undefined : generateKey('ed25519', clientKey, 'detproof lab'),
    ...LAB_HOSTS.flatMap((host) => HOST_KEY_TYPES.map((type) => generateKey(type, hostKey(host, type), host.name))),
  ]);
  const authorized = readFileSync(`${clientKey}.pub`, 'utf8');
  for (const host of LAB_HOSTS) writeEtc(host, authorized);
  writeFileSync(knownHosts, LAB_HOSTS.flatMap(knownHostLines).join(''), { mode: 0o600 });
}

/** sshd_config(5) of a lab host; `environment` is set for each session. */
export function sshdConfig(host: LabHost, environment: Readonly<Record<string, string>> = {}): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return `Port ${host.port}
ListenAddress ${LAB_ADDRESS}
${HOST_KEY_TYPES.map((type) => `HostKey /etc/ssh/ssh_host_${type}_key`).join('\n')}
PidFile /run/sshd.pid
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
AllowUsers ${host.account}
PermitRootLogin no
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
MaxSessions 10
MaxStartups 50:30:100
LogLevel VERBOSE
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
AllowAgentForwarding no
PermitTunnel no
PermitUserEnvironment no
Subsystem sftp /usr/lib/openssh/sftp-server
${variables.length === 0 ? '' : `SetEnv ${variables.join(' ')}\n`}`;
}

function writeEtc(host: LabHost, authorizedKeys: string): void {
  const { name, account, uid } = host;
  const write = (file: string, text: string, mode = 0o644): void => {
    writeFileSync(path.join(hostFiles(name).etc, file), text, { mode });
  };
  const accounts = systemEntries('/etc/passwd', account);
  const passwd = [...accounts, `${account}:x:${uid}:${uid}:detproof lab:/home/${account}:/bin/bash`];
  write('passwd', lines(passwd));
  write('group', lines([...systemEntries('/etc/group', account).map(withoutMembers), `${account}:x:${uid}:`]));
  // No password hash of the machine is copied: nobody can log in by password here.
  write('shadow', lines(passwd.map((entry) => `${firstField(entry)}:*:20000:0:99999:7:::`)), 0o600);
  write('nsswitch.conf', lines(['passwd: files', 'group: files', 'shadow: files', 'hosts: files dns']));
  write('hostname', lines([name]));
  write('hosts', lines(['127.0.0.1 localhost', `127.0.1.1 ${name}`, '::1 localhost']));
  write('crontab', '');
  // cron takes the newest of these and the spool as its database's age, in whole seconds; see host-setup.sh.
  for (const entry of ['crontab', 'cron.d']) utimesSync(path.join(hostFiles(name).etc, entry), 0, 0);
  write('cron.allow', lines([account]));
  // Not the machine's own stacks: they may ask a directory, run programs at login (motd) or register the session with logind.
  const stack = [
    'auth required pam_unix.so',
    'account required pam_unix.so',
    'session required pam_loginuid.so',
    'session required pam_unix.so',
  ];
  write('pam.d/sshd', lines(stack));
  write('pam.d/cron', lines(stack));
  write('pam.d/other', lines(['auth', 'account', 'password', 'session'].map((kind) => `${kind} required pam_deny.so`)));
  write('ssh/sshd_config', sshdConfig(host), 0o600);
  write(`ssh/authorized_keys/${account}`, authorizedKeys);
}

/** The entries of the machine's system accounts or groups; those of people stay out of the lab, and so does one that has the name of the lab's. */
function systemEntries(file: string, except: string): readonly string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((entry) => {
      const id = Number(entry.split(':')[2] ?? 'NaN');
      return (id < 1000 || id === 65534) && firstField(entry) !== except;
    });
}

function withoutMembers(group: string): string {
  return [...group.split(':').slice(0, 3), ''].join(':');
}

function firstField(entry: string): string {
  return entry.split(':')[0] ?? '';
}

function lines(entries: readonly string[]): string {
  return entries.map((entry) => entry + '\n').join('');
}

function hostKey(host: LabHost, type: (typeof HOST_KEY_TYPES)[number]): string {
  return path.join(hostFiles(host.name).etc, `ssh/ssh_host_${type}_key`);
}

function knownHostLines(host: LabHost): readonly string[] {
  return HOST_KEY_TYPES.map((type) => {
    const [algorithm, key] = readFileSync(`${hostKey(host, type)}.pub`, 'utf8').split(' ');
    return `[${LAB_ADDRESS}]:${host.port} ${algorithm} ${key}\n`;
  });
}

async function generateKey(type: string, file: string, comment: string): Promise<void> {
  // The smallest that clients accept: larger ones take seconds on a busy machine, for keys that live as long as the lab.
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  await execa('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', comment, '-f', file], { stdin: 'ignore' });
}

/** The runtime folder itself must be passable for the accounts, and writable for nobody. */
export function makeRuntimeDir(): void {
  mkdirSync(RUNTIME_DIR, { recursive: true, mode: 0o755 });
}
