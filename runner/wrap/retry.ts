import type { ReasonClass } from '../domain/fact.ts';
import { duration } from '../domain/time.ts';
import { type Clock, type SiemAdapter, SiemFailure } from '../ports.ts';

/** Classes that another try may cure. A refusal or a wrong query is not among them. */
const passing: ReadonlySet<ReasonClass> = new Set<ReasonClass>(['unreachable', 'throttled', 'timeout']);

/** Asks again, `attempts` times in all, waiting 1 s, 2 s, 4 s … or what the SIEM asks for, up to `maxWaitMs`. */
export function retry(
  adapter: SiemAdapter,
  { clock, attempts, maxWaitMs }: { clock: Clock; attempts: number; maxWaitMs: number },
): SiemAdapter {
  const again = async <T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof SiemFailure) || !passing.has(error.class) || attempt >= attempts) throw error;
        const wait = error.retryAfter ?? 1_000 * 2 ** (attempt - 1);
        await clock.sleep(duration(Math.min(wait, maxWaitMs)), signal);
      }
    }
  };
  return {
    ping: (signal) => again(signal, () => adapter.ping(signal)),
    events: (question, signal) => again(signal, () => adapter.events(question, signal)),
    alerts: (question, signal) => again(signal, () => adapter.alerts(question, signal)),
    rules: (question, signal) => again(signal, () => adapter.rules(question, signal)),
  };
}
