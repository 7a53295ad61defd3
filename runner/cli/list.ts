import type { Analytic } from '../domain/attack.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { App } from './app.ts';
import { type LibraryOptions, loadMaterial } from './material.ts';
import { columns, say, sayJson } from './print.ts';

export const listable = ['scenarios', 'targets', 'siems', 'kinds', 'runs'] as const;
type Listable = (typeof listable)[number];

/** `list`: one line a thing. */
export async function list(
  app: App,
  what: Listable,
  options: LibraryOptions & { readonly out: string; readonly json?: boolean },
): Promise<number> {
  const rows = await rowsOf(app, what, options);
  if (options.json === true) sayJson(app, rows);
  else for (const line of columns(rows.map((row) => Object.values(row)))) say(app, line);
  return 0;
}

async function rowsOf(
  app: App,
  what: Listable,
  options: LibraryOptions & { readonly out: string },
): Promise<readonly Readonly<Record<string, string>>[]> {
  if (what === 'runs') return (await app.runs(options.out).list()).map((id) => ({ id }));
  if (what === 'kinds')
    return [
      ...[...app.plugins.transports.values()].map(({ kind, summary }) => ({ port: 'transport', kind, summary })),
      ...[...app.plugins.siems.values()].map(({ kind, summary }) => ({ port: 'siem', kind, summary })),
      ...[...app.reports.values()].map(({ plugin: { kind, summary } }) => ({ port: 'report', kind, summary })),
    ];
  const { attack, scenarios, inventory } = await loadMaterial(app, options);
  switch (what) {
    case 'scenarios':
      return attack.analytics.flatMap((analytic) => libraryRows(analytic, scenarios));
    case 'targets':
      return inventory.targets.map(({ id, platform, address, transport, accounts, groups, fidelity }) => ({
        id,
        platform,
        address: `${address} (${transport.kind})`,
        accounts: accounts.map(({ name }) => name).join(', '),
        groups: groups.join(', '),
        fidelity,
      }));
    case 'siems':
      return inventory.siems.map(({ id, kind }) => ({ id, kind }));
  }
}

/** An analytic's part of the library: its controls, then each of its elements with the scenarios that exercise it. */
function libraryRows(
  { id: analytic, platform, elements }: Analytic,
  scenarios: readonly Scenario[],
): readonly Readonly<Record<string, string>>[] {
  const own = scenarios.filter((scenario) => scenario.analytic === analytic);
  const row = (what: string, { id, purpose, title, variants }: Scenario): Readonly<Record<string, string>> => {
    const names = variants.map(({ name }) => name).join(', ');
    return { element: what, purpose, id, title: `${title}${names === '' ? '' : ` (variants: ${names})`}` };
  };
  const of = (field: string | undefined, what: string): readonly Readonly<Record<string, string>>[] =>
    (['control', 'emulation', 'twin'] as const).flatMap((purpose) =>
      own
        .filter((scenario) => scenario.purpose === purpose && scenario.element === field)
        .map((scenario) => row(what, scenario)),
    );
  return [
    ...of(undefined, `${analytic} –`),
    ...elements.flatMap(({ field }) => {
      const what = `${analytic} ${field}`;
      const rows = of(field, what);
      return rows.length > 0 ? rows : [{ element: what, purpose: '–', id: '–', title: `no scenario for ${platform}` }];
    }),
  ];
}
