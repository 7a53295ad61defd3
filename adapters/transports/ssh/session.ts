import { type Command, type CommandOutcome, type Session, TransportFailure } from '../../../runner/ports.ts';
import { duration, type DurationMs } from '../../../runner/domain/time.ts';
import { ExecFiles } from '../../shared/exec-files.ts';
import type { FileStore } from '../../shared/file-store.ts';
import { type RunLimit, runExec } from '../../shared/run-line.ts';
import { RunningWork } from '../../shared/running-work.ts';
import { commandsOf, type HostTraits } from '../../shared/ssh-host.ts';
import { Turns } from '../../shared/turns.ts';
import { WindowsFiles } from '../../shared/windows-files.ts';
import { Channels } from './channels.ts';
import type { Reached } from './connections.ts';
import { runShell } from './run-shell.ts';
import { posixSftp, SftpFiles, windowsSftp } from './sftp-files.ts';

/** For servers without SFTP, a file goes by a command, which should not hang for ever. */
const fileTimeout = duration(600_000);

/** How long an SFTP server may take to say that it is there. */
const sftpTimeoutMs = 10_000;

/** One connection; all commands and files of its account go through it. */
export class SshSession implements Session {
  readonly remarks: readonly string[];
  readonly #channels: Channels;
  readonly #host: string;
  readonly #commands: ReturnType<typeof commandsOf>;
  readonly #traits: HostTraits;
  readonly #release: () => void;
  readonly #turns: Turns;
  readonly #work = new RunningWork();
  #files: Promise<FileStore> | undefined;

  constructor(reached: Reached, traits: HostTraits) {
    const { host, clock } = traits;
    this.remarks = reached.remarks;
    this.#traits = traits;
    this.#host = host;
    this.#release = reached.release;
    this.#channels = new Channels(reached.client, host);
    this.#turns = new Turns(this.#channels.lifeline, host);
    const lines = {
      start: (line: string, until: AbortSignal) => this.#channels.exec(line, until),
      startAside: (line: string, until: AbortSignal) => this.#turns.ending(() => this.#channels.exec(line, until)),
      startShell: (until: AbortSignal) => this.#channels.shell(until),
      clock,
    };
    this.#commands = commandsOf(traits, lines, (command, limit) =>
      (command.channel === 'shell' ? runShell : runExec)(lines, command, limit),
    );
  }

  async run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome> {
    return this.#run(command, limit);
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    const until = this.#work.until(signal);
    const files = await this.#openFiles(until);
    await this.#work.track(files.put(file, until));
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    const signal = this.#work.until(limit.signal);
    const files = await this.#openFiles(signal);
    return this.#work.track(files.get(path, { maxBytes: limit.maxBytes, signal }));
  }

  /** Ends what is still running, then closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work[Symbol.asyncDispose]();
    await this.#channels.close();
    this.#release();
  }

  async #run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    const signal = this.#work.until(limit.signal);
    return this.#work.track(this.#turns.command(signal, () => this.#commands.run(command, { ...limit, signal })));
  }

  /** One SFTP channel for all files, opened when the first one comes, and again should the server have closed it. */
  async #openFiles(signal: AbortSignal): Promise<FileStore> {
    if (signal.aborted) throw new TransportFailure('aborted', `stopped before a file transfer with ${this.#host}`);
    // Under the session's own signal: other transfers wait for the same channel.
    this.#files ??= this.#startFiles(this.#work.disposed).catch((error: unknown) => {
      this.#files = undefined;
      throw error;
    });
    return this.#files;
  }

  async #startFiles(signal: AbortSignal): Promise<FileStore> {
    const windows = this.#traits.shell !== 'posix';
    const { platform } = this.#traits;
    const byCommands = windows
      ? new WindowsFiles(
          (command, limit) => this.#run({ ...command, channel: 'exec' }, { ...limit, timeout: fileTimeout }),
          this.#host,
        )
      : new ExecFiles((command, limit) => this.#run(command, { ...limit, timeout: fileTimeout }), this.#host, platform);
    try {
      const sftp = await this.#channels.sftp(AbortSignal.any([signal, AbortSignal.timeout(sftpTimeoutMs)]), () => {
        this.#files = undefined;
      });
      return new SftpFiles(sftp, this.#host, this.#channels.lifeline, {
        ...(windows ? windowsSftp : posixSftp),
        ...(byCommands instanceof ExecFiles && platform === 'macos'
          ? { denied: (path, use) => byCommands.whyDenied(path, use) }
          : {}),
      });
    } catch (error) {
      // On Windows it is started through the login shell, whose start-up files may have said something in between.
      const silent = error instanceof TransportFailure && error.class === 'aborted' && !signal.aborted;
      if (!silent && !isRefusedUse(error)) throw error;
      return byCommands;
    }
  }
}

/** The channel was opened, but the server has no SFTP. */
function isRefusedUse(error: unknown): boolean {
  return (
    error instanceof TransportFailure &&
    error.class === 'not-started' &&
    error.cause instanceof Error &&
    !('reason' in error.cause)
  );
}
