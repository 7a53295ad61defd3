import { authorize } from '../domain/authorize.ts';
import type { Execution } from '../domain/execution.ts';
import type { Reason } from '../domain/fact.ts';
import type { Target } from '../domain/inventory.ts';
import { phases, type Plan, type PlannedExecution } from '../domain/plan.ts';
import type { OnProgress } from '../domain/progress.ts';
import type { RunState } from '../domain/record.ts';
import { duration } from '../domain/time.ts';
import { type Transport, TransportFailure } from '../ports.ts';
import { dialectOf } from './dialect.ts';
import type { ExecuteDeps, Where } from './execute-deps.ts';
import { executeOne } from './execute-one.ts';
import { failureReason, Host } from './host.ts';
import { allEnded, inTurn, limited } from './limit.ts';
import { fixedParents } from './parents.ts';
import type { Executed } from './scope.ts';

export type ExecuteRequest = {
  readonly plan: Plan;
  /** Ids that an earlier process of this run has dealt with: never run again. */
  readonly done: ReadonlySet<string>;
  readonly transports: (target: Target) => Transport;
  readonly deps: ExecuteDeps;
  /** Fires on an interrupt: running commands are ended. */
  readonly interrupt: AbortSignal;
  /** Fires on a stop (and on an interrupt): no further execution starts. */
  readonly halt: AbortSignal;
  readonly progress: OnProgress;
};

/**
 * Runs a plan: hosts in waves under the inventory's caps; in a wave each phase ends on all hosts before the next begins, so
 * that twins never overlap emulations. After a halt the remaining executions are left as they are, not run.
 */
export async function execute(request: ExecuteRequest): Promise<{ executed: readonly Executed[]; state: RunState }> {
  const open = request.plan.executions.filter(({ id }) => !request.done.has(id));
  const executed: Executed[] = [];
  const all = waves(request, open);
  for (const [index, wave] of all.entries()) {
    if (request.halt.aborted) break;
    request.progress({ kind: 'wave', number: index + 1, of: all.length, targets: wave.map(({ id }) => id) });
    executed.push(...(await runWave(request, wave, open)));
  }
  const state = request.interrupt.aborted ? 'interrupted' : request.halt.aborted ? 'stopped' : 'complete';
  await request.deps.journal.append({ type: 'executed', data: { state } });
  return { executed, state };
}

/** Targets with something to do, in groups that keep to `limits.hosts` at a time and `limits.perZone` of a zone. */
function waves({ plan, deps }: ExecuteRequest, open: readonly PlannedExecution[]): readonly (readonly Target[])[] {
  const { limits, targets } = deps.inventory;
  const groups: Target[][] = [];
  for (const { id } of plan.targets) {
    const target = targets.find((known) => known.id === id);
    if (target === undefined || !open.some((execution) => execution.target === id)) continue;
    const group = groups.find(
      (members) =>
        members.length < limits.hosts && members.filter(({ zone }) => zone === target.zone).length < limits.perZone,
    );
    if (group === undefined) groups.push([target]);
    else group.push(target);
  }
  return groups;
}

async function runWave(
  request: ExecuteRequest,
  wave: readonly Target[],
  open: readonly PlannedExecution[],
): Promise<readonly Executed[]> {
  const executed: Executed[] = [];
  const hosts: Host[] = [];
  const reached = new Map<string, Where | Reason>();
  const login = ({ target, account }: { target: string; account: string }): string => `${target} ${account}`;
  try {
    await allEnded(
      wave.flatMap((target) => {
        const accounts = [...new Set(open.filter((one) => one.target === target.id).map(({ account }) => account))];
        return accounts.map(async (account) => {
          const host = new Host(request.transports(target));
          hosts.push(host);
          reached.set(login({ target: target.id, account }), await reach(request, host, target, account, open));
        });
      }),
    );
    for (const phase of phases) {
      const due = open.filter((one) => one.phase === phase && wave.some(({ id }) => id === one.target));
      if (due.length === 0 || request.halt.aborted) continue;
      request.progress({ kind: 'phase', phase, executions: due.length });
      await allEnded(
        wave.map((target) =>
          limited(
            target.parallel,
            due.filter((one) => one.target === target.id),
            async (plan) => {
              const where = reached.get(login(plan));
              if (request.halt.aborted || where === undefined) return;
              executed.push({ plan, execution: await runOne(request, plan, where) });
            },
          ),
        ),
      );
    }
  } finally {
    await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
  }
  return executed;
}

async function runOne(request: ExecuteRequest, plan: PlannedExecution, where: Where | Reason): Promise<Execution> {
  request.progress({ kind: 'started', plan });
  const execution =
    'class' in where
      ? await notRun(request, plan, where)
      : await executeOne(plan, where, request.deps, request.interrupt);
  request.progress({ kind: 'ended', plan, execution });
  return execution;
}

/** First touch of an account on a host. What goes wrong is a value: the other hosts go on. */
async function reach(
  request: ExecuteRequest,
  host: Host,
  target: Target,
  account: string,
  open: readonly PlannedExecution[],
): Promise<Where | Reason> {
  const { deps, progress } = request;
  const own = open.filter((one) => one.target === target.id && one.account === account);
  const allowed = authorize(deps.inventory, target, account, deps.clock.now(), duration(0));
  const told = async (rest: { failure: Reason } | { clock?: Where['probe']['clock'] }): Promise<void> => {
    const { clock, failure } = { clock: undefined, failure: undefined, ...rest };
    const data = {
      target: target.id,
      account,
      ...(clock === undefined ? {} : { clock }),
      ...(failure === undefined ? {} : { failure }),
    };
    await deps.journal.append({ type: 'host', data });
    progress({ kind: 'host', host: data });
  };
  if (allowed.is === 'refused') {
    await told({ failure: allowed.why });
    return allowed.why;
  }
  // The first record that names a host is on disk before the host is touched.
  await deps.journal.append({ type: 'reaching', data: { target: target.id, account } });
  try {
    const folders = fixedParents(
      own.flatMap(({ creates }) => creates),
      dialectOf(target.platform),
    );
    const probe = await host.probe(allowed.target, folders, request.interrupt);
    await told(probe.clock === undefined ? {} : { clock: probe.clock });
    const home = probe.home;
    const absent = new Set([...probe.absent].map((path) => path.replace(/^~/, () => home)));
    return { target, host, probe: { ...probe, absent }, schedule: inTurn() };
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    const failure = failureReason(error);
    await told({ failure });
    return failure;
  }
}

async function notRun({ deps }: ExecuteRequest, plan: PlannedExecution, why: Reason): Promise<Execution> {
  const now = deps.clock.now();
  const execution: Execution = {
    execution: plan.id,
    marker: deps.random.name(24),
    run: deps.random.name(12),
    startedAt: now,
    endedAt: now,
    outcome: { kind: 'not-run', why },
    commands: [],
    receipt: {},
    cleanup: { done: [], leftBehind: [] },
  };
  await deps.journal.append({ type: 'execution', data: execution });
  return execution;
}
