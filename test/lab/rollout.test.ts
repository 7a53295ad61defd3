import t from 'tap';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { assessment, hidden, withLab } from './lab-kit.ts';

/** Replaces exactly one occurrence. */
function edited(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`${JSON.stringify(from)} does not occur exactly once`);
  return text.replace(from, () => to);
}

const checks = ({ hostChecks = [] }: RunReport, target: string): readonly string[] =>
  hostChecks
    .filter((check) => check.target === target)
    .flatMap(({ when, items }) => items.map(({ what, sensor = '', state }) => `${when} ${what}${sensor} ${state}`));

t.test('rollout: hosts of real sshd in waves, checked before and after, until one fails', async (t) => {
  await withLab(t, async (lab) => {
    const limits = 'limits: { hosts: 8, perZone: 8 }';
    const onAlpha = (text: string, more: string): string =>
      edited(text, 'names: { lab: [lab-alpha] }\n', `names: { lab: [lab-alpha] }\n    ${more}\n`);

    await t.test(
      'checks: sensors are found over SSH, and a new login shows that the host is still there',
      async (t) => {
        const inventory = lab.inventory('checked.yaml', (text) => onAlpha(text, 'sensors: [sshd, no-such-sensor]'));
        const { report, stdout } = await lab.run(hidden, { inventory, args: ['--no-variants', '-t', 'lab-alpha'] });
        t.same(checks(report, 'lab-alpha'), [
          'before reachable ok',
          'before login ok',
          'before interpreter ok',
          'before clock ok',
          'before sensorsshd ok',
          'before sensorno-such-sensor trouble',
          'after reachable ok',
          'after isolation ok',
          'after sensorsshd ok',
          'after sensorno-such-sensor trouble',
        ]);
        t.match(stdout, /sensor no-such-sensor: TROUBLE/);
        t.equal(assessment(report, 'lab-alpha', hidden).verdict, 'detected', 'the checks change nothing of that');
      },
    );

    await t.test(
      'waves: a host that is not reached in the first wave ends the run; the other is not touched',
      async (t) => {
        const inventory = lab.inventory('waves.yaml', (text) =>
          edited(
            edited(text, 'port: 2222', 'port: 2299'),
            limits,
            `${limits}\nwaves: { first: 1, firstFrom: lab-beta, abortAfter: { failedHosts: 0 } }`,
          ),
        );
        const { report, exitCode, stderr } = await lab.run(hidden, {
          inventory,
          args: ['--no-variants', '-t', 'lab-alpha,lab-beta'],
        });
        t.equal(exitCode, 3);
        t.match(report.aborted, /1 of the 1 hosts of wave 1 failed \(lab-beta\), more than 0 failed hosts/);
        t.match(stderr, /no further wave was started/);
        t.same(checks(report, 'lab-alpha'), [], 'not touched');
        t.same(
          report.executions
            .filter(({ plan }) => plan.target === 'lab-alpha')
            .map(({ execution }) => execution?.outcome.kind),
          report.executions.filter(({ plan }) => plan.target === 'lab-alpha').map(() => 'not-run'),
        );
      },
    );

    await t.test('sample: one of the two by its seed, counted against both', async (t) => {
      const inventory = lab.inventory('sample.yaml', (text) => edited(text, 'role: batch-worker', 'role: web-server'));
      const { report } = await lab.run(hidden, {
        inventory,
        args: ['--no-variants', '-t', 'lab-alpha,lab-beta', '--sample', '1', '--seed', 'spring'],
      });
      t.match(report.run.sample, { seed: 'spring', hostsInScope: 2, hostsSampled: 1 });
      t.equal(report.targets.length, 1);
      const figures = report.matrix.figures['lab'];
      t.match(figures?.detectedByReferenceRules, { hostsTested: 1, hostsInScope: 2 });
    });
  });
});
