import { type Command, type CommandOutcome, TransportFailure } from '../../runner/ports.ts';
import type { Clock } from '../../runner/ports.ts';
import type { Exit } from '../../runner/domain/execution.ts';
import type { DurationMs } from '../../runner/domain/time.ts';
import { CappedBytes } from './capped-bytes.ts';
import { deadline } from './deadline.ts';
import { endProcessTree } from './end-process-tree.ts';
import { LeadingPid } from './leading-pid.ts';
import type { Pipes, StartLine } from './pipes.ts';
import { execLine } from './posix-line.ts';

/** Output kept per stream; more is read, so that the command does not stall, and dropped. */
export const outputCap = 1024 * 1024;

/** After the processes are gone: how long to wait for the rest of their output. */
const drainMs = 1_000;

/** Where lines are started. `start` counts against the channels of a connection, `startAside` (to end processes) does not. */
export type LineHost = { readonly start: StartLine; readonly startAside: StartLine; readonly clock: Clock };

export type RunLimit = { readonly timeout: DurationMs; readonly signal: AbortSignal; readonly outputCap?: number };

/** `Session.run` for the channel `exec`: a command without a terminal, its output split, its end exact. */
export async function runExec(host: LineHost, command: Command, limit: RunLimit): Promise<CommandOutcome> {
  const sent = execLine(command);
  const startedAt = host.clock.now();
  const pipes = await host.start(sent, limit.signal);
  const output = readOutput(pipes, limit.outputCap ?? outputCap);
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

type Output = { readonly leading: LeadingPid; readonly stdout: CappedBytes; readonly stderr: CappedBytes };

function readOutput(pipes: Pipes, cap: number): Output {
  const output = { leading: new LeadingPid(), stdout: new CappedBytes(cap), stderr: new CappedBytes(cap) };
  pipes.stdout.on('data', (chunk: Buffer) => {
    output.stdout.push(output.leading.strip(chunk));
  });
  pipes.stderr.on('data', (chunk: Buffer) => {
    output.stderr.push(chunk);
  });
  return output;
}

async function waitForEnd(host: LineHost, pipes: Pipes, output: Output, limit: RunLimit): Promise<Exit> {
  using due = deadline(limit.timeout, limit.signal);
  const end = await Promise.race([pipes.ended, due.reached]);
  const { pid } = output.leading;
  if (end !== 'reached') {
    if (pid === undefined) throw neverStarted(output, end.kind === 'code' ? `exit code ${end.code}` : end.signal);
    return end;
  }
  try {
    if (pid === undefined)
      throw limit.signal.aborted
        ? new TransportFailure('aborted', 'stopped before the shell had started the command')
        : neverStarted(output, `nothing for ${limit.timeout / 1000} s`);
    const survivors = await endProcessTree(host.startAside, pid);
    using drained = deadline(drainMs);
    await Promise.race([pipes.ended, drained.reached]);
    return { kind: 'timeout', survivors };
  } finally {
    pipes.release();
  }
}

function neverStarted(output: Output, how: string): TransportFailure {
  const said = Buffer.concat([output.leading.before, output.stderr.bytes()]).toString('utf8').trim().slice(0, 300);
  return new TransportFailure(
    'not-started',
    `the login shell did not start the command (${how})${said === '' ? '' : `; it said: ${JSON.stringify(said)}`}. ` +
      'Does the folder to start in exist, and does the account have a POSIX shell and no forced command?',
  );
}
