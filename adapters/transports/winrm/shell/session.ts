import pLimit, { type LimitFunction } from 'p-limit';
import { duration, type DurationMs } from '../../../../runner/domain/time.ts';
import {
  type Clock,
  type Command,
  type CommandOutcome,
  type Session,
  TransportFailure,
} from '../../../../runner/ports.ts';
import { cmdLine } from '../../../shared/cmd-quote.ts';
import { fitPowershell } from '../../../shared/powershell.ts';
import { outputCap, type RunLimit } from '../../../shared/run-line.ts';
import { RunningWork } from '../../../shared/running-work.ts';
import { WindowsFiles } from '../../../shared/windows-files.ts';
import { ConnectionPool, type PoolHost } from './pool.ts';
import { RunningCommand } from './running-command.ts';
import { Shells } from './shells.ts';
import { type Endpoint, Wsman } from './wsman.ts';
import { xmlText } from './xml-text.ts';

/** A file goes by a command, which should not hang for ever. */
const fileTimeout = duration(600_000);

export type SessionHost = PoolHost &
  Endpoint & { readonly clock: Clock; readonly parallel: number; readonly remarks: readonly string[] };

/** One account of one host, over as many connections as its commands need at once. */
export class WinrmSession implements Session {
  readonly remarks: readonly string[];
  readonly #host: SessionHost;
  readonly #pool: ConnectionPool;
  readonly #shells: Shells;
  readonly #commands: LimitFunction;
  readonly #files: WindowsFiles;
  readonly #work = new RunningWork();

  private constructor(host: SessionHost) {
    this.#host = host;
    this.remarks = host.remarks;
    // Each command may receive and send at once, and one more has to be ended.
    this.#pool = new ConnectionPool(host, 2 * host.parallel + 1);
    this.#shells = new Shells(new Wsman(host, (soap, limit) => this.#pool.post(soap, limit)));
    this.#commands = pLimit(host.parallel);
    this.#files = new WindowsFiles(
      ({ argv, stdin }, limit) => this.#run({ argv, stdin, channel: 'winrm' }, { timeout: fileTimeout, ...limit }),
      host.target,
    );
  }

  /** Logs in and makes a shell, so that an account that may not have one is told now. Throws {@link TransportFailure}. */
  static async open(host: SessionHost, signal: AbortSignal): Promise<WinrmSession> {
    const session = new WinrmSession(host);
    try {
      await session.#shells.warmUp(signal);
      return session;
    } catch (error) {
      await session.#pool.close();
      throw error;
    }
  }

  async run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome> {
    return this.#run(command, limit);
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    await this.#files.put(file, signal);
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    return this.#files.get(path, limit);
  }

  /** Ends what is still running, closes the shells, then the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work[Symbol.asyncDispose]();
    await this.#shells.close();
    await this.#pool.close();
  }

  async #run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    const signal = this.#work.until(limit.signal);
    return this.#work.track(this.#commands(() => this.#runNow(command, { ...limit, signal })));
  }

  async #runNow(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    const { clock, target } = this.#host;
    if (limit.signal.aborted) throw new TransportFailure('aborted', `stopped before a command on ${target}`);
    if (command.channel === 'shell')
      throw new TransportFailure('not-started', 'WinRM has no interactive shell on a terminal; use the channel winrm');
    const { argv, stdin } = fitPowershell(command.argv, command.stdin ?? new Uint8Array());
    const sent = cmdLine(argv);
    // Before a shell is made for it.
    xmlText(`${sent}${command.cwd ?? ''}`);
    const startedAt = clock.now();
    const started = await this.#shells.start(sent, command.cwd, limit.signal);
    const running = new RunningCommand(started, limit.outputCap ?? outputCap);
    const exit = await running.toEnd(stdin, limit).finally(async () => {
      await this.#shells.giveBack(started.shell, running.clean && command.cwd === undefined);
    });
    return {
      exit,
      stdout: running.stdout.bytes(),
      stderr: running.stderr.bytes(),
      truncated: running.gap || running.stdout.truncated || running.stderr.truncated,
      sent,
      startedAt,
      endedAt: clock.now(),
    };
  }
}
