import type { AttackFacts } from '../domain/attack.ts';
import type { EvidenceRef } from '../domain/evidence.ts';
import type { Facts } from '../domain/facts.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Plan, PlannedExecution, Sample } from '../domain/plan.ts';
import type { HostReached, Observation, RecordLine } from '../domain/record.ts';
import type { Assessment, ExecutionReport, RunReport } from '../domain/run-report.ts';
import type { Execution } from '../domain/execution.ts';
import { establish } from './establish.ts';
import { judge } from './judge.ts';
import { makeMatrix } from './matrix.ts';
import { neverAsked } from './observe.ts';
import { leftBehindOf, outcomeOf, resumptions, stateOf, wasInterrupted } from './outcome.ts';
import { plannedAgain } from './resume.ts';
import type { Executed } from './scope.ts';

export type ReportInput = {
  readonly plan: Plan;
  readonly inventory: Inventory;
  readonly attack: AttackFacts;
  readonly records: readonly RecordLine[];
  readonly head: { readonly lines: number; readonly headSha256: string };
  readonly planSha256: string;
  readonly toolVersion: string;
  readonly referenceRules: ReadonlySet<string>;
  /** Text of small evidence, for display. */
  readonly excerpt: (ref: EvidenceRef) => { readonly text: string; readonly cut: boolean } | undefined;
};

/** Plan and journal → the whole run as one document. Pure: an old run gives the same document again. */
export function makeReport(input: ReportInput): RunReport {
  const { plan, inventory, attack, records } = input;
  const opened = records.find((record) => record.type === 'run-opened');
  const last = records.at(-1);
  if (opened === undefined || last === undefined) throw new Error('the journal does not begin with run-opened');
  const executions = executionsOf(plan, records);
  const observations = latestObservations(records);
  const executed = executedOf(plan, records);
  const standIns = new Set(inventory.targets.flatMap(({ id, fidelity }) => (fidelity === 'stand-in' ? [id] : [])));
  const perSiem = inventory.siems.map(({ id }) => {
    // Without an answer everything is not run or inconclusive, never missed.
    const observation = observations.get(id) ?? neverAsked(id, last.time, `SIEM ${id} was not asked`);
    const hosts = namesIn(inventory, id);
    return { id, ...establish({ executed, observation, hosts, standIns }) };
  });
  const reports = executions.map((one): ExecutionReport => {
    const assessments = perSiem.flatMap(({ id, facts }) =>
      assess(one, id, facts.get(one.plan.id), input.referenceRules),
    );
    return { plan: one.plan, ...(one.execution === undefined ? {} : { execution: one.execution }), assessments };
  });
  const hosts = records.flatMap((record) => (record.type === 'host' ? [record.data] : []));
  const targets = inventory.targets.filter(
    ({ id }) =>
      plan.targets.some((planned) => planned.id === id) || plan.leftOut.some(({ what }) => what.split('/')[0] === id),
  );
  const leftBehind = leftBehindOf(plan, records);
  const state = stateOf(records);
  const { engagement } = inventory;
  return {
    schema: 'detproof/run/1',
    tool: { name: 'detproof', version: input.toolVersion },
    run: {
      id: plan.runId,
      startedAt: opened.time,
      endedAt: last.time,
      state,
      resumed: resumptions(records),
      operator: opened.data.operator,
      planSha256: input.planSha256,
      journal: input.head,
      ...(plan.sample === undefined ? {} : { sample: sampleOf(plan.sample) }),
    },
    engagement: {
      id: engagement.id,
      authorizedBy: engagement.authorizedBy,
      ...(engagement.changeTicket === undefined ? {} : { changeTicket: engagement.changeTicket }),
      contacts: engagement.contacts,
    },
    attack,
    siems: inventory.siems.map(({ id, kind }) => siemOf(id, kind, observations.get(id), records)),
    targets: targets.map((target) => {
      const seen = hosts.filter((host) => host.target === target.id);
      const clock = seen.find((host) => host.clock !== undefined)?.clock;
      const trouble = seen.at(-1)?.failure?.detail;
      const remarks = [...new Set(seen.flatMap((host) => host.remarks ?? []))];
      return {
        id: target.id,
        platform: target.platform,
        address: target.address,
        role: target.role,
        owner: target.owner,
        zone: target.zone,
        criticality: target.criticality,
        fidelity: target.fidelity,
        reached: seen.some((host: HostReached) => host.failure === undefined),
        ...(trouble === undefined ? {} : { trouble }),
        ...(clock === undefined ? {} : { clock }),
        ...(remarks.length === 0 ? {} : { remarks }),
      };
    }),
    executions: reports,
    matrix: makeMatrix(
      attack,
      inScope(plan, inventory, targets),
      inventory.siems.map(({ id }) => id),
      reports,
    ),
    harnessRules: Object.fromEntries(perSiem.map(({ id, harnessRules }) => [id, harnessRules])),
    leftOut: plan.leftOut,
    leftBehind,
    hostChecks: records.flatMap((record) => (record.type === 'host-check' ? [record.data] : [])),
    ...abortedOf(records),
    excerpts: excerptsOf(reports, observations, input.excerpt),
    outcome: outcomeOf(reports, leftBehind, wasInterrupted(records), standIns),
  };
}

function abortedOf(records: readonly RecordLine[]): Pick<RunReport, 'aborted'> {
  const record = records.findLast(({ type }) => type === 'aborted');
  return record?.type === 'aborted' ? { aborted: record.data.because } : {};
}

function sampleOf({ inScope, chosen, ...rest }: Sample): NonNullable<RunReport['run']['sample']> {
  return { ...rest, hostsInScope: inScope.length, hostsSampled: chosen.length };
}

/** Hosts that a sample passed over are in scope all the same: what is said of the others is not said of them. */
function inScope(plan: Plan, inventory: Inventory, targets: readonly Target[]): readonly Target[] {
  const passedOver = new Set(plan.sample?.inScope);
  for (const { id } of targets) passedOver.delete(id);
  return [...targets, ...inventory.targets.filter(({ id }) => passedOver.has(id))];
}

/** The planned executions, those that a resume added, and what is known of each. */
function executionsOf(
  plan: Plan,
  records: readonly RecordLine[],
): readonly { readonly plan: PlannedExecution; readonly execution?: Execution }[] {
  const byId = new Map<string, Execution>();
  for (const record of records) if (record.type === 'execution') byId.set(record.data.execution, record.data);
  const added = [...byId.keys()].flatMap((id) => {
    const again = plan.executions.some((planned) => planned.id === id) ? undefined : plannedAgain(plan, id);
    return again === undefined ? [] : [again];
  });
  return [...plan.executions, ...added].map((planned) => {
    const execution = byId.get(planned.id);
    return execution === undefined ? { plan: planned } : { plan: planned, execution };
  });
}

/** Executions that have a result. */
export function executedOf(plan: Plan, records: readonly RecordLine[]): readonly Executed[] {
  return executionsOf(plan, records).flatMap(({ plan: planned, execution }) =>
    execution === undefined ? [] : [{ plan: planned, execution }],
  );
}

export function namesIn(inventory: Inventory, siem: string): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(inventory.targets.map((target) => [target.id, target.names[siem] ?? []]));
}

/** What one SIEM showed of an execution; nothing when it never had its turn or expects nothing of this SIEM. */
function assess(
  { plan, execution }: { readonly plan: PlannedExecution; readonly execution?: Execution },
  siem: string,
  facts: Facts | undefined,
  referenceRules: ReadonlySet<string>,
): readonly Assessment[] {
  const expect = plan.expect.find((one) => one.siem === siem);
  if (expect === undefined || execution === undefined || facts === undefined) return [];
  const judgement = judge({ plan, expect, facts, at: execution.endedAt, referenceRules });
  const events = facts.sources.flatMap(({ delivered }) =>
    delivered.is === 'yes' ? [delivered.evidence[0].latencyMs] : [],
  );
  const alert =
    facts.inTime.is === 'yes' ? facts.inTime.evidence[0] : facts.inTime.is === 'no' ? facts.inTime.proof : undefined;
  const [event] = [...events].sort((a, b) => a - b);
  return [
    {
      ...judgement,
      siem,
      expect,
      facts,
      ...(event === undefined ? {} : { eventLatencyMs: event }),
      ...(alert === undefined ? {} : { alertLatencyMs: alert.latencyMs }),
    },
  ];
}

function latestObservations(records: readonly RecordLine[]): ReadonlyMap<string, Observation> {
  const latest = new Map<string, Observation>();
  for (const record of records) if (record.type === 'observation') latest.set(record.data.siem, record.data);
  return latest;
}

function siemOf(
  id: string,
  kind: string,
  observation: Observation | undefined,
  records: readonly RecordLine[],
): RunReport['siems'][number] {
  const failures = records.flatMap((record) =>
    record.type === 'poll' && record.data.siem === id && record.data.failure !== undefined ? [record.data.failure] : [],
  );
  const incomplete = [observation?.events, observation?.alerts, observation?.rules].find(
    (one) => one?.complete.yes === false,
  );
  const trouble =
    observation === undefined
      ? 'it was not asked'
      : incomplete?.complete.yes === false
        ? incomplete.complete.because.detail
        : failures.at(-1)?.detail;
  return {
    id,
    kind,
    // `files` reads what a SIEM wrote; whether an adapter was qualified on a site is not known to this version.
    qualified: false,
    polls: observation?.polls ?? 0,
    exchanges:
      observation === undefined
        ? []
        : [observation.events, observation.alerts, observation.rules].flatMap(({ exchanges }) => exchanges),
    ...(observation?.clock === undefined ? {} : { clock: observation.clock }),
    ...(observation === undefined ? {} : { observedFrom: observation.from, observedUntil: observation.until }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

/** Every piece of evidence that a fact, a command or a receipt refers to. */
function excerptsOf(
  reports: readonly ExecutionReport[],
  observations: ReadonlyMap<string, Observation>,
  excerpt: ReportInput['excerpt'],
): RunReport['excerpts'] {
  const found: Record<string, { text: string; cut: boolean }> = {};
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const entry of value) visit(entry);
    else if (typeof value === 'object' && value !== null) {
      const ref = value as Partial<EvidenceRef>;
      if (typeof ref.sha256 === 'string' && typeof ref.bytes === 'number' && typeof ref.mediaType === 'string') {
        if (found[ref.sha256] === undefined) {
          const text = excerpt(ref as EvidenceRef);
          if (text !== undefined) found[ref.sha256] = text;
        }
      } else for (const entry of Object.values(value)) visit(entry);
    }
  };
  visit(reports);
  for (const { events, alerts, rules } of observations.values())
    visit([events.exchanges, alerts.exchanges, rules.exchanges]);
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}
