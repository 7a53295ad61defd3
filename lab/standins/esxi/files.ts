import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import type { StandInContext } from '../stand-in.ts';

/** Where the host's sshd listens. */
export const PORT = 2223;

/** ESXi's FIPS mode knows no ed25519. */
const HOST_KEY_TYPES = ['rsa', 'ecdsa'] as const;

/**
 * Writes the host's own files where its set-up takes them from, with passwords and a client key (`id_ecdsa`) for all of its
 * accounts, and lets the lab's known_hosts know the host.
 */
export async function writeFiles({ standIn, folders, password, trust }: StandInContext): Promise<void> {
  const files = path.join(folders.runtime, 'files');
  cpSync(path.join(import.meta.dirname, 'host'), files, { recursive: true, verbatimSymlinks: true });
  const etc = (name: string): string => path.join(files, 'etc', name);
  const clientKey = path.join(folders.secrets, 'id_ecdsa');
  await Promise.all([
    generateKey('ecdsa', clientKey),
    ...HOST_KEY_TYPES.map((type) => generateKey(type, etc(`ssh/ssh_host_${type}_key`))),
  ]);
  trust(
    PORT,
    HOST_KEY_TYPES.map((type) => readFileSync(`${etc(`ssh/ssh_host_${type}_key`)}.pub`, 'utf8')),
  );
  const shadow = await Promise.all(
    readFileSync(etc('passwd'), 'utf8')
      .trim()
      .split('\n')
      .map((entry) => entry.split(':')[0] ?? '')
      .map(async (name) => {
        const hasLogin = standIn.accounts.some((account) => account.name === name);
        return `${name}:${hasLogin ? await hash(password(name)) : '*'}:20000:0:99999:7:::\n`;
      }),
  );
  writeFileSync(etc('shadow'), shadow.join(''), { mode: 0o600 });
  writeFileSync(etc('hostname'), `${standIn.name}\n`);
  writeFileSync(etc('hosts'), `127.0.0.1 localhost\n127.0.0.1 ${standIn.name}\n`);
  for (const { name } of standIn.accounts) {
    mkdirSync(etc(`ssh/keys-${name}`), { mode: 0o755 });
    writeFileSync(etc(`ssh/keys-${name}/authorized_keys`), readFileSync(`${clientKey}.pub`));
  }
  chmodSync(etc('ssh/sshd_config'), 0o600);
}

/** crypt(3), SHA-512; the password by standard input, for command lines can be read by anybody. */
async function hash(password: string): Promise<string> {
  const perl = 'my @c = ("a".."z", 0..9); print crypt(<STDIN>, q($6$) . join("", map { $c[rand @c] } 1..16) . q($))';
  const { stdout } = await execa('perl', ['-e', perl], { input: password });
  if (!stdout.startsWith('$6$')) throw new Error('perl’s crypt does not know SHA-512');
  return stdout;
}

async function generateKey(type: (typeof HOST_KEY_TYPES)[number], file: string): Promise<void> {
  // The smallest that clients accept: larger ones take seconds on a busy machine, for keys that live as long as the lab.
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  await execa('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', 'lab-esxi', '-f', file], { stdin: 'ignore' });
}
