import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { AuthorizedTarget } from '../../runner/domain/authorize.ts';
import type { Channel } from '../../runner/domain/scenario.ts';
import { duration } from '../../runner/domain/time.ts';
import type { Command, CommandOutcome, Session, Transport } from '../../runner/ports.ts';
import { failureOf, text } from './transport-contract.ts';

/** Where the suite runs: a Windows host, or what stands in for one on this machine. */
export type WindowsUnderTest = {
  readonly transport: Transport;
  readonly target: AuthorizedTarget;
  readonly channel: Channel;
  /** A Python of the host. */
  readonly python: string;
  /** An existing folder of the host that the account may write to, without a backslash at its end. */
  readonly folder: string;
  /** The same host's files as this machine sees them. */
  readonly local: (windowsPath: string) => string;
  /** How many processes of the host have this in their command line. */
  readonly running: (word: string) => Promise<number>;
  /** How many bits of an exit code come through what stands in for the host; a real one hands on all 32. */
  readonly exitBits?: 8;
};

const never = new AbortController().signal;

type Options = { readonly timeoutMs?: number; readonly signal?: AbortSignal } & Partial<Command>;

/** What every transport must do on a host with cmd.exe and PowerShell. */
export async function windowsTransportContract(
  t: Test,
  name: string,
  open: () => Promise<WindowsUnderTest>,
): Promise<void> {
  await t.test(name, async (t) => {
    const host = await open();
    const session = await host.transport.connect(host.target, never);
    await commandCases(t, name, host, session);
    await endingCases(t, name, host, session);
    await fileCases(t, name, host, session);
    await session[Symbol.asyncDispose]();
  });
}

function runOn(
  host: WindowsUnderTest,
  session: Session,
  argv: Command['argv'],
  options: Options = {},
): Promise<CommandOutcome> {
  const { timeoutMs = 30_000, signal = never, ...command } = options;
  return session.run({ channel: host.channel, ...command, argv }, { timeout: duration(timeoutMs), signal });
}

/** One program text of Python, with arguments. */
function pythonOn(
  host: WindowsUnderTest,
  session: Session,
  program: string,
  args: readonly string[] = [],
  options: Options = {},
): Promise<CommandOutcome> {
  return runOn(host, session, [host.python, '-c', program, ...args], options);
}

async function commandCases(t: Test, name: string, host: WindowsUnderTest, session: Session): Promise<void> {
  await t.test(`${name}: a command's exit code, output and errors come back apart and whole`, async (t) => {
    const program = "import sys; sys.stdout.write('out'); sys.stderr.write('err'); sys.exit(7)";
    const outcome = await pythonOn(host, session, program);
    t.match(outcome, { exit: { kind: 'code', code: 7 }, truncated: false });
    t.same([text(outcome.stdout), text(outcome.stderr)], ['out', 'err']);
    t.ok(outcome.sent.includes(host.python), outcome.sent);
    t.ok(outcome.startedAt <= outcome.endedAt);
    t.match((await runOn(host, session, ['cmd.exe', '/c', 'exit', '-1073741819'])).exit, {
      code: host.exitBits === 8 ? 0x05 : 0xc0000005,
    });
    t.not((await runOn(host, session, ['no-such-program.exe'])).exit, { kind: 'code', code: 0 });
  });

  await t.test(`${name}: arguments that a shell would act on arrive as they are`, async (t) => {
    const hostile = [
      ...['', ' ', "it's", '"', '\\"', '\\\\', 'a\\', 'a b\\', '%PATH%', '%PATH:~0,1%', '%', '%%', '^', '^^', '!PATH!'],
      ...['&', '|', '<', '>x', '(', ')', ';', ',', '=', '*', '?', '~', '`id`', '$(id)', '-n', '/c', '\t', '"%PATH%"&"'],
      ...['é€😀', 'x'.repeat(5_000)],
    ];
    const program = 'import sys; sys.stdout.buffer.write("\\0".join(sys.argv[1:]).encode())';
    const { stdout, stderr } = await pythonOn(host, session, program, hostile);
    t.same(text(stdout).split('\0'), hostile, text(stderr));
    for (const wrong of ['a\0b', 'a\nb', '\ud800', 'x'.repeat(9_000)])
      await failureOf(t, pythonOn(host, session, program, [wrong]), 'not-started');
    await failureOf(t, runOn(host, session, ['']), 'not-started');
  });

  await t.test(`${name}: output that is no text comes back byte for byte, and so does standard input`, async (t) => {
    const bytes = Uint8Array.from({ length: 250_000 }, (_, index) => (index * 7) % 256);
    const cat = 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())';
    t.ok(Buffer.from((await pythonOn(host, session, cat, [], { stdin: bytes })).stdout).equals(Buffer.from(bytes)));
    t.equal((await pythonOn(host, session, cat)).stdout.length, 0, 'without standard input a command reads its end');
    t.match(
      await pythonOn(host, session, 'pass', [], { stdin: bytes }),
      { exit: { code: 0 } },
      'it may be left unread',
    );
  });

  await t.test(`${name}: a command starts in the folder that it names`, async (t) => {
    const { stdout } = await pythonOn(host, session, 'import os; print(os.getcwd())', [], { cwd: host.folder });
    t.equal(text(stdout).trim().toLowerCase(), host.folder.toLowerCase());
    const nowhere = pythonOn(host, session, 'pass', [], { cwd: `${host.folder}\\no such folder` });
    t.match(await failureOf(t, nowhere, 'not-started'), /no such folder/);
  });

  await t.test(`${name}: 5 MB of output on both sides are cut and do not stall`, async (t) => {
    const program = "import sys; [s.write('x' * 5000000) for s in (sys.stdout, sys.stderr)]; sys.exit(3)";
    const outcome = await pythonOn(host, session, program, [], { timeoutMs: 120_000 });
    t.match(outcome, { exit: { kind: 'code', code: 3 }, truncated: true });
    t.same([outcome.stdout.length, outcome.stderr.length], [1024 * 1024, 1024 * 1024]);
  });

  await t.test(`${name}: twenty commands at once all come back with their own output`, async (t) => {
    const program = 'import sys, time; time.sleep(0.1); print(sys.argv[1])';
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        pythonOn(host, session, program, [String(index)], { timeoutMs: 120_000 }),
      ),
    );
    t.same(
      outcomes.map(({ stdout }) => text(stdout).trim()),
      Array.from({ length: 20 }, (_, index) => String(index)),
    );
  });
}

/** Waits a long time, with a number by which the process is found, and a child that does the same. */
const waiting =
  'import subprocess, sys, time; print("begun", flush=True); ' +
  'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", *sys.argv[1:]]); time.sleep(600)';

function oddNumber(): string {
  return String(100_000_000 + Math.floor(Math.random() * 900_000_000));
}

/** Condition, waited for with a generous deadline. */
export async function until(condition: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await condition()) return true;
    await sleep(50);
  }
  return false;
}

async function endingCases(t: Test, name: string, host: WindowsUnderTest, session: Session): Promise<void> {
  const gone = (number: string): Promise<boolean> => until(async () => (await host.running(number)) === 0);
  const there = (number: string): Promise<boolean> => until(async () => (await host.running(number)) > 1);

  await t.test(`${name}: a time-out ends the whole process tree, and keeps what was written before`, async (t) => {
    const number = oddNumber();
    const outcome = await pythonOn(host, session, waiting, [number], { timeoutMs: 5_000 });
    t.same(outcome.exit, { kind: 'timeout', survivors: [] });
    t.match(text(outcome.stdout), /^begun/);
    t.ok(await gone(number), 'nothing is left');
  });

  await t.test(`${name}: an abort ends the process tree, and starts nothing when it came before`, async (t) => {
    const number = oddNumber();
    const controller = new AbortController();
    const running = pythonOn(host, session, waiting, [number], { signal: controller.signal });
    t.ok(await there(number), 'it runs');
    controller.abort();
    t.same((await running).exit, { kind: 'timeout', survivors: [] });
    t.ok(await gone(number));
    const stopped = { signal: AbortSignal.abort() };
    await failureOf(t, pythonOn(host, session, waiting, [number], stopped), 'aborted');
    t.equal(await host.running(number), 0);
    const file = { path: `${host.folder}\\aborted`, bytes: Buffer.from('x'), mode: 0o600 };
    await failureOf(t, session.put(file, stopped.signal), 'aborted');
    await failureOf(t, session.get(host.python, { maxBytes: 100_000, ...stopped }), 'aborted');
    await failureOf(t, host.transport.connect(host.target, stopped.signal), 'aborted');
  });

  await t.test(`${name}: closing a session ends what it still runs`, async (t) => {
    const number = oddNumber();
    const second = await host.transport.connect(host.target, never);
    const running = pythonOn(host, second, waiting, [number]);
    t.ok(await there(number), 'it runs');
    await second[Symbol.asyncDispose]();
    t.same((await running).exit, { kind: 'timeout', survivors: [] });
    t.ok(await gone(number));
    await failureOf(t, pythonOn(host, second, 'pass'), 'aborted');
  });
}

async function fileCases(t: Test, name: string, host: WindowsUnderTest, session: Session): Promise<void> {
  await t.test(`${name}: a file arrives whole, and comes back the same`, async (t) => {
    const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => (index * 31) % 256);
    for (const [index, content] of [bytes, new Uint8Array(), bytes.subarray(0, 5)].entries()) {
      const path = `${host.folder}\\it's a %file% é ${index}`;
      await session.put({ path, bytes: content, mode: 0o600 }, never);
      const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
      t.equal(hash(await readFile(host.local(path))), hash(content));
      const back = await session.get(path, { maxBytes: content.length, signal: never });
      t.equal(hash(back), hash(content), `${content.length} bytes come back`);
    }
    const long = `${host.folder}\\it's a %file% é 0`;
    await failureOf(t, session.get(long, { maxBytes: 300_000, signal: never }), 'cut-short');
    t.equal((await readdir(dirname(host.local(long)))).filter((file) => file.includes("it's a")).length, 3);
  });

  await t.test(`${name}: a file that is there is not overwritten, one that is not there is not found`, async (t) => {
    const path = `${host.folder}\\once`;
    const put = (to: string, content: string): Promise<void> =>
      session.put({ path: to, bytes: Buffer.from(content), mode: 0o600 }, never);
    await put(path, 'first');
    t.match(await failureOf(t, put(path, 'second'), 'file'), /once.*exists already/);
    t.equal(await readFile(host.local(path), 'utf8'), 'first');
    await failureOf(t, put(`${host.folder}\\no\\parent`, 'x'), 'not-found');
    await failureOf(t, put(host.folder, 'x'), 'file');
    t.match(
      await failureOf(t, session.get(`${host.folder}\\none`, { maxBytes: 10, signal: never }), 'not-found'),
      /none/,
    );
    await failureOf(t, session.get(host.folder, { maxBytes: 10, signal: never }), 'file');
  });
}
