import { isRemoteAccess } from '../domain/attack.ts';
import type { EvidenceRef } from '../domain/evidence.ts';
import type { Execution } from '../domain/execution.ts';
import { type Fact, notAsked, type Reason, unknown } from '../domain/fact.ts';
import type { AlertedEvidence, AttributedEvidence, Facts, NotAlertedProof } from '../domain/facts.ts';
import { nonEmpty } from '../domain/non-empty.ts';
import type { AlertHit, RuleHealth, UntiedAlert } from '../domain/siem.ts';
import { type DurationMs, type Instant, onOurClock, shift } from '../domain/time.ts';
import { alertLatency, unmeasuredSiemMs } from './latency.ts';
import { eventSlackMs, firesOnHarness, hostNames, isNamed, notYet, placeOf, type Scope } from './scope.ts';

/** An alert of one execution, with how well it is tied to it. */
export type Graded = AttributedEvidence & {
  readonly hit: AlertHit;
  readonly latencyMs: DurationMs;
  readonly name: string;
  readonly raw: EvidenceRef;
};

/** Every alert that is tied to the execution, the earliest first. */
export function gradedAlerts(scope: Scope): readonly Graded[] {
  return [...(scope.lookup.alerts.get(scope.execution.marker) ?? [])]
    .sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id))
    .map((hit) => ({
      alert: hit.id,
      rule: hit.rule.id,
      grade: gradeOf(hit, scope),
      latencyMs: alertLatency(hit, scope),
      hit,
      name: hit.rule.name,
      raw: hit.raw,
    }));
}

function gradeOf({ rule, matched }: AlertHit, { expect }: Scope): Graded['grade'] {
  if (!expect.rules.includes(rule.id)) return 'other-rule';
  return matched.by === 'marker' ? 'exact' : 'correlated';
}

/** Did an expected rule alert? `no` needs every expected rule shown to have run over the event, or to have been off all the time. */
export function alertedFact(alerts: readonly Graded[], scope: Scope): Fact<AlertedEvidence, NotAlertedProof> {
  const { execution, expect, lookup } = scope;
  const { observation } = lookup;
  if (execution.outcome.kind !== 'finished') return notAsked('the behaviour did not run to its end');
  const expected = nonEmpty(
    alerts.filter(({ grade }) => grade !== 'other-rule').map(({ hit, latencyMs }) => ({ alert: hit, latencyMs })),
  );
  if (expected !== undefined) return { is: 'yes', evidence: expected };
  if (expect.rules.length === 0) return notAsked('no rule is expected to react');
  const doubt = noAlertDoubt(expect.rules, scope);
  if (doubt !== undefined) return { is: 'unknown', why: doubt };
  const answer = nonEmpty([...observation.alerts.exchanges, ...observation.rules.exchanges]);
  if (answer === undefined) return unknown('protocol', 'the answer came without its exchange, so it proves nothing');
  const rules = nonEmpty(expect.rules.flatMap((id) => observation.rules.hits.find(({ rule }) => rule === id) ?? []));
  if (rules === undefined) return notAsked('no rule is expected to react');
  const kind = rules.every(({ enabled }) => enabled === 'none') ? 'rule-disabled' : 'rule-ran';
  return { is: 'no', proof: { kind, rules, answer, observedUntil: observation.until } };
}

/**
 * Which of the alerts count as a detection? Those of a rule that is shown not to fire on the harness: a control of the same place ran,
 * its event came, and this rule raised no alert over it. Before none of them counts, the others must be shown not to have come.
 */
export function attributedFact(
  alerts: readonly Graded[],
  alerted: Fact<AlertedEvidence, NotAlertedProof>,
  scope: Scope,
): Facts['attributed'] {
  const { expect } = scope;
  if (alerted.is !== 'yes') return notAsked('no expected alert');
  const asEvidence = ({ alert, rule, grade }: Graded): AttributedEvidence => ({ alert, rule, grade });
  const expected = alerts.filter(({ grade }) => grade !== 'other-rule');
  const tied = expected.filter(({ grade }) => grade === 'exact' || expect.attribution === 'correlated');
  const byHarness = tied.filter(({ rule }) => firesOnHarness(rule, scope));
  const own = tied.filter(({ rule }) => !firesOnHarness(rule, scope));
  const doubts = own.map((one) => ({ one, doubt: ownDoubt(one, scope) }));
  const counted = doubts.filter(({ doubt }) => doubt === undefined).map(({ one }) => one);
  if (counted.length === 0) {
    const [first] = doubts;
    if (first?.doubt !== undefined) return { is: 'unknown', why: first.doubt };
    const silent = expect.rules.filter((id) => !expected.some(({ rule }) => rule === id));
    const doubt = noAlertDoubt(silent, scope) ?? untiedDoubt(expect.rules, scope);
    if (doubt !== undefined) return { is: 'unknown', why: doubt };
  }
  const evidence = nonEmpty([...counted, ...byHarness].map(asEvidence));
  if (evidence !== undefined) return { is: 'yes', evidence };
  const rest = nonEmpty(expected.map(asEvidence));
  return rest === undefined ? notAsked('no expected alert') : { is: 'no', proof: { alerts: rest } };
}

/** Why it is not shown that this alert is about the behaviour, and not about the harness; undefined when it is. */
function ownDoubt({ rule, hit }: Graded, scope: Scope): Reason | undefined {
  const { lookup, expect } = scope;
  if (isRemoteAccess(hit.techniques))
    return {
      class: 'ambiguous',
      detail: `rule ${rule} alerted, and names ${hit.techniques.join(', ')} only: whether it saw the behaviour or the login is not told`,
    };
  const doubts = (lookup.controlsOf.get(placeOf(scope)) ?? []).map(({ plan, execution }): Reason | undefined => {
    const own = plan.expect.find(({ siem }) => siem === expect.siem);
    if (own === undefined) return { class: 'not-started', detail: `${plan.id} expects nothing of ${expect.siem}` };
    if (!lookup.events.has(execution.marker))
      return { class: 'source-not-alive', detail: `the event of the control ${plan.id} did not arrive` };
    return noAlertDoubt([rule], { plan, execution, expect: own, lookup });
  });
  if (doubts.includes(undefined)) return undefined;
  return {
    class: 'ambiguous',
    detail: `rule ${rule} alerted, but no control shows that it does not fire on the harness itself: ${doubts[0]?.detail ?? 'none of this host, account and channel ran to its end'}`,
  };
}

/** Could all alerts be read, to the end of `observeFor`, and be told whose they are? */
export function alertsReadFact(scope: Scope): Facts['alertsRead'] {
  const { alerts } = scope.lookup.observation;
  const doubt = notYet(alerts, scope) ?? untiedDoubt(scope.expect.rules, scope);
  if (doubt !== undefined) return { is: 'unknown', why: doubt };
  const exchanges = nonEmpty(alerts.exchanges);
  return exchanges === undefined
    ? unknown('protocol', 'the answer came without its exchange, so it proves nothing')
    : { is: 'yes', evidence: exchanges };
}

/** Why it is not proved that these rules raised no alert; undefined when it is. */
function noAlertDoubt(rules: readonly string[], scope: Scope): Reason | undefined {
  const { observation } = scope.lookup;
  const doubt = notYet(observation.alerts, scope) ?? untiedDoubt(rules, scope);
  if (doubt !== undefined) return doubt;
  if (rules.length > 0 && !observation.rules.complete.yes) return observation.rules.complete.because;
  const misnamed = scope.lookup.elsewhere.alerts.get(scope.execution.marker) ?? [];
  for (const rule of rules) {
    const other = misnamed.find((alert) => alert.rule.id === rule);
    if (other !== undefined)
      return {
        class: 'ambiguous',
        detail: `rule ${rule} raised an alert with its marker on ${other.host ?? ''}; if that is ${scope.plan.target}, add the name to it in the inventory`,
      };
    const health = observation.rules.hits.find((candidate) => candidate.rule === rule);
    const trouble =
      health === undefined
        ? { class: 'rule-unknown' as const, detail: `the SIEM knows no rule ${rule}` }
        : ruleTrouble(health, scope);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

/** Did one of these rules raise an alert that may be about this execution, and that nothing ties to one? */
function untiedDoubt(rules: readonly string[], scope: Scope): Reason | undefined {
  const { execution, expect, lookup, plan } = scope;
  const slackMs = lookup.observation.clock?.uncertaintyMs ?? unmeasuredSiemMs;
  const from = onSiemClock(shift(execution.startedAt, -slackMs), scope);
  const to = onSiemClock(shift(execution.endedAt, expect.observeFor + slackMs), scope);
  const names = hostNames(scope);
  const isPossible = ({ rule, time, hosts, techniques, eventTimes }: UntiedAlert): boolean =>
    from <= time &&
    time <= to &&
    (hosts.length === 0 || hosts.some((host) => isNamed(host, names))) &&
    // About the login, as it is on the controls: were it tied, it would be neither a detection nor noise.
    !(isRemoteAccess(techniques) && (plan.purpose === 'control' || firesOnHarness(rule.id, scope))) &&
    (eventTimes.length === 0 || eventTimes.some((at) => mayBeOf(at, execution)));
  for (const rule of rules) {
    const alert = lookup.untied.get(rule)?.find(isPossible);
    if (alert !== undefined)
      return {
        class: 'ambiguous',
        detail: `rule ${rule} alerted at ${alert.time} (${alert.id}) on ${alert.hosts.length === 0 ? 'no named host' : plan.target}, and nothing in the alert tells whether on this execution`,
      };
  }
  return undefined;
}

/** May an event of this time, by the host's clock, be of this execution? As for a {@link Trace}; of a clock that was not read, nothing is told. */
function mayBeOf(at: Instant, { startedAt, endedAt, clock }: Execution): boolean {
  if (clock === undefined) return true;
  const ours = onOurClock(at, clock);
  return shift(startedAt, -eventSlackMs) <= ours && ours <= shift(endedAt, eventSlackMs);
}

function ruleTrouble(health: RuleHealth, scope: Scope): Reason | undefined {
  const { rule, enabled, ran, failures, suppression } = health;
  if (enabled === 'none') return undefined;
  if (enabled === 'part')
    return { class: 'rule-not-run', detail: `rule ${rule} was switched on or off during the run` };
  if (suppression !== undefined) return { class: 'suppressed', detail: `rule ${rule}: ${suppression}` };
  const { execution, expect } = scope;
  const from = onSiemClock(execution.startedAt, scope);
  const to = onSiemClock(shift(execution.endedAt, expect.observeFor), scope);
  const failure = failures.find(({ at }) => from <= at && at <= to);
  if (failure !== undefined)
    return { class: 'rule-failed', detail: `rule ${rule} failed at ${failure.at}: ${failure.error}` };
  const uncovered = momentsToCover(scope).find((at) => !ran.some((span) => span.from <= at && at <= span.to));
  if (uncovered !== undefined)
    return { class: 'rule-not-run', detail: `rule ${rule} is not shown to have run over what came in at ${uncovered}` };
  return undefined;
}

/** When the events came in, by the SIEM's clock; without events, the time of the execution. */
function momentsToCover(scope: Scope): readonly Instant[] {
  const { execution, lookup } = scope;
  const events = lookup.events.get(execution.marker) ?? [];
  return events.length === 0
    ? [onSiemClock(execution.startedAt, scope), onSiemClock(execution.endedAt, scope)]
    : events.map(({ ingested, time }) => ingested ?? onSiemClock(onOurClock(time, execution.clock), scope));
}

function onSiemClock(ours: Instant, { lookup }: Scope): Instant {
  return shift(ours, lookup.observation.clock?.offsetMs ?? 0);
}
