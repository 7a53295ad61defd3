import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t from 'tap';
import plugin from '../../../adapters/transports/winrm/index.ts';
import type { AuthorizedTarget } from '../../../runner/domain/authorize.ts';
import { duration } from '../../../runner/domain/time.ts';
import { type CommandOutcome, type Session, type Transport, TransportFailure } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { until } from '../../contract/windows-transport-contract.ts';
import { FaultProxy } from '../../fault-proxy.ts';
import { startTestHost, type TestHost } from '../../lab/standin-windows-host.ts';
import { requirement } from '../../require.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const python = 'C:\\Program Files\\Python311\\python.exe';

/** Adds a line to its first file, says `begun`, waits until its second file is there, says `over` and makes the third. */
const patient =
  'import os, sys, time; open(sys.argv[1], "a").write("ran\\n"); print("begun", flush=True)\n' +
  'while not os.path.exists(sys.argv[2]): time.sleep(0.05)\n' +
  'print("over", flush=True); open(sys.argv[3], "w").close()';

/** How the stand-in is reached, through a proxy that does what networks do. */
type Way = 'http, sealed' | 'https';
const ways: readonly Way[] = ['http, sealed', 'https'];

class Bench implements AsyncDisposable {
  readonly way: Way;
  readonly proxy: FaultProxy;
  readonly #host: TestHost;
  #commands = 0;

  private constructor(way: Way, proxy: FaultProxy, host: TestHost) {
    this.way = way;
    this.proxy = proxy;
    this.#host = host;
  }

  static async start(way: Way, host: TestHost): Promise<Bench> {
    return new Bench(way, await FaultProxy.start({ port: host.ports[way === 'https' ? 1 : 0] ?? 0 }), host);
  }

  target(settings: object = {}): AuthorizedTarget {
    const { certificates } = this.#host;
    const tls = this.way === 'https' ? { ca: join(certificates, 'ca.pem') } : { tls: false };
    return authorizedTarget({
      address: '127.0.0.1',
      kind: 'winrm',
      platform: 'windows',
      settings: { port: this.proxy.port, connectTimeout: '20s', ...tls, ...settings },
      account: 'dana',
      accountSettings: { password: `file:${join(certificates, 'password')}` },
    });
  }

  connect(settings: object = {}, transport: Transport = plugin.open(realDeps)): Promise<Session> {
    return transport.connect(this.target(settings), never);
  }

  /** Cuts connections that nobody uses, and gives this side the time to notice. */
  async dropIdle(): Promise<void> {
    this.proxy.drop();
    await sleep(200);
  }

  /** A command that runs until it is told to go on, and tells how often it was begun. */
  async patient(session: Session, timeoutMs = 120_000): Promise<Patient> {
    this.#commands += 1;
    const name = `${this.way === 'https' ? 'tls' : 'plain'}-${this.proxy.port}-${this.#commands}`;
    const path = (what: string): string => `C:\\Users\\dana\\${name}.${what}`;
    const real = (what: string): string => this.#host.host.machine.tree.real(path(what)) ?? '/nonexistent';
    await session.put({ path: path('py'), bytes: Buffer.from(patient), mode: 0o600 }, never);
    const argv = [python, path('py'), path('ran'), path('go'), path('over')] as const;
    return {
      start: () => {
        const outcome = session.run(
          { argv: [...argv], channel: 'winrm' },
          { timeout: duration(timeoutMs), signal: never },
        );
        outcome.catch(() => undefined);
        return outcome;
      },
      runs: () => until(() => Promise.resolve(existsSync(real('ran')))),
      goOn: () => writeFile(real('go'), ''),
      isOver: () => until(() => Promise.resolve(existsSync(real('over')))),
      times: async () =>
        existsSync(real('ran')) ? ((await readFile(real('ran'), 'utf8')).match(/ran/g)?.length ?? 0) : 0,
      ends: () => until(() => Promise.resolve(!this.#processes().some((line) => line.includes(path('py'))))),
    };
  }

  #processes(): readonly string[] {
    return [...this.#host.host.machine.processes.values()].map(({ commandLine }) => commandLine);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.proxy[Symbol.asyncDispose]();
  }
}

type Patient = {
  readonly start: () => Promise<CommandOutcome>;
  /** Each of these waits, and tells whether it came about. */
  readonly runs: () => Promise<boolean>;
  readonly goOn: () => Promise<void>;
  readonly isOver: () => Promise<boolean>;
  readonly ends: () => Promise<boolean>;
  readonly times: () => Promise<number>;
};

/** The class and text of a failure; a success is none. */
async function failed(work: Promise<unknown>): Promise<{ readonly class: string; readonly message: string }> {
  try {
    await work;
    return { class: 'none', message: '' };
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    return { class: error.class, message: error.message };
  }
}

const refusedLogins = (host: TestHost): number =>
  host.events('security').filter(({ System }) => System.EventID === 4625).length;

t.test('winrm: bad networks, through a proxy that does what they do', async (t) => {
  const host = await startTestHost();
  t.teardown(() => host[Symbol.asyncDispose]());

  for (const way of ways) {
    t.test(`winrm, ${way}: cut anywhere before, in and after the login: never taken for a refused one`, async (t) => {
      await using bench = await Bench.start(way, host);
      const { proxy } = bench;
      const transport = plugin.open(realDeps);
      proxy.refuse();
      await failureOf(t, bench.connect({}, transport), 'unreachable');
      proxy.heal();
      await (await bench.connect({}, transport))[Symbol.asyncDispose]();
      const whole = { 'to-client': proxy.passed('to-client'), 'to-server': proxy.passed('to-server') };
      const refused = refusedLogins(host);
      for (const direction of ['to-client', 'to-server'] as const)
        for (let part = 0; part < 12; part += 1) {
          proxy.dropAfter(Math.floor((whole[direction] * part) / 12), direction);
          const { class: failureClass, message } = await failed(
            bench.connect({}, transport).then((session) => session[Symbol.asyncDispose]()),
          );
          t.ok(
            ['unreachable', 'lost', 'none'].includes(failureClass),
            `${direction}, ${part} of 12: ${failureClass} ${message}`,
          );
          if (part === 0) t.equal(failureClass, 'unreachable', message);
          proxy.heal();
        }
      t.equal(refusedLogins(host), refused, 'the host refused nobody');
      await using session = await bench.connect({}, transport);
      t.ok(session, 'and the credential is still good');
    });

    t.test(`winrm, ${way}: cut before a command: it runs once, or is known not to have`, async (t) => {
      await using bench = await Bench.start(way, host);
      await using session = await bench.connect({ connectTimeout: '5s' });
      const first = await bench.patient(session);
      await first.goOn();
      bench.proxy.refuse();
      await bench.dropIdle();
      await failureOf(t, first.start(), 'unreachable');
      bench.proxy.heal();
      t.equal(await first.times(), 0, 'nothing was sent');
      t.match((await first.start()).exit, { kind: 'code', code: 0 }, 'the session goes on over another connection');
      t.equal(await first.times(), 1);
    });

    t.test(`winrm, ${way}: cut while a command is handed over: unknown, and never sent again`, async (t) => {
      await using bench = await Bench.start(way, host);
      await using session = await bench.connect();
      for (const [direction, bytes] of [
        ['to-server', 300],
        ['to-client', 0],
        ['to-client', 100],
      ] as const) {
        const command = await bench.patient(session);
        bench.proxy.dropAfter(bytes, direction, 'open');
        const message = await failureOf(t, command.start(), 'lost');
        bench.proxy.heal();
        t.match(message, /Outcome unknown: whether the command was started cannot be told, and it is not sent again/);
        t.match(message, /Its shell was closed/);
        t.ok(await command.ends(), 'so that it does not go on');
        t.ok((await command.times()) <= (direction === 'to-client' ? 1 : 0), 'never twice');
      }
    });

    t.test(
      `winrm, ${way}: cut during a command: the same one is asked for again, or its outcome is unknown`,
      async (t) => {
        await using bench = await Bench.start(way, host);
        await using session = await bench.connect();
        const command = await bench.patient(session);
        const outcome = command.start();
        t.ok(await command.runs());
        bench.proxy.drop();
        await command.goOn();
        t.match((await outcome).exit, { kind: 'code', code: 0 });
        t.match(text((await outcome).stdout), /over/);
        t.equal(await command.times(), 1);
      },
    );

    t.test(`winrm, ${way}: cut after a command: what the host still knows is told, and no more`, async (t) => {
      await using bench = await Bench.start(way, host);
      await using session = await bench.connect();
      const command = await bench.patient(session);
      const outcome = command.start();
      t.ok(await command.runs());
      bench.proxy.hang(['to-client']);
      const passed = bench.proxy.passed('to-client');
      await command.goOn();
      t.ok(await command.isOver());
      t.ok(await until(() => Promise.resolve(bench.proxy.passed('to-client') > passed)), 'its answer is on the way');
      bench.proxy.drop();
      bench.proxy.heal();
      t.match(
        await outcome,
        { exit: { kind: 'code', code: 0 }, truncated: true },
        'the end, and that output is missing',
      );
      t.equal(await command.times(), 1);
    });

    t.test(`winrm, ${way}: a changed byte is never taken for an answer`, async (t) => {
      await using bench = await Bench.start(way, host);
      await using session = await bench.connect();
      const command = await bench.patient(session);
      const outcome = command.start();
      t.ok(await command.runs());
      bench.proxy.hang(['to-client']);
      await command.goOn();
      t.ok(await command.isOver());
      // Into the body of the answer, behind its head.
      bench.proxy.corruptAfter(600, 'to-client', 'open');
      if (way === 'https')
        t.match(await outcome, { exit: { kind: 'code', code: 0 }, truncated: true }, 'TLS ends; it is asked for again');
      else t.match(await failureOf(t, outcome, 'lost'), /Outcome unknown: how the command went cannot be told/);
      bench.proxy.heal();
      t.equal(await command.times(), 1);
      const next = await bench.patient(session);
      await next.goOn();
      t.match((await next.start()).exit, { kind: 'code', code: 0 }, 'the next one goes well');
    });

    t.test(`winrm, ${way}: a slow link is no failure`, async (t) => {
      await using bench = await Bench.start(way, host);
      await using session = await bench.connect();
      bench.proxy.slow(60_000);
      const bytes = Uint8Array.from({ length: 40_000 }, (_, index) => (index * 31) % 256);
      const path = `C:\\Users\\dana\\slow-${bench.proxy.port}`;
      await session.put({ path, bytes, mode: 0o600 }, never);
      t.ok(Buffer.from(await session.get(path, { maxBytes: 40_000, signal: never })).equals(Buffer.from(bytes)));
    });
  }

  t.test('winrm: cut for good during a command: its outcome is unknown, and it may still be running', async (t) => {
    await using bench = await Bench.start('http, sealed', host);
    await using session = await bench.connect();
    const other = await bench.patient(session);
    const lost = other.start();
    t.ok(await other.runs());
    bench.proxy.refuse();
    bench.proxy.drop();
    t.match(
      await failureOf(t, lost, 'lost'),
      /Outcome unknown: how the command went cannot be told.*could not be closed: it may still be running/,
    );
    bench.proxy.heal();
    await other.goOn();
    t.ok(await other.isOver(), 'as it was');
    t.equal(await other.times(), 1);
  });

  t.test('winrm: a host that hangs is given up, and what it was given has an unknown outcome', async (t) => {
    await using bench = await Bench.start('https', host);
    const settings = { connectTimeout: '3s', operationTimeout: '1s' };
    await using session = await bench.connect(settings);
    await using other = await bench.connect(settings);
    const commands = [await bench.patient(session), await bench.patient(other, 20_000)] as const;
    const outcomes = commands.map((command) => command.start());
    for (const command of commands) t.ok(await command.runs());
    bench.proxy.hang();
    const [silent, late] = outcomes.map((outcome) => failed(outcome));
    t.match(await failed(bench.connect({ connectTimeout: '1s' })), {
      class: 'unreachable',
      message: /did not come to the end of a login within 1000 ms/,
    });
    for (const failure of [await silent, await late]) {
      t.equal(failure?.class, 'lost');
      t.match(failure?.message, /Outcome unknown: how the command went cannot be told.*may still be running/);
    }
    bench.proxy.heal();
    for (const command of commands) {
      await command.goOn();
      t.ok(await command.isOver(), 'as it was');
      t.equal(await command.times(), 1);
    }
  });

  t.test('winrm: a host that hangs for a while is waited for', async (t) => {
    await using bench = await Bench.start('http, sealed', host);
    await using session = await bench.connect();
    const command = await bench.patient(session);
    const outcome = command.start();
    t.ok(await command.runs());
    bench.proxy.hang();
    await command.goOn();
    t.ok(await command.isOver());
    bench.proxy.heal();
    t.match(await outcome, { exit: { kind: 'code', code: 0 }, truncated: false });
    t.equal(await command.times(), 1);
  });

  t.test(
    'winrm: another certificate, in the middle of a session: nothing more is said to whoever has it',
    async (t) => {
      await using stranger = await startTestHost();
      await using bench = await Bench.start('https', host);
      await using session = await bench.connect();
      const command = await bench.patient(session);
      const outcome = command.start();
      t.ok(await command.runs());
      const next = await bench.patient(session);
      bench.proxy.leadTo(stranger.ports[1] ?? 0);
      await bench.dropIdle();
      t.match(
        await failureOf(t, outcome, 'lost'),
        /its authority is not among the trusted ones.*Outcome unknown: how the command went cannot be told.*may still be running/,
      );
      t.match(await failureOf(t, next.start(), 'host-key'), /presented was one with SHA-256 fingerprint/);
      await failureOf(t, bench.connect(), 'host-key');
      t.equal(stranger.events('security').filter(({ System }) => [4624, 4625].includes(System.EventID)).length, 0);
      t.equal(await next.times(), 0);
      bench.proxy.leadTo(host.ports[1] ?? 0);
      await command.goOn();
      t.ok(await command.isOver(), 'as it was');
      t.equal(await command.times(), 1);
      await next.goOn();
      t.match((await next.start()).exit, { kind: 'code', code: 0 }, 'the session goes on when it is the host again');
    },
  );

  t.test('winrm: a full disk on the host is said to be full, and half a file does not stay', async (t) => {
    await using bench = await Bench.start('https', host);
    await using session = await bench.connect();
    const folder = 'C:\\Users\\dana\\small';
    host.host.machine.tree.makeFolder(folder);
    const real = host.host.machine.tree.real(folder) ?? '/nonexistent';
    const missing = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=777', 'tmpfs', real]).then(
      () => undefined,
      (error: unknown) => `no small file system can be mounted: ${String(error)}`,
    );
    if (!requirement(t, 'mount', missing)) return;
    t.teardown(() => run('umount', [real]));
    const big = { path: `${folder}\\big`, bytes: new Uint8Array(200_000), mode: 0o600 };
    t.match(await failureOf(t, session.put(big, never), 'file'), /no space is left on the disk there/);
    t.same(await readdir(real), [], 'nothing stays');
    const script = 'open(r"C:\\Users\\dana\\small\\x", "wb").write(bytes(200000))';
    const step = await session.run(
      { argv: [python, '-c', script], channel: 'winrm' },
      { timeout: duration(60_000), signal: never },
    );
    t.match(step.exit, { kind: 'code', code: 1 });
    t.match(text(step.stderr), /No space left on device/, 'a step says it in its own words');
  });
});

t.test(
  'winrm: an expired password: tried once, whether at the first login or in the middle of a session',
  async (t) => {
    for (const way of ways) {
      await using host = await startTestHost();
      const { accounts } = host.host.machine;
      const dana = accounts.find('dana');
      if (dana === undefined) throw new Error('no account');
      await using bench = await Bench.start(way, host);
      const transport = plugin.open(realDeps);
      await using session = await bench.connect({}, transport);
      const command = await bench.patient(session);
      const next = await bench.patient(session);
      const outcome = command.start();
      t.ok(await command.runs());
      accounts.expirePassword(dana);
      await bench.dropIdle();
      t.match(
        await failureOf(t, outcome, 'lost'),
        /its password is.*Outcome unknown: how the command went cannot be told.*may still be running/,
      );
      t.match(await failureOf(t, next.start(), 'login'), /was refused before/);
      t.match(await failureOf(t, bench.connect({}, transport), 'login'), /not tried again in this run/);
      t.equal(refusedLogins(host), 1, 'the host saw one attempt');
      t.equal(await next.times(), 0);
      await command.goOn();
      t.ok(await command.isOver(), 'as it was');
      t.equal(await command.times(), 1);

      const again = plugin.open(realDeps);
      t.match(
        await failureOf(t, bench.connect({}, again), 'login'),
        /the account is locked, disabled or expired, or its password is/,
      );
      t.match(await failureOf(t, bench.connect({}, again), 'login'), /refused before/);
      t.equal(refusedLogins(host), 2);
    }
  },
);
