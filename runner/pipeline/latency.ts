import { notAsked, unknown } from '../domain/fact.ts';
import type { Facts } from '../domain/facts.ts';
import type { AlertHit, EventHit } from '../domain/siem.ts';
import { duration, type DurationMs, elapsed, formatDuration, type Instant, onOurClock, shift } from '../domain/time.ts';
import type { Graded } from './alerting.ts';
import { firesOnHarness, type Scope } from './scope.ts';

/** Times come in steps: a process's start in 10 ms (USER_HZ, proc_pid_stat(5)), audit records in 4 ms, ours in 1 ms. */
const stepMs = 12;
/** How far the clock of a host that could not be asked for its time may be off before that shows. */
const unmeasuredMs = 1_000;
/** How far the clock of a SIEM that tells no time is taken to be off at most; no receipt holds it against ours. */
export const unmeasuredSiemMs = 60_000;

/** Receipt's time → event in the SIEM. */
export function eventLatency(hit: EventHit, scope: Scope): DurationMs {
  const at =
    hit.ingested === undefined
      ? onOurClock(hit.time, scope.execution.clock)
      : onOurClock(hit.ingested, scope.lookup.observation.clock);
  return notNegative(elapsed(ranAt(scope), at));
}

/** Receipt's time → alert. */
export function alertLatency(hit: AlertHit, scope: Scope): DurationMs {
  return notNegative(signedAlertLatency(hit, scope));
}

/** Was the first alert that counts raised within the owner's limit? Clocks that cannot be right, or too near to tell, are `unknown`. */
export function inTimeFact(alerts: readonly Graded[], attributed: Facts['attributed'], scope: Scope): Facts['inTime'] {
  if (attributed.is !== 'yes') return notAsked('no attributed alert');
  const counted = new Set(
    attributed.evidence.filter(({ rule }) => !firesOnHarness(rule, scope)).map(({ alert }) => alert),
  );
  const first = alerts.find(({ alert }) => counted.has(alert));
  if (first === undefined) return notAsked('its only alert is by a rule that fires on the harness');
  const { execution, expect, lookup } = scope;
  const uncertaintyMs = Math.ceil(
    (execution.clock?.uncertaintyMs ?? unmeasuredMs) + (lookup.observation.clock?.uncertaintyMs ?? unmeasuredSiemMs),
  );
  const astray = outsideOfExecution(scope);
  if (astray !== undefined) return unknown('clocks-disagree', astray);
  const signed = signedAlertLatency(first.hit, scope);
  // Held against our own clock: an event can be there before the payload's first line runs, and a host that tells whole seconds
  // only is off by as much. Nothing of it can be there before the command was sent.
  const early = elapsed(onOurClock(first.hit.time, lookup.observation.clock), sentAt(scope));
  const doubtMs = Math.ceil(lookup.observation.clock?.uncertaintyMs ?? 0);
  if (early > doubtMs + stepMs)
    return unknown(
      'clocks-disagree',
      `the alert is ${early} ms older than the command that started the execution, more than the SIEM's clock is uncertain (${doubtMs} ms)`,
    );
  const withinMs = expect.alertWithin;
  const measured = { latencyMs: first.latencyMs, withinMs, uncertaintyMs };
  if (signed + uncertaintyMs <= withinMs) return { is: 'yes', evidence: [measured] };
  if (signed - uncertaintyMs > withinMs) return { is: 'no', proof: measured };
  return unknown(
    'clocks-disagree',
    `an alert after ${formatDuration(first.latencyMs)} ±${uncertaintyMs} ms${lookup.observation.clock === undefined ? " (the SIEM's clock could not be compared with ours)" : ''} is too near to the limit of ${formatDuration(withinMs)} to tell whether it was in time`,
  );
}

/** The receipt was written while detproof carried out the execution; a clock that says otherwise is not to be measured with. */
function outsideOfExecution(scope: Scope): string | undefined {
  const { startedAt, endedAt, clock } = scope.execution;
  const slackMs = stepMs + (clock?.uncertaintyMs ?? unmeasuredMs);
  const at = ranAt(scope);
  if (shift(startedAt, -slackMs) <= at && at <= shift(endedAt, slackMs)) return undefined;
  return `by the host's clock${clock === undefined ? ', which could not be compared with ours,' : ''} the payload ran at ${at}, and detproof ran it between ${startedAt} and ${endedAt}`;
}

/** When detproof sent what started the behaviour. */
function sentAt({ execution: { commands, startedAt } }: Scope): Instant {
  return commands.find(({ purpose }) => purpose === 'step 1' || purpose === 'schedule')?.startedAt ?? startedAt;
}

/** When the behaviour started, on our clock: by the receipt and the host's offset, else by the command. */
function ranAt({ execution }: Scope): Instant {
  const told = execution.receipt.started?.time ?? execution.receipt.finished?.time;
  return told === undefined ? execution.startedAt : onOurClock(told, execution.clock);
}

function signedAlertLatency(hit: AlertHit, scope: Scope): number {
  return elapsed(ranAt(scope), onOurClock(hit.time, scope.lookup.observation.clock));
}

/** A few milliseconds below zero are the clocks' uncertainty; of more than that {@link inTimeFact} makes no judgement. */
function notNegative(ms: number): DurationMs {
  return duration(Math.max(0, ms));
}
