import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';
import t, { type Test } from 'tap';
import plugin from '../../../adapters/transports/ssh/index.ts';
import { modernAgent, modernKey } from '../../../adapters/transports/ssh/modern-signatures.ts';
import { sshAccount } from '../../../adapters/transports/ssh/settings.ts';
import { duration } from '../../../runner/domain/time.ts';
import type { Session, Transport } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import {
  exec,
  failureOf,
  fileContract,
  processesWith,
  text,
  transportContract,
} from '../../contract/transport-contract.ts';
import { requirement } from '../../require.ts';
import { run, Sshd, sshdMissing } from './sshd.ts';

const never = new AbortController().signal;

type Login = {
  readonly id?: string;
  readonly account?: string;
  readonly accountSettings?: unknown;
  readonly port?: number;
  readonly knownHosts?: string | readonly string[];
  readonly connectTimeout?: string;
};

function targetOn(sshd: Sshd, login: Login = {}): ReturnType<typeof authorizedTarget> {
  return authorizedTarget({
    ...(login.id === undefined ? {} : { id: login.id }),
    address: '127.0.0.1',
    kind: 'ssh',
    settings: {
      port: login.port ?? sshd.port,
      knownHosts: login.knownHosts ?? sshd.knownHosts,
      ...(login.connectTimeout === undefined ? {} : { connectTimeout: login.connectTimeout }),
    },
    account: login.account ?? 'user',
    accountSettings: login.accountSettings ?? { key: `file:${sshd.key}` },
  });
}

function connect(sshd: Sshd, login: Login = {}, transport: Transport = plugin.open(realDeps)): Promise<Session> {
  return transport.connect(targetOn(sshd, login), never);
}

/** A new key pair; returns the path of the private key. */
async function keyPair(folder: string, name: string, options: readonly string[] = []): Promise<string> {
  const path = join(folder, name);
  const passphrase = options.includes('-N') ? [] : ['-N', ''];
  const type = options.includes('-t') ? [] : ['-t', 'ed25519'];
  await run('ssh-keygen', ['-q', '-C', name, '-f', path, ...type, ...passphrase, ...options]);
  return path;
}

async function listening(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

t.test('ssh: against a real sshd', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;
  const sshd = await Sshd.start();
  t.teardown(() => sshd[Symbol.asyncDispose]());
  const plain = await Sshd.start({ sftp: false, config: ['MaxSessions 10'] });
  t.teardown(() => plain[Symbol.asyncDispose]());

  const under = (server: Sshd, account: 'user' | 'root') => () =>
    Promise.resolve({
      transport: plugin.open(realDeps),
      target: targetOn(server, { account }),
      folder: server.home(account),
    });
  await transportContract(t, 'ssh, unprivileged account with sh', under(sshd, 'user'));
  await transportContract(t, 'ssh, root with bash', under(sshd, 'root'));
  await fileContract(t, 'ssh, server without SFTP', under(plain, 'user'));

  t.test('ssh: host keys: a key that is not the known one, unknown, revoked or unreadable is refused', async (t) => {
    const file = join(sshd.folder, 'known_hosts.test');
    const name = `[127.0.0.1]:${sshd.port}`;
    const ed25519 = (await readFile(join(sshd.folder, 'host_ed25519.pub'), 'utf8')).trim();
    const ecdsa = (await readFile(join(sshd.folder, 'host_ecdsa.pub'), 'utf8')).trim();
    const other = (await readFile(`${await keyPair(sshd.folder, 'other')}.pub`, 'utf8')).trim();
    const refusal = async (lines: readonly string[]): Promise<string> => {
      await writeFile(file, lines.join('\n'));
      return failureOf(t, connect(sshd, { knownHosts: file }), 'host-key');
    };
    const { stdout: shown } = await run('ssh-keygen', ['-lf', join(sshd.folder, 'host_ed25519.pub')]);
    const fingerprint = shown.split(' ')[1] ?? '';
    const mismatch = await refusal(['# a comment', `${name} ${other}`]);
    t.match(mismatch, 'known_hosts.test:2');
    t.ok(mismatch.includes(fingerprint), 'it shows the fingerprint that ssh-keygen shows');
    t.match(await refusal([`otherhost ${ed25519}`]), /no key of .*ssh-keyscan -p \d+ 127\.0\.0\.1/s);
    t.match(await refusal([`${name} ${ed25519}`, `@revoked * ${ed25519}`]), /revoked.*known_hosts\.test:2/);
    t.match(await refusal([`@cert-authority * ${ed25519}`]), /certificate/);
    t.match(await failureOf(t, connect(sshd, { knownHosts: '/no/such/file' }), 'host-key'), '/no/such/file');

    for (const lines of [
      [`${name} ${ecdsa}`],
      [`${name} ${other}`, `${name} ${ed25519}`],
      [`[127.0.0.*]:* ${ecdsa}`],
    ]) {
      await writeFile(file, lines.join('\n'));
      await using session = await connect(sshd, { knownHosts: ['/dev/null', file] });
      t.equal(text((await exec(session, ['/bin/echo', 'in'])).stdout), 'in\n', lines.join().slice(0, 50));
    }
    await writeFile(file, `${name} ${ed25519}\n`);
    await run('ssh-keygen', ['-q', '-H', '-f', file]);
    t.match(await readFile(file, 'utf8'), /^\|1\|/, 'hashed by ssh-keygen');
    await using session = await connect(sshd, { knownHosts: file });
    t.ok(session, 'a hashed name is found');
  });

  t.test('ssh: login: a key, an encrypted key, an RSA key and an agent all get in', async (t) => {
    const { folder } = sshd;
    const encrypted = await keyPair(folder, 'encrypted', ['-N', 'correct horse']);
    const rsa = await keyPair(folder, 'rsa', ['-t', 'rsa', '-b', '2048']);
    const publicKeys = await Promise.all([sshd.key, encrypted, rsa].map((path) => readFile(`${path}.pub`, 'utf8')));
    await writeFile(join(folder, 'authorized_keys'), publicKeys.join(''));
    await writeFile(join(folder, 'passphrase'), 'correct horse\n');
    const socket = join(folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    t.teardown(() => agent.kill());
    process.env.TEST_AGENT_SOCKET = socket;
    for (let tries = 0; tries < 50; tries += 1) {
      const added = await run('ssh-add', ['-q', rsa, sshd.key], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
      }).then(
        () => true,
        () => false,
      );
      if (added) break;
      await sleep(50);
    }
    for (const accountSettings of [
      { key: `file:${encrypted}`, passphrase: `file:${folder}/passphrase` },
      { key: `file:${rsa}` },
      { agent: 'env:TEST_AGENT_SOCKET' },
    ]) {
      await using session = await connect(sshd, { accountSettings });
      t.equal(text((await exec(session, ['/usr/bin/id', '-un'])).stdout), 'user\n', JSON.stringify(accountSettings));
    }
    t.match(sshd.log(), /Accepted publickey for user .*RSA/, 'the RSA key was really used');
    const old = ssh2.utils.parseKey(await readFile(rsa));
    if (old instanceof Error) throw old;
    t.throws(() => modernKey(old).sign('data', 'sha1'), /SHA-1/);
    t.ok(old.verify('data', modernKey(old).sign('data', 'sha256'), 'sha256'));
    const { promise, resolve } = Promise.withResolvers<Error | null | undefined>();
    modernAgent(new ssh2.OpenSSHAgent(socket)).sign(old, Buffer.from('data'), { hash: 'sha1' }, resolve);
    t.match(await promise, /SHA-1/, 'no more than the agent does');
    t.match(
      await failureOf(t, connect(sshd, { accountSettings: { key: `file:${encrypted}` } }), 'login'),
      /encrypted.*passphrase/,
    );
    await writeFile(join(folder, 'wrong-passphrase'), 'tr0ub4dor');
    const wrong = { key: `file:${encrypted}`, passphrase: `file:${folder}/wrong-passphrase` };
    const message = await failureOf(t, connect(sshd, { accountSettings: wrong }), 'login');
    t.match(message, 'wrong-passphrase');
    t.notMatch(message, 'tr0ub4dor', 'the passphrase itself is not told');
    for (const [accountSettings, expected] of [
      [{ key: `file:${sshd.key}.pub` }, /public key|not a private key/],
      [{ key: `file:${folder}/passphrase` }, /not a private key/],
      [{ key: 'file:/no/such/key' }, /no such file/],
      [{ agent: 'env:NO_SUCH_VARIABLE' }, /NO_SUCH_VARIABLE/],
    ] as const)
      t.match(await failureOf(t, connect(sshd, { accountSettings }), 'login'), expected);
    process.env.TEST_AGENT_SOCKET = join(folder, 'no-agent');
    t.match(
      await failureOf(t, connect(sshd, { accountSettings: { agent: 'env:TEST_AGENT_SOCKET' } }), 'login'),
      /ssh-add/,
    );
  });

  t.test('ssh: login: a refused credential is tried once and then nowhere again', async (t) => {
    const stranger = { key: `file:${await keyPair(sshd.folder, 'stranger')}` };
    const transport = plugin.open(realDeps);
    const refusals = (): number => (sshd.log() + plain.log()).split('Failed publickey').length - 1;
    const before = refusals();
    const attempts = await Promise.allSettled([
      connect(sshd, { id: 'first', accountSettings: stranger }, transport),
      connect(plain, { id: 'second', accountSettings: stranger }, transport),
      connect(sshd, { id: 'third', accountSettings: stranger }, transport),
    ]);
    t.ok(attempts.every(({ status }) => status === 'rejected'));
    const again = await failureOf(t, connect(plain, { id: 'second', accountSettings: stranger }, transport), 'login');
    t.match(again, /second.*stranger as user was refused before, by (?:first|second|third)/);
    await sleep(200);
    t.equal(refusals() - before, 1, 'the servers saw one attempt');
    const other = await failureOf(
      t,
      connect(plain, { account: 'root', accountSettings: stranger }, transport),
      'login',
    );
    t.match(other, /refused the login as root with key file:.*stranger/, 'another account is another credential');
    await using session = await connect(sshd, { id: 'first' }, transport);
    t.ok(session, 'the good key of the same account is not affected');
  });

  t.test('ssh: login: a good credential waits for nobody, and is not blamed for an unreachable host', async (t) => {
    const transport = plugin.open(realDeps);
    const [unreachable, ...sessions] = await Promise.allSettled([
      connect(sshd, { port: 1 }, transport),
      connect(sshd, {}, transport),
      connect(sshd, {}, transport),
    ]);
    t.match(unreachable, { status: 'rejected', reason: { class: 'unreachable' } });
    for (const result of sessions) {
      t.equal(result.status, 'fulfilled');
      if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]();
    }
  });

  t.test('ssh: a host that cannot be reached, is silent, or is no SSH server, is told apart', async (t) => {
    t.match(
      await failureOf(t, connect(sshd, { port: 1 }), 'unreachable'),
      /127\.0\.0\.1:1\).*refused.*Is sshd running/,
    );
    const silent = await listening(t, createServer());
    t.match(
      await failureOf(t, connect(sshd, { port: silent, connectTimeout: '300ms' }), 'unreachable'),
      /within 300ms/,
    );
    const http = await listening(
      t,
      createServer((socket) => {
        socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n');
      }),
    );
    t.match(await failureOf(t, connect(sshd, { port: http }), 'unreachable'), /SSH server/);
    const controller = new AbortController();
    const connecting = plugin.open(realDeps).connect(targetOn(sshd, { port: silent }), controller.signal);
    setTimeout(() => {
      controller.abort();
    }, 50);
    await failureOf(t, connecting, 'aborted');
  });

  t.test(
    'ssh: the account has no shell, a forced command or a talkative shell: not started, or not disturbed',
    async (t) => {
      await using locked = await connect(sshd, { account: 'locked' });
      t.match(await failureOf(t, exec(locked, ['/bin/true']), 'not-started'), /not available/);
      const forced = await keyPair(sshd.folder, 'forced');
      const line = `command="echo only this" ${await readFile(`${forced}.pub`, 'utf8')}`;
      await writeFile(join(sshd.folder, 'authorized_keys'), line, { flag: 'a' });
      await using bound = await connect(sshd, { accountSettings: { key: `file:${forced}` } });
      t.match(await failureOf(t, exec(bound, ['/bin/true']), 'not-started'), /only this.*forced command/);
      await writeFile(
        join(sshd.home('root'), '.bashrc'),
        'echo Welcome to this host; echo 17 users; echo 3; printf "# "; echo oops >&2\n',
      );
      await using talkative = await connect(sshd, { account: 'root' });
      t.equal(text((await exec(talkative, ['/bin/echo', 'out'])).stdout), 'out\n');
      const late = await exec(talkative, ['/bin/sleep', '123458'], { timeoutMs: 200 });
      t.same(late.exit, { kind: 'timeout', survivors: [] });
      t.same(await processesWith('123458'), [], 'what the shell says first is not taken for an answer');
    },
  );

  t.test(
    'ssh: a command whose process the host does not show is lost after its time, and not called ended',
    async (t) => {
      const shell = `printf '#!/bin/sh\\nexec unshare --pid --fork /bin/sh "$@"\\n' >/run/inside && chmod 755 /run/inside`;
      await using walled = await Sshd.start({ rootShell: '/run/inside', prepare: shell });
      await using session = await connect(walled, { account: 'root' });
      t.equal(text((await exec(session, ['/bin/sh', '-c', 'echo $$'])).stdout), '1\n', 'it has its own ids');
      const late = exec(session, ['/bin/sleep', '123461'], { timeoutMs: 500 });
      t.match(await failureOf(t, late, 'lost'), /not among those that the host shows.*unknown/);
      const left = await processesWith('123461');
      t.not(left.length, 0);
      for (const pid of left) process.kill(pid, 'SIGKILL');
    },
  );

  t.test('ssh: MaxSessions 10: twenty commands, files and a time-out at once all succeed', async (t) => {
    await using session = await connect(plain);
    await using other = await connect(sshd);
    const results = await Promise.all([
      ...Array.from({ length: 20 }, (_, index) => exec(session, ['/bin/sh', '-c', `sleep 0.2; echo ${index}`])),
      exec(session, ['/bin/sleep', '1000'], { timeoutMs: 300 }),
      ...Array.from({ length: 20 }, (_, index) => exec(other, ['/bin/sh', '-c', `sleep 0.2; echo ${index}`])),
      exec(other, ['/bin/sleep', '1000'], { timeoutMs: 300 }),
    ]);
    t.equal(results.filter(({ exit }) => exit.kind === 'code' && exit.code === 0).length, 40);
    t.equal(results.filter(({ exit }) => exit.kind === 'timeout' && exit.survivors.length === 0).length, 2);
    const controller = new AbortController();
    const busy = Array.from({ length: 7 }, () => exec(session, ['/bin/sleep', '1']));
    const waiting = exec(session, ['/bin/true'], { signal: controller.signal });
    controller.abort();
    t.match(await failureOf(t, waiting, 'aborted'), /channel free/, 'nobody has to wait for a turn to be stopped');
    await Promise.all(busy);
  });

  t.test('ssh: a narrow server: a second channel is not started, and what cannot be ended is told', async (t) => {
    await using narrow = await Sshd.start({ config: ['MaxSessions 1', 'MaxAuthTries 1'] });
    const stranger = { key: `file:${await keyPair(narrow.folder, 'stranger')}` };
    const message = await failureOf(t, connect(narrow, { accountSettings: stranger }), 'login');
    t.match(message, /broke off the login as user with key .*stranger/);
    await using single = await connect(narrow);
    const running = exec(single, ['/bin/sleep', '3']);
    await sleep(100);
    t.match(await failureOf(t, exec(single, ['/bin/true']), 'not-started'), /MaxSessions/);
    t.match(await running, { exit: { kind: 'code', code: 0 } });
    const late = await exec(single, ['/bin/sleep', '123459'], { timeoutMs: 200 });
    const left = await processesWith('123459');
    t.equal(left.length, 1);
    t.same(late.exit, { kind: 'timeout', survivors: left }, 'the one that is left is named');
    for (const pid of left) process.kill(pid, 'SIGKILL');
  });

  t.test('ssh: a connection that is killed in the middle is lost, for all that go over it', async (t) => {
    await using session = await connect(sshd);
    const parent = Number(text((await exec(session, ['/bin/sh', '-c', 'echo $PPID'])).stdout));
    const running = [exec(session, ['/bin/sleep', '3']), session.get('/dev/zero', { maxBytes: 1e9, signal: never })];
    await sleep(200);
    process.kill(parent, 'SIGKILL');
    for (const work of running) t.match(await failureOf(t, work, 'lost'), /lost.*still be running/);
    t.match(await failureOf(t, exec(session, ['/bin/true']), 'lost'), /connection/);
    await failureOf(t, session.put({ path: '/tmp/x', bytes: Buffer.from(''), mode: 0o600 }, never), 'lost');
  });

  for (const account of ['user', 'root'] as const)
    t.test(`ssh: channel shell: ${account}'s command is typed bare, its exit code and output found`, async (t) => {
      await writeFile(join(sshd.home(account), '.profile'), 'echo "Last login: never"; PS1="$(whoami)$ "\n');
      await using session = await connect(sshd, { account });
      const type = (argv: [string, ...string[]], options: Parameters<typeof exec>[2] = {}): ReturnType<typeof exec> =>
        exec(session, argv, { channel: 'shell', ...options });
      const odd = ["it's", '$HOME', '`id`', '!x', '*', 'a\nb', '', '\\n', '#'];
      const outcome = await type(['/usr/bin/printf', '%s|', ...odd]);
      t.equal(text(outcome.stdout), odd.map((word) => `${word}|`).join(''));
      t.match(outcome.sent, /^\/usr\/bin\/printf '%s\|' 'it'/);
      t.same((await type(['/bin/sh', '-c', 'exit 3'])).exit, { kind: 'code', code: 3 });
      t.same((await type(['/bin/sh', '-c', 'kill -9 $$'])).exit, { kind: 'code', code: 137 });
      t.equal(text((await type(['/usr/bin/printf', 'a\\r\\nb'])).stdout), 'a\r\nb', 'line ends are left alone');
      t.match(text((await type(['/usr/bin/tty'])).stdout), /^\/dev\/pts\/\d+\n$/);
      t.equal(text((await type(['/bin/pwd'], { cwd: '/usr/lib' })).stdout), '/usr/lib\n');
      t.match(await failureOf(t, type(['/bin/pwd'], { cwd: '/no/such' }), 'not-started'), 'cd -- /no/such');
      const script = 'import sys\nif sys.argv:\n    print(sys.argv)\n'.repeat(300);
      const piped = await type(['/usr/bin/python3', '-', 'x'], { stdin: Buffer.from(script) });
      t.equal(text(piped.stdout), "['-', 'x']\n".repeat(300), 'a program is typed as a here-document');
      const long = await type(['/usr/bin/head', '-c', '10000000', '/dev/zero']);
      t.match(long, { exit: { kind: 'code', code: 0 }, truncated: true });
      t.equal(long.stdout.length, 1024 * 1024);
      const stubborn = `trap '' TERM HUP; setsid sh -c "trap '' TERM HUP; sleep 123457" & sleep 123457; sleep 123457`;
      const late = await type(['/bin/sh', '-c', `echo begun; ${stubborn}`], { timeoutMs: 500 });
      t.same(late.exit, { kind: 'timeout', survivors: [] });
      t.equal(text(late.stdout), 'begun\n');
      t.same(await processesWith('123457'), []);
      for (const [argv, stdin] of [
        [['/bin/echo', 'é'], undefined],
        [['/bin/echo', '\x03'], undefined],
        [['/bin/echo', 'x'.repeat(5000)], undefined],
        [['/bin/cat'], 'no line break'],
        [['/bin/cat'], 'a\tb\n'],
      ] as const)
        await failureOf(
          t,
          type([...argv] as [string, ...string[]], stdin === undefined ? {} : { stdin: Buffer.from(stdin) }),
          'not-started',
        );
    });

  t.test('ssh: settings: exactly one of key and agent, secrets by reference only', (t) => {
    const accepts = (account: unknown): boolean => sshAccount.safeParse(account).success;
    t.ok(accepts({ key: 'file:key' }) && accepts({ agent: true }) && accepts({ agent: 'env:SSH_AUTH_SOCK' }));
    t.ok(accepts({ key: 'file:key', passphrase: 'env:PASSPHRASE' }));
    for (const account of [
      {},
      { key: 'file:key', agent: true },
      { agent: true, passphrase: 'env:X' },
      { key: '-----BEGIN OPENSSH PRIVATE KEY-----' },
      { key: 'file:key', password: 'x' },
    ])
      t.notOk(accepts(account), JSON.stringify(account));
    t.end();
  });

  t.test('ssh: after dispose nothing keeps the process alive', async (t) => {
    const before = process.getActiveResourcesInfo().length;
    const session = await connect(sshd);
    await session.run({ argv: ['/bin/sleep', '100'], channel: 'exec' }, { timeout: duration(100), signal: never });
    await session.get('/etc/passwd', { maxBytes: 1e6, signal: never });
    await session[Symbol.asyncDispose]();
    await sleep(10);
    t.equal(process.getActiveResourcesInfo().length, before);
  });
});
