import { duration, type DurationMs } from '../../../runner/domain/time.ts';
import { type Command, type CommandOutcome, type Session, TransportFailure } from '../../../runner/ports.ts';
import { ExecFiles } from '../../shared/exec-files.ts';
import type { FileStore } from '../../shared/file-store.ts';
import { type RunLimit, runExec } from '../../shared/run-line.ts';
import { RunningWork } from '../../shared/running-work.ts';
import { commandsOf, type HostTraits } from '../../shared/ssh-host.ts';
import { Turns } from '../../shared/turns.ts';
import { WindowsFiles } from '../../shared/windows-files.ts';
import type { Master } from './master.ts';

/** A file goes by a command, which should not hang for ever. */
const fileTimeout = duration(600_000);

/** Commands and files of one account, over one connection of OpenSSH's ssh. */
export class OpensshSession implements Session {
  readonly #master: Master;
  readonly #turns: Turns;
  readonly #host: string;
  readonly #commands: ReturnType<typeof commandsOf>;
  readonly #files: FileStore;
  readonly #work = new RunningWork();

  constructor(master: Master, traits: HostTraits) {
    const { host, clock, shell, platform } = traits;
    this.#master = master;
    this.#host = host;
    const turns = new Turns(master.lifeline, host);
    this.#turns = turns;
    const lines = {
      start: (line: string, until: AbortSignal) => master.exec(line, until),
      startAside: (line: string, until: AbortSignal) => turns.ending(() => master.exec(line, until)),
      clock,
    };
    this.#commands = commandsOf(traits, lines, (command, limit) => runExec(lines, command, limit));
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
    await this.#work[Symbol.asyncDispose]();
    await this.#master.close();
  }

  async #run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    const signal = this.#work.until(limit.signal);
    return this.#work.track(this.#turns.command(signal, () => this.#commands.run(command, { ...limit, signal })));
  }
}
