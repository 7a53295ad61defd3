import { askedOf, compareContext } from '../domain/context.ts';
import type { LogSourceRef } from '../domain/attack.ts';
import type { Execution } from '../domain/execution.ts';
import { type Fact, notAsked, type Reason, unknown } from '../domain/fact.ts';
import type {
  AlertedEvidence,
  AttributedEvidence,
  ControlSeen,
  DeliveredEvidence,
  Facts,
  NotAlertedProof,
  NotDeliveredProof,
  NotUsableProof,
  UsableEvidence,
} from '../domain/facts.ts';
import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { PlannedExecution, SiemExpectation } from '../domain/plan.ts';
import type { Observation } from '../domain/record.ts';
import type { AlertHit, EventHit, RuleHealth } from '../domain/siem.ts';
import { duration, type DurationMs, elapsed, type Instant, onOurClock, shift } from '../domain/time.ts';

export type Executed = { readonly plan: PlannedExecution; readonly execution: Execution };

export type EstablishInput = {
  readonly executed: readonly Executed[];
  readonly observation: Observation;
  /** Per target: the names under which this SIEM knows it. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
};

/** Answers, controls, rule health and times → the facts of every execution that expects something of this SIEM. Pure. */
export function establish(input: EstablishInput): ReadonlyMap<string, Facts> {
  const controls = controlsSeen(input);
  const harness = harnessRules(input);
  return new Map(
    input.executed.flatMap((one) => {
      const expect = one.plan.expect.find(({ siem }) => siem === input.observation.siem);
      return expect === undefined
        ? []
        : [[one.plan.id, factsOf({ ...one, expect, controls, harness, input })] as const];
    }),
  );
}

/** Rules whose alerts are tied to a control: they fire on the harness itself. */
export function harnessRules({ executed, observation }: EstablishInput): readonly string[] {
  const markers = new Set(
    executed.filter(({ plan }) => plan.purpose === 'control').map(({ execution }) => execution.marker),
  );
  const rules = observation.alerts.hits.filter(({ marker }) => markers.has(marker)).map(({ rule }) => rule.id);
  return [...new Set(rules)].sort();
}

type SeenControl = ControlSeen & {
  readonly target: string;
  readonly account: string;
  readonly channel: string;
  readonly from: Instant;
  readonly to: Instant;
};

function controlsSeen({ executed, observation }: EstablishInput): readonly SeenControl[] {
  return executed.flatMap(({ plan, execution }) => {
    if (plan.purpose !== 'control' || execution.outcome.kind !== 'finished') return [];
    const sources = new Set(plan.expect.flatMap(({ siem, sources }) => (siem === observation.siem ? sources : [])));
    return observation.events.hits
      .filter((hit) => hit.marker === execution.marker && hit.matched.by === 'marker' && sources.has(hit.source))
      .map((hit) => ({
        execution: plan.id,
        phase: plan.phase === 'control-before' ? ('control-before' as const) : ('control-after' as const),
        source: hit.source,
        event: hit.id,
        raw: hit.raw,
        target: plan.target,
        account: plan.account,
        channel: plan.channel,
        from: execution.startedAt,
        to: execution.endedAt,
      }));
  });
}

type Scope = Executed & {
  readonly expect: SiemExpectation;
  readonly controls: readonly SeenControl[];
  readonly harness: readonly string[];
  readonly input: EstablishInput;
};

function factsOf(scope: Scope): Facts {
  const { execution, expect, input } = scope;
  const { observation } = input;
  const events = observation.events.hits.filter(({ marker }) => marker === execution.marker);
  const alerts = observation.alerts.hits
    .filter(({ marker }) => marker === execution.marker)
    .sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id))
    .map((alert) => gradeAlert(alert, scope));
  const sources = expect.sources.map((source) => {
    const delivered = deliveredFact(source, events, scope);
    return { source, delivered, usable: usableFact(source, delivered, scope) };
  });
  const alerted = alertedFact(alerts, events, scope);
  const attributed = attributedFact(alerts, alerted, scope);
  return {
    ran: ranFact(execution),
    prevented:
      execution.outcome.kind === 'prevented'
        ? { is: 'yes', evidence: [{ sign: execution.outcome.blockSign, evidence: execution.outcome.evidence }] }
        : notAsked('no sign of a block was seen'),
    recorded: notAsked("the host's own log is not read"),
    sources: nonEmpty(sources) ?? noSources(),
    alerted,
    attributed,
    inTime: inTimeFact(alerts, attributed, scope),
    alerts: alerts.map(({ alert, rule, grade, latencyMs, raw, name }) => ({
      alert,
      rule,
      grade,
      latencyMs,
      raw,
      name,
    })),
    alertsRead: alertsReadFact(scope),
    byHarness: scope.harness.filter((rule) => alerts.some((alert) => alert.rule === rule)),
  };
}

function noSources(): never {
  throw new Error('an expectation without log sources passed the loader');
}

function ranFact(execution: Execution): Facts['ran'] {
  const { outcome, receipt } = execution;
  switch (outcome.kind) {
    case 'finished':
      return receipt.finished === undefined || receipt.evidence === undefined
        ? unknown('broken-off', 'no finished receipt')
        : { is: 'yes', evidence: [{ receipt: receipt.evidence }] };
    case 'not-run':
      return { is: 'no', proof: { answer: outcome.why.detail } };
    case 'prevented':
      return notAsked('it was stopped by a control');
    case 'broken-off':
      return { is: 'unknown', why: outcome.why };
  }
}

/** Why nothing can be said yet about absence of hits: the answer is incomplete, or `observeFor` is not over. */
function notYet(answer: { complete: Observation['events']['complete'] }, scope: Scope): Reason | undefined {
  if (!answer.complete.yes) return answer.complete.because;
  const due = shift(scope.execution.endedAt, scope.expect.observeFor);
  const { until } = scope.input.observation;
  return until < due
    ? { class: 'still-waiting', detail: `asked until ${until}, and the event may come until ${due}` }
    : undefined;
}

function deliveredFact(
  source: LogSourceRef,
  events: readonly EventHit[],
  scope: Scope,
): Fact<DeliveredEvidence, NotDeliveredProof> {
  const { plan, execution, controls, input } = scope;
  const { observation } = input;
  if (execution.outcome.kind !== 'finished') return notAsked('the behaviour did not run to its end');
  const hits = nonEmpty(
    best(
      events.filter((hit) => hit.source === source),
      scope,
    ).map((hit) => ({ hit, latencyMs: eventLatency(hit, scope) })),
  );
  if (hits !== undefined) return { is: 'yes', evidence: hits };

  const wait = notYet(observation.events, scope);
  if (wait !== undefined) return { is: 'unknown', why: wait };
  const answer = nonEmpty(observation.events.exchanges);
  if (answer === undefined) return unknown('protocol', 'the answer came without its exchange, so it proves nothing');

  const around = bracket(
    controls.filter(
      (control) =>
        control.source === source &&
        control.target === plan.target &&
        control.account === plan.account &&
        control.channel === plan.channel,
    ),
    execution,
    plan.id,
  );
  if (around.before !== undefined && around.after !== undefined)
    return {
      is: 'no',
      proof: {
        kind: 'absent',
        controls: [strip(around.before), strip(around.after)],
        answer,
        observedUntil: observation.until,
      },
    };
  const others = othersAlive(source, scope);
  if (others !== undefined && !anythingFrom(source, scope))
    return { is: 'no', proof: { kind: 'source-silent', others, answer, observedUntil: observation.until } };
  const missing = around.before === undefined ? (around.after === undefined ? 'before nor after' : 'before') : 'after';
  return unknown(
    'source-not-alive',
    missing === 'before nor after'
      ? 'neither the control before nor the one after arrived, nor anything of this source from another host that would show the SIEM is receiving'
      : `the control ${missing} did not arrive, so the pipe was not shown open on both sides`,
  );
}

/** The nearest control that ended before, and that started after; a control itself is bracketed by the others. */
function bracket(
  controls: readonly SeenControl[],
  execution: Execution,
  self: string,
): { readonly before: SeenControl | undefined; readonly after: SeenControl | undefined } {
  const others = controls.filter(({ execution: id }) => id !== self);
  const before = others.filter(({ to }) => to <= execution.startedAt).sort((a, b) => b.to.localeCompare(a.to));
  const after = others.filter(({ from }) => from >= execution.endedAt).sort((a, b) => a.from.localeCompare(b.from));
  return { before: before[0], after: after[0] };
}

function strip({ execution, phase, source, event, raw }: SeenControl): ControlSeen {
  return { execution, phase, source, event, raw };
}

/** Other hosts whose controls of the same source arrived before and after this execution: the SIEM is receiving. */
function othersAlive(source: LogSourceRef, { plan, execution, controls }: Scope): NonEmpty<ControlSeen> | undefined {
  const elsewhere = controls.filter((control) => control.source === source && control.target !== plan.target);
  const targets = [...new Set(elsewhere.map(({ target }) => target))].sort();
  return nonEmpty(
    targets.flatMap((target) => {
      const around = bracket(
        elsewhere.filter((control) => control.target === target),
        execution,
        plan.id,
      );
      return around.before === undefined || around.after === undefined
        ? []
        : [strip(around.before), strip(around.after)];
    }),
  );
}

/** Did anything at all of this host arrive from this source, for whichever execution? */
function anythingFrom(source: LogSourceRef, { plan, input }: Scope): boolean {
  const markers = new Set(
    input.executed.filter((one) => one.plan.target === plan.target).map(({ execution }) => execution.marker),
  );
  return input.observation.events.hits.some((hit) => hit.source === source && markers.has(hit.marker));
}

/** The events of one execution, the one that tells most first: right process, then agreement with the receipt, then time. */
function best(events: readonly EventHit[], scope: Scope): readonly EventHit[] {
  const { receipt } = scope.execution;
  const truth = receipt.finished;
  const weight = (hit: EventHit): number =>
    truth === undefined
      ? 0
      : (hit.fields.process === truth.executable ? 1_000 : 0) +
        (hit.pid === truth.pid ? 100 : 0) +
        (hit.matched.by === 'marker' ? 50 : 0) +
        compareContext(hit, truth, scope.expect.context, hostNames(scope)).agreed.length;
  return [...events].sort((a, b) => weight(b) - weight(a) || a.time.localeCompare(b.time) || a.id.localeCompare(b.id));
}

function usableFact(
  source: LogSourceRef,
  delivered: Fact<DeliveredEvidence, NotDeliveredProof>,
  scope: Scope,
): Fact<UsableEvidence, NotUsableProof> {
  if (delivered.is !== 'yes') return notAsked('no event of this source is here to be looked at');
  const truth = scope.execution.receipt.finished;
  if (truth === undefined) return unknown('broken-off', 'no finished receipt to compare with');
  const [{ hit }] = delivered.evidence;
  const asked = askedOf(source, scope.expect.context);
  const { agreed, problems } = compareContext(hit, truth, asked, hostNames(scope));
  const found = nonEmpty(problems);
  return found === undefined
    ? { is: 'yes', evidence: [{ event: hit.id, agreed }] }
    : { is: 'no', proof: { event: hit.id, raw: hit.raw, problems: found } };
}

function hostNames({ plan, input }: Scope): readonly string[] {
  return input.hosts[plan.target] ?? [];
}

type Graded = AttributedEvidence &
  Omit<AlertedEvidence, 'alert'> & {
    readonly alert: string;
    readonly hit: AlertHit;
    readonly name: string;
    readonly raw: AlertHit['raw'];
  };

function gradeAlert(hit: AlertHit, scope: Scope): Graded {
  const expected = scope.expect.rules.includes(hit.rule.id);
  return {
    alert: hit.id,
    rule: hit.rule.id,
    grade: !expected ? 'other-rule' : hit.matched.by === 'marker' ? 'exact' : 'correlated',
    latencyMs: alertLatency(hit, scope),
    hit,
    name: hit.rule.name,
    raw: hit.raw,
  };
}

function alertedFact(
  alerts: readonly Graded[],
  events: readonly EventHit[],
  scope: Scope,
): Fact<AlertedEvidence, NotAlertedProof> {
  const { execution, expect, input } = scope;
  const { observation } = input;
  if (execution.outcome.kind !== 'finished') return notAsked('the behaviour did not run to its end');
  const expected = nonEmpty(
    alerts.filter(({ grade }) => grade !== 'other-rule').map(({ hit, latencyMs }) => ({ alert: hit, latencyMs })),
  );
  if (expected !== undefined) return { is: 'yes', evidence: expected };
  if (expect.rules.length === 0) return notAsked('no rule is expected to react');
  const wait = notYet(observation.alerts, scope);
  if (wait !== undefined) return { is: 'unknown', why: wait };
  const answer = nonEmpty([...observation.alerts.exchanges, ...observation.rules.exchanges]);
  if (answer === undefined) return unknown('protocol', 'the answer came without its exchange, so it proves nothing');
  return ruleProof(expect.rules, events, scope, answer);
}

/** No expected alert: is it proved that every expected rule ran over the event, or was off all the time? */
function ruleProof(
  rules: readonly string[],
  events: readonly EventHit[],
  scope: Scope,
  answer: NonEmpty<Observation['events']['exchanges'][number]>,
): Fact<AlertedEvidence, NotAlertedProof> {
  const { observation } = scope.input;
  if (!observation.rules.complete.yes) return { is: 'unknown', why: observation.rules.complete.because };
  const ingested = events.map((hit) => hit.ingested ?? hit.time);
  const healths: RuleHealth[] = [];
  for (const rule of rules) {
    const health = observation.rules.hits.find((candidate) => candidate.rule === rule);
    if (health === undefined) return unknown('rule-unknown', `the SIEM knows no rule ${rule}`);
    const trouble = ruleTrouble(health, ingested, scope);
    if (trouble !== undefined) return { is: 'unknown', why: trouble };
    healths.push(health);
  }
  const proved = nonEmpty(healths);
  if (proved === undefined) return notAsked('no rule is expected to react');
  const off = proved.every(({ enabled }) => enabled === 'none');
  return {
    is: 'no',
    proof: { kind: off ? 'rule-disabled' : 'rule-ran', rules: proved, answer, observedUntil: observation.until },
  };
}

function ruleTrouble(health: RuleHealth, ingested: readonly Instant[], scope: Scope): Reason | undefined {
  const { rule, enabled, ran, failures, suppression } = health;
  if (enabled === 'none') return undefined;
  if (enabled === 'part')
    return { class: 'rule-not-run', detail: `rule ${rule} was switched on or off during the run` };
  if (suppression !== undefined) return { class: 'suppressed', detail: `rule ${rule}: ${suppression}` };
  const { execution, expect, input } = scope;
  const siemClock = (at: Instant): Instant => shift(at, input.observation.clock?.offsetMs ?? 0);
  const from = siemClock(execution.startedAt);
  const to = siemClock(shift(execution.endedAt, expect.observeFor));
  const failure = failures.find(({ at }) => from <= at && at <= to);
  if (failure !== undefined)
    return { class: 'rule-failed', detail: `rule ${rule} failed at ${failure.at}: ${failure.error}` };
  const moments = ingested.length > 0 ? ingested : [from, siemClock(execution.endedAt)];
  const uncovered = moments.find((at) => !ran.some((span) => span.from <= at && at <= span.to));
  if (uncovered !== undefined)
    return { class: 'rule-not-run', detail: `rule ${rule} is not shown to have run over what came in at ${uncovered}` };
  return undefined;
}

function attributedFact(
  alerts: readonly Graded[],
  alerted: Fact<AlertedEvidence, NotAlertedProof>,
  { expect }: Scope,
): Facts['attributed'] {
  if (alerted.is !== 'yes') return notAsked('no expected alert');
  const expected = alerts
    .filter(({ grade }) => grade !== 'other-rule')
    .map(({ alert, rule, grade }) => ({ alert, rule, grade }));
  const counted = nonEmpty(expected.filter(({ grade }) => grade === 'exact' || expect.attribution === 'correlated'));
  if (counted !== undefined) return { is: 'yes', evidence: counted };
  const rest = nonEmpty(expected);
  return rest === undefined ? notAsked('no expected alert') : { is: 'no', proof: { alerts: rest } };
}

function inTimeFact(alerts: readonly Graded[], attributed: Facts['attributed'], scope: Scope): Facts['inTime'] {
  if (attributed.is !== 'yes') return notAsked('no attributed alert');
  const counted = new Set(
    attributed.evidence.filter(({ rule }) => !scope.harness.includes(rule)).map(({ alert }) => alert),
  );
  const first = alerts.find(({ alert }) => counted.has(alert));
  if (first === undefined) return notAsked('its only alert is by a rule that fires on the harness');
  const withinMs = scope.expect.alertWithin;
  const uncertaintyMs = Math.ceil(
    (scope.execution.clock?.uncertaintyMs ?? 0) + (scope.input.observation.clock?.uncertaintyMs ?? 0),
  );
  const raw = rawAlertLatency(first.hit, scope);
  if (raw < -uncertaintyMs - tick)
    return unknown(
      'clocks-disagree',
      `the alert is ${Math.abs(raw)} ms older than the execution, more than the clocks' uncertainty of ${uncertaintyMs} ms`,
    );
  const measured = { latencyMs: first.latencyMs, withinMs, uncertaintyMs };
  return first.latencyMs <= withinMs ? { is: 'yes', evidence: [measured] } : { is: 'no', proof: measured };
}

/** Times are kept in milliseconds, on both sides. */
const tick = 2;

/** When the behaviour started, on our clock: by the receipt and the host's offset, else by the command. */
function ranAt({ execution }: Scope): Instant {
  const told = execution.receipt.started?.time ?? execution.receipt.finished?.time;
  return told === undefined ? execution.startedAt : onOurClock(told, execution.clock);
}

function eventLatency(hit: EventHit, scope: Scope): DurationMs {
  const at =
    hit.ingested === undefined
      ? onOurClock(hit.time, scope.execution.clock)
      : onOurClock(hit.ingested, scope.input.observation.clock);
  return notNegative(elapsed(ranAt(scope), at));
}

function rawAlertLatency(hit: AlertHit, scope: Scope): number {
  return elapsed(ranAt(scope), onOurClock(hit.time, scope.input.observation.clock));
}

function alertLatency(hit: AlertHit, scope: Scope): DurationMs {
  return notNegative(rawAlertLatency(hit, scope));
}

/** A few milliseconds below zero are the clocks' uncertainty; more than that `inTimeFact` refuses to judge. */
function notNegative(ms: number): DurationMs {
  return duration(Math.max(0, ms));
}

function alertsReadFact(scope: Scope): Facts['alertsRead'] {
  const { alerts } = scope.input.observation;
  const wait = notYet(alerts, scope);
  if (wait !== undefined) return { is: 'unknown', why: wait };
  const exchanges = nonEmpty(alerts.exchanges);
  return exchanges === undefined
    ? unknown('protocol', 'the answer came without its exchange, so it proves nothing')
    : { is: 'yes', evidence: exchanges };
}
