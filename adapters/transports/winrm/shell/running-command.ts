import { setTimeout as sleep } from 'node:timers/promises';
import type { Exit } from '../../../../runner/domain/execution.ts';
import { TransportFailure } from '../../../../runner/ports.ts';
import { CappedBytes } from '../../../shared/capped-bytes.ts';
import { deadline } from '../../../shared/deadline.ts';
import { LoginRefused } from '../../../shared/refusals.ts';
import type { RunLimit } from '../../../shared/run-line.ts';
import { WsmanFault } from './fault.ts';
import { sendBytes } from './remote-shell.ts';
import { outcomeUnknown, type Started } from './shells.ts';

/** How long a command has to end after ctrl_c, and its output to arrive after it was ended. */
const graceMs = 2_000;
const drainMs = 1_000;

/** After a lost connection: how long to wait before each attempt to hear of the command again. */
const reconnectPausesMs = [100, 1_000, 3_000, 6_000];

/** A host that answers at once and says nothing is not asked without a pause. */
const idlePauseMs = 50;

type Done = { readonly exitCode: number | undefined };

/** A command that the host has taken, until its end. */
export class RunningCommand {
  readonly stdout: CappedBytes;
  readonly stderr: CappedBytes;
  /** An answer that held output may have been lost with its connection. */
  gap = false;
  /** It ended by itself and was let go of: its shell can serve another. */
  clean = false;
  readonly #started: Started;
  readonly #stop = new AbortController();

  constructor(started: Started, cap: number) {
    this.#started = started;
    this.stdout = new CappedBytes(cap);
    this.stderr = new CappedBytes(cap);
  }

  /** Throws {@link TransportFailure} `lost` when nobody knows how it ended. */
  async toEnd(stdin: Uint8Array, limit: RunLimit): Promise<Exit> {
    using due = deadline(limit.timeout, limit.signal);
    const { shell, commandId } = this.#started;
    const sending = this.#send(stdin);
    // A command may write much before it has read all: then what is sent and what is received must not wait for each other.
    const ended = stdin.length <= sendBytes ? sending.then(() => this.#follow()) : this.#follow();
    const sendingFailed = new Promise<never>((_, reject) => void sending.catch(reject));
    for (const promise of [sending, ended, sendingFailed]) promise.catch(() => undefined);
    try {
      const first = await Promise.race([ended, sendingFailed, due.reached]);
      if (first === 'reached') return await this.#end(ended);
      this.clean = await succeeds(shell.signal(commandId, 'terminate'));
      return first.exitCode === undefined
        ? { kind: 'signal', signal: 'unknown cause (the host gave no exit code)' }
        : { kind: 'code', code: first.exitCode };
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      this.#stop.abort();
      const message = outcomeUnknown(error, await shell.delete(), 'how the command went');
      throw new TransportFailure('lost', message, { cause: error });
    } finally {
      this.#stop.abort();
    }
  }

  async #send(stdin: Uint8Array): Promise<void> {
    const { shell, commandId } = this.#started;
    for (let from = 0; from === 0 || from < stdin.length; from += sendBytes)
      try {
        const end = from + sendBytes >= stdin.length;
        await shell.send(commandId, stdin.subarray(from, from + sendBytes), end, this.#stop.signal);
      } catch (error) {
        // A command that ends before it has read everything takes no more, which is its own affair.
        if (error instanceof WsmanFault) return;
        throw error;
      }
  }

  async #follow(): Promise<Done> {
    const { shell, commandId } = this.#started;
    for (let failures = 0; ;)
      try {
        const received = await shell.receive(commandId, this.#stop.signal);
        failures = 0;
        for (const { stream, bytes } of received?.output ?? []) this[stream].push(bytes);
        if (received?.done !== undefined) return received.done;
        if (received?.output.length === 0) await sleep(idlePauseMs, undefined, { signal: this.#stop.signal });
      } catch (error) {
        const pauseMs = reconnectPausesMs[failures];
        failures += 1;
        if (pauseMs === undefined || this.#stop.signal.aborted || !mayComeBack(error)) throw error;
        this.gap = true;
        await sleep(pauseMs, undefined, { signal: this.#stop.signal });
      }
  }

  /** The host gives no process ids; closing the shell ends all that its commands started, so nobody survives it. */
  async #end(ended: Promise<Done>): Promise<Exit> {
    const { shell, commandId } = this.#started;
    const over = ended.then(
      () => undefined,
      () => undefined,
    );
    if (await succeeds(shell.signal(commandId, 'ctrl_c'))) {
      await withinMs(graceMs, over);
      if (await succeeds(shell.signal(commandId, 'terminate'))) await withinMs(drainMs, over);
    }
    this.#stop.abort();
    if (await shell.delete()) return { kind: 'timeout', survivors: [] };
    throw new TransportFailure(
      'lost',
      'the time was over, and the host did not answer when the command was to be ended',
    );
  }
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof TransportFailure) return false;
    throw error;
  }
}

async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  using due = deadline(ms);
  await Promise.race([work, due.reached]);
}

/**
 * The connection failed, not the command; a new one can ask for the same command again. That goes for a login that the host
 * forgot, too, but not for one that it refused.
 */
function mayComeBack(error: unknown): boolean {
  return (
    error instanceof TransportFailure &&
    !(error instanceof WsmanFault) &&
    !(error instanceof LoginRefused) &&
    (error.class === 'lost' || error.class === 'unreachable' || error.class === 'login')
  );
}
