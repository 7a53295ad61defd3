import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { isRunning, waitUntil } from '../../range/processes.ts';
import type { ProcessRef } from '../../range/processes.ts';
import type { StandIn, StandInAccount, StandInContext, StandInLog } from '../stand-in.ts';
import { eventLogFiles } from './machine/event-log.ts';
import type { WindowsSettingsInput } from './settings.ts';
import { makeCertificates } from './certificates.ts';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const SETUP_SCRIPT = path.join(import.meta.dirname, 'setup.sh');
const sshPort = 2227;
const [httpPort, httpsPort] = [2225, 2226];

const logs: readonly StandInLog[] = [
  { via: 'file', file: eventLogFiles.sysmon, format: 'sysmon' },
  { via: 'file', file: eventLogFiles.security, format: 'windows-security' },
];
const dana: StandInAccount = { name: 'dana', role: 'standard' };
const backup: StandInAccount = { name: 'svc-backup', role: 'service' };

/** Windows behind WinRM: over HTTP with sealed NTLM, over HTTPS with NTLM, Basic or a client certificate. */
const overWinrm: StandIn = {
  name: 'lab-windows',
  platform: 'windows',
  ports: [httpPort, httpsPort],
  accounts: [dana, backup],
  packages: ['openssl', 'python3'],
  ids: { first: 60_203, count: 1 },
  logs,
  async start(context) {
    const { secrets } = context.folders;
    const { ca, cert, key } = await makeCertificates(
      secrets,
      overWinrm.accounts.map(({ name }) => name),
    );
    const { address } = context;
    const host = await startHost(context, {
      listeners: [
        { address, port: httpPort },
        {
          address,
          port: httpsPort,
          auth: { basic: true, certificate: true },
          tls: { certFile: cert, keyFile: key, caFile: ca },
        },
      ],
    });
    await context.listening(httpPort, host);
    await context.listening(httpsPort, host);
  },
};

/** Windows behind OpenSSH, with cmd.exe as the default shell and no SFTP: a real sshd whose sessions the stand-in carries out. */
const overSsh: StandIn = {
  name: 'lab-windows-ssh',
  platform: 'windows',
  ports: [sshPort],
  accounts: [dana],
  packages: ['openssh-server', 'openssh-client', 'python3'],
  ids: { first: 60_204, count: 1 },
  logs,
  async start(context) {
    const { runtime } = context.folders;
    const secretFile = path.join(runtime, 'ssh-secret');
    const host = await startHost(context, { listeners: [], sshSecretFile: secretFile });
    const door = path.join(runtime, 'host/door');
    if (!(await waitUntil(() => !isRunning(host) || existsSync(door), 20_000)) || !isRunning(host))
      throw new Error(`the host of ${overSsh.name} did not start; see ${overSsh.name}.host.log`);
    const config = await writeSshFiles(context, door, secretFile);
    const holder = await context.open(['/bin/sh', SETUP_SCRIPT, runtime]);
    const sshd = await context.start('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', config], { door: holder });
    await context.listening(sshPort, sshd);
  },
};

export const standIns: readonly StandIn[] = [overWinrm, overSsh];

async function startHost(
  { standIn, folders, password, start }: StandInContext,
  more: Pick<WindowsSettingsInput, 'listeners' | 'sshSecretFile'>,
): Promise<ProcessRef> {
  const settings: WindowsSettingsInput = {
    name: standIn.name.toUpperCase(),
    folder: path.join(folders.runtime, 'host'),
    eventLogs: folders.logs,
    uid: uidOf(standIn),
    accounts: standIn.accounts.map(({ name, role }) => {
      password(name);
      return {
        name,
        role: role === 'service' ? ('service' as const) : ('standard' as const),
        passwordFile: path.join(folders.secrets, `${name}.password`),
      };
    }),
    ...more,
  };
  const config = path.join(folders.runtime, 'settings.json');
  writeFileSync(config, JSON.stringify(settings, undefined, 2) + '\n', { mode: 0o600 });
  return start('host', [process.execPath, MAIN, '--config', config]);
}

/** Writes sshd's configuration, keys and accounts; the configuration's path. */
async function writeSshFiles(context: StandInContext, door: string, secretFile: string): Promise<string> {
  const { standIn, folders, clientPublicKey, trust } = context;
  const etc = (name: string): string => path.join(folders.runtime, 'etc', name);
  mkdirSync(path.join(folders.runtime, 'home'), { mode: 0o755 });
  mkdirSync(etc(''), { mode: 0o755 });
  const hostKey = etc('ssh_host_ed25519_key');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', standIn.name, '-f', hostKey], { stdin: 'ignore' });
  trust(sshPort, [readFileSync(`${hostKey}.pub`, 'utf8')]);
  const [id, home] = [uidOf(standIn), path.join(folders.runtime, 'home')];
  const write = (name: string, lines: readonly string[], mode = 0o644): void => {
    writeFileSync(etc(name), lines.map((line) => `${line}\n`).join(''), { mode });
  };
  const accounts = ['root:x:0:0:root:/root:/bin/sh', 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin'];
  write('passwd', [...accounts, `${dana.name}:x:${id}:${id}::${home}:/bin/sh`]);
  write('group', ['root:x:0:', 'nogroup:x:65534:', `${dana.name}:x:${id}:`]);
  write(
    'shadow',
    ['root', 'sshd', dana.name].map((name) => `${name}:*:20000:0:99999:7:::`),
    0o600,
  );
  write('nsswitch.conf', ['passwd: files', 'group: files', 'shadow: files', 'hosts: files']);
  write('authorized_keys', [clientPublicKey]);
  const bridge = path.join(folders.runtime, 'host/python/bridge.py');
  const session = ['--door', door, '--ssh-secret', secretFile, '--account', dana.name].join(' ');
  write(
    'sshd_config',
    [
      `Port ${sshPort}`,
      `ListenAddress ${context.address}`,
      `HostKey ${hostKey}`,
      'PidFile none',
      `AuthorizedKeysFile ${etc('authorized_keys')}`,
      `AllowUsers ${dana.name}`,
      'PermitRootLogin no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'UsePAM no',
      'UseDNS no',
      'MaxStartups 50:30:100',
      'PermitTTY no',
      'DisableForwarding yes',
      'PrintMotd no',
      'PrintLastLog no',
      // What Windows OpenSSH runs is told by the stand-in; there is no SFTP subsystem.
      `ForceCommand exec /usr/bin/python3 -I -S -B ${bridge} ${session}`,
    ],
    0o600,
  );
  return etc('sshd_config');
}

function uidOf({ name, ids }: StandIn): number {
  if (ids === undefined) throw new Error(`${name} has no user id`);
  return ids.first;
}
