import type { RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import type { Purpose } from '../../runner/domain/scenario.ts';

/** Scenario rows of one purpose that exercise the same element (or, without one, belong to the same analytic). */
export type RowGroup = {
  /** `AN0174 ScriptDir` */
  readonly name: string;
  readonly gist: string | undefined;
  readonly rows: readonly ScenarioRow[];
};

/** In the order of ATT&CK's elements, then by scenario and variant; a scenario without variant comes before its variants. */
export function rowGroups(run: RunReport, purpose: Purpose): readonly RowGroup[] {
  const elements = run.attack.analytics.flatMap(({ id, elements: own }) =>
    own.map(({ field, gist }) => ({ name: `${id} ${field}`, gist })),
  );
  const place = (row: ScenarioRow): number => {
    const found = elements.findIndex(({ name }) => name === nameOf(row));
    return found === -1 ? elements.length : found;
  };
  const key = (row: ScenarioRow): string => [nameOf(row), row.scenario, row.variant ?? ''].join('\u0000');
  const rows = run.matrix.scenarios
    .filter((row) => row.purpose === purpose)
    .sort((a, b) => place(a) - place(b) || (key(a) < key(b) ? -1 : 1));
  return [...Map.groupBy(rows, nameOf)].map(([name, own]) => ({
    name,
    gist: elements.find((element) => element.name === name)?.gist,
    rows: own,
  }));
}

function nameOf({ analytic, element }: ScenarioRow): string {
  return element === undefined ? analytic : `${analytic} ${element}`;
}
