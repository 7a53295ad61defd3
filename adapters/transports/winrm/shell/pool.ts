import pLimit, { type LimitFunction } from 'p-limit';
import { TransportFailure } from '../../../../runner/ports.ts';
import { Lifeline } from '../../../shared/lifeline.ts';
import type { Refusals } from '../../../shared/refusals.ts';
import type { Answer, WinrmConnection } from '../http/connection.ts';

/** What a pool opens connections with. `credential`: its name, never its value. */
export type PoolHost = {
  readonly target: string;
  readonly credential: string;
  readonly refusals: Refusals;
  /** What it opens may log in again later; then it is to ask {@link Refusals.check} before it uses the credential. */
  readonly open: (signal: AbortSignal) => Promise<WinrmConnection>;
};

/** `proven`: the host has taken its login, and a post went well. */
type Slot = { connection: WinrmConnection | undefined; proven: boolean };

/**
 * Connections to one account of one host. A Receive holds its connection until the host answers, so what happens meanwhile
 * takes another: an idle one where there is one, else a new one, opened one after the other, up to `most`.
 */
export class ConnectionPool {
  readonly #host: PoolHost;
  readonly #idle: Slot[] = [];
  readonly #waiting: ((slot: Slot) => void)[] = [];
  readonly #lifeline = new Lifeline();
  readonly #slots = new Set<Slot>();
  #room: number;
  readonly #logins: LimitFunction = pLimit(1);

  constructor(host: PoolHost, most: number) {
    this.#host = host;
    this.#room = most;
  }

  /** Sends one envelope over one connection. Throws what {@link WinrmConnection} and {@link Refusals} throw. */
  async post(soap: string, limit: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Answer> {
    const slot = await this.#take(limit.signal);
    const { refusals, credential, target } = this.#host;
    try {
      const { connection } = slot;
      if (connection !== undefined && slot.proven)
        return await refusals.watch(credential, target, () => connection.post(soap, limit));
      // With the post inside, since Basic and certificates are only seen by the host with it.
      const answer = await refusals.guard(credential, target, limit.signal, async () => {
        slot.connection ??= await this.#logins(() => {
          refusals.check(credential, target);
          return this.#host.open(limit.signal);
        });
        return slot.connection.post(soap, limit);
      });
      slot.proven = true;
      return answer;
    } catch (error) {
      // After these a connection is ended for good; after others it connects again by itself.
      if (!(error instanceof TransportFailure) || error.class === 'protocol' || error.class === 'login') {
        await slot.connection?.close();
        slot.connection = undefined;
        slot.proven = false;
      }
      throw error;
    } finally {
      this.#giveBack(slot);
    }
  }

  async close(): Promise<void> {
    this.#lifeline.break(new TransportFailure('aborted', `the session with ${this.#host.target} is closed`));
    for (const { connection } of this.#slots) await connection?.close();
  }

  async #take(signal: AbortSignal): Promise<Slot> {
    // The one used last: its connection is the least likely to have been closed by the host meanwhile.
    const open = this.#idle.findLastIndex(({ connection }) => connection !== undefined);
    const [idle] = this.#idle.splice(open, open < 0 ? 0 : 1);
    if (idle !== undefined) return idle;
    const unopened = this.#idle.pop();
    if (unopened !== undefined) return unopened;
    if (this.#room > 0 && this.#lifeline.broken === undefined) {
      this.#room -= 1;
      const slot: Slot = { connection: undefined, proven: false };
      this.#slots.add(slot);
      return slot;
    }
    let waiting: ((slot: Slot) => void) | undefined;
    try {
      return await this.#lifeline.wait<Slot>(
        (resolve) => {
          waiting = resolve;
          this.#waiting.push(resolve);
        },
        {
          signal,
          stopped: () =>
            new TransportFailure('aborted', `stopped before a connection to ${this.#host.target} was free`),
        },
      );
    } catch (error) {
      const index = this.#waiting.findIndex((one) => one === waiting);
      if (index >= 0) this.#waiting.splice(index, 1);
      throw error;
    }
  }

  #giveBack(slot: Slot): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(slot);
    else next(slot);
  }
}
