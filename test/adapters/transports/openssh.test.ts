import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import plugin from '../../../adapters/transports/openssh/index.ts';
import { opensshAccount, opensshSettings } from '../../../adapters/transports/openssh/settings.ts';
import type { Session, Transport } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { exec, failureOf, processesWith, text, transportContract } from '../../contract/transport-contract.ts';
import { FaultProxy } from '../../fault-proxy.ts';
import { requirement } from '../../require.ts';
import { run, Sshd, sshdMissing } from './sshd.ts';

const never = new AbortController().signal;

type Login = {
  readonly id?: string;
  readonly address?: string;
  readonly neverTouch?: readonly string[];
  readonly account?: string;
  readonly accountSettings?: unknown;
  readonly settings?: Readonly<Record<string, unknown>>;
};

function targetOn(sshd: Sshd, login: Login = {}): ReturnType<typeof authorizedTarget> {
  return authorizedTarget({
    ...(login.id === undefined ? {} : { id: login.id }),
    address: login.address ?? '127.0.0.1',
    kind: 'openssh',
    settings: { port: sshd.port, knownHosts: sshd.knownHosts, ...login.settings },
    ...(login.neverTouch === undefined ? {} : { neverTouch: login.neverTouch }),
    account: login.account ?? 'user',
    accountSettings: login.accountSettings ?? { key: sshd.key },
  });
}

function connect(sshd: Sshd, login: Login = {}, transport: Transport = plugin.open(realDeps)): Promise<Session> {
  return transport.connect(targetOn(sshd, login), never);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await condition()) return true;
    await sleep(50);
  }
  return false;
}

async function start(t: Test, options: Parameters<typeof Sshd.start>[0] = {}): Promise<Sshd> {
  const sshd = await Sshd.start(options);
  t.teardown(() => sshd[Symbol.asyncDispose]());
  return sshd;
}

t.test('openssh: against a real sshd', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;
  // Of this process only: other tests hold connections of OpenSSH at the same time.
  const temporary = await mkdtemp(join(tmpdir(), 'openssh-'));
  await chmod(temporary, 0o755);
  process.env.TMPDIR = temporary;
  t.teardown(() => rm(temporary, { recursive: true, force: true }));
  const folders = async (): Promise<readonly string[]> =>
    (await readdir(tmpdir())).filter((name) => name.startsWith('detproof-ssh-'));
  // A folder of its own: other runs on this machine make such folders too.
  const own = await mkdtemp(join(tmpdir(), 'openssh-'));
  await chmod(own, 0o755);
  process.env.TMPDIR = own;
  t.teardown(() => rm(own, { recursive: true, force: true }));
  const sshd = await start(t);
  await transportContract(t, 'openssh, unprivileged account with sh', () =>
    Promise.resolve({
      transport: plugin.open(realDeps),
      target: targetOn(sshd),
      folder: sshd.home('user'),
      signalsShowAs: 255,
    }),
  );

  t.test('openssh: a certificate of a trusted authority gets in, others do not', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'certificates-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const key = async (name: string): Promise<string> => {
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(folder, name)]);
      return join(folder, name);
    };
    const certified = async (name: string, authority: string, ...more: readonly string[]): Promise<unknown> => {
      const path = await key(name);
      await run('ssh-keygen', ['-q', '-s', authority, '-I', name, '-n', 'user', ...more, `${path}.pub`]);
      return { key: path, certificate: `${path}-cert.pub` };
    };
    const authority = await key('authority');
    const server = await start(t, { config: [`TrustedUserCAKeys ${authority}.pub`] });
    await writeFile(join(server.folder, 'authorized_keys'), '');
    const good = await certified('good', authority, '-V', '+10m');
    await using session = await connect(server, { accountSettings: good });
    t.equal(text((await exec(session, ['/usr/bin/id', '-un'])).stdout), 'user\n');
    t.match(server.log(), /Accepted publickey for user .*ED25519-CERT/);
    for (const [name, credential] of [
      ['of another authority', await certified('foreign', await key('stranger'))],
      ['expired', await certified('expired', authority, '-V', '-2d:-1d')],
      ['for another account', await certified('other', authority, '-n', 'root')],
    ] as const) {
      const transport = plugin.open(realDeps);
      const login = { accountSettings: credential };
      t.match(await failureOf(t, connect(server, login, transport), 'login'), /certificate/, name);
    }
    const transport = plugin.open(realDeps);
    const bad = { accountSettings: await certified('again', await key('stranger-2')) };
    await failureOf(t, connect(server, bad, transport), 'login');
    t.match(await failureOf(t, connect(server, bad, transport), 'login'), /refused before/);

    const hostKey = join(server.folder, 'host_ed25519');
    await run('ssh-keygen', ['-q', '-s', authority, '-I', 'host', '-h', '-n', '127.0.0.1', `${hostKey}.pub`]);
    const vouched = await start(t, { config: [`HostCertificate ${hostKey}-cert.pub`, `HostKey ${hostKey}`] });
    const knownHosts = join(vouched.folder, 'authorities');
    await writeFile(knownHosts, `@cert-authority [127.0.0.1]:* ${await readFile(`${authority}.pub`, 'utf8')}`);
    await using known = await connect(vouched, { settings: { knownHosts } });
    t.ok(known, 'a host certificate is taken for a known host');
  });

  t.test('openssh: an agent, with a key that only it can open', async (t) => {
    const encrypted = join(sshd.folder, 'encrypted');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'correct horse', '-f', encrypted]);
    await writeFile(join(sshd.folder, 'authorized_keys'), await readFile(`${encrypted}.pub`), { flag: 'a' });
    const socket = join(sshd.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    t.teardown(() => agent.kill());
    const askpass = join(sshd.folder, 'askpass');
    await writeFile(askpass, '#!/bin/sh\necho "correct horse"\n');
    await chmod(askpass, 0o755);
    const env = { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' };
    t.ok(
      await until(() =>
        run('ssh-add', ['-q', encrypted], { env }).then(
          () => true,
          () => false,
        ),
      ),
    );
    process.env.TEST_OPENSSH_AGENT = socket;
    await using session = await connect(sshd, { accountSettings: { agent: 'env:TEST_OPENSSH_AGENT' } });
    t.ok(session);
    t.match(await failureOf(t, connect(sshd, { accountSettings: { key: encrypted } }), 'login'), /passphrase|key/);
    t.match(
      await failureOf(t, connect(sshd, { accountSettings: { agent: 'env:NO_SUCH_AGENT' } }), 'login'),
      /NO_SUCH_AGENT/,
    );
  });

  t.test('openssh: hosts that are not known, not there or not SSH are told apart', async (t) => {
    const other = await start(t);
    t.match(
      await failureOf(t, connect(sshd, { settings: { knownHosts: other.knownHosts } }), 'host-key'),
      /Compare its fingerprint/,
    );
    const wrong = join(sshd.folder, 'wrong_hosts');
    const key = await readFile(join(other.folder, 'host_ed25519.pub'), 'utf8');
    await writeFile(wrong, `[127.0.0.1]:${sshd.port} ${key}`);
    await failureOf(t, connect(sshd, { settings: { knownHosts: wrong } }), 'host-key');
    t.match(await failureOf(t, connect(sshd, { settings: { port: 1 } }), 'unreachable'), /refused.*Is sshd running/);
    await using proxy = await FaultProxy.start({ port: sshd.port });
    proxy.hang();
    const settings = { port: proxy.port, connectTimeout: '1s' };
    t.match(await failureOf(t, connect(sshd, { settings }), 'unreachable'), /tim(?:ed|eout)/);
    const stop = new AbortController();
    const connecting = plugin.open(realDeps).connect(targetOn(sshd, { settings: { port: proxy.port } }), stop.signal);
    stop.abort();
    await failureOf(t, connecting, 'aborted');
    t.match(
      await failureOf(t, connect(sshd, { settings: { program: '/no/such/ssh' } }), 'protocol'),
      /\/no\/such\/ssh/,
    );
  });

  t.test('openssh: the user’s own config is not read, the target’s is', async (t) => {
    const config = join(sshd.folder, 'ssh_config');
    await writeFile(
      config,
      `Host 127.0.0.1\n  Port ${sshd.port}\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n`,
    );
    const settings = { port: undefined, config };
    await using session = await connect(sshd, { settings });
    t.ok(session, 'the port of the config');
    const other = await start(t);
    const loose = { ...settings, knownHosts: other.knownHosts };
    await failureOf(t, connect(sshd, { settings: loose }), 'host-key');
    for (const text of [
      'HostName localhost',
      'ProxyJump gw@LocalHost:22',
      'ProxyJump x\nHost x\n  HostName localhost',
    ]) {
      await writeFile(config, `Host 127.0.0.1\n  Port ${sshd.port}\n  ${text}\n`);
      t.match(
        await failureOf(t, connect(sshd, { settings, neverTouch: ['localhost'] }), 'not-started'),
        /would be reached over localhost, which is on the never-touch list/i,
      );
    }
    const outer = 'Host outer\n  HostName 127.0.0.66\n';
    for (const [jump, text, neverTouch, expected] of [
      ['bastion', `Host bastion\n  ProxyJump outer\n${outer}`, '127.0.0.66', 'over 127.0.0.66'],
      ['bastion', `Host bastion\n  ProxyJump outer\n${outer}`, 'OUTER', 'over outer'],
      ['me@bastion:22,last', `Host bastion\n  ProxyJump outer\n${outer}`, 'outer', 'over outer'],
      ['bastion', 'Match host bastion user me\n  ProxyJump outer\n', 'outer', undefined],
      ['me@bastion', 'Match host bastion user me\n  ProxyJump outer\n', 'outer', 'over outer'],
      ['bastion', 'Host bastion\n  ProxyJump second\nHost second\n  ProxyJump bastion\n', 'x', 'in a circle'],
      [
        'bastion',
        'Host bastion\n  ProxyCommand nc outer %p\n',
        'outer',
        'ProxyCommand of the config connects to bastion',
      ],
      [undefined, 'ProxyCommand nc outer %p\n', 'outer', 'ProxyCommand of the config connects to 127.0.0.1'],
    ] as const) {
      await writeFile(config, text);
      const login = { settings: { ...settings, port: 1, jump }, neverTouch: [neverTouch] };
      const message = await failureOf(t, connect(sshd, login), expected === undefined ? 'unreachable' : 'not-started');
      if (expected !== undefined) t.match(message, expected, `${text} ${String(jump)}`);
    }
    for (const text of ['HostName localhost\n', 'ProxyJump gw\nHost gw\n  HostName localhost\n']) {
      await writeFile(config, `Host web-1\n  ${text}`);
      t.match(
        await failureOf(t, connect(sshd, { address: 'web-1', settings, neverTouch: ['127.0.0.1/32'] }), 'not-started'),
        /at 127\.0\.0\.1, which localhost stands for/,
      );
    }
    await writeFile(config, 'Match exec "sleep 93; true"\n  Port 1\n');
    const hanging = { settings: { ...settings, connectTimeout: '1s' } };
    t.match(await failureOf(t, connect(sshd, hanging), 'not-started'), /ssh -G did not say within 1s/);
    t.same(await processesWith('93'), [], 'and what it started is ended');
    await writeFile(config, 'NoSuchOption yes\n');
    t.match(await failureOf(t, connect(sshd, { settings }), 'protocol'), /Bad configuration option/);
  });

  t.test('openssh: what ssh has started is ended with it, and nobody waits for what holds its pipes', async (t) => {
    const config = join(sshd.folder, 'proxy_config');
    for (const proxy of [
      'sleep 765433; true',
      'exec 2>/dev/null; sleep 765433',
      'trap : TERM; sleep 765433; sleep 765433',
    ]) {
      await writeFile(config, `ProxyCommand /bin/sh -c "${proxy}"\n`);
      const settings = { config, connectTimeout: '1s' };
      await failureOf(t, connect(sshd, { settings }), 'unreachable');
      t.same(await processesWith('765433'), [], proxy);
    }
    await writeFile(config, 'ProxyCommand /bin/sh -c "sleep 765433; true"\n');
    const stop = new AbortController();
    const connecting = plugin.open(realDeps).connect(targetOn(sshd, { settings: { config } }), stop.signal);
    t.ok(await until(async () => (await processesWith('765433')).length > 0));
    stop.abort();
    await failureOf(t, connecting, 'aborted');
    t.same(await processesWith('765433'), []);
  });

  t.test(
    'openssh: exit code 255 is the command’s where it is known to have started, and nobody knows whose elsewhere',
    async (t) => {
      await using session = await connect(sshd);
      const script = 'echo mux_client_x >&2; exit 255';
      t.same((await exec(session, ['/bin/sh', '-c', script])).exit, { kind: 'code', code: 255 });
      const refusing = await start(t, { config: ['MaxSessions 0'] });
      for (const shell of ['posix', 'cmd', 'powershell'] as const) {
        await using refused = await connect(refusing, { settings: { shell } });
        t.match(
          await failureOf(t, exec(refused, ['/bin/true']), 'not-started'),
          /opened no channel.*MaxSessions/,
          shell,
        );
      }
      // sh takes such a simple line as PowerShell does, but for its variable.
      await using windows = await connect(sshd, { settings: { shell: 'powershell' } });
      t.match(
        await failureOf(t, exec(windows, ['/bin/sh', '-c', 'exit 255;']), 'lost'),
        /exit code 255, which ssh gives.*unknown/,
      );
    },
  );

  t.test('openssh: a connection that is lost is lost for all that go over it, and its outcome unknown', async (t) => {
    await using proxy = await FaultProxy.start({ port: sshd.port });
    const knownHosts = join(sshd.folder, 'proxy_hosts');
    const key = await readFile(join(sshd.folder, 'host_ed25519.pub'), 'utf8');
    await writeFile(knownHosts, `[127.0.0.1]:${proxy.port} ${key}`);
    const session = await connect(sshd, { settings: { port: proxy.port, knownHosts } });
    const running = [exec(session, ['/bin/sleep', '765431']), exec(session, ['/bin/sleep', '765431'])];
    t.ok(await until(async () => (await processesWith('765431')).length === 2));
    proxy.drop();
    for (const work of running) t.match(await failureOf(t, work, 'lost'), /may have run.*unknown/);
    await failureOf(t, exec(session, ['/bin/true']), 'lost');
    for (const pid of await processesWith('765431')) process.kill(pid, 'SIGKILL');
    await session[Symbol.asyncDispose]();
  });

  t.test('openssh: nothing is left behind, and a channel that is not there is refused', async (t) => {
    await using session = await connect(sshd);
    t.match(await failureOf(t, exec(session, ['/bin/true'], { channel: 'shell' }), 'not-started'), /transport ssh/);
    t.equal((await exec(session, ['/bin/sh', '-c', 'exit 255'])).exit.kind, 'code');
    await session[Symbol.asyncDispose]();
    t.same(await folders(), [], 'no socket, no folder');
  });
});

t.test('openssh: settings: paths and references, never secrets', (t) => {
  t.ok(opensshAccount.safeParse({ key: 'id', certificate: 'id-cert.pub' }).success);
  t.ok(opensshAccount.safeParse({ key: 'id', agent: true }).success);
  for (const account of [{}, { certificate: 'x' }, { password: 'env:X' }, { agent: 'hunter2' }])
    t.notOk(opensshAccount.safeParse(account).success, JSON.stringify(account));
  for (const jump of ['-oProxyCommand=x', 'a b', '`id`', '$(id)'])
    t.notOk(opensshSettings.safeParse({ knownHosts: 'k', jump }).success, jump);
  t.ok(opensshSettings.safeParse({ knownHosts: 'k', jump: 'me@gw:22,gw2' }).success);
  t.end();
});
