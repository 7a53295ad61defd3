import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { readJournal } from '../../runner/store/journal.ts';
import { findRun } from '../../runner/store/run-folder.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { type Lab, withLab } from './lab-kit.ts';
import { targetState } from './target-state.ts';

/** Quick scenarios, with their variants: something is under way at any moment. */
const scenarios = 'platform=linux and element=ScriptDir';
const killings = 20;

/** Ids that a journal has an intent for, with their markers; a second intent of one execution bears the same marker. */
async function markers(out: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { journal } = await findRun(out, undefined);
  const found = new Map<string, Set<string>>();
  for (const record of (await readJournal(journal)).records)
    if (record.type === 'intent') {
      const { execution, marker } = record.data;
      found.set(execution, (found.get(execution) ?? new Set()).add(marker));
    }
  return found;
}

/** Returns when a run has begun to execute: a few intents are in its journal. */
async function underWay(out: string): Promise<void> {
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    const found = await markers(out).catch(() => undefined);
    if ((found?.size ?? 0) >= 3) return;
    await sleep(50);
  }
  throw new Error(`no run was under way in ${out} after a minute`);
}

/** How many processes the audit system saw start a payload with this marker: the SIEM's own record of what ran. */
function starts(lab: Lab, marker: string): number {
  const pids = readFileSync(join(lab.stateDir, 'siem/events.ndjson'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"${marker}"`) && line.includes('auditd.execve'))
    .map(
      (line) => (JSON.parse(line) as { process: { pid: number; executable: string; args: readonly string[] } }).process,
    )
    .filter(({ executable, args }) => /python|^\/home\//.test(executable) && args.includes(marker))
    .map(({ pid }) => pid);
  return new Set(pids).size;
}

t.test('crash safety: a real lab, and a detproof that is killed, stopped and interrupted', async (t) => {
  await withLab(t, async (lab) => {
    const inventory = lab.inventory();
    const before = await targetState();

    await t.test(
      `kill -9 at ${killings} random moments: journal verifies, resume ends the run, nothing left, nothing twice`,
      async (t) => {
        let touched = 0;
        for (let round = 0; round < killings; round += 1) {
          const out = lab.out(`kill-${round}`);
          // The first moments are the dense ones; some fall into observing.
          const afterMs = 600 + Math.floor(Math.random() ** 1.5 * 12_000);
          const ended = await lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', scenarios], {
            onStart: (pid) => {
              setTimeout(() => {
                try {
                  process.kill(pid, 'SIGKILL');
                } catch {
                  // It was done before.
                }
              }, afterMs);
            },
          });
          const run = await findRun(out, undefined).catch(() => undefined);
          if (run === undefined) {
            t.same(await targetState(), before, `killed after ${afterMs} ms, before anything was touched`);
            continue;
          }
          touched += 1;
          await t.resolves(
            readJournal(run.journal),
            `killed after ${afterMs} ms (exit ${String(ended.exitCode)}): the journal verifies`,
          );
          const resumed = await lab.detproof(['resume', '-i', inventory, '-o', out, '--json']);
          t.ok(
            [0, 1, 3].includes(resumed.exitCode ?? -1),
            `resume ends with ${String(resumed.exitCode)}\n${resumed.stderr}`,
          );
          const report = JSON.parse(resumed.stdout) as RunReport;
          t.equal(report.run.state, 'complete');
          t.same(report.leftBehind, []);
          t.ok(
            report.executions.every(({ execution }) => execution !== undefined),
            'every planned execution has an end',
          );
          const brokenOff = report.executions.filter(({ execution }) => execution?.outcome.kind === 'broken-off');
          const judged = brokenOff.flatMap(({ assessments }) => assessments.map(({ verdict }) => verdict));
          t.same(
            judged.filter((verdict) => verdict !== 'inconclusive'),
            [],
            `${brokenOff.length} were broken off, and are inconclusive`,
          );
          const minted = [...(await markers(out))];
          t.same(
            minted.filter(([, of]) => of.size !== 1).map(([id]) => id),
            [],
            'one marker for each execution',
          );
          t.same(
            minted.filter(([, of]) => [...of].some((marker) => starts(lab, marker) > 1)).map(([id]) => id),
            [],
            `none of ${minted.length} ran more than once`,
          );
          t.same(await targetState(), before, 'nothing is left on the targets');
        }
        t.ok(touched >= killings / 2, `${touched} of ${killings} were killed in the middle of a run`);
      },
    );

    await t.test('kill -9 while a crontab entry waits: resume takes it out, it never fires', async (t) => {
      const out = lab.out('kill-cron');
      const plan = await lab.detproof(['list', 'scenarios', '-i', inventory, '--json']);
      const [cron] = (JSON.parse(plan.stdout) as { id: string; purpose: string }[]).filter(
        ({ id, purpose }) => id.includes('cron') && purpose === 'emulation',
      );
      if (cron === undefined) throw new Error('the library has no cron emulation');
      await lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', cron.id, '--no-variants'], {
        onStart: (pid) => {
          void (async () => {
            while ((await targetState())['lab-alpha files']?.every((line) => !line.includes('crontabs/alice')) ?? false)
              await sleep(50);
            process.kill(pid, 'SIGKILL');
          })();
        },
      });
      t.match((await targetState())['lab-alpha files']?.join('\n'), /crontabs\/alice/, 'the entry is there');
      const resumed = await lab.detproof(['resume', '-i', inventory, '-o', out, '--json']);
      t.equal(resumed.exitCode, 3, resumed.stderr);
      t.same(await targetState(), before, 'nothing is left on the targets');
      await sleep(65_000);
      for (const [id, of] of await markers(out))
        if (!id.includes('control')) for (const marker of of) t.equal(starts(lab, marker), 0, `${id} never ran`);
    });

    await t.test('stop: from another terminal, no further step starts, clean-up runs', async (t) => {
      const out = lab.out('stop');
      const running = lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', scenarios, '--json']);
      await underWay(out);
      const stop = await lab.detproof(['stop', '-o', out]);
      t.equal(stop.exitCode, 0);
      t.match(stop.stderr, /Asked run/);
      const ended = await running;
      const report = JSON.parse(ended.stdout) as RunReport;
      t.equal(report.run.state, 'stopped');
      t.ok(
        report.executions.some(({ execution }) => execution === undefined),
        'some were never started',
      );
      t.same(await targetState(), before);
      const resumed = await lab.detproof(['resume', '-i', inventory, '-o', out, '--json']);
      t.equal((JSON.parse(resumed.stdout) as RunReport).run.state, 'complete', 'and can be finished later');
    });

    await t.test('Ctrl-C: cleans up and exits 130; a second one does not skip clean-up', async (t) => {
      const out = lab.out('interrupt');
      const ended = await lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', scenarios], {
        onStart: (pid) => {
          void (async () => {
            await underWay(out);
            process.kill(pid, 'SIGINT');
            await sleep(10);
            process.kill(pid, 'SIGINT');
          })();
        },
      });
      t.equal(ended.exitCode, 130);
      t.match(ended.stderr, /Interrupted: ending what runs/);
      t.match(ended.stderr, /Clean-up is still running/);
      t.same(await targetState(), before);
      const report = JSON.parse(readFileSync(join(out, 'latest/run.json'), 'utf8')) as RunReport;
      t.equal(report.run.state, 'interrupted');
      t.same(report.leftBehind, []);
    });

    await t.test('two at once: a run that somebody works on is refused to others', async (t) => {
      const out = lab.out('held');
      const running = lab.detproof(['run', '--yes', '-i', inventory, '-o', out, '-s', scenarios, '--no-variants']);
      await underWay(out);
      const second = await lab.detproof(['resume', '-i', inventory, '-o', out]);
      t.equal(second.exitCode, 4);
      t.match(second.stderr, /is being worked on by process \d+/);
      await running;
    });
  });
});
