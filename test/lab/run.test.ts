import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runProblems } from '../../runner/load/run-file.ts';
import { readJournal } from '../../runner/store/journal.ts';
import { packExecutable } from '../../lab/packer.ts';
import { project, withLab } from './lab-kit.ts';
import { targetState } from './target-state.ts';

const readme = join(project, 'README.md');
const block = /(<!-- demo: written by test\/lab\/run\.test\.ts -->\n)[^]*?(<!-- \/demo -->)/;

/** What differs from run to run, and is not what the README shows. */
function still(summary: string): string {
  return summary
    .replace(/\d{8}t\d{6}-[a-z0-9]{4}/g, 'RUN')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g, 'WHEN')
    .replace(/\b\d+(\.\d+)? (ms|s|min)( \d+ s)?\b/g, 'TIME')
    .replace(/\S+@\S+/g, 'WHO')
    .replace(/\S*\/runs\/\S*/g, 'PATH')
    .replace(/, clock .*/g, ', CLOCK')
    .replace(/[ \t]+/g, ' ');
}

/** Lines of a section that the README shows; of the others none. */
const shownLines: readonly (readonly [RegExp, number])[] = [
  [/^detproof /, 8],
  [/^EMULATIONS/, 20],
  [/^TWINS/, 6],
  [/^KNOWN GAPS/, 4],
  [/^FIGURES/, 20],
  [/^All /, 2],
];

/** The beginning of each section, as long as a first screen may be. */
function excerpt(summary: string): string {
  return summary
    .split('\n\n')
    .flatMap((section) => {
      const lines = section.split('\n');
      const most = shownLines.find(([start]) => start.test(section))?.[1];
      if (most === undefined) return [];
      return [
        [...lines.slice(0, most), ...(lines.length > most ? [`  … ${lines.length - most} more lines`] : [])].join('\n'),
      ];
    })
    .join('\n\n');
}

t.test('run: the whole library on the real lab', async (t) => {
  await withLab(
    t,
    async (lab) => {
      // The inventory as it comes, but for where the lab is: this is what the demo runs.
      const inventory = lab.inventory('demo.yaml', (text) =>
        text.replace('within: 3s', 'within: 20s').replace('observeFor: 5s', 'observeFor: 25s'),
      );
      await packExecutable(lab.stateDir, (line) => {
        t.comment(line);
      });
      const before = await targetState();
      const { report, exitCode, stdout, path } = await lab.run('*', { inventory, args: [] });
      const told = report.executions.flatMap(({ plan, assessments }) =>
        assessments.map((one) => ({ id: plan.id, ...one })),
      );

      t.equal(exitCode, 0, stdout);
      t.same(
        told
          .filter(({ score }) => score === 'worse' || score === 'inconclusive')
          .map(({ id, sentence }) => `${id}: ${sentence}`),
        [],
      );
      t.same(report.leftBehind, []);
      t.same(await targetState(), before, 'nothing is left on the targets');

      const plans = report.executions.map(({ plan }) => plan);
      const ids = (purpose: string): number =>
        new Set(plans.filter((plan) => plan.purpose === purpose).map(({ scenario }) => scenario)).size;
      t.ok(ids('emulation') >= 12, 'at least 12 emulations');
      t.ok(ids('twin') >= 4, 'at least 4 twins');
      for (const element of ['ScriptDir', 'ScheduledContext', 'NetworkActivity'])
        t.ok(
          plans.some((plan) => plan.element === element && plan.purpose === 'emulation'),
          element,
        );
      for (const step of ['renamed', 'symlink', 'shebang'] as const)
        t.ok(
          plans.some((plan) => plan.steps.some(({ interpreter }) => interpreter === step)),
          step,
        );
      for (const step of ['-c', 'stdin', 'module', 'zipapp'] as const)
        t.ok(
          plans.some((plan) => plan.steps.some(({ invocation }) => invocation === step)),
          step,
        );
      t.ok(
        told.some(({ expect, verdict }) => expect.stance === 'known-gap' && verdict === 'logged'),
        'an honest known gap',
      );
      const detected = told.filter(({ verdict }) => verdict === 'detected');
      t.ok(
        detected.every(({ facts }) => facts.attributed.is === 'yes' && facts.attributed.evidence[0].grade === 'exact'),
        'exactly attributed',
      );

      t.same(
        runProblems(readFileSync(join(path, 'run.json'), 'utf8'), 'run.json'),
        [],
        'run.json is as its schema says',
      );
      const { records, head } = await readJournal(join(path, 'journal.jsonl'));
      t.equal(head.headSha256, report.run.journal.headSha256);
      t.equal(records.length, report.run.journal.lines);

      const shown = excerpt(stdout.slice(0, stdout.indexOf('\nReport ')).trimEnd());
      const text = readFileSync(readme, 'utf8');
      if (process.env['UPDATE_README'] !== undefined)
        writeFileSync(
          readme,
          text.replace(block, (_, open: string, close: string) => `${open}\n\`\`\`\n${shown}\n\`\`\`\n\n${close}`),
        );
      const quoted = block.exec(readFileSync(readme, 'utf8'))?.[0] ?? '';
      t.equal(
        still(quoted.split('```')[1]?.trim() ?? ''),
        still(shown),
        'the README shows what such a run prints (UPDATE_README=1 writes it anew)',
      );
    },
    { standIns: 'all' },
  );
});
