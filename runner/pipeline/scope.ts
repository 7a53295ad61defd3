import type { LogSourceRef } from '../domain/attack.ts';
import type { Execution, Marker } from '../domain/execution.ts';
import type { Reason } from '../domain/fact.ts';
import type { ControlSeen } from '../domain/facts.ts';
import type { PlannedExecution, SiemExpectation } from '../domain/plan.ts';
import type { Observation } from '../domain/record.ts';
import type { AlertHit, EventHit, UntiedAlert } from '../domain/siem.ts';
import { type Instant, shift } from '../domain/time.ts';

/** An event belongs to an execution up to so much before and after it. */
export const eventSlackMs = 2_000;

export type Executed = { readonly plan: PlannedExecution; readonly execution: Execution };

export type EstablishInput = {
  readonly executed: readonly Executed[];
  readonly observation: Observation;
  /** Per target: the names under which this SIEM knows it. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  /** Ids of targets that imitate a platform: what happens there says nothing of real hosts. */
  readonly standIns: ReadonlySet<string>;
};

export type SeenControl = ControlSeen & {
  /** What the event shows: the execution itself, or the creation of its file. */
  readonly asked: 'execution' | 'file';
  readonly target: string;
  readonly account: string;
  readonly channel: string;
  readonly from: Instant;
  readonly to: Instant;
};

/** What one SIEM said of a whole run, laid out for looking things up: a run can have 100,000 executions. */
export type Lookup = {
  readonly observation: Observation;
  readonly hosts: EstablishInput['hosts'];
  readonly standIns: EstablishInput['standIns'];
  /** Finished controls by {@link placeOf}. */
  readonly controlsOf: ReadonlyMap<string, readonly Executed[]>;
  readonly asked: ReadonlySet<Marker>;
  readonly events: ReadonlyMap<Marker, readonly EventHit[]>;
  readonly alerts: ReadonlyMap<Marker, readonly AlertHit[]>;
  /**
   * What bears a marker and by its own word happened on another host than the marker's: the machine that detproof runs on logs its
   * command lines too, and a host may have a name that the inventory does not know.
   */
  readonly elsewhere: {
    readonly events: ReadonlyMap<Marker, readonly EventHit[]>;
    readonly alerts: ReadonlyMap<Marker, readonly AlertHit[]>;
  };
  /** By rule: alerts that are tied to no execution. */
  readonly untied: ReadonlyMap<string, readonly UntiedAlert[]>;
  readonly controls: ReadonlyMap<LogSourceRef, readonly SeenControl[]>;
  /** Controls whose own file was seen to be created. */
  readonly fileControls: ReadonlyMap<LogSourceRef, readonly SeenControl[]>;
  /** Per log source: the targets of which anything at all arrived, for whichever execution. */
  readonly arrived: ReadonlyMap<LogSourceRef, ReadonlySet<string>>;
  /** Rules whose alerts are tied to a control: they fire on the harness itself. By {@link kindOfHost}. */
  readonly harness: ReadonlyMap<string, ReadonlySet<string>>;
};

/** All that the facts of one execution are established from. */
export type Scope = Executed & { readonly expect: SiemExpectation; readonly lookup: Lookup };

export function lookupOf({ executed, observation, hosts, standIns }: EstablishInput): Lookup {
  const namesOf = new Map(executed.map(({ plan, execution }) => [execution.marker, hosts[plan.target] ?? []]));
  const isHere = (marker: Marker, host: string | undefined): boolean => isNamed(host, namesOf.get(marker) ?? []);
  const [events, eventsElsewhere] = byPlace(observation.events.hits, ({ marker, fields }) =>
    isHere(marker, fields.host),
  );
  const [alerts, alertsElsewhere] = byPlace(observation.alerts.hits, ({ marker, host }) => isHere(marker, host));
  const seen = executed.flatMap((one) => seenControls(one, observation.siem, events));
  const arrived = new Map<LogSourceRef, Set<string>>();
  for (const { plan, execution } of executed)
    for (const { source } of events.get(execution.marker) ?? [])
      arrived.set(source, (arrived.get(source) ?? new Set()).add(plan.target));
  return {
    observation,
    hosts,
    standIns,
    controlsOf: Map.groupBy(
      executed.filter(({ plan, execution }) => plan.purpose === 'control' && execution.outcome.kind === 'finished'),
      placeOf,
    ),
    elsewhere: { events: eventsElsewhere, alerts: alertsElsewhere },
    asked: new Set(observation.asked),
    events,
    alerts,
    untied: Map.groupBy(observation.alerts.untied ?? [], ({ rule }) => rule.id),
    controls: Map.groupBy(
      seen.filter(({ asked }) => asked === 'execution'),
      ({ source }) => source,
    ),
    fileControls: Map.groupBy(
      seen.filter(({ asked }) => asked === 'file'),
      ({ source }) => source,
    ),
    arrived,
    harness: harnessRules(executed, standIns, alerts, alertsElsewhere),
  };
}

function harnessRules(
  executed: readonly Executed[],
  standIns: EstablishInput['standIns'],
  ...alerts: readonly Lookup['alerts'][]
): Lookup['harness'] {
  const found = new Map<string, Set<string>>();
  for (const { plan, execution } of executed.filter((one) => one.plan.purpose === 'control')) {
    const kind = kindOfHost(plan, standIns);
    const rules = alerts.flatMap((some) => (some.get(execution.marker) ?? []).map(({ rule }) => rule.id));
    found.set(kind, new Set([...(found.get(kind) ?? []), ...rules]));
  }
  return found;
}

/** Hosts of which one may speak for another: of one platform, and as real as each other. */
function kindOfHost({ analytic, target }: PlannedExecution, standIns: ReadonlySet<string>): string {
  return `${analytic}${standIns.has(target) ? ' stand-in' : ''}`;
}

/** Does the rule fire on the harness itself, on hosts of this kind? */
export function firesOnHarness(rule: string, { plan, lookup }: Pick<Scope, 'plan' | 'lookup'>): boolean {
  return lookup.harness.get(kindOfHost(plan, lookup.standIns))?.has(rule) === true;
}

/** What a control must share with an execution to speak for it. */
export function placeOf({ plan: { target, account, channel } }: Pick<Executed, 'plan'>): string {
  return JSON.stringify([target, account, channel]);
}

/** Is this one of the names of a host? What names no host is taken for this one's. */
export function isNamed(host: string | undefined, names: readonly string[]): boolean {
  const said = (host ?? '').trim().toLowerCase();
  return said === '' || names.some((name) => name.toLowerCase() === said);
}

function byPlace<H extends { readonly marker: Marker }>(
  hits: readonly H[],
  isHere: (hit: H) => boolean,
): readonly [Map<Marker, H[]>, Map<Marker, H[]>] {
  const of = ({ marker }: H): Marker => marker;
  return [
    Map.groupBy(hits.filter(isHere), of),
    Map.groupBy(
      hits.filter((hit) => !isHere(hit)),
      of,
    ),
  ];
}

/** A control shows its source alive by its own marker or its own file only, and only when it ran to its end. */
function seenControls({ plan, execution }: Executed, siem: string, events: Lookup['events']): readonly SeenControl[] {
  if (plan.purpose !== 'control' || execution.outcome.kind !== 'finished') return [];
  const own = plan.expect.filter((expect) => expect.siem === siem);
  const sources = new Set(own.flatMap((expect) => expect.sources));
  const fileSources = new Set(own.flatMap(({ file }) => file?.sources ?? []));
  return (events.get(execution.marker) ?? [])
    .filter(
      ({ matched, source }) =>
        (matched.by === 'marker' && sources.has(source)) ||
        (matched.by === 'host-file-time' && fileSources.has(source)),
    )
    .map(({ source, id, raw, matched }) => ({
      asked: matched.by === 'marker' ? 'execution' : 'file',
      execution: plan.id,
      phase: plan.phase === 'control-before' ? 'control-before' : 'control-after',
      source,
      event: id,
      raw,
      target: plan.target,
      account: plan.account,
      channel: plan.channel,
      from: execution.startedAt,
      to: execution.endedAt,
    }));
}

export function hostNames({ plan, lookup }: Pick<Scope, 'plan' | 'lookup'>): readonly string[] {
  return lookup.hosts[plan.target] ?? [];
}

/** Why the absence of hits proves nothing yet: not asked about, an incomplete answer, or `observeFor` not over. */
export function notYet(
  answer: { readonly complete: Observation['events']['complete'] },
  scope: Scope,
): Reason | undefined {
  const { execution, expect, plan, lookup } = scope;
  if (!lookup.asked.has(execution.marker))
    return {
      class: 'still-waiting',
      detail: `SIEM ${expect.siem} was not asked about it: it was run after the asking, or the inventory does not say under which names ${expect.siem} knows ${plan.target}`,
    };
  if (!answer.complete.yes) return answer.complete.because;
  const due = shift(execution.endedAt, expect.observeFor);
  const { until } = lookup.observation;
  return until < due
    ? { class: 'still-waiting', detail: `asked until ${until}, and it may come until ${due}` }
    : undefined;
}
