import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { findRun } from '../../runner/store/run-folder.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { killed, markers, resumesWell, starts } from './crash-kit.ts';
import { withLab } from './lab-kit.ts';
import { targetState } from './target-state.ts';

/** Quick scenarios, with their variants: something is under way at any moment. */
const scenarios = 'platform=linux and element=ScriptDir';
const killings = 20;

/** Returns when a run has begun to execute: a few intents are in its journal. */
async function underWay(out: string): Promise<void> {
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    if ((await markers(out)).size >= 3) return;
    await sleep(50);
  }
  throw new Error(`no run was under way in ${out} after a minute`);
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
          await killed(lab, ['run', '--yes', '-i', inventory, '-o', out, '-s', scenarios], () => sleep(afterMs));
          if ((await findRun(out, undefined).catch(() => undefined)) === undefined) {
            t.same(await targetState(), before, `killed after ${afterMs} ms, before anything was touched`);
            continue;
          }
          touched += 1;
          await resumesWell(t, lab, { inventory, out, when: `after ${afterMs} ms` });
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
        if (!id.includes('control')) for (const marker of of) t.equal(starts(lab, marker).size, 0, `${id} never ran`);
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
