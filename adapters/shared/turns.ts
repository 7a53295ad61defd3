import pLimit, { type LimitFunction } from 'p-limit';
import { TransportFailure } from '../../runner/ports.ts';
import type { Lifeline } from './lifeline.ts';

/**
 * sshd's MaxSessions is 10 by default. At most eight channels are open for work: seven for commands, one that is kept for
 * files. A ninth opens only to end processes, so that ending a command never waits for one that is to be ended.
 */
const commandChannels = 7;

/** Who may open a channel of one connection, and when. */
export class Turns {
  readonly #lifeline: Lifeline;
  readonly #host: string;
  readonly #commands: LimitFunction = pLimit(commandChannels);
  readonly #endings: LimitFunction = pLimit(1);

  constructor(lifeline: Lifeline, host: string) {
    this.#lifeline = lifeline;
    this.#host = host;
  }

  /** Runs `work` when a channel is free; waits no longer than the signal and the connection allow. */
  async command<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const over = Promise.withResolvers<undefined>();
    try {
      await this.#lifeline.wait<undefined>(
        (resolve) => {
          void this.#commands(() => {
            resolve(undefined);
            return over.promise;
          });
        },
        { signal, stopped: () => new TransportFailure('aborted', `stopped before ${this.#host} had a channel free`) },
      );
      return await work();
    } finally {
      over.resolve(undefined);
    }
  }

  /** For opening a channel on which a command is ended. */
  ending<T>(work: () => Promise<T>): Promise<T> {
    return this.#endings(work);
  }
}
