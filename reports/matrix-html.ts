import type { ReportPlugin } from '../runner/ports.ts';
import type { ExecutionReport, RunReport } from '../runner/domain/run-report.ts';
import { attention } from './matrix/attention.ts';
import { badge } from './matrix/badge.ts';
import { dossier } from './matrix/dossier.ts';
import { evidenceBook } from './matrix/evidence.ts';
import { limits } from './matrix/limits.ts';
import { overview } from './matrix/overview.ts';
import { scenarioTables } from './matrix/scenarios.ts';
import { strategy } from './matrix/strategy.ts';
import { anchorsOf } from './shared/anchors.ts';
import { Rendered, renderTemplate } from './shared/template.ts';
import { scoreWords, stanceWords, type ShownVerdict, verdictWords } from './shared/words.ts';

const page = 'matrix/page.mustache';
const styles = ['base', 'result', 'strategy', 'scenarios', 'dossier', 'media'].map((name) => `matrix/${name}.css`);
const script = 'matrix/script.js.mustache';

/**
 * What the page's own content security policy lets run: the texts of `styles` one after another, `script`, and nothing
 * else. Kept as constants, since a report computes no hashes; a test compares them and prints the right values.
 */
const styleHash = 'sha256-C90OUhP5GCsmjaUbC1r5k4w9KxI+FEpIIz2YGIuirCg=';
const scriptHash = 'sha256-HSMkG0fFsysfHs4h9LO6HkhkApXJCDsbJtRFakML4T8=';

/** DET0063 against verdicts, on one self-contained page: no request, readable without the script. */
const plugin: ReportPlugin = {
  kind: 'matrix',
  summary: 'the coverage matrix with the evidence behind every cell, as one self-contained page (matrix.html)',
  templates: [
    page,
    'matrix/badge.mustache',
    'matrix/dossier.mustache',
    'matrix/evidence.mustache',
    'matrix/finding.mustache',
    'matrix/icons.mustache',
    'matrix/source.mustache',
    ...styles,
    script,
  ],
  open: (templates) => ({
    render: (run) => [
      {
        path: 'matrix.html',
        mediaType: 'text/html; charset=utf-8',
        text: renderTemplate(templates, page, view(run, templates)),
      },
    ],
  }),
};
export default plugin;

function view(run: RunReport, templates: ReadonlyMap<string, string>): object {
  const anchors = anchorsOf(run);
  const book = evidenceBook(run);
  const tables = scenarioTables(run, anchors);
  const { technique, strategy: facts } = run.attack;
  return {
    styleHash,
    scriptHash,
    style: new Rendered(styles.map((name) => templates.get(name) ?? '').join('')),
    script: new Rendered(templates.get(script) ?? ''),
    strategyId: facts.id,
    runId: run.run.id,
    overview: { ...overview(run), strategyLabel: `${facts.id} ${facts.name}, ${technique.id} ${technique.name}` },
    toc: [
      ...(run.leftBehind.length === 0 ? [] : [{ id: 'left-behind', label: 'Left behind' }]),
      { id: 'figures', label: 'Figures' },
      { id: 'attention', label: 'Decisions' },
      { id: 'strategy', label: facts.id },
      ...tables.map(({ purpose, heading }) => ({ id: `${purpose}s`, label: heading })),
      { id: 'executions', label: 'Evidence' },
      { id: 'limits', label: 'Limits' },
      { id: 'check', label: 'How to check' },
    ],
    leftBehind: run.leftBehind.length === 0 ? false : { rows: run.leftBehind },
    attention: attention(run, anchors),
    strategy: strategy(run),
    filters: filters(run, tables),
    tables,
    legend: Object.keys(verdictWords).map((verdict) => badge(verdict as ShownVerdict)),
    dossiers: [...run.executions]
      .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1))
      .map((report) => dossier(report, run, anchors, book)),
    shared: book.shared.length === 0 ? false : { pieces: book.shared },
    limits: limits(run),
  };
}

/** As in the tables: by purpose, scenario and variant, then by host. */
function placeOf({ plan }: ExecutionReport): string {
  const purpose = ['emulation', 'twin', 'control'].indexOf(plan.purpose);
  return [
    purpose,
    plan.scenario,
    plan.variant ?? '',
    plan.target,
    plan.phase === 'control-after' ? 1 : 0,
    plan.id,
  ].join('\u0000');
}

function filters(run: RunReport, tables: ReturnType<typeof scenarioTables>): object[] {
  const found = new Set(
    tables.flatMap(({ groups }) => groups.flatMap(({ rows }) => rows.flatMap((row) => row.tags.split(' ')))),
  );
  const shown = new Set(tables.flatMap(({ columns }) => columns.map(({ target }) => target)));
  const group = (label: string, filter: string, options: readonly (readonly [value: string, word: string])[]) => ({
    label,
    options: options.map(([value, word]) => ({ filter, value, word, pressed: String(value === 'all') })),
  });
  return [
    group('Purpose', 'purpose', [['all', 'all'], ...tables.map(({ purpose, heading }) => [purpose, heading] as const)]),
    group('Show', 'show', [
      ['all', 'all'],
      ...(found.has('worse') ? [['worse', scoreWords.worse] as const] : []),
      ...(found.has('known-gap') ? [['known-gap', stanceWords['known-gap']] as const] : []),
      ...Object.entries(verdictWords).flatMap(([verdict, { word }]) =>
        found.has(verdict) ? [[verdict, word] as const] : [],
      ),
    ]),
    group('Target', 'target', [
      ['all', 'all'],
      ...run.targets.filter(({ id }) => shown.has(id)).map(({ id }) => [id, id] as const),
    ]),
  ];
}
