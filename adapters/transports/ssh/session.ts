import type { Client } from 'ssh2';
import pLimit, { type LimitFunction } from 'p-limit';
import {
  type Clock,
  type Command,
  type CommandOutcome,
  type Session,
  TransportFailure,
} from '../../../runner/ports.ts';
import type { DurationMs } from '../../../runner/domain/time.ts';
import { runExec } from '../../shared/run-line.ts';
import { Channels } from './channels.ts';
import { SftpFiles } from './files.ts';

/**
 * sshd's MaxSessions is 10 by default. Eight channels at most are open for work: seven for commands and one that is kept
 * for files; a ninth opens only to end processes, so that ending never waits for what is to be ended.
 */
const commandChannels = 7;

/** One connection; all commands and files of its account go through it. */
export class SshSession implements Session {
  readonly #channels: Channels;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #commands: LimitFunction = pLimit(commandChannels);
  readonly #ending: LimitFunction = pLimit(1);
  readonly #disposed = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #files: Promise<SftpFiles> | undefined;

  constructor(client: Client, host: string, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.#channels = new Channels(client, host);
  }

  async run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome> {
    const signal = AbortSignal.any([limit.signal, this.#disposed.signal]);
    return this.#track(
      this.#commands(() =>
        runExec(
          {
            start: (line) => this.#channels.exec(line, signal),
            startAside: (line, aside) => this.#ending(() => this.#channels.exec(line, aside)),
            clock: this.#clock,
          },
          command,
          { timeout: limit.timeout, signal },
        ),
      ),
    );
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    const files = await this.#openFiles(signal);
    await files.put(file.path, file.bytes, file.mode, signal);
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    const files = await this.#openFiles(limit.signal);
    return files.get(path, limit.maxBytes, limit.signal);
  }

  /** Ends what is still running, then closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new TransportFailure('aborted', `the session with ${this.#host} was closed`));
    await Promise.allSettled(this.#running);
    await this.#channels.close();
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  #openFiles(signal: AbortSignal): Promise<SftpFiles> {
    this.#files ??= this.#channels.sftp(signal).then(
      (sftp) => new SftpFiles(sftp, this.#host, this.#channels.lost),
      (error: unknown) => {
        this.#files = undefined;
        throw error;
      },
    );
    return this.#files;
  }
}
