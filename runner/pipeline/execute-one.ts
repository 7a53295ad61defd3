import { authorize } from '../domain/authorize.ts';
import type { CleanupResult, Execution, ExecutionOutcome } from '../domain/execution.ts';
import type { PlannedExecution } from '../domain/plan.ts';
import { duration } from '../domain/time.ts';
import { Body } from './body.ts';
import type { ExecuteDeps, Minted, Where } from './execute-deps.ts';
import { longestMs, overheadMs } from './needs.ts';

const nothing: CleanupResult = { done: [], leftBehind: [] };

/**
 * One execution from intent to clean-up. Never throws for what the target does: every end is an {@link Execution}, which is in
 * the journal when this returns. Throws when the journal or the evidence store cannot be written; then too the target has been
 * tidied, and that is recorded if anything can be.
 */
export async function executeOne(
  plan: PlannedExecution,
  where: Where,
  deps: ExecuteDeps,
  signal: AbortSignal,
): Promise<Execution> {
  const minted: Minted = { marker: deps.random.name(24), run: deps.random.name(12), at: deps.clock.now() };
  const finish = async (rest: Pick<Execution, 'outcome' | 'commands' | 'receipt' | 'cleanup'>): Promise<Execution> => {
    const execution: Execution = {
      execution: plan.id,
      marker: minted.marker,
      run: minted.run,
      startedAt: minted.at,
      endedAt: deps.clock.now(),
      ...(where.probe.clock === undefined ? {} : { clock: where.probe.clock }),
      ...rest,
    };
    await deps.journal.append({ type: 'execution', data: execution });
    return execution;
  };
  const needs = overheadMs + longestMs(plan.steps, where.target.platform);
  const allowed = authorize(deps.inventory, where.target, plan.account, minted.at, duration(needs));
  if (allowed.is === 'refused')
    return finish({ outcome: { kind: 'not-run', why: allowed.why }, commands: [], receipt: {}, cleanup: nothing });

  const body = new Body(plan, where, deps, allowed.target, signal, minted);
  await body.declare();
  let outcome: ExecutionOutcome;
  try {
    outcome = await body.act();
  } catch (error) {
    // Ours, not the target's (a full disk, say): the target is tidied all the same.
    const detail = `detproof itself failed: ${error instanceof Error ? error.message : String(error)}`;
    const { commands, receipt } = body;
    const cleanup = await body.cleanUp();
    await finish({ outcome: { kind: 'broken-off', why: { class: 'broken-off', detail } }, commands, receipt, cleanup })
      // What cannot be recorded is cleaned up once more by resume.
      .catch(() => undefined);
    throw error;
  }
  const cleanup = await body.cleanUp();
  return finish({ outcome, commands: body.commands, receipt: body.receipt, cleanup });
}
