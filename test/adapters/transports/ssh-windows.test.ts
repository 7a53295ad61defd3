import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import t, { type Test } from 'tap';
import plugin from '../../../adapters/transports/ssh/index.ts';
import { sshSettings } from '../../../adapters/transports/ssh/settings.ts';
import { WindowsHost } from '../../../lab/standins/windows/host.ts';
import { parseSettings } from '../../../lab/standins/windows/settings.ts';
import type { AuthorizedTarget } from '../../../runner/domain/authorize.ts';
import type { NonEmpty } from '../../../runner/domain/non-empty.ts';
import { duration } from '../../../runner/domain/time.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { until, windowsTransportContract } from '../../contract/windows-transport-contract.ts';
import { requirement } from '../../require.ts';
import { run, Sshd, sshdMissing } from './sshd.ts';

const never = new AbortController().signal;
const python = 'C:\\Program Files\\Python311\\python.exe';
const minute = duration(60_000);

function over(
  port: number,
  files: { readonly knownHosts: string; readonly key: string },
  shell?: string,
): AuthorizedTarget {
  return authorizedTarget({
    platform: 'windows',
    address: '127.0.0.1',
    kind: 'ssh',
    settings: sshSettings.parse({ port, knownHosts: files.knownHosts, ...(shell === undefined ? {} : { shell }) }),
    account: 'user',
    accountSettings: { key: `file:${files.key}` },
  });
}

/** A Windows stand-in behind a real sshd, as the lab has one, until the test is over. Undefined: it cannot be had here. */
async function standIn(
  t: Test,
  config: readonly string[] = [],
): Promise<
  | {
      readonly host: WindowsHost;
      readonly sshd: Sshd;
      readonly target: AuthorizedTarget;
      readonly running: (word: string) => Promise<number>;
    }
  | undefined
> {
  if (!requirement(t, 'sshd', await sshdMissing())) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'ssh-windows-'));
  // Sessions of sshd come in as another user than this one, and so does Python.
  await chmod(folder, 0o755);
  const file = (name: string): string => join(folder, name);
  await writeFile(file('password'), 'not used over SSH\n', { mode: 0o600 });
  const host = await WindowsHost.start(
    parseSettings({
      name: 'LAB-WIN',
      folder: file('host'),
      eventLogs: file('events'),
      uid: 60_123,
      accounts: [{ name: 'dana', passwordFile: file('password') }],
      listeners: [],
      sshSecretFile: file('ssh-secret'),
    }),
  );
  const { tree, door, processes } = host.machine;
  const bridge = `/usr/bin/python3 -I -S -B ${join(tree.root, 'python/bridge.py')}`;
  const sshd = await Sshd.start({
    sftp: false,
    config: [
      ...config,
      'MaxStartups 50:30:100',
      `ForceCommand exec ${bridge} --door ${door.socket} --ssh-secret ${file('ssh-secret')} --account dana`,
    ],
  });
  t.teardown(async () => {
    await sshd[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    host,
    sshd,
    target: over(sshd.port, sshd),
    running: (word) =>
      Promise.resolve([...processes.values()].filter(({ commandLine }) => commandLine.includes(word)).length),
  };
}

/** A command that waits, found by its word. */
function waiting(word: string): { readonly argv: NonEmpty<string>; readonly channel: 'exec' } {
  return { argv: [python, '-c', 'import time; time.sleep(600)', word], channel: 'exec' };
}

t.test('ssh on Windows: the contract', async (t) => {
  const found = await standIn(t);
  if (found === undefined) return;
  const { host, target, running } = found;
  await windowsTransportContract(t, 'ssh, cmd on Windows', () =>
    Promise.resolve({
      transport: plugin.open(realDeps),
      target,
      channel: 'exec',
      python,
      folder: 'C:\\Users\\dana',
      local: (path) => host.machine.tree.real(path) ?? '/nonexistent',
      running,
      // Its sshd is one of Linux, where a process can hand on no more.
      exitBits: 8,
    }),
  );
  t.equal(await running('sshd.exe -z'), 0, 'no connection is left when the sessions are closed');
});

t.test(
  'ssh on Windows: of the same command twice, and on another connection, only the one that is over ends',
  async (t) => {
    const found = await standIn(t);
    if (found === undefined) return;
    const { target, running, host } = found;
    const transport = plugin.open(realDeps);
    await using one = await transport.connect(target, never);
    await using other = await transport.connect(target, never);
    const command = waiting('twin4711');
    const stops = [new AbortController(), new AbortController(), new AbortController()] as const;
    const pids = (): readonly number[] =>
      [...host.machine.processes.values()]
        .filter(({ image, commandLine }) => image === python && commandLine.includes('twin4711'))
        .map(({ pid }) => pid);
    const start = async (session: typeof one, { signal }: AbortController, at: number) => {
      const started = session.run(command, { timeout: minute, signal });
      t.ok(await until(() => Promise.resolve(pids().length === at)), `${at} run`);
      return { started };
    };
    // The other connection's comes first, so that it would be the one to end if connections were not told apart.
    const elsewhere = await start(other, stops[0], 1);
    const older = await start(one, stops[1], 2);
    const newer = await start(one, stops[2], 3);
    const [first, second] = pids();
    stops[2].abort();
    t.same((await newer.started).exit, { kind: 'timeout', survivors: [] });
    t.same(pids(), [first, second], 'the newer one has ended');
    stops[1].abort();
    t.same((await older.started).exit, { kind: 'timeout', survivors: [] });
    t.same(pids(), [first], 'the older one has ended');
    stops[0].abort();
    t.same((await elsewhere.started).exit, { kind: 'timeout', survivors: [] });
    t.equal(await running('twin4711'), 0);
  },
);

t.test('ssh on Windows: a command that cannot be ended when its time is over is said to be unknown', async (t) => {
  // No second channel, so nothing can be asked of the host beside the command.
  const found = await standIn(t, ['MaxSessions 1']);
  if (found === undefined) return;
  await using session = await plugin.open(realDeps).connect(found.target, never);
  const message = await failureOf(
    t,
    session.run(waiting('alone4711'), { timeout: duration(3_000), signal: never }),
    'lost',
  );
  t.match(message, /could not be ended: the host did not answer a second command/);
  t.match(message, /Whether it still runs, and what it did, is unknown/);
});

t.test(
  'ssh on Windows: a terminal and more rights than the login has are refused before anything is sent',
  async (t) => {
    const found = await standIn(t);
    if (found === undefined) return;
    await using session = await plugin.open(realDeps).connect(found.target, never);
    const limit = { timeout: minute, signal: never };
    t.match(
      await failureOf(t, session.run({ ...waiting('no4711'), channel: 'shell' }, limit), 'not-started'),
      /Use the channel exec/,
    );
    t.match(
      await failureOf(t, session.run({ ...waiting('no4711'), privilege: 'admin' }, limit), 'not-started'),
      /account of role admin/,
    );
    t.equal(await found.running('no4711'), 0);
  },
);

/** An SSH server that runs nothing: it ends every command at once with an exit code, and remembers its line. */
async function scriptedServer(t: Test, exitCode: number) {
  const folder = await mkdtemp(join(tmpdir(), 'ssh-scripted-'));
  const file = (name: string): string => join(folder, name);
  for (const name of ['host', 'login'])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
  const lines: string[] = [];
  const server = new ssh2.Server({ hostKeys: [readFileSync(file('host'))] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (login) => {
      login.accept();
    });
    client.on('session', (accept) => {
      accept().on('exec', (take, _refuse, { command }) => {
        lines.push(command);
        const channel = take();
        channel.exit(exitCode);
        channel.end();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await writeFile(file('known_hosts'), `[127.0.0.1]:${port} ${readFileSync(file('host.pub'), 'utf8')}`);
  t.teardown(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { lines, port, files: { knownHosts: file('known_hosts'), key: file('login') } };
}

t.test('ssh on Windows: an exit code comes back with all its 32 bits, whichever the shell is', async (t) => {
  // Win32-OpenSSH hands on what GetExitCodeProcess says (its sys/wait.h: WEXITSTATUS(w) is w).
  const server = await scriptedServer(t, 0xc0000005);
  for (const [shell, line] of [
    ['cmd', 'python.exe -c pass'],
    ['powershell', 'python.exe -c pass; exit $LASTEXITCODE'],
  ] as const) {
    await using session = await plugin.open(realDeps).connect(over(server.port, server.files, shell), never);
    const outcome = await session.run(
      { argv: ['python.exe', '-c', 'pass'], channel: 'exec' },
      { timeout: minute, signal: never },
    );
    t.same(outcome.exit, { kind: 'code', code: 0xc0000005 }, shell);
    t.same([outcome.sent, server.lines.pop(), text(outcome.stdout)], [line, line, '']);
  }
});
