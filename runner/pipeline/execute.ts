import type { Execution } from '../domain/execution.ts';
import type { Reason } from '../domain/fact.ts';
import type { Target } from '../domain/inventory.ts';
import { phases, type Plan, type PlannedExecution } from '../domain/plan.ts';
import type { OnProgress } from '../domain/progress.ts';
import type { RunState } from '../domain/record.ts';
import type { Transport } from '../ports.ts';
import type { ExecuteDeps, Where } from './execute-deps.ts';
import { executeOne } from './execute-one.ts';
import { Host } from './host.ts';
import { checkAfter, hasWorsened } from './host-checks.ts';
import { allEnded, limited } from './limit.ts';
import { Pace } from './pace.ts';
import { reach, type Reached } from './reach.ts';
import type { Executed } from './scope.ts';
import { isTooMuch, thresholdText, wavesOf } from './waves.ts';

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
  /** Why an earlier process of this run started no further wave: then nothing else is run either. */
  readonly aborted?: string;
};

/**
 * Runs a plan: hosts in waves under the inventory's caps; in a wave each phase ends on all hosts before the next begins, so
 * that twins never overlap emulations. After a halt the remaining executions are left as they are, not run; after a wave with more
 * failed hosts than the inventory puts up with, they are recorded as not run.
 */
export async function execute(request: ExecuteRequest): Promise<{ executed: readonly Executed[]; state: RunState }> {
  const { plan, deps, progress } = request;
  const open = plan.executions.filter(({ id }) => !request.done.has(id));
  const byTarget = Map.groupBy(open, ({ target }) => target);
  const executed: Executed[] = [];
  const targets = plan.targets.flatMap(({ id }) => deps.inventory.targets.find((known) => known.id === id) ?? []);
  const all = wavesOf(
    deps.inventory,
    targets.filter(({ id }) => byTarget.has(id)),
  );
  const isHalted = (): boolean => request.halt.aborted;
  let aborted = request.aborted;
  for (const [index, wave] of all.entries()) {
    if (isHalted() || aborted !== undefined) break;
    progress({ kind: 'wave', number: index + 1, of: all.length, targets: wave.map(({ id }) => id) });
    const { results, failed } = await runWave(
      request,
      wave,
      wave.flatMap(({ id }) => byTarget.get(id) ?? []),
    );
    executed.push(...results);
    const { abortAfter } = deps.inventory.waves ?? {};
    if (isHalted() || index + 1 === all.length || abortAfter === undefined) continue;
    if (!isTooMuch(abortAfter, failed.length, wave.length)) continue;
    aborted = `${failed.length} of the ${wave.length} hosts of wave ${index + 1} failed (${failed.join(', ')}), more than ${thresholdText(abortAfter)}: no further wave was started`;
    await deps.journal.append({ type: 'aborted', data: { wave: index + 1, failed, because: aborted } });
    progress({ kind: 'stopping', because: aborted });
  }
  if (aborted !== undefined) {
    const started = new Set(executed.map(({ plan: { id } }) => id));
    for (const rest of open)
      if (!started.has(rest.id) && !request.interrupt.aborted)
        executed.push({
          plan: rest,
          execution: await notRun(request, rest, { class: 'too-many-failures', detail: aborted }),
        });
  }
  const stopped = isHalted() || aborted !== undefined;
  const state = request.interrupt.aborted ? 'interrupted' : stopped ? 'stopped' : 'complete';
  await deps.journal.append({ type: 'executed', data: { state } });
  return { executed, state };
}

/** `failed`: ids of the hosts that count towards the threshold of the inventory. */
type WaveResult = { readonly results: readonly Executed[]; readonly failed: readonly string[] };

async function runWave(
  request: ExecuteRequest,
  wave: readonly Target[],
  open: readonly PlannedExecution[],
): Promise<WaveResult> {
  const results: Executed[] = [];
  const hosts: Host[] = [];
  const reached = new Map<string, Reached>();
  const login = ({ target, account }: { target: string; account: string }): string => `${target} ${account}`;
  const workOn = workers(request, wave);
  try {
    await allEnded(
      wave.flatMap((target) => {
        const own = open.filter((one) => one.target === target.id);
        return [...new Set(own.map(({ account }) => account))].map(async (account) => {
          const host = new Host(request.transports(target));
          hosts.push(host);
          const ofAccount = own.filter((one) => one.account === account);
          reached.set(login({ target: target.id, account }), await reach(request, host, target, account, ofAccount));
        });
      }),
    );
    for (const phase of phases) {
      const due = open.filter((one) => one.phase === phase);
      if (due.length === 0 || request.halt.aborted) continue;
      request.progress({ kind: 'phase', phase, executions: due.length });
      await allEnded(
        wave.map((target) =>
          workOn(
            target,
            due.filter((one) => one.target === target.id),
            async (plan) => {
              const where = reached.get(login(plan))?.where;
              if (request.halt.aborted || where === undefined) return;
              results.push({ plan, execution: await runOne(request, plan, where) });
            },
          ),
        ),
      );
    }
  } finally {
    await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
  }
  const failed = await allEnded(
    wave.map(async (target) => {
      const own = [...reached].flatMap(([name, one]) => (name.startsWith(`${target.id} `) ? [one] : []));
      const left = results.some(
        ({ plan, execution }) => plan.target === target.id && execution.cleanup.leftBehind.length > 0,
      );
      const worse = await afterwards(request, target, own);
      return worse || left || own.some(({ where, check }) => 'class' in where && check !== undefined);
    }),
  );
  return { results, failed: wave.flatMap(({ id }, index) => (failed[index] === true ? [id] : [])) };
}

type Work = (
  target: Target,
  due: readonly PlannedExecution[],
  work: (plan: PlannedExecution) => Promise<void>,
) => Promise<void>;

/** Works off what is due on a host: as many at a time as it allows, and at the inventory's pace where it has one. */
function workers({ deps, halt }: ExecuteRequest, wave: readonly Target[]): Work {
  const { pace } = deps.inventory;
  if (pace === undefined) return (target, due, work) => limited(target.parallel, due, work);
  const paces = new Map(wave.map(({ id }) => [id, new Pace(pace.perRuleAndHost, deps.clock)]));
  return async (target, due, work) => paces.get(target.id)?.through(target.parallel, due, work, halt);
}

/** The check after a host's part, by the first of its accounts that was reached. Is the host worse off than before? */
async function afterwards(request: ExecuteRequest, target: Target, own: readonly Reached[]): Promise<boolean> {
  const { deps, interrupt } = request;
  const [first] = own.flatMap(({ where, check }) =>
    'class' in where || check === undefined ? [] : [{ where, check }],
  );
  if (first === undefined || interrupt.aborted) return false;
  const check = await checkAfter(target, first.check, {
    host: first.where.host,
    inventory: deps.inventory,
    transport: request.transports(target),
    now: () => deps.clock.now(),
    signal: interrupt,
  });
  await deps.journal.append({ type: 'host-check', data: check });
  request.progress({ kind: 'check', check });
  return hasWorsened(first.check, check);
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
