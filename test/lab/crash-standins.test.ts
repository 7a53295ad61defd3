import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { readRunningState } from '../../lab/range/state.ts';
import type { RecordLine } from '../../runner/domain/record.ts';
import { requirement } from '../require.ts';
import { killed, recordsIn, resumesWell, untilJournal } from './crash-kit.ts';
import { withLab } from './lab-kit.ts';
import { scheduledIn, schedulingStandIns, standInState } from './stand-in-state.ts';

/** A launchd job and its twin, a scheduled task in three variants and its twin, over WinRM and over SSH. */
const selection = [
  '-t',
  schedulingStandIns.join(', '),
  '-s',
  'macos/*launchd*, windows/parent-scheduled-task, windows/twin-task*',
];

type Moment = { readonly said: string; readonly isReached: (records: readonly RecordLine[]) => boolean };

/** So many records after the first touch; most of a run's are written while it executes. */
const anywhere = (count: number): Moment => ({
  said: `with ${count} intents and results in the journal`,
  isReached: (records) => records.filter(({ type }) => type === 'intent' || type === 'execution').length >= count,
});

/** As soon as the journal says that a job or task of this host is about to be made. */
const whileScheduled = (target: string): Moment => ({
  said: `after a job or task of ${target} was declared`,
  isReached: (records) => scheduledBy(records).some((id) => id.startsWith(`${target}/`)),
});

/** Ids of the executions that are to have something scheduled. */
function scheduledBy(records: readonly RecordLine[]): readonly string[] {
  return records.flatMap((record) =>
    record.type === 'intent' &&
    record.data.cleanup.kind === 'steps' &&
    record.data.cleanup.steps.some(({ kind }) => kind === 'remove-launchd-job' || kind === 'remove-task')
      ? [record.data.execution]
      : [],
  );
}

t.test('crash safety: launchd jobs and scheduled tasks of a detproof that is killed', async (t) => {
  await withLab(
    t,
    async (lab) => {
      for (const { name, missing } of readRunningState()?.standIns ?? []) if (!requirement(t, name, missing)) return;
      const inventory = lab.inventory();
      const before = await standInState(lab.stateDir);
      t.same(scheduledIn(before), [], 'nothing is scheduled to begin with');
      const plan = await lab.detproof(['plan', '-i', inventory, ...selection, '--json']);
      const planned = (JSON.parse(plan.stdout) as { executions: readonly unknown[] }).executions.length;
      const moments = [
        ...schedulingStandIns.map(whileScheduled),
        ...schedulingStandIns.map(() => anywhere(1 + Math.floor(Math.random() * (2 * planned - 1)))),
      ];
      const brokenOff: string[] = [];
      for (const [round, { said, isReached }] of moments.entries()) {
        const out = lab.out(`kill-${round}`);
        const afterMs = Math.floor(Math.random() * 700);
        const when = `${afterMs} ms ${said}, of ${planned} executions`;
        await killed(lab, ['run', '--yes', '-i', inventory, '-o', out, ...selection], async (ended) => {
          await untilJournal(out, ended, isReached);
          await sleep(afterMs);
        });
        const declared = scheduledBy(await recordsIn(out));
        const there = scheduledIn(await standInState(lab.stateDir));
        t.comment(`killed ${when}; what it had scheduled: ${there.join(', ') || 'nothing'}`);
        const { executions } = await resumesWell(t, lab, { inventory, out, when });
        t.same(await standInState(lab.stateDir), before, 'nothing is left on the stand-ins');
        for (const { plan, execution } of executions)
          if (execution?.outcome.kind === 'broken-off' && declared.includes(plan.id)) brokenOff.push(plan.target);
      }
      for (const target of schedulingStandIns)
        t.ok(brokenOff.includes(target), `something that ${target} was to start was broken off`);
    },
    { standIns: schedulingStandIns },
  );
});
