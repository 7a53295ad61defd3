import type { CleanupStep, Intent } from '../domain/execution.ts';
import type { Plan, PlannedExecution } from '../domain/plan.ts';
import type { RecordLine } from '../domain/record.ts';

/** What a journal says is still to be done. */
export type Unfinished = {
  /** Have an intent and no result: cleaned up and recorded as broken off, never run again. */
  readonly brokenOff: readonly Intent[];
  /** Ended with something left behind: clean-up is tried again. */
  readonly leftBehind: readonly { readonly intent: Intent; readonly steps: readonly CleanupStep[] }[];
  /** Ids that were dealt with, in whichever way. */
  readonly done: ReadonlySet<string>;
  /** Executing came to its end; only observing may be left. */
  readonly executed: boolean;
};

export function unfinished(records: readonly RecordLine[]): Unfinished {
  const intents = new Map<string, Intent>();
  const results = new Map<string, number>();
  for (const record of records) {
    if (record.type === 'intent') intents.set(record.data.execution, record.data);
    if (record.type === 'execution') results.set(record.data.execution, record.data.cleanup.leftBehind.length);
    if (record.type === 'clean-up') results.set(record.data.execution, record.data.result.leftBehind.length);
  }
  return {
    brokenOff: [...intents.values()].filter(({ execution }) => !results.has(execution)),
    leftBehind: [...intents.values()].flatMap((intent) =>
      (results.get(intent.execution) ?? 0) === 0 ? [] : [{ intent, steps: stepsOf(intent) }],
    ),
    done: new Set([...intents.keys(), ...results.keys()]),
    executed: records.some((record) => record.type === 'executed' && record.data.state === 'complete'),
  };
}

export function stepsOf(intent: Intent): readonly CleanupStep[] {
  return intent.cleanup.kind === 'steps' ? intent.cleanup.steps : [];
}

/** The target and account of an execution's id (`TARGET/ACCOUNT/SCENARIO…`). */
export function whereOf(plan: Plan, id: string): { readonly target: string; readonly account: string } | undefined {
  return plan.executions.find((planned) => planned.id === id) ?? plannedAgain(plan, id);
}

/**
 * What a resumed run still executes: everything without an intent, and, if that is anything but controls, fresh controls around
 * it (`ID~r1` in the first resumed process, and so on): the old ones show the pipe at another time.
 */
export function remaining(plan: Plan, done: ReadonlySet<string>, resumption: number): readonly PlannedExecution[] {
  const open = plan.executions.filter(({ id }) => !done.has(id));
  const hosts = new Set(
    open.filter(({ purpose }) => purpose !== 'control').map(({ target, account }) => `${target}/${account}`),
  );
  const spent = plan.executions.filter(
    ({ id, purpose, target, account }) => purpose === 'control' && done.has(id) && hosts.has(`${target}/${account}`),
  );
  return [...open, ...spent.map((control) => ({ ...control, id: `${control.id}~r${resumption}` }))];
}

/** The planned execution behind the id that {@link remaining} gave it. */
export function plannedAgain(plan: Plan, id: string): PlannedExecution | undefined {
  const original = plan.executions.find((planned) => planned.id === id.replace(/~r\d+$/, ''));
  return original === undefined ? undefined : { ...original, id };
}
