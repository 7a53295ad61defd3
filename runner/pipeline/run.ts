import { authorizeCleanup } from '../domain/authorize.ts';
import type { AttackFacts } from '../domain/attack.ts';
import type { CleanupResult, CleanupStep, Intent } from '../domain/execution.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Plan } from '../domain/plan.ts';
import type { OnProgress } from '../domain/progress.ts';
import type { Assessment, RunReport } from '../domain/run-report.ts';
import type { Judgement } from '../domain/verdict.ts';
import {
  type Clock,
  type KeptRun,
  type OpenRun,
  type OutputFile,
  type Random,
  type Reporter,
  type SiemAdapter,
  type Transport,
} from '../ports.ts';
import { undo, undoUnderWay } from './clean-up.ts';
import { execute } from './execute.ts';
import { Host } from './host.ts';
import type { Payloads } from './invocation.ts';
import { observe } from './observe.ts';
import { allEnded } from './limit.ts';
import { executedOf, makeReport, namesIn } from './report.ts';
import { remaining, stepsOf, unfinished, whereOf } from './resume.ts';

/** Everything that a run needs of the outside, for one run folder. */
export type Conductor = {
  readonly run: OpenRun;
  readonly inventory: Inventory;
  readonly attack: AttackFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly payloads: Payloads;
  readonly operator: string;
  readonly toolVersion: string;
  readonly referenceRules: ReadonlySet<string>;
  readonly transports: (target: Target) => Transport;
  readonly siems: ReadonlyMap<string, SiemAdapter>;
  readonly reporters: readonly Reporter[];
  readonly progress: OnProgress;
  /** Fires on an interrupt: running commands are ended, clean-up follows. */
  readonly interrupt: AbortSignal;
  /** Fires on a stop and on an interrupt: nothing further starts. */
  readonly halt: AbortSignal;
};

/** Writes plan and first record: from here on the run can be resumed. */
export async function begin({ run, operator, toolVersion }: Opener, plan: Plan): Promise<void> {
  const planSha256 = await run.keepPlan(plan);
  const data = { runId: plan.runId, planSha256, tool: `detproof ${toolVersion}`, operator };
  await run.journal.append({ type: 'run-opened', data });
}

/** Takes up a kept run; one that died between its plan and its first record is opened now. */
export async function takeUp({ run, operator, toolVersion }: Opener, plan: Plan, kept: KeptRun): Promise<void> {
  if (!kept.records.some(({ type }) => type === 'run-opened')) {
    const data = { runId: plan.runId, planSha256: kept.planSha256, tool: `detproof ${toolVersion}`, operator };
    await run.journal.append({ type: 'run-opened', data });
  }
  const data = { operator, ...(run.setAside === undefined ? {} : { setAside: run.setAside }) };
  await run.journal.append({ type: 'run-resumed', data });
}

type Opener = Pick<Conductor, 'run' | 'operator' | 'toolVersion'>;

/** Touches the targets: what an earlier process broke off is cleaned up first, then what is left of the plan is executed. */
export async function carryOut(conductor: Conductor, plan: Plan): Promise<void> {
  const { run } = conductor;
  await cleanUpLeftovers(conductor, plan);
  const { records } = await run.read();
  const resumption = records.filter(({ type }) => type === 'run-resumed').length;
  const open = unfinished(records);
  if (open.executed) return;
  const aborted = records.findLast((record) => record.type === 'aborted')?.data.because;
  await execute({
    ...conductor,
    plan: { ...plan, executions: remaining(plan, open.done, resumption) },
    done: new Set(),
    ...(aborted === undefined ? {} : { aborted }),
    deps: { ...conductor, journal: run.journal, evidence: run.evidence },
  });
}

/** Cleans up what was broken off, and tries again to remove what earlier clean-ups left behind. Runs nothing. */
export async function cleanUpLeftovers(conductor: Conductor, plan: Plan): Promise<void> {
  const { records } = await conductor.run.read();
  const { brokenOff, leftBehind } = unfinished(records);
  for (const intent of brokenOff) await recordBrokenOff(conductor, plan, intent);
  for (const { intent, steps } of leftBehind) {
    const result = await cleanUpOne(conductor, plan, intent, steps);
    await conductor.run.journal.append({ type: 'clean-up', data: { execution: intent.execution, result } });
  }
}

/** An intent without a result: the process died in between. It is cleaned up, and recorded as broken off; never run again. */
async function recordBrokenOff(conductor: Conductor, plan: Plan, intent: Intent): Promise<void> {
  const cleanup = await cleanUpOne(conductor, plan, intent, stepsOf(intent), undoUnderWay);
  await conductor.run.journal.append({
    type: 'execution',
    data: {
      execution: intent.execution,
      marker: intent.marker,
      run: intent.run,
      startedAt: intent.at,
      endedAt: conductor.clock.now(),
      outcome: { kind: 'broken-off', why: { class: 'broken-off', detail: 'detproof ended before this execution did' } },
      commands: [],
      receipt: {},
      cleanup,
    },
  });
}

async function cleanUpOne(
  conductor: Conductor,
  plan: Plan,
  intent: Intent,
  steps: readonly CleanupStep[],
  undoing = undo,
): Promise<CleanupResult> {
  const where = whereOf(plan, intent.execution);
  const target = conductor.inventory.targets.find(({ id }) => id === where?.target);
  if (where === undefined || target === undefined)
    throw new Error(`${intent.execution} is of a target that the inventory no longer has; put it back to clean up`);
  const allowed = authorizeCleanup(conductor.inventory, target, where.account, conductor.clock.now());
  if (allowed.is === 'refused') throw new Error(`clean-up of ${intent.execution} is refused: ${allowed.why.detail}`);
  await using host = new Host(conductor.transports(target));
  return await undoing(host, allowed.target, steps);
}

/** Asks every SIEM of the inventory, side by side. */
export async function watch(conductor: Conductor, plan: Plan): Promise<void> {
  const { run, inventory, siems, clock, progress, interrupt } = conductor;
  const { records } = await run.read();
  const executed = executedOf(plan, records);
  await allEnded(
    [...siems].map(([siem, adapter]) =>
      observe({
        siem,
        adapter,
        executed,
        hosts: namesIn(inventory, siem),
        journal: run.journal,
        clock,
        signal: interrupt,
        progress,
      }),
    ),
  );
}

/** Establishes, judges and records: facts and verdicts go into the journal, the document and the reports beside it. */
export async function conclude(conductor: Conductor, plan: Plan): Promise<RunReport> {
  const { run, reporters } = conductor;
  const before = report(conductor, plan, await run.read());
  for (const { plan: planned, assessments } of before.executions)
    for (const assessment of assessments) {
      const of = { execution: planned.id, siem: assessment.siem };
      await run.journal.append({ type: 'facts', data: { ...of, facts: assessment.facts } });
      await run.journal.append({ type: 'verdict', data: { ...of, ...judgementOf(assessment) } });
    }
  const data = conductor.interrupt.aborted
    ? ({ state: 'interrupted', exitCode: 130 } as const)
    : { state: before.run.state, exitCode: before.outcome.exitCode };
  await run.journal.append({ type: 'run-closed', data });
  const whole = report(conductor, plan, await run.read());
  await run.keepReport(whole, rendered(reporters, whole));
  return whole;
}

function judgementOf({ verdict, brokeAt, sentence, why, score, byReferenceRule, notes }: Assessment): Judgement {
  const more = { ...(brokeAt === undefined ? {} : { brokeAt }), ...(why === undefined ? {} : { why }) };
  return { verdict, sentence, score, byReferenceRule, notes, ...more };
}

function report(
  conductor: Pick<Conductor, 'inventory' | 'attack' | 'toolVersion' | 'referenceRules'>,
  plan: Plan,
  kept: KeptRun,
): RunReport {
  return makeReport({
    ...conductor,
    plan,
    records: kept.records,
    head: kept.head,
    planSha256: kept.planSha256,
    excerpt: (ref) => kept.excerpt(ref),
  });
}

export function rendered(reporters: readonly Reporter[], run: RunReport): readonly OutputFile[] {
  return reporters.flatMap((reporter) => reporter.render(run));
}
