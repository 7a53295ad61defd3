import { duration, elapsed, type Instant } from '../domain/time.ts';
import type { Clock, SiemAdapter } from '../ports.ts';

/** One call at a time to this SIEM, and at least `everyMs` between the starts of two. */
export function throttle(adapter: SiemAdapter, { clock, everyMs }: { clock: Clock; everyMs: number }): SiemAdapter {
  let last: Instant | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  const paced = <T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> => {
    const mine = turn.then(async () => {
      signal.throwIfAborted();
      const wait = last === undefined ? 0 : everyMs - elapsed(last, clock.now());
      if (wait > 0) await clock.sleep(duration(wait), signal);
      last = clock.now();
      return ask();
    });
    turn = mine.catch(() => undefined);
    return mine;
  };
  return {
    ping: (signal) => paced(signal, () => adapter.ping(signal)),
    events: (question, signal) => paced(signal, () => adapter.events(question, signal)),
    alerts: (question, signal) => paced(signal, () => adapter.alerts(question, signal)),
    rules: (question, signal) => paced(signal, () => adapter.rules(question, signal)),
  };
}
