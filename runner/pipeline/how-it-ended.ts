import { type ExecutionOutcome, exitText, type Receipt } from '../domain/execution.ts';
import type { Reason } from '../domain/fact.ts';
import type { CommandOutcome } from '../ports.ts';

/** An outcome reached early: thrown while an execution is carried out, a value outside of that. */
export class Ended extends Error {
  readonly outcome: ExecutionOutcome;
  constructor(outcome: ExecutionOutcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

export function notRun(reasonClass: Reason['class'], detail: string): ExecutionOutcome {
  return { kind: 'not-run', why: { class: reasonClass, detail } };
}

/** 126 and 127 are the shell's own words for "could not be executed" and "not found" (POSIX, XCU 2.8.2). */
export function refusedByShell({ exit }: CommandOutcome): boolean {
  return exit.kind === 'code' && (exit.code === 126 || exit.code === 127);
}

/** No finished receipt: was it never started, or did it not come to its end? Without an `outcome` it was the host's own to start. */
export function unfinished(
  outcome: CommandOutcome | undefined,
  receipt: Receipt,
  interrupted: boolean,
): ExecutionOutcome {
  const brokenOff = (detail: string, reasonClass: Reason['class'] = 'broken-off'): ExecutionOutcome => ({
    kind: 'broken-off',
    why: { class: reasonClass, detail },
  });
  if (receipt.started !== undefined)
    return brokenOff(
      `the payload started and did not finish (${outcome === undefined ? 'by its time-out' : exitText(outcome.exit)})`,
    );
  if (interrupted) return brokenOff('the run was interrupted', 'interrupted');
  if (outcome === undefined)
    return brokenOff('the host did not start what was scheduled within its time-out', 'timeout');
  if (refusedByShell(outcome)) return notRun('not-started', `the shell could not start it: ${complaint(outcome)}`);
  return brokenOff(`no receipt (${exitText(outcome.exit)}): it may have been stopped, or never have come so far`);
}

/** What a command said on standard error, or how it ended when it said nothing. */
export function complaint(outcome: CommandOutcome): string {
  return new TextDecoder().decode(outcome.stderr).trim() || exitText(outcome.exit);
}
