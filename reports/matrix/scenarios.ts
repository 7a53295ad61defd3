import type { Purpose } from '../../runner/domain/scenario.ts';
import type { Assessment, Cell, ExecutionReport, RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import { formatDuration } from '../../runner/domain/time.ts';
import { isDeclared } from '../shared/findings.ts';
import { type RowGroup, rowGroups } from '../shared/rows.ts';
import { platformWords, scoreWords, stanceWords } from '../shared/words.ts';
import { badge, type Badge } from './badge.ts';
import { hopStates, type State } from './pipeline.ts';

export type Entry = {
  readonly href: string;
  /** Read before the verdict by a screen reader: which scenario, where. */
  readonly name: string;
  readonly label: string | false;
  readonly badge: Badge;
  readonly score: Assessment['score'];
  readonly scoreWord: string | false;
  readonly details: readonly string[];
  /** What the filter finds it by. */
  readonly tags: readonly string[];
  readonly meter: { readonly segments: readonly { readonly x: number; readonly state: State | 'broke' }[] } | false;
};

export type CellView = {
  readonly target: string;
  readonly siem: string;
  readonly planned: boolean;
  readonly rollUp: { readonly count: number; readonly word: string } | false;
  readonly entries: readonly Entry[];
};

export type RowView = {
  readonly title: string;
  readonly scenario: string;
  readonly variant: string | false;
  /** Space-separated, for the filter. */
  readonly tags: string;
  readonly cells: readonly CellView[];
};

export type TableView = {
  readonly purpose: Purpose;
  readonly heading: string;
  readonly lede: string;
  readonly columns: readonly {
    readonly target: string;
    readonly platform: string;
    readonly siem: string | false;
    readonly standIn: boolean;
    readonly trouble: string | false;
  }[];
  readonly groups: readonly {
    readonly name: string;
    readonly gist: string | false;
    readonly width: number;
    readonly rows: readonly RowView[];
  }[];
};

const headings: Readonly<Record<Purpose, readonly [string, string]>> = {
  emulation: [
    'Emulations',
    'Behaviours that a rule should see. Rows are scenarios and their variants, columns are hosts.',
  ],
  twin: ['Twins', 'Legitimate work of the same shape, over the same transport. No rule may fire.'],
  control: [
    'Controls',
    'The harness alone, before and after: shows that a source’s pipe is open, and which rules fire on detproof itself.',
  ],
};

export function scenarioTables(run: RunReport, anchors: ReadonlyMap<string, string>): readonly TableView[] {
  return (['emulation', 'twin', 'control'] as const).flatMap((purpose) => {
    const groups = rowGroups(run, purpose);
    return groups.length === 0 ? [] : [table(purpose, groups, run, anchors)];
  });
}

function table(
  purpose: Purpose,
  groups: readonly RowGroup[],
  run: RunReport,
  anchors: ReadonlyMap<string, string>,
): TableView {
  const rows = groups.flatMap((group) => group.rows);
  const targets = run.targets.filter(({ id }) => rows.some((row) => Object.hasOwn(row.cells, id)));
  const columns = targets.flatMap((target) =>
    run.siems.map(({ id }): TableView['columns'][number] => ({
      target: target.id,
      platform: platformWords[target.platform],
      siem: run.siems.length > 1 ? id : false,
      standIn: target.fidelity === 'stand-in',
      trouble: target.reached ? false : (target.trouble ?? 'not reached'),
    })),
  );
  const [heading, lede] = headings[purpose];
  return {
    purpose,
    heading,
    lede,
    columns,
    groups: groups.map((group) => ({
      name: group.name,
      gist: group.gist ?? false,
      width: columns.length + 1,
      rows: group.rows.map((row) => rowView(row, targets, run, anchors)),
    })),
  };
}

function rowView(
  row: ScenarioRow,
  targets: RunReport['targets'],
  run: RunReport,
  anchors: ReadonlyMap<string, string>,
): RowView {
  const cells = targets.flatMap(({ id: target }) =>
    run.siems.map(({ id }) => cellView(row, target, id, row.cells[target]?.[id], run, anchors)),
  );
  const entries = cells.flatMap((cell) => cell.entries);
  return {
    title: row.title,
    scenario: row.scenario,
    variant: row.variant ?? false,
    tags: [...new Set(entries.flatMap(({ tags }) => tags))].sort().join(' '),
    cells,
  };
}

function cellView(
  row: ScenarioRow,
  target: string,
  siem: string,
  cell: Cell | undefined,
  run: RunReport,
  anchors: ReadonlyMap<string, string>,
): CellView {
  const reports = (cell?.executions ?? [])
    .flatMap((id) => run.executions.find(({ plan }) => plan.id === id) ?? [])
    .sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return {
    target,
    siem,
    planned: reports.length > 0,
    rollUp: reports.length > 1 ? { count: reports.length, word: badge(cell?.verdict ?? 'not-tested').word } : false,
    entries: reports.map((report) =>
      entry(
        row,
        report,
        siem,
        {
          standIn: run.targets.some(({ id, fidelity }) => id === target && fidelity === 'stand-in'),
          labelled: reports.length > 1,
        },
        anchors,
      ),
    ),
  };
}

const order = ({ plan }: ExecutionReport): string => `${plan.phase === 'control-after' ? 1 : 0} ${plan.id}`;

function entry(
  row: ScenarioRow,
  { plan, assessments }: ExecutionReport,
  siem: string,
  { standIn, labelled }: { readonly standIn: boolean; readonly labelled: boolean },
  anchors: ReadonlyMap<string, string>,
): Entry {
  const assessment = assessments.find((one) => one.siem === siem);
  const label =
    plan.phase === 'control-before'
      ? 'before'
      : plan.phase === 'control-after'
        ? 'after'
        : `${plan.account}, ${plan.channel}`;
  return {
    href: `#${anchors.get(plan.id) ?? ''}`,
    name: `${row.title}${row.variant === undefined ? '' : `, ${row.variant}`}, ${plan.target}`,
    label: labelled ? label : false,
    badge: badge(assessment?.verdict ?? 'not-tested'),
    score: assessment?.score ?? 'inconclusive',
    scoreWord:
      assessment === undefined || assessment.score === 'inconclusive' || assessment.score === 'as-expected'
        ? false
        : scoreWords[assessment.score],
    tags: [assessment?.verdict ?? 'not-tested', assessment?.score ?? '', assessment?.expect.stance ?? ''],
    details: assessment === undefined ? ['its turn never came'] : detailsOf(assessment, standIn),
    meter:
      assessment === undefined
        ? false
        : { segments: hopStates(assessment).map(({ state }, index) => ({ x: index * 12, state })) },
  };
}

function detailsOf(
  { expect, alertLatencyMs, eventLatencyMs, byReferenceRule, facts }: Assessment,
  standIn: boolean,
): string[] {
  const declared = [stanceWords[expect.stance], expect.because].filter((part) => part !== undefined).join(': ');
  const owned = [expect.owner, expect.until === undefined ? undefined : `until ${expect.until}`];
  return [
    ...(alertLatencyMs !== undefined
      ? [`alert after ${formatDuration(alertLatencyMs)}`]
      : eventLatencyMs !== undefined
        ? [`event after ${formatDuration(eventLatencyMs)}`]
        : []),
    ...(standIn ? ['stand-in, not counted'] : []),
    ...(byReferenceRule ? ['by a reference rule'] : []),
    ...(facts.byHarness.length > 0 ? ['rule fires on the harness'] : []),
    ...(isDeclared(expect)
      ? [declared, owned.filter((part) => part !== undefined).join(', ')].filter((line) => line !== '')
      : []),
  ];
}
