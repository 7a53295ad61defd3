import { type DurationMs, instant, type Instant, shift } from '../../runner/domain/time.ts';
import type { Clock } from '../../runner/ports.ts';

type Sleeper = { readonly at: Instant; readonly order: number; readonly wake: () => void };

/** A clock whose waiting takes no time: when nothing else is to be done, it moves on to the next who wants to be woken. */
export class FakeClock implements Clock {
  #now: Instant;
  #order = 0;
  #sleepers: Sleeper[] = [];
  #moving = false;
  /** Every wait that was asked for, in milliseconds. */
  readonly waits: number[] = [];

  constructor(startMs = Date.UTC(2026, 10, 24, 2, 0, 0)) {
    this.#now = instant(startMs);
  }

  now(): Instant {
    return this.#now;
  }

  /** Something took this long. */
  pass(ms: number): void {
    this.#now = shift(this.#now, ms);
  }

  sleep(ms: DurationMs, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(asError(signal.reason));
    this.waits.push(ms);
    return new Promise((done, fail) => {
      const stop = (): void => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        fail(asError(signal.reason));
      };
      const sleeper: Sleeper = {
        at: shift(this.#now, ms),
        order: (this.#order += 1),
        wake: () => {
          signal.removeEventListener('abort', stop);
          done();
        },
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#sleepers.push(sleeper);
      this.#move();
    });
  }

  /** After everything that is ready now, and one sleeper at a time. */
  #move(): void {
    if (this.#moving) return;
    this.#moving = true;
    setImmediate(() => {
      this.#moving = false;
      const [next, ...others] = this.#sleepers.sort((a, b) => a.at.localeCompare(b.at) || a.order - b.order);
      if (next === undefined) return;
      this.#sleepers = others;
      if (next.at > this.#now) this.#now = next.at;
      next.wake();
      if (others.length > 0) this.#move();
    });
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
