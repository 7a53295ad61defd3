import type { AuthorizedTarget } from '../domain/authorize.ts';
import { type CleanupResult, type CleanupStep, cleanupSubject, type LeftBehind } from '../domain/execution.ts';
import { TransportFailure } from '../ports.ts';
import type { Host } from './host.ts';
import { dialectOf } from './dialect.ts';

/** Long enough for a slow host; clean-up is never cut short by the run's own signal. */
const timeoutMs = 60_000;

/**
 * Undoes everything that an intent named. Never throws: what could not be undone, or not be shown to be undone, comes back as
 * left behind, with what a person does about it. Carrying it out twice is harmless.
 */
export async function undo(
  host: Host,
  target: AuthorizedTarget,
  steps: readonly CleanupStep[],
): Promise<CleanupResult> {
  if (steps.length === 0) return { done: [], leftBehind: [] };
  const { byHand, cleanUp } = dialectOf(target.target.platform);
  const left = (step: CleanupStep, because: string): LeftBehind => ({
    target: target.target.id,
    account: target.account.name,
    ...byHand(step),
    because,
  });
  let output = '';
  let trouble = 'the host did not confirm it';
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const outcome = await host.run(target, cleanUp(steps), { timeoutMs, signal: AbortSignal.timeout(2 * timeoutMs) });
      output = new TextDecoder().decode(outcome.stdout);
      const stderr = new TextDecoder().decode(outcome.stderr).trim();
      if (stderr !== '') trouble = stderr;
      break;
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      trouble = error.message;
      if (error.class !== 'lost') break;
    }
  }
  const lines = output.split('\n');
  const done: string[] = [];
  const leftBehind: LeftBehind[] = [];
  for (const step of steps) {
    const told = said(step);
    const refused = `left ${step.kind} ${cleanupSubject(step)}: `;
    const refusal = lines.find((line) => line.startsWith(refused));
    if (lines.includes(told)) done.push(`${step.kind} ${cleanupSubject(step)}`);
    else leftBehind.push(left(step, refusal?.slice(refused.length) ?? trouble));
  }
  return { done, leftBehind };
}

/**
 * As {@link undo}, where an order to a scheduler may still be under way on the host: one that comes to its end after the first time
 * finds no run folder and takes back what it did, and what one did before that is undone the second time.
 */
export async function undoUnderWay(
  host: Host,
  target: AuthorizedTarget,
  steps: readonly CleanupStep[],
): Promise<CleanupResult> {
  const first = await undo(host, target, steps);
  return first.leftBehind.length === 0 && steps.some(isScheduled) ? undo(host, target, steps) : first;
}

function isScheduled({ kind }: CleanupStep): boolean {
  return kind === 'remove-crontab-line' || kind === 'remove-launchd-job' || kind === 'remove-task';
}

function said(step: CleanupStep): string {
  return step.kind === 'remove' || step.kind === 'remove-if-empty'
    ? `done ${step.kind} ${step.path}`
    : `done ${step.kind}`;
}
