import type { Clock, OpenRun } from '../ports.ts';
import { duration } from '../domain/time.ts';

/** Ctrl-C and `detproof stop`, as signals for the pipeline. */
export interface Interrupts extends Disposable {
  /** Ctrl-C or SIGTERM: running commands are ended. */
  readonly interrupt: AbortSignal;
  /** Either of the two, or `stop`: nothing further starts. */
  readonly halt: AbortSignal;
  /** Watches for `detproof stop` on this run. */
  watch(run: OpenRun, clock: Clock): void;
}

/** What is said when Ctrl-C is pressed, and when it is pressed again. */
export type InterruptTexts = { readonly first: string; readonly again: string };

const interruptedRun: InterruptTexts = {
  first: 'Interrupted: ending what runs, then cleaning up. No further step starts.',
  again:
    'Clean-up is still running, and detproof ends by itself when it is done. If you must kill it (kill -9), run `detproof resume` afterwards: it finishes the clean-up.',
};

/**
 * Listens until disposed. The first Ctrl-C ends what runs and cleans up; a further one only says what is still going on: clean-up
 * is never skipped, least of all silently.
 */
export function listenForInterrupts(tell: (line: string) => void, texts = interruptedRun): Interrupts {
  const interrupt = new AbortController();
  const halt = new AbortController();
  const watching = new AbortController();
  const onSignal = (): void => {
    if (interrupt.signal.aborted) {
      tell(texts.again);
      return;
    }
    tell(texts.first);
    const reason = new Error('interrupted');
    interrupt.abort(reason);
    halt.abort(reason);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    interrupt: interrupt.signal,
    halt: halt.signal,
    watch(run, clock) {
      const look = async (): Promise<void> => {
        while (!watching.signal.aborted && !halt.signal.aborted) {
          if (await run.stopAsked()) {
            tell('Asked to stop: what runs may end, no further step starts, then clean-up.');
            await run.journal.append({ type: 'stop-asked', data: { by: 'detproof stop' } });
            halt.abort(new Error('stopped'));
            return;
          }
          await clock.sleep(duration(300), watching.signal).catch(() => undefined);
        }
      };
      look().catch((error: unknown) => {
        tell(`Can no longer watch for stop: ${String(error)}`);
      });
    },
    [Symbol.dispose]() {
      watching.abort();
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
