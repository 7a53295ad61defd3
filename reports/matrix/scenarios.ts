import type { RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import type { Purpose } from '../../runner/domain/scenario.ts';
import { type RowGroup, rowGroups } from '../shared/rows.ts';
import { platformWords } from '../shared/words.ts';
import { type CellView, cellView, type Lookup } from './cell.ts';

type RowView = {
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

const headings: Readonly<Record<Purpose, readonly [heading: string, lede: string]>> = {
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

/** Scenarios by target and SIEM, a table for each purpose that the run has. */
export function scenarioTables(run: RunReport, anchors: ReadonlyMap<string, string>): readonly TableView[] {
  const lookup = { anchors, reports: new Map(run.executions.map((report) => [report.plan.id, report])) };
  return (['emulation', 'twin', 'control'] as const).flatMap((purpose) => {
    const groups = rowGroups(run, purpose);
    return groups.length === 0 ? [] : [table(purpose, groups, run, lookup)];
  });
}

function table(purpose: Purpose, groups: readonly RowGroup[], run: RunReport, lookup: Lookup): TableView {
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
  const rowView = (row: ScenarioRow): RowView => {
    const cells = targets.flatMap((target) => run.siems.map(({ id }) => cellView(row, target, id, lookup)));
    const tags = cells.flatMap(({ entries }) => entries.flatMap((entry) => entry.tags));
    return {
      title: row.title,
      scenario: row.scenario,
      variant: row.variant ?? false,
      tags: [...new Set(tags)].sort().join(' '),
      cells,
    };
  };
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
      rows: group.rows.map(rowView),
    })),
  };
}
