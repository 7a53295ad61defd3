import type { Platform } from '../domain/attack.ts';
import type { PythonStep } from '../domain/scenario.ts';
import { dialectOf } from './dialect.ts';

/** Upper bound of the time that steps take, in ms: their time-outs, and the wait for what starts them. */
export function longestMs(steps: readonly PythonStep[], platform: Platform): number {
  const { schedulers } = dialectOf(platform);
  return steps.reduce(
    (sum, { timeout, via }) => sum + timeout + (via === 'session' ? 0 : (schedulers[via]?.waitMs ?? 0)),
    0,
  );
}

/** Time for preparing an execution, reading its receipt and cleaning up, besides its steps' own time-outs, in ms. */
export const overheadMs = 15_000;
