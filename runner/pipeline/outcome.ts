import type { LeftBehind } from '../domain/execution.ts';
import type { Plan } from '../domain/plan.ts';
import type { RecordLine, RunState } from '../domain/record.ts';
import type { ExecutionReport, RunReport } from '../domain/run-report.ts';
import { stepsOf, unfinished, whereOf } from './resume.ts';

/** How far the executing of a run came, whoever looked at it since; a run that died is interrupted. */
export function stateOf(records: readonly RecordLine[]): RunState {
  if (wasInterrupted(records)) return 'interrupted';
  return records.findLast((record) => record.type === 'executed')?.data.state ?? 'interrupted';
}

/** How often the touching of targets was taken up again; asking the SIEM once more is no resumption. */
export function resumptions(records: readonly RecordLine[]): number {
  const touches: ReadonlySet<string> = new Set(['reaching', 'intent', 'execution', 'executed', 'clean-up']);
  let taken = false;
  let count = 0;
  for (const { type } of records) {
    if (taken && touches.has(type)) count += 1;
    taken = type === 'run-resumed' || (taken && !touches.has(type));
  }
  return count;
}

/** Was the process that wrote last interrupted, while executing or while asking the SIEM? */
export function wasInterrupted(records: readonly RecordLine[]): boolean {
  const taken = records.findLastIndex(({ type }) => type === 'run-opened' || type === 'run-resumed');
  const last = records.slice(taken).findLast((record) => record.type === 'run-closed' || record.type === 'executed');
  return last?.type === 'run-closed' ? last.data.exitCode === 130 : last?.data.state === 'interrupted';
}

/**
 * What is still there: a later clean-up of the same execution replaces what an earlier one said. An intent without a result may
 * have left anything that it names: nobody came to clean it up.
 */
export function leftBehindOf(plan: Plan, records: readonly RecordLine[]): readonly LeftBehind[] {
  const byExecution = new Map<string, readonly LeftBehind[]>();
  for (const record of records) {
    if (record.type === 'execution') byExecution.set(record.data.execution, record.data.cleanup.leftBehind);
    if (record.type === 'clean-up') byExecution.set(record.data.execution, record.data.result.leftBehind);
  }
  const unknown = unfinished(records).brokenOff.map((intent): LeftBehind => {
    const { target = '', account = '' } = whereOf(plan, intent.execution) ?? {};
    const paths = stepsOf(intent).flatMap((step) => (step.kind === 'remove' ? [step.path] : []));
    return {
      target,
      account,
      what: `whatever ${intent.execution} made of ${paths.join(', ')}`,
      because: 'detproof ended before it could clean up',
      hint: `clean up with: detproof resume ${plan.runId}`,
    };
  });
  return [...[...byExecution.values()].flat(), ...unknown];
}

/** The whole run in an exit code and a sentence. Exit codes are API; the first that applies, in this order, wins. */
export function outcomeOf(
  reports: readonly ExecutionReport[],
  leftBehind: readonly LeftBehind[],
  interrupted: boolean,
  standIns: ReadonlySet<string> = new Set(),
): RunReport['outcome'] {
  const scores = reports.flatMap(({ assessments }) => assessments.map(({ score }) => score));
  const untested = reports.filter(({ assessments, plan }) => assessments.length === 0 && plan.expect.length > 0).length;
  const worse = scores.filter((score) => score === 'worse').length;
  const unclear = scores.filter((score) => score === 'inconclusive').length + untested;
  if (interrupted)
    return {
      exitCode: 130,
      sentence:
        leftBehind.length === 0
          ? 'Interrupted; clean-up was carried out.'
          : `Interrupted; ${count(leftBehind.length, 'thing was', 'things were')} left behind on a target and must be removed by hand.`,
    };
  if (leftBehind.length > 0)
    return {
      exitCode: 5,
      sentence: `${count(leftBehind.length, 'thing was', 'things were')} left behind on a target and must be removed by hand.`,
    };
  if (worse > 0) return { exitCode: 1, sentence: `${count(worse, 'result is', 'results are')} worse than expected.` };
  if (unclear > 0 || scores.length === 0)
    return {
      exitCode: 3,
      sentence: `${count(unclear, 'result', 'results')} could not be told; nothing is worse than expected.`,
    };
  const better = scores.filter((score) => score === 'better').length;
  const all = scores.length === 1 ? 'The one result is' : `All ${scores.length} results are`;
  const imitated = reports.every(({ plan }) => standIns.has(plan.target));
  return {
    exitCode: 0,
    sentence: `${all} as expected${better === 0 ? '' : `, ${better} of them better`}${imitated ? '; on stand-ins only, which show nothing of the real platform' : ''}.`,
  };
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
