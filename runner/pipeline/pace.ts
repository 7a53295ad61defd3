import type { PlannedExecution } from '../domain/plan.ts';
import { duration, type DurationMs, epochMs } from '../domain/time.ts';
import type { Clock } from '../ports.ts';
import { allEnded } from './limit.ts';

type Kind = 'control' | 'work';

/** What is known of one rule on this host: how many executions that it watches are under way, and when the last one ended. */
type Watched = { readonly under: Record<Kind, number>; readonly endedMs: Record<Kind, number> };

/**
 * Keeps executions that the same rule watches apart on one host, so that a rule that stays silent for a while after an alert is
 * not taken for one that sees nothing. Two controls need no gap between them: neither is expected to raise an alert.
 */
export class Pace {
  readonly #gapMs: DurationMs;
  readonly #clock: Clock;
  readonly #rules = new Map<string, Watched>();
  #change = Promise.withResolvers<undefined>();

  constructor(gapMs: DurationMs, clock: Clock) {
    this.#gapMs = gapMs;
    this.#clock = clock;
  }

  /**
   * Works through `plans`, `most` at a time, each as soon as its rules allow it and otherwise in order. When `signal` fires nothing
   * further begins; after an error neither, and it is thrown when the work that has begun has ended.
   */
  async through(
    most: number,
    plans: readonly PlannedExecution[],
    work: (plan: PlannedExecution) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const queue = [...plans];
    let failed = false;
    const worker = async (): Promise<void> => {
      while (queue.length > 0 && !failed && !signal.aborted) {
        const now = epochMs(this.#clock.now());
        const waits = queue.map((plan) => this.#waitMs(plan, now));
        const index = waits.findIndex((wait) => wait <= 0);
        const plan = queue[index];
        if (plan === undefined) {
          await this.#until(Math.min(...waits), signal);
          continue;
        }
        queue.splice(index, 1);
        this.#begin(plan);
        try {
          await work(plan);
        } catch (error) {
          failed = true;
          throw error;
        } finally {
          this.#end(plan);
        }
      }
    };
    await allEnded(Array.from({ length: Math.max(1, most) }, worker));
  }

  /** How long a plan has to wait from `now` on, in milliseconds; without end while another one is under way. */
  #waitMs(plan: PlannedExecution, now: number): number {
    const against: readonly Kind[] = kindOf(plan) === 'control' ? ['work'] : ['work', 'control'];
    return rulesOf(plan).reduce((longest, rule) => {
      const watched = this.#rules.get(rule);
      if (watched === undefined) return longest;
      if (against.some((kind) => watched.under[kind] > 0)) return Infinity;
      const ended = Math.max(...against.map((kind) => watched.endedMs[kind]));
      return Math.max(longest, ended + this.#gapMs - now);
    }, 0);
  }

  #begin(plan: PlannedExecution): void {
    for (const rule of rulesOf(plan)) {
      const watched = this.#rules.get(rule) ?? {
        under: { control: 0, work: 0 },
        endedMs: { control: -Infinity, work: -Infinity },
      };
      this.#rules.set(rule, watched);
      watched.under[kindOf(plan)] += 1;
    }
  }

  #end(plan: PlannedExecution): void {
    const now = epochMs(this.#clock.now());
    for (const rule of rulesOf(plan)) {
      const watched = this.#rules.get(rule);
      if (watched === undefined) continue;
      watched.under[kindOf(plan)] -= 1;
      watched.endedMs[kindOf(plan)] = now;
    }
    this.#change.resolve(undefined);
    this.#change = Promise.withResolvers();
  }

  /** Waits for `ms`, or until an execution has ended, or for the signal; without a time, for the other two only. */
  async #until(ms: number, signal: AbortSignal): Promise<void> {
    const enough = new AbortController();
    const either = AbortSignal.any([signal, enough.signal]);
    const time =
      ms === Infinity
        ? new Promise<void>((done) => {
            either.addEventListener(
              'abort',
              () => {
                done();
              },
              { once: true },
            );
          })
        : this.#clock.sleep(duration(ms), either).catch(() => undefined);
    try {
      await Promise.race([time, this.#change.promise]);
    } finally {
      enough.abort();
    }
  }
}

function rulesOf({ expect }: PlannedExecution): readonly string[] {
  return [...new Set(expect.flatMap(({ siem, rules }) => rules.map((rule) => `${siem} ${rule}`)))];
}

function kindOf({ purpose }: PlannedExecution): Kind {
  return purpose === 'control' ? 'control' : 'work';
}
