import { randomBytes } from 'node:crypto';
import { type Clock, type Command, type CommandOutcome, TransportFailure } from '../../runner/ports.ts';
import type { Exit } from '../../runner/domain/execution.ts';
import type { DurationMs } from '../../runner/domain/time.ts';
import { CappedBytes } from './capped-bytes.ts';
import { deadline } from './deadline.ts';
import type { Left } from './end-process-group.ts';
import { endProcessTree } from './end-process-tree.ts';
import { LeadingPid } from './leading-pid.ts';
import type { Pipes, PipesEnd, StartLine } from './pipes.ts';
import { execLine } from './posix-line.ts';

/** Output kept per stream; more is read, so that the command does not stall, and dropped. */
export const outputCap = 1024 * 1024;

/** After the processes are gone: how long to wait for the rest of their output. */
const drainMs = 1_000;

/** When the time is over before the shell said its process id: how much longer to wait for it, since nothing can be ended without. */
const lateStartMs = 10_000;

/** Where lines are started. `start` counts against the channels of a connection, `startAside` (to end processes) does not. */
export type LineHost = { readonly start: StartLine; readonly startAside: StartLine; readonly clock: Clock };

export type RunLimit = { readonly timeout: DurationMs; readonly signal: AbortSignal; readonly outputCap?: number };

/** `Session.run` for the channel `exec`: a command without a terminal, its output split, its end exact. */
export async function runExec(host: LineHost, command: Command, limit: RunLimit): Promise<CommandOutcome> {
  const token = randomBytes(6).toString('hex');
  const sent = execLine(command, token);
  const startedAt = host.clock.now();
  const pipes = await host.start(sent, limit.signal);
  const output = readOutput(pipes, token, limit.outputCap ?? outputCap);
  // A command that reads less than it is given closes its end early, which is its own affair.
  pipes.stdin.on('error', () => undefined);
  pipes.stdin.end(command.stdin);
  const exit = await waitForEnd(host, pipes, output, limit);
  return {
    exit,
    stdout: output.stdout.bytes(),
    stderr: output.stderr.bytes(),
    truncated: output.stdout.truncated || output.stderr.truncated,
    sent,
    startedAt,
    endedAt: host.clock.now(),
  };
}

type Output = {
  readonly leading: LeadingPid;
  /** Resolves to the process id, when the shell has said it. */
  readonly started: Promise<number>;
  readonly stdout: CappedBytes;
  readonly stderr: CappedBytes;
};

function readOutput(pipes: Pipes, token: string, cap: number): Output {
  const { promise, resolve } = Promise.withResolvers<number>();
  const output = {
    leading: new LeadingPid(token),
    started: promise,
    stdout: new CappedBytes(cap),
    stderr: new CappedBytes(cap),
  };
  pipes.stdout.on('data', (chunk: Buffer) => {
    output.stdout.push(output.leading.strip(chunk));
    if (output.leading.pid !== undefined) resolve(output.leading.pid);
  });
  pipes.stderr.on('data', (chunk: Buffer) => {
    output.stderr.push(chunk);
  });
  return output;
}

async function waitForEnd(host: LineHost, pipes: Pipes, output: Output, limit: RunLimit): Promise<Exit> {
  using due = deadline(limit.timeout, limit.signal);
  let end = await Promise.race([pipes.ended, due.reached]);
  try {
    if (end === 'reached' && output.leading.pid === undefined) {
      using late = deadline(lateStartMs);
      const first = await Promise.race([output.started, pipes.ended, late.reached]);
      if (typeof first !== 'number') end = first;
    }
    const { pid } = output.leading;
    if (pid === undefined) throw neverStarted(output, end);
    if (end !== 'reached') return end.kind === 'code' ? { kind: 'code', code: end.code } : end;
    return { kind: 'timeout', survivors: await endOrTell(host.startAside, pid, pipes) };
  } finally {
    pipes.release();
  }
}

/**
 * {@link endProcessTree}, and the rest of the output; when the host gives no channel to do it over, the command itself is what
 * is still there. Throws {@link TransportFailure} `lost` only: also when the host does not show the command, which has not ended.
 */
export async function endOrTell(start: StartLine, pid: number, pipes: Pipes): Promise<readonly number[]> {
  const left = await endProcessTree(start, pid).catch((error: unknown): Left => {
    if (!(error instanceof TransportFailure) || error.class === 'lost') throw error;
    return [pid];
  });
  using drained = deadline(drainMs);
  const end = await Promise.race([pipes.ended, drained.reached]);
  if (left !== 'unseen') return left;
  if (end !== 'reached') return [];
  throw new TransportFailure(
    'lost',
    `the time of a command was over, and it could not be ended: its process ${pid} is not among those that the host shows to the account, but its output is still open. Whether it still runs, and what it did, is unknown`,
  );
}

function neverStarted(output: Output, end: PipesEnd | 'reached'): TransportFailure {
  if (end !== 'reached' && end.kind === 'code' && end.ifNotStarted !== undefined) return end.ifNotStarted;
  const how = end === 'reached' ? 'nothing came' : end.kind === 'code' ? `exit code ${end.code}` : end.signal;
  const said = Buffer.concat([output.leading.before, output.stderr.bytes()]).toString('utf8').trim().slice(0, 300);
  return new TransportFailure(
    'not-started',
    `the login shell did not start the command (${how})${said === '' ? '' : `; it said: ${JSON.stringify(said)}`}. ` +
      'Does the folder to start in exist, and does the account have a POSIX shell and no forced command?',
  );
}
