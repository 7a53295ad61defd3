import { duration } from '../../runner/domain/time.ts';
import { type Command, type CommandOutcome, TransportFailure } from '../../runner/ports.ts';
import { CappedBytes } from './capped-bytes.ts';
import { deadline } from './deadline.ts';
import type { Pipes } from './pipes.ts';
import { fitPowershell, powershellCommand } from './powershell.ts';
import { type LineHost, outputCap, type RunLimit } from './run-line.ts';
import { endTreeScript } from './windows-processes.ts';
import { cmdShellLine, folderLine, powershellShellLine } from './windows-line.ts';

/** PowerShell starts in a second or so, and asking for all processes may take some more. */
const endingTimeout = duration(30_000);
const drainMs = 2_000;

const never = new AbortController().signal;

/**
 * Runs commands on a Windows host, over OpenSSH there. It has no signals, and sshd does not say which process it started; so
 * only when a command has to be ended is it looked for, by its line, among the children of the connection's sshd.
 */
export class WindowsHost {
  readonly #lines: LineHost;
  readonly #name: string;
  readonly #shell: 'cmd' | 'powershell';
  readonly #lineOf: (command: Command) => string;
  /** The lines that run now, in the order they were started. */
  readonly #running: { readonly line: string }[] = [];

  constructor(lines: LineHost, name: string, shell: 'cmd' | 'powershell') {
    this.#lines = lines;
    this.#name = name;
    this.#shell = shell;
    this.#lineOf = shell === 'cmd' ? cmdShellLine : powershellShellLine;
  }

  async run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    if (command.channel !== 'exec')
      throw new TransportFailure(
        'not-started',
        `${this.#name} is a Windows host: what its terminals show is redrawn and says no exit code, so the channel ${command.channel} is not there. Use the channel exec`,
      );
    if (command.privilege !== undefined)
      throw new TransportFailure(
        'not-started',
        `${this.#name} is a Windows host, where nothing gives a command more rights than its login has. Use an account of role admin`,
      );
    const { argv, stdin } = fitPowershell(command.argv, command.stdin ?? new Uint8Array());
    const line = this.#lineOf({ ...command, argv });
    const startedAt = this.#lines.clock.now();
    const pipes = await this.#lines.start(line, limit.signal);
    const output = readOutput(pipes, limit.outputCap ?? outputCap);
    const entry = { line };
    this.#running.push(entry);
    pipes.stdin.on('error', () => undefined);
    pipes.stdin.end(stdin);
    try {
      const exit = await this.#end(pipes, entry, limit);
      if (command.cwd !== undefined && exit.kind === 'code' && exit.code === 1 && output.stdout.bytes().length === 0)
        await this.#checkFolder(command.cwd);
      return {
        exit,
        stdout: output.stdout.bytes(),
        stderr: output.stderr.bytes(),
        truncated: output.stdout.truncated || output.stderr.truncated,
        sent: line,
        startedAt,
        endedAt: this.#lines.clock.now(),
      };
    } finally {
      this.#running.splice(this.#running.indexOf(entry), 1);
      pipes.release();
    }
  }

  async #end(pipes: Pipes, entry: { readonly line: string }, limit: RunLimit): Promise<CommandOutcome['exit']> {
    using due = deadline(limit.timeout, limit.signal);
    const end = await Promise.race([pipes.ended, due.reached]);
    if (end !== 'reached') {
      // Nothing here says that a command has started.
      if (end.kind === 'code' && end.ifNotStarted !== undefined) throw end.ifNotStarted;
      return end;
    }
    const left = await this.#endTree(entry);
    using drained = deadline(drainMs);
    const after = await Promise.race([pipes.ended, drained.reached]);
    if (typeof left !== 'string') return { kind: 'timeout', survivors: left };
    if (after !== 'reached') return { kind: 'timeout', survivors: [] };
    throw new TransportFailure(
      'lost',
      `the time of a command on ${this.#name} was over, and it could not be ended: ${left}. Whether it still runs, and what it did, is unknown`,
    );
  }

  /** A folder that is not there gives exit code 1, as many commands do; so it is asked about once more. */
  async #checkFolder(folder: string): Promise<void> {
    const answer = await new WindowsAside(this.#lines, folderLine(this.#shell, folder)).ask(new Uint8Array());
    if (answer !== undefined && answer.code !== 0)
      throw new TransportFailure(
        'not-started',
        `the command was not started, since ${this.#name} has no folder ${folder} that the account may enter`,
      );
  }

  /** The ids of what is still there, or why nothing could be ended. */
  async #endTree(entry: { readonly line: string }): Promise<readonly number[] | string> {
    const same = this.#running.filter(({ line }) => line === entry.line);
    const input = `${same.indexOf(entry)}\n${Buffer.from(entry.line, 'utf8').toString('base64')}\n`;
    const { argv, stdin } = powershellCommand(endTreeScript, Buffer.from(input));
    const aside = new WindowsAside(this.#lines, this.#lineOf({ argv, channel: 'exec' }));
    const said = (await aside.ask(stdin))?.stdout;
    if (said === undefined) return 'the host did not answer a second command';
    const answer = /^(?:(gone)|(unknown)|left((?: \d+)*))\s*$/m.exec(said);
    if (answer === null) return `the host answered ${JSON.stringify(said.trim().slice(0, 200))}`;
    if (answer[1] !== undefined) return 'no process of this connection has its line any more';
    if (answer[2] !== undefined) return 'the host does not say which processes are of this connection';
    return (answer[3] ?? '').split(' ').filter(Boolean).map(Number);
  }
}

/** One command beside the others, to end one of these. */
class WindowsAside {
  readonly #lines: LineHost;
  readonly #line: string;

  constructor(lines: LineHost, line: string) {
    this.#lines = lines;
    this.#line = line;
  }

  /** How it ended and what it printed; undefined when it could not be asked. Throws {@link TransportFailure} `lost` only. */
  async ask(stdin: Uint8Array): Promise<{ readonly code: number; readonly stdout: string } | undefined> {
    let pipes: Pipes | undefined;
    try {
      pipes = await this.#lines.startAside(this.#line, never);
      const output = readOutput(pipes, 4_096);
      pipes.stdin.on('error', () => undefined);
      pipes.stdin.end(stdin);
      using late = deadline(endingTimeout);
      const end = await Promise.race([pipes.ended, late.reached]);
      if (end === 'reached' || end.kind !== 'code') return undefined;
      return { code: end.code, stdout: Buffer.from(output.stdout.bytes()).toString('utf8') };
    } catch (error) {
      if (!(error instanceof TransportFailure) || error.class === 'lost') throw error;
      return undefined;
    } finally {
      pipes?.release();
    }
  }
}

function readOutput(pipes: Pipes, cap: number): { readonly stdout: CappedBytes; readonly stderr: CappedBytes } {
  const output = { stdout: new CappedBytes(cap), stderr: new CappedBytes(cap) };
  pipes.stdout.on('data', (chunk: Buffer) => {
    output.stdout.push(chunk);
  });
  pipes.stderr.on('data', (chunk: Buffer) => {
    output.stderr.push(chunk);
  });
  return output;
}
