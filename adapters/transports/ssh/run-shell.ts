import { randomInt } from 'node:crypto';
import { type Command, type CommandOutcome, TransportFailure } from '../../../runner/ports.ts';
import type { CappedBytes } from '../../shared/capped-bytes.ts';
import { deadline } from '../../shared/deadline.ts';
import type { Pipes } from '../../shared/pipes.ts';
import { posixCd, posixWords } from '../../shared/posix-line.ts';
import { endOrTell, type LineHost, outputCap, type RunLimit } from '../../shared/run-line.ts';
import { type Prompt, Terminal } from './terminal.ts';

export type ShellHost = LineHost & { readonly startShell: (signal: AbortSignal) => Promise<Pipes> };

/** How long a login shell may take to its first prompt, and to end after `exit`. */
const greetingMs = 30_000;
const farewellMs = 2_000;

/** A terminal in its usual mode takes lines of 4,095 bytes and drops the rest (termios(3), canonical mode). */
const longestLine = 4_000;

/**
 * `Session.run` for the channel `shell`: the command is typed into an interactive login shell on a terminal, so that it gets
 * into what logs such shells (history, shell.log), as bare as a person would type it. A terminal has one output: stderr is
 * in stdout, where it was shown. A signal that ended the command shows as the shell tells it, 128 + its number. Standard
 * input is typed after the command as a here-document, so it must be lines of plain text.
 */
export async function runShell(host: ShellHost, command: Command, limit: RunLimit): Promise<CommandOutcome> {
  const typed = typedLines(command);
  const sent = typed.join('\n');
  const startedAt = host.clock.now();
  const pipes = await host.startShell(limit.signal);
  try {
    const terminal = new Terminal(pipes, limit.outputCap ?? outputCap);
    const prompt = await firstPrompt(terminal, pipes, limit);
    const { exit, output } = await typeAll(host, terminal, pipes, prompt, typed, limit);
    return {
      exit,
      stdout: output.bytes(),
      stderr: new Uint8Array(),
      truncated: output.truncated,
      sent,
      startedAt,
      endedAt: host.clock.now(),
    };
  } finally {
    pipes.release();
  }
}

/** `cd` is a line of its own: that the folder is there is no part of the command. */
function typedLines(command: Command): readonly string[] {
  const input = command.stdin === undefined ? '' : hereDocument(command.stdin);
  const lines = [...(command.cwd === undefined ? [] : [posixCd(command.cwd)]), posixWords(command.argv) + input];
  for (const line of lines.join('\n').split('\n')) {
    const odd = /[^\x20-\x7e]/u.exec(line)?.[0];
    if (odd !== undefined)
      throw new TransportFailure(
        'not-started',
        `${JSON.stringify(odd)} cannot be typed into a terminal, which would act on it or change it. Use plain text, or the channel exec`,
      );
    if (line.length > longestLine)
      throw new TransportFailure(
        'not-started',
        `a line of ${line.length} characters is too long for a terminal (${longestLine} at most). Use the channel exec`,
      );
  }
  return lines;
}

function hereDocument(stdin: Uint8Array): string {
  const text = Buffer.from(stdin).toString('latin1');
  if (text !== '' && !text.endsWith('\n'))
    throw new TransportFailure(
      'not-started',
      'standard input that does not end with a line break cannot be typed into a terminal. Add one, or use the channel exec',
    );
  const lines = new Set(text.split('\n'));
  let end = '';
  while (end === '' || lines.has(end)) end += String.fromCharCode(65 + randomInt(26));
  return ` <<'${end}'\n${text}${end}`;
}

async function firstPrompt(terminal: Terminal, pipes: Pipes, limit: RunLimit): Promise<Prompt> {
  using due = deadline(greetingMs, limit.signal);
  const first = await Promise.race([terminal.begin(), pipes.ended, due.reached]);
  if (typeof first === 'object' && 'prompt' in first) return first.prompt;
  if (limit.signal.aborted) throw new TransportFailure('aborted', 'stopped before the shell had shown its prompt');
  const said = Buffer.from(terminal.soFar().bytes()).toString('utf8').trim().slice(-300);
  throw new TransportFailure(
    'not-started',
    `the login shell did not come to a prompt${said === '' ? '' : `; it said: ${JSON.stringify(said)}`}. Does the account have an interactive POSIX shell?`,
  );
}

type Ending = { readonly exit: CommandOutcome['exit']; readonly output: CappedBytes };

async function typeAll(
  host: ShellHost,
  terminal: Terminal,
  pipes: Pipes,
  first: Prompt,
  lines: readonly string[],
  limit: RunLimit,
): Promise<Ending> {
  using due = deadline(limit.timeout, limit.signal);
  for (const [index, line] of lines.entries()) {
    const next = await Promise.race([terminal.type(line), pipes.ended, due.reached]);
    if (next === 'reached')
      return {
        exit: { kind: 'timeout', survivors: await endOrTell(host.startAside, first.pid, pipes) },
        output: terminal.soFar(),
      };
    // The command ended its shell too: `exit`, or a signal to the whole session.
    if (!('prompt' in next)) return { exit: next, output: terminal.soFar() };
    if (index === lines.length - 1) {
      await logOut(pipes);
      return { exit: { kind: 'code', code: next.prompt.status }, output: next.output };
    }
    if (next.prompt.status !== 0)
      throw new TransportFailure(
        'not-started',
        `the shell did not accept ${line}: ${Buffer.from(next.output.bytes()).toString('utf8').trim().slice(0, 200)}`,
      );
  }
  throw new RangeError('nothing to type');
}

async function logOut(pipes: Pipes): Promise<void> {
  using late = deadline(farewellMs);
  pipes.stdin.write('exit\n');
  // How the shell ends is no longer of interest: the command has ended before.
  await Promise.race([pipes.ended.catch(() => undefined), late.reached]);
}
