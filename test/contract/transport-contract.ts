import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile, readlink, stat } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import type { AuthorizedTarget } from '../../runner/domain/authorize.ts';
import { duration } from '../../runner/domain/time.ts';
import {
  type Command,
  type CommandOutcome,
  type Session,
  type Transport,
  TransportFailure,
  type TransportFailureClass,
} from '../../runner/ports.ts';

/** Where the suite runs. The host is this machine, so the suite looks at processes and files for itself. */
export type TransportUnderTest = {
  readonly transport: Transport;
  readonly target: AuthorizedTarget;
  /** An existing folder that the account may write to. */
  readonly folder: string;
  /** The exit code that stands for a signal where the transport cannot say which it was. */
  readonly signalsShowAs?: number;
};

const never = new AbortController().signal;

/** Expects a {@link TransportFailure} and gives it back. */
export async function failureOf(t: Test, work: Promise<unknown>, failureClass: TransportFailureClass): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    t.equal(error.class, failureClass, error.message);
    return error.message;
  }
  t.fail(`expected a failure of class ${failureClass}`);
  return '';
}

/** `run` with the channel exec, 20 seconds, and no abort. */
export function exec(
  session: Session,
  argv: Command['argv'],
  options: { timeoutMs?: number; signal?: AbortSignal } & Partial<Command> = {},
): Promise<CommandOutcome> {
  const { timeoutMs = 20_000, signal = never, ...command } = options;
  return session.run({ channel: 'exec', ...command, argv }, { timeout: duration(timeoutMs), signal });
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

/** Ids of live processes that have `word` as an argument; zombies do not count, nor does an ssh that is to start them. */
export async function processesWith(word: string): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,stat=,args=']);
  return stdout
    .split('\n')
    .map((line) => /^ *(\d+) +(\S+) (.*)$/.exec(line))
    .filter((match) => match?.[2]?.startsWith('Z') === false && match[3]?.split(' ').includes(word) === true)
    .filter((match) => !/^ *ssh /.test(match?.[3] ?? ''))
    .map((match) => Number(match?.[1]));
}

/** Bytes in buffers that are still in use. */
async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  // The memory behind a buffer goes a little after the buffer.
  await sleep(50);
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Sleeps for a time that no other process of this machine sleeps for, so that it can be found by it. */
function oddSleep(): string {
  return String(100_000 + Math.floor(Math.random() * 900_000));
}

async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await condition()) return true;
    await sleep(50);
  }
  return false;
}

/** What every transport must do, on a real host. */
export async function transportContract(t: Test, name: string, open: () => Promise<TransportUnderTest>): Promise<void> {
  // One subtest around all: tap ends a test that has none pending.
  await t.test(name, async (t) => {
    const host = await open();
    const session = await host.transport.connect(host.target, never);
    await commandCases(t, name, host, session);
    await fileCases(t, name, host, session);
    await session[Symbol.asyncDispose]();
  });
}

/** The part of the contract that is about files, for transports that have more than one way of moving them. */
export async function fileContract(t: Test, name: string, open: () => Promise<TransportUnderTest>): Promise<void> {
  await t.test(name, async (t) => {
    const host = await open();
    const session = await host.transport.connect(host.target, never);
    await fileCases(t, name, host, session);
    await session[Symbol.asyncDispose]();
  });
}

async function commandCases(
  t: Test,
  name: string,
  { transport, target, folder, signalsShowAs }: TransportUnderTest,
  session: Session,
): Promise<void> {
  await t.test(`${name}: a command's exit code, output and errors come back apart and whole`, async (t) => {
    const outcome = await exec(session, ['/bin/sh', '-c', 'printf out; printf err >&2; exit 7']);
    t.match(outcome, { exit: { kind: 'code', code: 7 }, truncated: false });
    t.equal(text(outcome.stdout), 'out');
    t.equal(text(outcome.stderr), 'err');
    const endedBy = (signal: string): CommandOutcome['exit'] =>
      signalsShowAs === undefined ? { kind: 'signal', signal } : { kind: 'code', code: signalsShowAs };
    t.match(outcome.sent, /exec \/bin\/sh -c 'printf out/);
    t.ok(outcome.startedAt <= outcome.endedAt, 'times are in order');
    t.same((await exec(session, ['/bin/sh', '-c', 'kill -KILL $$'])).exit, endedBy('SIGKILL'));
    t.same((await exec(session, ['/bin/sh', '-c', 'kill -TERM $$'])).exit, endedBy('SIGTERM'));
    t.same((await exec(session, ['/no/such/command'])).exit, { kind: 'code', code: 127 });
  });

  await t.test(`${name}: arguments that a shell would act on arrive as they are`, async (t) => {
    const hostile = [
      '',
      ' ',
      "it's",
      '"',
      '`id`',
      '$(id)',
      '$HOME',
      '*',
      '~',
      '!!',
      '\\',
      '\n',
      'a\nb\n',
      '\t',
      '\r\n',
      '-n',
      '--',
      ';',
      '|',
      '&',
      '>x',
      '#',
      '{a,b}',
      'é€😀',
      '\x1b[31m',
      '\x7f\x01',
      'x'.repeat(50_000),
    ];
    const { stdout, stderr } = await exec(session, ['/usr/bin/printf', '%s\\0', ...hostile]);
    t.same(text(stdout).split('\0').slice(0, -1), hostile, text(stderr));
    const message = await failureOf(t, exec(session, ['/bin/echo', 'a\0b']), 'not-started');
    t.match(message, /NUL/);
    await failureOf(t, exec(session, ['/bin/echo', '\ud800']), 'not-started');
    await failureOf(t, exec(session, ['']), 'not-started');
  });

  await t.test(`${name}: output that is not UTF-8 comes back byte for byte, and so does standard input`, async (t) => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256);
    const outcome = await exec(session, ['/bin/cat'], { stdin: bytes });
    t.ok(Buffer.from(outcome.stdout).equals(Buffer.from(bytes)), 'all bytes are there');
    t.equal((await exec(session, ['/bin/cat'])).stdout.length, 0, 'without standard input a command reads its end');
    const digits = await exec(session, ['/bin/echo', '12345\n678']);
    t.equal(text(digits.stdout), '12345\n678\n', 'numbers in the output are output');
    t.match(await exec(session, ['/bin/true'], { stdin: bytes }), { exit: { code: 0 } }, 'input may be left unread');
  });

  await t.test(`${name}: a command starts in the folder that it names`, async (t) => {
    t.equal(text((await exec(session, ['/bin/pwd'], { cwd: '/usr/lib' })).stdout), '/usr/lib\n');
    const message = await failureOf(t, exec(session, ['/bin/pwd'], { cwd: '/no such folder' }), 'not-started');
    t.match(message, /no such folder/);
  });

  await t.test(`${name}: the command is itself the child of the login, leader of its own session`, async (t) => {
    const script = 'read -r _ _ _ parent group session _ < /proc/self/stat; echo "$$ $group $session"';
    const [pid, group, sid] = text((await exec(session, ['/bin/sh', '-c', script])).stdout)
      .trim()
      .split(' ');
    t.ok(pid === group && pid === sid, `process ${pid ?? ''} leads group ${group ?? ''} and session ${sid ?? ''}`);
  });

  await t.test(`${name}: 10 MB of output on both sides are cut, and neither stall nor stay in memory`, async (t) => {
    const before = await heldBytes();
    const script = 'head -c 10000000 /dev/zero | tr "\\0" a; head -c 10000000 /dev/zero >&2; exit 3';
    const outcome = await exec(session, ['/bin/sh', '-c', script]);
    t.match(outcome, { exit: { kind: 'code', code: 3 }, truncated: true });
    t.equal(outcome.stdout.length, 1024 * 1024);
    t.equal(outcome.stderr.length, 1024 * 1024);
    t.ok((await heldBytes()) - before < 8_000_000, 'what was dropped is not held on to');
  });

  await t.test(`${name}: a time-out ends the whole process tree, whatever it does against that`, async (t) => {
    const seconds = oddSleep();
    const stubborn = `trap '' TERM HUP INT; sleep ${seconds} & sleep ${seconds}`;
    const script = `(trap '' TERM; sleep ${seconds}) & setsid sh -c "${stubborn}" & trap '' TERM; echo begun; sleep ${seconds}; sleep ${seconds}`;
    const started = Date.now();
    const outcome = await exec(session, ['/bin/sh', '-c', script], { timeoutMs: 600 });
    t.same(outcome.exit, { kind: 'timeout', survivors: [] });
    t.equal(text(outcome.stdout), 'begun\n', 'what it wrote before is kept');
    t.same(await processesWith(seconds), [], 'nothing is left');
    t.ok(Date.now() - started < 10_000, 'it did not take long');
    const polite = await exec(session, ['/bin/sh', '-c', 'trap "echo bye; exit" TERM; while :; do sleep 0.05; done'], {
      timeoutMs: 300,
    });
    t.equal(text(polite.stdout), 'bye\n', 'a command that ends on SIGTERM has the time to');
    const restless = `trap '' TERM; while :; do setsid sh -c "trap '' TERM; sleep ${seconds}" & sleep 0.01; done`;
    const multiplying = await exec(session, ['/bin/sh', '-c', restless], { timeoutMs: 300 });
    t.same(multiplying.exit, { kind: 'timeout', survivors: [] });
    t.same(await processesWith(seconds), [], 'what keeps starting others has none left either');
    const stopped = await exec(session, ['/bin/sh', '-c', 'kill -STOP $$'], { timeoutMs: 300 });
    t.same(stopped.exit, { kind: 'timeout', survivors: [] }, 'a stopped process is ended too');
  });

  await t.test(`${name}: a command whose parent is gone is found by its session`, async (t) => {
    const seconds = oddSleep();
    // The child in the background keeps the output open after its parent has ended.
    const outcome = await exec(session, ['/bin/sh', '-c', `sleep ${seconds} & exit 0`], { timeoutMs: 500 });
    t.same(outcome.exit, { kind: 'timeout', survivors: [] });
    t.same(await processesWith(seconds), []);
  });

  await t.test(`${name}: an abort ends the process tree, and starts nothing when it came before`, async (t) => {
    const seconds = oddSleep();
    const controller = new AbortController();
    const running = exec(session, ['/bin/sleep', seconds], { signal: controller.signal });
    t.ok(await until(async () => (await processesWith(seconds)).length === 1), 'it runs');
    controller.abort();
    t.same((await running).exit, { kind: 'timeout', survivors: [] });
    t.same(await processesWith(seconds), []);
    await failureOf(t, exec(session, ['/bin/sleep', seconds], { signal: AbortSignal.abort() }), 'aborted');
    t.same(await processesWith(seconds), []);
    await failureOf(
      t,
      session.put({ path: `${folder}/aborted`, bytes: Buffer.from('x'), mode: 0o600 }, AbortSignal.abort()),
      'aborted',
    );
    await failureOf(t, session.get('/etc/passwd', { maxBytes: 100_000, signal: AbortSignal.abort() }), 'aborted');
    await failureOf(t, transport.connect(target, AbortSignal.abort()), 'aborted');
  });

  await t.test(`${name}: twenty commands at once all come back with their own output`, async (t) => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => exec(session, ['/bin/sh', '-c', `sleep 0.1; echo ${index}`])),
    );
    t.same(
      outcomes.map(({ stdout }) => text(stdout)),
      Array.from({ length: 20 }, (_, index) => `${index}\n`),
    );
  });

  await t.test(`${name}: closing a session ends what it still runs`, async (t) => {
    const seconds = oddSleep();
    const second = await transport.connect(target, never);
    const running = exec(second, ['/bin/sleep', seconds]);
    t.ok(await until(async () => (await processesWith(seconds)).length === 1), 'it runs');
    await second[Symbol.asyncDispose]();
    t.same((await running).exit, { kind: 'timeout', survivors: [] });
    t.same(await processesWith(seconds), []);
    await failureOf(t, exec(second, ['/bin/true']), 'aborted');
  });
}

async function fileCases(t: Test, name: string, { folder }: TransportUnderTest, session: Session): Promise<void> {
  await t.test(`${name}: a file arrives whole, with its mode, and comes back the same`, async (t) => {
    const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => (index * 31) % 256);
    for (const [index, [content, mode]] of (
      [
        [bytes, 0o755],
        [new Uint8Array(), 0o600],
        [bytes.subarray(0, 5), 0o444],
      ] as const
    ).entries()) {
      const path = `${folder}/it's a file ${index}`;
      await session.put({ path, bytes: content, mode }, never);
      t.equal(
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
        createHash('sha256').update(content).digest('hex'),
      );
      t.equal((await stat(path)).mode & 0o7777, mode);
      const back = await session.get(path, { maxBytes: content.length, signal: never });
      t.ok(Buffer.from(back).equals(Buffer.from(content)), `${content.length} bytes come back`);
    }
    await failureOf(t, session.get(`${folder}/it's a file 0`, { maxBytes: 300_000, signal: never }), 'cut-short');
  });

  await t.test(`${name}: a file that is there is not overwritten, one that is not there is not found`, async (t) => {
    const path = `${folder}/once`;
    await session.put({ path, bytes: Buffer.from('first'), mode: 0o600 }, never);
    const message = await failureOf(t, session.put({ path, bytes: Buffer.from('second'), mode: 0o600 }, never), 'file');
    t.match(message, /once.*exists already/);
    t.equal(await readFile(path, 'utf8'), 'first');
    await exec(session, ['/bin/ln', '-s', '/no/such/goal', `${folder}/dangling`]);
    await failureOf(
      t,
      session.put({ path: `${folder}/dangling`, bytes: Buffer.from('x'), mode: 0o600 }, never),
      'file',
    );
    t.equal(await readlink(`${folder}/dangling`), '/no/such/goal');
    t.match(await failureOf(t, session.get(`${folder}/none`, { maxBytes: 10, signal: never }), 'not-found'), /none/);
    await failureOf(
      t,
      session.put({ path: `${folder}/no/parent`, bytes: Buffer.from('x'), mode: 0o600 }, never),
      'not-found',
    );
    await failureOf(t, session.get(folder, { maxBytes: 10, signal: never }), 'file');
  });
}
