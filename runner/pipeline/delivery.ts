import { askedOf, compareContext } from '../domain/context.ts';
import type { LogSourceRef } from '../domain/attack.ts';
import type { Execution } from '../domain/execution.ts';
import { type Fact, notAsked, unknown } from '../domain/fact.ts';
import type {
  ControlSeen,
  DeliveredEvidence,
  NotDeliveredProof,
  NotUsableProof,
  UsableEvidence,
} from '../domain/facts.ts';
import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { EventHit } from '../domain/siem.ts';
import { eventLatency } from './latency.ts';
import { hostNames, notYet, type Scope, type SeenControl } from './scope.ts';

/** So many other hosts are named as proof that a source arrives; more would only fill the record. */
const mostOthers = 3;

/** Is the event in the SIEM? Its absence is proved by controls of this source around it, or by other hosts' while this one is silent. */
export function deliveredFact(
  source: LogSourceRef,
  scope: Scope,
  asked: 'execution' | 'file' = 'execution',
): Fact<DeliveredEvidence, NotDeliveredProof> {
  const { plan, execution, lookup } = scope;
  const { observation } = lookup;
  if (execution.outcome.kind !== 'finished') return notAsked('the behaviour did not run to its end');
  const own = (lookup.events.get(execution.marker) ?? []).filter(
    (hit) => hit.source === source && (hit.matched.by === 'host-file-time') === (asked === 'file'),
  );
  const hits = nonEmpty(mostTellingFirst(own, scope).map((hit) => ({ hit, latencyMs: eventLatency(hit, scope) })));
  if (hits !== undefined) return { is: 'yes', evidence: hits };

  const wait = notYet(observation.events, scope);
  if (wait !== undefined) return { is: 'unknown', why: wait };
  const answer = nonEmpty(observation.events.exchanges);
  if (answer === undefined) return unknown('protocol', 'the answer came without its exchange, so it proves nothing');

  const misnamed = (lookup.elsewhere.events.get(execution.marker) ?? []).find(
    (hit) => hit.source === source && couldBeIts(hit, scope),
  );
  if (misnamed !== undefined)
    return unknown(
      'ambiguous',
      `an event with its marker says that it happened on ${misnamed.fields.host ?? ''}; if that is ${plan.target}, add the name to it in the inventory`,
    );

  const controls = (asked === 'file' ? lookup.fileControls : lookup.controls).get(source) ?? [];
  const { before, after } = bracket(
    controls.filter(
      ({ target, account, channel }) => target === plan.target && account === plan.account && channel === plan.channel,
    ),
    execution,
    plan.id,
  );
  const observedUntil = observation.until;
  if (before !== undefined && after !== undefined)
    return {
      is: 'no',
      proof: { kind: 'absent', controls: [asProof(before), asProof(after)], answer, observedUntil },
    };
  const others = othersAlive(controls, scope);
  if (others !== undefined && lookup.arrived.get(source)?.has(plan.target) !== true)
    return { is: 'no', proof: { kind: 'source-silent', others, answer, observedUntil } };
  if (before === undefined && after === undefined && onLoopbackOnly(scope))
    return unknown(
      'not-observable-on-loopback',
      'neither the connection nor those of the controls were seen, and all of them stay on loopback, which many sensors skip; name a sink in the engagement',
    );
  return unknown(
    'source-not-alive',
    before === undefined && after === undefined
      ? 'neither the control before nor the one after arrived, nor anything of this source from another host that would show the SIEM is receiving'
      : `the control ${before === undefined ? 'before' : 'after'} did not arrive, so the pipe was not shown open on both sides`,
  );
}

/** An event of another host is this execution's own under a wrong name, and not that of whoever sent it, when its process is. */
function couldBeIts({ pid, fields }: EventHit, { execution }: Scope): boolean {
  const truth = execution.receipt.finished;
  return (
    fields.process === undefined || fields.process === truth?.executable || (pid !== undefined && pid === truth?.pid)
  );
}

/** Is the creation of the dropped file in the SIEM? Any one of the named sources suffices; absence needs the proof of each. */
export function createdFact(scope: Scope): Fact<DeliveredEvidence, NotDeliveredProof> | undefined {
  const { file } = scope.expect;
  if (file === undefined) return undefined;
  if (scope.execution.outcome.kind === 'finished' && scope.execution.receipt.finished?.script === undefined)
    return notAsked('the receipt names no file, so there is none to look for');
  const facts = file.sources.map((source) => deliveredFact(source, scope, 'file'));
  return facts.find(({ is }) => is === 'yes') ?? facts.find(({ is }) => is === 'unknown') ?? facts[0];
}

/** Connections are what is asked about, and none of this execution's left the host. */
function onLoopbackOnly({ expect, execution }: Scope): boolean {
  const destinations = execution.receipt.finished?.destinations ?? [];
  return (
    expect.context.includes('destination') &&
    destinations.length > 0 &&
    destinations.every((destination) => /^(?:127\.|\[?::1\]?:|localhost:)/.test(destination))
  );
}

/** Are the fields that the scenario asks for filled in, and do they agree with the receipt? */
export function usableFact(
  source: LogSourceRef,
  delivered: Fact<DeliveredEvidence, NotDeliveredProof>,
  scope: Scope,
): Fact<UsableEvidence, NotUsableProof> {
  if (delivered.is !== 'yes') return notAsked('no event of this source is here to be looked at');
  const truth = scope.execution.receipt.finished;
  if (truth === undefined) return unknown('broken-off', 'no finished receipt to compare with');
  const [{ hit }] = delivered.evidence;
  const asked = askedOf(source, scope.expect.context);
  if (asked.length === 0 && scope.expect.context.length > 0)
    return unknown(
      'not-started',
      `${source} carries none of the context that the scenario asks for, so none was compared`,
    );
  const { agreed, problems } = compareContext(hit, truth, asked, hostNames(scope));
  const found = nonEmpty(problems);
  if (found === undefined) return { is: 'yes', evidence: [{ event: hit.id, agreed }] };
  // A better one may be in what was cut off, or still come.
  const wait = notYet(scope.lookup.observation.events, scope);
  return wait !== undefined
    ? { is: 'unknown', why: wait }
    : { is: 'no', proof: { event: hit.id, raw: hit.raw, problems: found } };
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

function asProof({ execution, phase, source, event, raw }: SeenControl): ControlSeen {
  return { execution, phase, source, event, raw };
}

/** Other hosts whose controls of the same source arrived before and after this execution: the SIEM is receiving. */
function othersAlive(
  controls: readonly SeenControl[],
  { plan, execution, lookup }: Scope,
): NonEmpty<ControlSeen> | undefined {
  const byTarget = Map.groupBy(controls, ({ target }) => target);
  const alive: ControlSeen[] = [];
  for (const [target, own] of [...byTarget].sort(([a], [b]) => (a < b ? -1 : 1))) {
    // A stand-in's events come by a way of their own.
    if (target === plan.target || lookup.standIns.has(target) !== lookup.standIns.has(plan.target)) continue;
    const { before, after } = bracket(own, execution, plan.id);
    if (before !== undefined && after !== undefined) alive.push(asProof(before), asProof(after));
    if (alive.length >= 2 * mostOthers) break;
  }
  return nonEmpty(alive);
}

/**
 * The event of the payload's own process first, then the one that agrees most with the receipt: another event of the execution
 * (its shell's, a child's) must not stand in for a thin one.
 */
function mostTellingFirst(events: readonly EventHit[], scope: Scope): readonly EventHit[] {
  const truth = scope.execution.receipt.finished;
  const weight = (hit: EventHit): number => {
    if (truth === undefined) return 0;
    const { agreed, problems } = compareContext(hit, truth, scope.expect.context, hostNames(scope));
    return (
      (hit.pid === truth.pid ? 1_000 : 0) +
      (hit.fields.process === truth.executable ? 200 : 0) +
      (hit.matched.by === 'marker' ? 50 : 0) +
      agreed.length -
      problems.filter(({ problem }) => problem === 'contradicts').length
    );
  };
  return events
    .map((hit) => ({ hit, weight: weight(hit) }))
    .sort((a, b) => b.weight - a.weight || a.hit.time.localeCompare(b.hit.time) || a.hit.id.localeCompare(b.hit.id))
    .map(({ hit }) => hit);
}
