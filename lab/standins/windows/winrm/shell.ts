import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { Logon } from '../machine/accounts.ts';
import { Environment } from '../machine/environment.ts';
import type { Machine } from '../machine/machine.ts';
import { controlCExit } from '../machine/process.ts';
import type { Sink, WinProcess } from '../machine/process.ts';
import type { StreamPiece } from './answers.ts';
import { WsmanFault } from './faults.ts';

const system32 = 'C:\\Windows\\System32';
/** CreateProcess takes no longer command line, in UTF-16 units. */
const maxCommandLine = 32_767;
/** Output that nobody has fetched yet is held back at the program beyond this. */
const maxWaitingBytes = 1024 * 1024;
/** After the first output, so long is waited for more, or for the end, before it is sent. */
const gatherMs = 5;

/** One command of a shell: a process, and its output until it is fetched. */
export class ShellCommand {
  readonly id = randomUUID().toUpperCase();
  readonly process: WinProcess;
  readonly stdin: PassThrough;
  readonly #pieces: StreamPiece[] = [];
  #waitingBytes = 0;
  #exitCode: number | undefined;
  #changed = Promise.withResolvers<undefined>();
  #fetched = Promise.withResolvers<undefined>();

  constructor(start: (streams: { stdin: PassThrough; stdout: Sink; stderr: Sink }) => WinProcess) {
    this.stdin = new PassThrough();
    this.stdin.on('error', () => undefined);
    this.process = start({ stdin: this.stdin, stdout: this.#sink('stdout'), stderr: this.#sink('stderr') });
    void this.process.exited.then((code) => {
      this.#exitCode = code;
      for (const name of ['stdout', 'stderr'] as const) this.#pieces.push({ name, bytes: new Uint8Array(), end: true });
      this.#change();
    });
  }

  /**
   * Waits for output or the end, at most `timeoutMs`, and takes what there is, at most `maxBytes` of it. Undefined: nothing
   * came. `exitCode` is given with the last of the output.
   */
  async receive(
    timeoutMs: number,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<{ pieces: readonly StreamPiece[]; exitCode: number | undefined } | undefined> {
    const hasSome = (): boolean => this.#pieces.length > 0 || this.#exitCode !== undefined;
    if (!hasSome()) await this.#wait(timeoutMs, signal, hasSome);
    if (!hasSome()) return undefined;
    if (this.#exitCode === undefined) await this.#wait(gatherMs, signal, () => this.#exitCode !== undefined);
    const pieces: StreamPiece[] = [];
    for (let left = maxBytes; left > 0 && this.#pieces.length > 0;) {
      const [piece] = this.#pieces;
      if (piece === undefined) break;
      const bytes = piece.bytes.subarray(0, left);
      if (bytes.length < piece.bytes.length) this.#pieces[0] = { ...piece, bytes: piece.bytes.subarray(left) };
      else this.#pieces.shift();
      pieces.push({ ...piece, bytes, end: piece.end && bytes.length === piece.bytes.length });
      left -= bytes.length;
      this.#waitingBytes -= bytes.length;
    }
    this.#fetched.resolve(undefined);
    this.#fetched = Promise.withResolvers();
    return { pieces, exitCode: this.#pieces.length === 0 ? this.#exitCode : undefined };
  }

  /** Ctrl+C and Ctrl+Break end what runs; its last output can still be fetched. */
  interrupt(): void {
    this.process.kill(controlCExit);
  }

  async #wait(ms: number, signal: AbortSignal, until: () => boolean): Promise<void> {
    const over = Promise.withResolvers<undefined>();
    const end = (): void => {
      over.resolve(undefined);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
    let isOver = signal.aborted;
    void over.promise.then(() => (isOver = true));
    while (!until() && !isOver) await Promise.race([this.#changed.promise, over.promise]);
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }

  #sink(name: 'stdout' | 'stderr'): Sink {
    return {
      write: (bytes) => {
        if (bytes.length === 0) return undefined;
        this.#pieces.push({ name, bytes: Buffer.from(bytes), end: false });
        this.#waitingBytes += bytes.length;
        this.#change();
        return this.#waitingBytes > maxWaitingBytes ? this.#fetched.promise : undefined;
      },
    };
  }

  #change(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers();
  }
}

/** What a shell is opened with. */
export type ShellOptions = {
  readonly logon: Logon;
  readonly clientIp: string;
  readonly proposedId?: string;
  readonly idleTimeoutMs: number;
  readonly environment: readonly (readonly [string, string])[];
  readonly workingDirectory?: string;
  readonly inputStreams: string;
  readonly outputStreams: string;
  readonly to: string;
};

/** A remote shell: a winrshost.exe whose children the commands are. */
export class Shell {
  readonly id: string;
  readonly options: ShellOptions;
  /** Commands that were started in it, also those that have ended: each counts against the user's quota until it closes. */
  started = 0;
  readonly #machine: Machine;
  readonly #host: WinProcess;
  readonly #commands = new Map<string, ShellCommand>();
  readonly #env: Environment;
  readonly #cwd: string;
  readonly #onIdle: () => void;
  #idle: NodeJS.Timeout | undefined;

  /** Throws {@link WsmanFault} when the working directory is none. */
  constructor(machine: Machine, options: ShellOptions, onIdle: () => void) {
    this.#machine = machine;
    this.options = options;
    this.#onIdle = onIdle;
    this.id = options.proposedId ?? randomUUID().toUpperCase();
    this.#env = machine.environment(options.logon);
    for (const [name, value] of options.environment) this.#env.set(name, value);
    this.#cwd = options.workingDirectory ?? machine.home(options.logon);
    if (!machine.tree.isFolder(this.#cwd)) throw new WsmanFault('working-directory');
    const nothing = { write: () => undefined };
    this.#host = machine.start({
      image: `${system32}\\winrshost.exe`,
      commandLine: `${system32}\\WinrsHost.exe -Embedding`,
      cwd: system32,
      env: this.#env,
      logon: options.logon,
      parent: machine.service('dcom'),
      stdin: new PassThrough(),
      stdout: nothing,
      stderr: nothing,
    });
    this.touch();
  }

  /** Somebody uses the shell: its idle time begins anew. */
  touch(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(this.#onIdle, this.options.idleTimeoutMs);
    this.#idle.unref();
  }

  /** Starts a command; its line goes through cmd.exe, as on 2012 R2 and later in any case. Throws {@link WsmanFault}. */
  command(line: string): ShellCommand {
    const commandLine = `C:\\Windows\\system32\\cmd.exe /C "${line}"`;
    if (commandLine.length > maxCommandLine) throw new WsmanFault('command-too-long');
    this.started += 1;
    const command = new ShellCommand((streams) =>
      this.#machine.start({
        image: `${system32}\\cmd.exe`,
        commandLine,
        cwd: this.#cwd,
        env: this.#env.copy(),
        logon: this.options.logon,
        parent: this.#host,
        ...streams,
      }),
    );
    this.#commands.set(command.id, command);
    return command;
  }

  /** Throws {@link WsmanFault} when there is no such command, or there is one no more. */
  find(commandId: string | undefined): ShellCommand {
    if (commandId === undefined || commandId === '') throw new WsmanFault('no-command-id');
    const command = this.#commands.get(commandId.toUpperCase());
    if (command === undefined) throw new WsmanFault('unknown-shell');
    return command;
  }

  /** Ends a command and forgets it. */
  terminate(commandId: string | undefined): void {
    const command = this.find(commandId);
    command.process.kill(controlCExit);
    this.#commands.delete(command.id);
  }

  /** Ends everything that was started in the shell and still runs. */
  close(): void {
    clearTimeout(this.#idle);
    this.#host.kill(0);
  }
}
