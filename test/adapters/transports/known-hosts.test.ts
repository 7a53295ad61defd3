import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import {
  checkHostKey,
  entriesFor,
  knownHostsName,
  orderHostKeyAlgorithms,
  parseKnownHosts,
} from '../../../adapters/transports/ssh/known-hosts.ts';
import { requirement } from '../../require.ts';

const run = promisify(execFile);

/** A key blob of a type, as different as `seed`. */
function blob(type: string, seed: number): Buffer {
  const body = Buffer.alloc(32, seed);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from([0, 0, 0, 32]), body]);
}

const ed = (seed: number): string => `ssh-ed25519 ${blob('ssh-ed25519', seed).toString('base64')}`;
const rsa = (seed: number): string => `ssh-rsa ${blob('ssh-rsa', seed).toString('base64')}`;
const known = (...lines: string[]): ReturnType<typeof parseKnownHosts> =>
  parseKnownHosts([{ file: 'known_hosts', text: lines.join('\n') }]);
const check = (
  hosts: ReturnType<typeof known>,
  host: string,
  key: Buffer,
  port = 22,
): ReturnType<typeof checkHostKey> => checkHostKey(hosts, host, port, key);

t.test('known hosts: names, lists, wildcards, negation and ports are matched as sshd(8) says', (t) => {
  const key = blob('ssh-ed25519', 1);
  for (const [names, host, port, is] of [
    ['alpha', 'alpha', 22, 'known'],
    ['alpha', 'ALPHA', 22, 'known'],
    ['ALPHA', 'alpha', 22, 'known'],
    ['beta,alpha', 'alpha', 22, 'known'],
    ['alpha', 'alpha.example', 22, 'unknown'],
    ['*.example', 'alpha.example', 22, 'known'],
    ['*.example', 'example', 22, 'unknown'],
    ['10.0.0.?', '10.0.0.7', 22, 'known'],
    ['10.0.0.?', '10.0.0.77', 22, 'unknown'],
    ['10.0.0.?', '10a0b0c7', 22, 'unknown'],
    ['*,!bad', 'good', 22, 'known'],
    ['*,!bad', 'bad', 22, 'unknown'],
    ['!bad', 'good', 22, 'unknown'],
    ['[alpha]:2222', 'alpha', 2222, 'known'],
    ['[alpha]:2222', 'alpha', 22, 'unknown'],
    ['alpha', 'alpha', 2222, 'unknown'],
    ['[*]:2222', 'alpha', 2222, 'known'],
    ['::1', '::1', 22, 'known'],
    ['[::1]:2222', '::1', 2222, 'known'],
  ] as const)
    t.equal(check(known(`${names} ${ed(1)}`), host, key, port).is, is, `${names} / ${host}:${port}`);
  t.equal(knownHostsName('Alpha', 22), 'alpha');
  t.equal(knownHostsName('Alpha', 2221), '[alpha]:2221');
  t.end();
});

t.test('known hosts: verdicts say which line, which keys, and what to do', (t) => {
  const key = blob('ssh-ed25519', 1);
  t.same(check(known('# note', '', `alpha ${ed(2)}`, `alpha ${ed(1)} comment here`), 'alpha', key), {
    is: 'known',
    at: 'known_hosts:4',
  });
  t.match(check(known(`alpha ${rsa(9)}`, `alpha ${ed(2)}`), 'alpha', key), {
    is: 'mismatch',
    message: /known_hosts:2 holds ssh-ed25519 SHA256:.*out of band/,
  });
  t.match(check(known(`alpha ${rsa(9)}`), 'alpha', key), { is: 'mismatch', message: /known_hosts:1 holds ssh-rsa/ });
  t.match(check(known(`@revoked * ${ed(1)}`, `alpha ${ed(1)}`), 'alpha', key), {
    is: 'revoked',
    message: /revoked in known_hosts:1/,
  });
  t.equal(check(known(`@revoked * ${ed(2)}`, `alpha ${ed(1)}`), 'alpha', key).is, 'known');
  t.match(
    check(known(`@revoked alpha ${ed(2)}`), 'alpha', key),
    { is: 'unknown' },
    'revoking one vouches for no other',
  );
  t.match(check(known(`@cert-authority *.example ${ed(1)}`), 'a.example', key), {
    is: 'unknown',
    message: /known_hosts:1 trusts a certificate authority.*not supported/,
  });
  t.match(check(known(`alpha ${ed(1)}`), 'alpha', key, 2222), {
    is: 'unknown',
    message: /known_hosts:1 is for alpha on port 22 only.*ssh-keyscan -p 2222 alpha/,
  });
  const two = parseKnownHosts([
    { file: 'one', text: `other ${ed(1)}` },
    { file: 'two', text: `alpha ${ed(1)}\r\n` },
  ]);
  t.same(checkHostKey(two, 'alpha', 22, key), { is: 'known', at: 'two:1' }, 'several files, DOS line ends');
  t.match(checkHostKey(two, 'gamma', 22, key), { message: /nothing in one, two matches/ });
  t.end();
});

t.test('known hosts: lines that cannot be read are told when nothing else matches', (t) => {
  const bad = [
    'alpha',
    'alpha ssh-ed25519',
    'alpha ssh-ed25519 ???',
    `alpha ssh-rsa ${blob('ssh-ed25519', 1).toString('base64')}`,
    `@new alpha ${ed(1)}`,
    `|1|abc|def ${ed(1)}`,
    `|2|abc|def ${ed(1)}`,
    'alpha 1024 65537 123456789',
  ];
  const hosts = known(...bad, `beta ${ed(1)}`);
  t.equal(hosts.problems.length, bad.length);
  for (const [index, problem] of hosts.problems.entries())
    t.ok(problem.startsWith(`known_hosts:${index + 1}: `), problem);
  t.match(check(hosts, 'alpha', blob('ssh-ed25519', 1)), {
    is: 'unknown',
    message: /could not be read: known_hosts:1: .* and 3 more/,
  });
  t.equal(check(hosts, 'beta', blob('ssh-ed25519', 1)).is, 'known');
  t.end();
});

t.test('known hosts: algorithms whose key is known are offered first', (t) => {
  const supported = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'] as const;
  const order = (...lines: string[]): string[] => orderHostKeyAlgorithms(known(...lines), 'alpha', supported);
  t.same(order(`alpha ${rsa(1)}`), ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519', 'ecdsa-sha2-nistp256']);
  t.same(order(`@revoked alpha ${rsa(1)}`, `beta ${rsa(1)}`), [...supported]);
  t.end();
});

t.test('known hosts: the lines found are those that ssh-keygen -F finds', async (t) => {
  const missing = await access('/usr/bin/ssh-keygen').then(
    () => undefined,
    () => 'ssh-keygen is not installed (Debian: apt-get install openssh-client)',
  );
  if (!requirement(t, 'ssh-keygen', missing)) return;
  const folder = await mkdtemp(join(tmpdir(), 'known-hosts-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, 'known_hosts');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'key')]);
  const [type = '', key = ''] = (await readFile(join(folder, 'key.pub'), 'utf8')).split(' ');
  const plain = [
    'alpha',
    'beta,10.0.0.1',
    '*.example,!bad.example',
    '[alpha]:2222',
    '[10.0.?.*]:22??',
    '!gamma,*',
    '@revoked delta',
    '@cert-authority *.corp',
    'EPSILON',
  ];
  await writeFile(file, plain.map((names) => `${names} ${type} ${key}\n`).join(''));
  const hashed = `${file}.hashed`;
  await writeFile(hashed, ['alpha', '[alpha]:2222', 'zeta'].map((names) => `${names} ${type} ${key}\n`).join(''));
  await run('ssh-keygen', ['-q', '-H', '-f', hashed]);
  await writeFile(file, (await readFile(file, 'utf8')) + (await readFile(hashed, 'utf8')));
  const text = await readFile(file, 'utf8');
  const hosts = parseKnownHosts([{ file, text }]);
  t.same(hosts.problems, []);
  for (const name of [
    'alpha',
    'beta',
    '10.0.0.1',
    'a.example',
    'bad.example',
    'gamma',
    'delta',
    'x.corp',
    'epsilon',
    'zeta',
    '[alpha]:2222',
    '[10.0.1.5]:2200',
    '[10.0.1.5]:22',
    'nowhere',
  ]) {
    // It prints "# Host NAME found: line N" before each line found, and exits 1 for none.
    const { stdout } = await run('ssh-keygen', ['-F', name, '-f', file]).catch(() => ({ stdout: '' }));
    const found = [...stdout.matchAll(/found: line (\d+)/g)].map(([, line]) => `${file}:${line ?? ''}`);
    t.same(
      entriesFor(hosts, name).map(({ at }) => at),
      found,
      `${name}: ${found.length} lines`,
    );
  }
});
