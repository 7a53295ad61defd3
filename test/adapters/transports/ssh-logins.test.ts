import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { KeyboardAnswers } from '../../../adapters/transports/ssh/keyboard.ts';
import { Credentials } from '../../../adapters/transports/ssh/credentials.ts';
import plugin from '../../../adapters/transports/ssh/index.ts';
import { sshAccount, sshSettings } from '../../../adapters/transports/ssh/settings.ts';
import type { Session, Transport } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { exec, failureOf, text } from '../../contract/transport-contract.ts';
import { requirement } from '../../require.ts';
import { run, Sshd, sshdMissing, type SshdOptions } from './sshd.ts';

const never = new AbortController().signal;
const password = 'correct horse battery staple';

type Login = {
  readonly id?: string;
  readonly address?: string;
  readonly neverTouch?: readonly string[];
  readonly account?: string;
  readonly accountSettings?: unknown;
  readonly settings?: Readonly<Record<string, unknown>>;
};

function connect(sshd: Sshd, login: Login = {}, transport: Transport = plugin.open(realDeps)): Promise<Session> {
  const target = authorizedTarget({
    ...(login.id === undefined ? {} : { id: login.id }),
    address: login.address ?? '127.0.0.1',
    kind: 'ssh',
    settings: { port: sshd.port, knownHosts: sshd.knownHosts, ...login.settings },
    ...(login.neverTouch === undefined ? {} : { neverTouch: login.neverTouch }),
    account: login.account ?? 'user',
    accountSettings: login.accountSettings ?? { key: `file:${sshd.key}` },
  });
  return transport.connect(target, never);
}

async function start(t: Test, options: SshdOptions = {}): Promise<Sshd> {
  const sshd = await Sshd.start(options);
  t.teardown(() => sshd[Symbol.asyncDispose]());
  return sshd;
}

async function works(t: Test, session: Session, name: string): Promise<void> {
  t.equal(text((await exec(session, ['/bin/echo', 'in'])).stdout), 'in\n', name);
  await session[Symbol.asyncDispose]();
}

t.test('keyboard: rounds of the login: answered, given up, and refused', (t) => {
  const round = (...prompts: readonly string[]): Parameters<KeyboardAnswers['reply']>[0] => ({
    name: '',
    instructions: '',
    prompts: prompts.map((prompt) => ({ prompt, echo: false })),
  });
  const fresh = (): KeyboardAnswers => new KeyboardAnswers('x');
  for (const prompt of ['Password: ', "root@esx01's password:", 'Password for user@host:', 'Enter PASSCODE:'])
    t.same(fresh().reply(round(prompt)), { is: 'answers', answers: ['x'] }, prompt);
  t.same(fresh().reply(round()), { is: 'answers', answers: [] }, 'no prompt, no answer');
  for (const prompt of ['New password: ', 'Current password: ', '(current) UNIX password: ', 'Retype new password:'])
    t.match(fresh().reply(round(prompt)), { is: 'given-up', refused: true, because: /expired/ }, prompt);
  const expired = { ...round('Password: '), instructions: 'You are required to change your password immediately' };
  t.match(fresh().reply(expired), { is: 'given-up', refused: true, because: /expired/ });
  t.match(fresh().reply(round('Verification code: ')), { is: 'given-up', refused: false, because: /Verification/ });
  t.match(
    fresh().reply({ ...round(), prompts: [{ prompt: 'Password: ', echo: true }] }),
    { is: 'given-up' },
    'no password where it would be shown',
  );
  const twice = fresh();
  twice.reply(round('Password: '));
  t.match(twice.reply(round('Password: ')), { is: 'given-up', refused: true, because: /again/ });
  t.notMatch(JSON.stringify(fresh().reply(round('Password: ', 'Password: '))), '"x"', 'nor twice in one round');
  t.end();
});

t.test('ssh: logins against a real sshd', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;

  t.test('ssh: password: goes by whichever method the server takes, and is tried once', async (t) => {
    const keyboard = await start(t, {
      pam: { password },
      config: ['PasswordAuthentication no', 'KbdInteractiveAuthentication yes'],
    });
    const plain = await start(t, {
      pam: { password },
      config: ['PasswordAuthentication yes', 'KbdInteractiveAuthentication no'],
    });
    const keysOnly = await start(t);
    const good = join(keyboard.folder, 'good');
    const wrong = join(keyboard.folder, 'wrong');
    await writeFile(good, `${password}\n`, { mode: 0o600 });
    await writeFile(wrong, 'tr0ub4dor&3\n', { mode: 0o600 });
    const accountSettings = { password: `file:${good}` };

    await works(t, await connect(keyboard, { accountSettings }), 'keyboard-interactive');
    t.match(keyboard.log(), /Accepted keyboard-interactive\/pam for user/);
    await works(t, await connect(plain, { accountSettings }), 'password');
    t.match(plain.log(), /Accepted password for user/);
    t.match(
      await failureOf(t, connect(keysOnly, { accountSettings }), 'login'),
      /takes no password; it would take: publickey/,
    );

    for (const sshd of [keyboard, plain]) {
      const transport = plugin.open(realDeps);
      const bad = { accountSettings: { password: `file:${wrong}` } };
      const message = await failureOf(t, connect(sshd, bad, transport), 'login');
      t.match(message, /refused the login as user with password file:.*wrong.*tried once/);
      t.notMatch(message, 'tr0ub4dor');
      t.match(await failureOf(t, connect(sshd, bad, transport), 'login'), /was refused before/);
      const attempts = (): number => sshd.log().match(/Failed password|PAM: Authentication failure/g)?.length ?? 0;
      for (let tries = 0; attempts() === 0 && tries < 200; tries += 1) await sleep(50);
      t.equal(attempts(), 1, 'the server saw one attempt');
    }
    const told = { ...realDeps, secrets: { read: () => Promise.resolve(Buffer.from('tr0ub4dor&3')) } };
    const spoken = plugin.open(told);
    const byCommand = { accountSettings: { password: 'exec:vault read -token=hunter2 esxi' } };
    for (const expected of [/refused the login as user with password exec:… \(sha256 [\da-f]{8}\)/, /refused before/]) {
      const message = await failureOf(t, connect(keyboard, byCommand, spoken), 'login');
      t.match(message, expected);
      t.notMatch(message, /vault|hunter2/, 'what the command is stays with the inventory');
    }
    const another = { accountSettings: { password: 'exec:vault read -token=hunter2 other' } };
    t.match(await failureOf(t, connect(keyboard, another, spoken), 'login'), /refused the login/, 'another command');
    for (const unreadable of [
      { key: 'exec:vault hunter2' },
      { key: `file:${keyboard.key}`, passphrase: 'exec:vault hunter2' },
    ])
      t.notMatch(await failureOf(t, connect(keyboard, { accountSettings: unreadable }, spoken), 'login'), /hunter2/);

    await writeFile(join(keyboard.folder, 'empty'), '\n');
    t.match(
      await failureOf(t, connect(plain, { accountSettings: { password: `file:${keyboard.folder}/empty` } }), 'login'),
      /empty/,
    );
  });

  t.test('ssh: password: an expired one is refused with what to do, and not changed', async (t) => {
    const sshd = await start(t, {
      pam: { password },
      config: ['PasswordAuthentication no', 'KbdInteractiveAuthentication yes'],
    });
    const file = join(sshd.folder, 'password');
    await writeFile(file, password);
    const before = await readFile(join(sshd.folder, 'shadow'), 'utf8');
    const login = { account: 'expired', accountSettings: { password: `file:${file}` } };
    const transport = plugin.open(realDeps);
    t.match(await failureOf(t, connect(sshd, login, transport), 'login'), /expired and must be changed.*by hand/);
    t.match(await failureOf(t, connect(sshd, login, transport), 'login'), /refused before/);
    t.equal(await readFile(join(sshd.folder, 'shadow'), 'utf8'), before);
  });

  t.test('ssh: jump hosts: a chain is gone through, each with its own login and host key', async (t) => {
    const first = await start(t);
    const second = await start(t);
    const last = await start(t);
    const hop = (sshd: Sshd, more: Readonly<Record<string, unknown>> = {}): unknown => ({
      address: '127.0.0.1',
      port: sshd.port,
      account: 'user',
      key: `file:${sshd.key}`,
      knownHosts: sshd.knownHosts,
      ...more,
    });
    const jump = [hop(first), hop(second, { account: 'root' })];
    const transport = plugin.open(realDeps);
    const sessions = await Promise.all(
      ['one', 'two', 'three'].map((id) => connect(last, { id, settings: { jump } }, transport)),
    );
    const peers = await Promise.all(
      sessions.map(async (session) => text((await exec(session, ['/bin/sh', '-c', 'echo $SSH_CLIENT'])).stdout)),
    );
    t.equal(new Set(peers).size, 3, 'each target has its own connection');
    t.equal(first.log().match(/Accepted publickey for user/g)?.length, 1, 'the way there is shared');
    t.equal(second.log().match(/Accepted publickey for root/g)?.length, 1);
    for (const session of sessions) await session[Symbol.asyncDispose]();
    for (let tries = 0; !/Disconnected from/.test(first.log()) && tries < 200; tries += 1) await sleep(50);
    t.match(first.log(), /Disconnected from user user/, 'it is given up with the last of them');
    await works(t, await connect(last, { settings: { jump } }, transport), 'and made anew');

    const foreign = [hop(first), hop(second, { knownHosts: first.knownHosts })];
    t.match(
      await failureOf(t, connect(last, { settings: { jump: foreign } }), 'host-key'),
      /^jump host 127\.0\.0\.1 of host-under-test: no key of \[127\.0\.0\.1\]:\d+ is known/,
    );
    const strange = [hop(first), hop(second, { key: `file:${first.key}` })];
    t.match(
      await failureOf(t, connect(last, { settings: { jump: strange } }), 'login'),
      /^jump host 127\.0\.0\.1 of host-under-test \(127\.0\.0\.1:\d+\) refused the login as user/,
    );
    t.match(
      await failureOf(t, connect(last, { settings: { jump, port: 1 } }), 'unreachable'),
      /through its jump host: .*AllowTcpForwarding/,
    );
    const closed = await start(t, { config: ['AllowTcpForwarding no'] });
    t.match(
      await failureOf(t, connect(last, { settings: { jump: [hop(closed)] } }), 'unreachable'),
      /through its jump host: .*open failed.*AllowTcpForwarding/,
    );
    const controller = new AbortController();
    const target = authorizedTarget({
      address: '127.0.0.1',
      kind: 'ssh',
      settings: { port: last.port, knownHosts: last.knownHosts, jump },
      account: 'user',
      accountSettings: { key: `file:${last.key}` },
    });
    const both = [transport.connect(target, controller.signal), transport.connect(target, never)] as const;
    controller.abort();
    await failureOf(t, both[0], 'aborted');
    await works(t, await both[1], 'whoever shared the way with one that was stopped still gets there');
  });

  t.test('ssh: ssh_config: what it says is used, and told in errors', async (t) => {
    const gateway = await start(t);
    const host = await start(t, { config: ['KexAlgorithms ecdh-sha2-nistp256'] });
    const knownHosts = [gateway.knownHosts, host.knownHosts];
    const file = join(host.folder, 'ssh_config');
    const write = (text: string): Promise<void> => writeFile(file, text);
    const login = {
      address: 'web-1',
      accountSettings: { key: 'config' },
      settings: { port: undefined, knownHosts, config: file },
    };
    const hosts = `Host gw
  HostName 127.0.0.1
  Port ${gateway.port}
  User root
  IdentityFile ${gateway.key}
host web-*
  hostname=127.0.0.1
  port ${host.port}
  ProxyJump gw
  IdentityFile "${host.key}"
  KexAlgorithms ecdh-sha2-nistp256,sntrup761x25519-sha512@openssh.com
  ConnectTimeout 20
Host *
  IdentityFile /no/such/key
  SendEnv LANG
`;
    await write(hosts);
    await works(t, await connect(host, login), 'through the jump host of the file');
    t.match(gateway.log(), /Accepted publickey for root/);
    await works(t, await connect(host, { ...login, settings: { ...login.settings, port: host.port } }), 'port given');

    await write(hosts);
    t.match(
      await failureOf(t, connect(host, { ...login, neverTouch: ['127.0.0.1'] }), 'not-started'),
      /jump host gw of host-under-test would be reached at 127\.0\.0\.1, which is on the never-touch list/,
    );

    t.match(
      await failureOf(t, connect(host, { ...login, neverTouch: ['GW'] }), 'not-started'),
      /would be reached at gw, which is on the never-touch list/,
      'the name as it is written counts too',
    );
    await write(hosts.replaceAll('127.0.0.1', 'localhost'));
    t.match(
      await failureOf(t, connect(host, { ...login, neverTouch: ['127.0.0.1'] }), 'not-started'),
      /at 127\.0\.0\.1, which localhost stands for/,
    );

    await write(hosts.replace(`port ${host.port}`, 'port 1'));
    t.match(
      await failureOf(t, connect(host, login), 'unreachable'),
      /from .*ssh_config: hostName 127\.0\.0\.1; port 1; .*proxyJump gw; kexAlgorithms .* not supported here: sntrup761/,
    );
    await write(hosts.replace(/ {2}IdentityFile "[^"]*"\n/, '').replace('IdentityFile /no/such/key', ''));
    t.match(await failureOf(t, connect(host, login), 'login'), /no IdentityFile is set/);
    for (const [line, expected] of [
      ['Match host web-1 exec "touch /tmp/ssh-config-ran"', /Match is not read/],
      ['Include /etc/ssh/ssh_config', /Include is not read/],
      ['CanonicalizeHostname yes', /CanonicalizeHostname is not read/],
      ['Host web-1\n  ProxyCommand nc %h %p', /proxycommand is set for web-1/],
      ['Host web-1\n  Port 99999', /no port/],
      ['Host web-1\n  ProxyJump a:b:c', /ProxyJump/],
      ['Host web-1\n  ProxyJump web-1', /in a circle/],
      ['Host web-1\n  IdentityFile id_ed25519', /absolute/],
    ] as const) {
      await write(`${line}\n`);
      t.match(await failureOf(t, connect(host, login), 'not-started'), expected);
    }
    t.match(
      await failureOf(
        t,
        connect(host, { ...login, settings: { ...login.settings, config: '/no/such' } }),
        'not-started',
      ),
      /\/no\/such: it cannot be read/,
    );
  });

  t.test('ssh: an old host: reached only with its algorithms named, and then it is told', async (t) => {
    const old = await start(t, {
      config: ['KexAlgorithms diffie-hellman-group14-sha1', 'Ciphers aes128-cbc', 'MACs hmac-sha1'],
    });
    t.match(
      await failureOf(t, connect(old), 'protocol'),
      /no algorithms in common.*offered only when the target's algorithms name them/,
    );
    const algorithms = {
      kexAlgorithms: '+diffie-hellman-group14-sha1',
      ciphers: '+*-cbc',
      macs: 'hmac-sha1',
    };
    const session = await connect(old, { settings: { algorithms } });
    t.same(
      session.remarks?.map((remark) => remark.replace(/^.*: /, '')),
      ['key exchange diffie-hellman-group14-sha1', 'cipher aes128-cbc', 'MAC hmac-sha1'],
    );
    await works(t, session, 'an old host');
    const modern = await start(t);
    const other = await connect(modern, { settings: { algorithms } });
    t.same(other.remarks, [], 'what is allowed and not needed is not used');
    await other[Symbol.asyncDispose]();
  });
});

t.test('ssh: an RSA key signs with SHA-1 only for a target whose settings say so', async (t) => {
  const folder = t.testdir({});
  await run('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', join(folder, 'rsa')]);
  const credentials = new Credentials(realDeps.secrets);
  const sign = async (oldSignatures: boolean): Promise<unknown> => {
    const credential = await credentials.get({ key: `file:${folder}/rsa` }, oldSignatures);
    return credential.type === 'publickey' ? credential.key.sign('data', 'sha1') : undefined;
  };
  await t.rejects(sign(false), /SHA-1/);
  t.ok(Buffer.isBuffer(await sign(true)));
});

t.test('ssh: settings: what is not known is refused', (t) => {
  const settings = (more: Readonly<Record<string, unknown>>): string | undefined =>
    sshSettings.safeParse({ knownHosts: 'known_hosts', ...more }).error?.message;
  t.equal(
    settings({ algorithms: { kexAlgorithms: '+diffie-hellman-group1-sha1' }, config: 'c', shell: 'cmd' }),
    undefined,
  );
  t.match(settings({ algorithms: { ciphers: 'rot13,aes*' } }), /not supported: rot13; known: aes128-gcm/);
  t.match(settings({ algorithms: { cipher: 'aes128-ctr' } }), /cipher/);
  t.match(settings({ jump: [{ address: 'a', account: 'b' }] }), /exactly one of key/);
  t.match(settings({ jump: [{ address: 'a', account: 'b', password: 'hunter2' }] }), /never the secret itself/);
  t.match(settings({ shell: 'fish' }), /posix/);
  t.ok(sshAccount.safeParse({ password: 'env:X' }).success);
  t.notOk(sshAccount.safeParse({ password: 'env:X', key: 'file:x' }).success);
  t.notOk(sshAccount.safeParse({ password: 'env:X', passphrase: 'env:X' }).success);
  t.end();
});
