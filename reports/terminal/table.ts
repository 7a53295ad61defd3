import type { Assessment, Cell, ExecutionReport, RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import type { Purpose } from '../../runner/domain/scenario.ts';
import { formatDuration } from '../../runner/domain/time.ts';
import { columns, fit, wrap } from '../shared/columns.ts';
import { isDeclared, titleOf } from '../shared/findings.ts';
import { rowGroups } from '../shared/rows.ts';
import { visible } from '../shared/visible.ts';
import { verdictWords } from '../shared/words.ts';
import type { Paints } from './paint.ts';

const headings: Readonly<Record<Purpose, string>> = {
  emulation: 'EMULATIONS (a rule should fire)',
  twin: 'TWINS (legitimate work of the same shape; no rule may fire)',
  control: 'CONTROLS (the harness alone, before and after)',
};

type Column = { readonly target: string; readonly siem: string; readonly standIn: boolean; readonly heading: string };
type Text = { readonly text: string; readonly tone: 'plain' | 'bad' | 'unsure' };

const labelAtLeast = 30;

/** Scenarios of one purpose by target and SIEM, an analytic after the other: those of real hosts first. */
export function scenarioTable(run: RunReport, purpose: Purpose, width: number, paint: Paints): string[] {
  const groups = rowGroups(run, purpose);
  const [firstOf, ...others] = [...Map.groupBy(groups, ({ rows: [first] }) => first?.analytic ?? '').values()]
    .map((own) => ({ own, columns: columnsOf(run, own) }))
    .sort((a, b) => Number(isStandIns(a.columns)) - Number(isStandIns(b.columns)));
  if (firstOf === undefined) return [];
  const reports = new Map(run.executions.map((report) => [report.plan.id, report]));
  const table = (one: typeof firstOf): string[] => analyticTable(one.own, one.columns, reports, width, paint);
  return [
    ...wrap(headings[purpose], width).map(paint.bold),
    ...table(firstOf),
    ...others.flatMap((one) => ['', ...table(one)]),
  ].map((line) => line.trimEnd());
}

type Groups = ReturnType<typeof rowGroups>;

/** Targets of the analytic's platform, for each SIEM. */
function columnsOf(run: RunReport, groups: Groups): readonly Column[] {
  const rows = groups.flatMap((group) => group.rows);
  return run.targets
    .filter(({ id }) => rows.some((row) => Object.hasOwn(row.cells, id)))
    .flatMap(({ id, fidelity }) =>
      run.siems.map((siem) => ({
        target: id,
        siem: siem.id,
        standIn: fidelity === 'stand-in',
        heading: visible(
          `${id}${fidelity === 'stand-in' ? ' (stand-in)' : ''}${run.siems.length > 1 ? `/${siem.id}` : ''}`,
          60,
        ),
      })),
    );
}

function isStandIns(all: readonly Column[]): boolean {
  return all.every(({ standIn }) => standIn);
}

/** Several tables below one another when the columns do not fit. */
function analyticTable(
  groups: Groups,
  all: readonly Column[],
  reports: ReadonlyMap<string, ExecutionReport>,
  width: number,
  paint: Paints,
): string[] {
  const rows = groups.flatMap((group) => group.rows);
  const cellOf = (row: ScenarioRow, column: Column): Text =>
    cellText(reports, row.cells[column.target]?.[column.siem], column.siem);
  const wanted = Math.max(
    12,
    ...all.flatMap((column) => [columns(column.heading), ...rows.map((row) => columns(cellOf(row, column).text))]),
  );
  const columnWidth = Math.min(wanted + 2, width - labelAtLeast);
  const perTable = Math.max(1, Math.floor((width - labelAtLeast) / columnWidth));
  const lines: string[] = [];
  for (let from = 0; from < all.length; from += perTable) {
    const some = all.slice(from, from + perTable);
    const labelWidth = width - columnWidth * some.length;
    if (from > 0) lines.push('');
    lines.push(' '.repeat(labelWidth) + some.map(({ heading }) => inColumn(heading, columnWidth, paint.dim)).join(''));
    for (const group of groups) {
      const planned = group.rows.filter((row) => some.some(({ target }) => Object.hasOwn(row.cells, target)));
      if (planned.length > 0) lines.push(inColumn(`  ${visible(group.name)}`, width, paint.dim));
      planned.forEach((row, index) => {
        const cells = some.map((column) => tint(cellOf(row, column), columnWidth, paint)).join('');
        const ofSameScenario = planned[index - 1]?.scenario === row.scenario;
        const [first = '', ...rest] = label(row, ofSameScenario, labelWidth - 1);
        lines.push(`${fit(first, labelWidth)}${cells}`, ...rest);
      });
    }
  }
  return lines;
}

/** A variant stands below its scenario, by its name alone. */
function label(row: ScenarioRow, ofSameScenario: boolean, width: number): readonly string[] {
  const indent = ' '.repeat(row.variant !== undefined && ofSameScenario ? 6 : 4);
  const text = row.variant !== undefined && ofSameScenario ? row.variant : titleOf(row);
  return wrap(visible(text), width - indent.length - 2).map(
    (line, index) => `${indent}${index === 0 ? '' : '  '}${line}`,
  );
}

function tint({ text, tone }: Text, width: number, paint: Paints): string {
  return inColumn(text, width, tone === 'plain' ? (plain) => plain : paint[tone]);
}

/** Paint goes around the words alone, so that lines can end where their words end. */
function inColumn(text: string, width: number, color: Paints['bold']): string {
  const fitted = fit(text, width);
  const words = fitted.trimEnd();
  return color(words) + fitted.slice(words.length);
}

/** `! missed`, `  detected 4.2 s`: a sign for the score, the verdict, the time to alert when there is one execution. */
function cellText(reports: ReadonlyMap<string, ExecutionReport>, cell: Cell | undefined, siem: string): Text {
  if (cell === undefined) return { text: '  .', tone: 'plain' };
  const assessments = cell.executions.flatMap((id) =>
    (reports.get(id)?.assessments ?? []).filter((one) => one.siem === siem),
  );
  const [only] = assessments;
  const latency =
    assessments.length === 1 && only?.alertLatencyMs !== undefined ? ` ${formatDuration(only.alertLatencyMs)}` : '';
  const sign = signOf(assessments);
  return {
    text: `${sign} ${verdictWords[cell.verdict].word}${latency}`,
    tone: sign === '!' ? 'bad' : sign === '?' ? 'unsure' : 'plain',
  };
}

function signOf(assessments: readonly Assessment[]): '!' | '?' | '~' | '+' | ' ' {
  if (assessments.some(({ score }) => score === 'worse')) return '!';
  if (assessments.some(({ score }) => score === 'inconclusive')) return '?';
  if (assessments.some(({ score }) => score === 'better')) return '+';
  return assessments.some(({ expect }) => isDeclared(expect)) ? '~' : ' ';
}
