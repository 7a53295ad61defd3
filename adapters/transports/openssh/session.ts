import type { Platform } from '../../../runner/domain/attack.ts';
import { duration, type DurationMs } from '../../../runner/domain/time.ts';
import {
  type Clock,
  type Command,
  type CommandOutcome,
  type Session,
  TransportFailure,
} from '../../../runner/ports.ts';
import { ExecFiles } from '../../shared/exec-files.ts';
import type { FileStore } from '../../shared/file-store.ts';
import { PosixHost } from '../../shared/posix-host.ts';
import { type RunLimit, runExec } from '../../shared/run-line.ts';
import { Turns } from '../../shared/turns.ts';
import { WindowsFiles } from '../../shared/windows-files.ts';
import { WindowsHost } from '../../shared/windows-host.ts';
import type { Master } from './master.ts';

/** A file goes by a command, which should not hang for ever. */
const fileTimeout = duration(600_000);

export type HostTraits = {
  readonly host: string;
  readonly clock: Clock;
  readonly shell: 'posix' | 'cmd' | 'powershell';
  readonly platform: Platform;
  readonly root: boolean;
};

/** Commands and files of one account, over one connection of OpenSSH's ssh. */
export class OpensshSession implements Session {
  readonly #master: Master;
  readonly #turns: Turns;
  readonly #host: string;
  readonly #runner: { run(command: Command, limit: RunLimit): Promise<CommandOutcome> };
  readonly #files: FileStore;
  readonly #disposed = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(master: Master, { host, clock, shell, platform, root }: HostTraits) {
    this.#master = master;
    this.#host = host;
    const turns = new Turns(master.lifeline, host);
    this.#turns = turns;
    const lines = {
      start: (line: string, until: AbortSignal) => master.exec(line, until),
      startAside: (line: string, until: AbortSignal) => turns.ending(() => master.exec(line, until)),
      clock,
    };
    this.#runner =
      shell === 'posix'
        ? new PosixHost(lines, { name: host, root }, (command, limit) => runExec(lines, command, limit))
        : new WindowsHost(lines, host, shell);
    const run = (command: Omit<Command, 'channel'>, limit: { outputCap: number; signal: AbortSignal }) =>
      this.#run({ ...command, channel: 'exec' }, { ...limit, timeout: fileTimeout });
    this.#files = shell === 'posix' ? new ExecFiles(run, host, platform) : new WindowsFiles(run, host);
  }

  async run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome> {
    if (command.channel !== 'exec')
      throw new TransportFailure(
        'not-started',
        `the transport openssh has no channel ${command.channel}, only exec. Use the transport ssh for ${this.#host}`,
      );
    return this.#run(command, limit);
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    await this.#files.put(file, signal);
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    return this.#files.get(path, limit);
  }

  /** Ends what is still running, then the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    await Promise.allSettled(this.#running);
    await this.#master.close();
  }

  async #run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    const signal = AbortSignal.any([limit.signal, this.#disposed.signal]);
    const work = this.#turns.command(signal, () => this.#runner.run(command, { ...limit, signal }));
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }
}
