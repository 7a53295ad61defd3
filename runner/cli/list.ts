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
  const { scenarios, inventory } = await loadMaterial(app, options);
  switch (what) {
    case 'scenarios':
      return scenarios.map(({ id, purpose, analytic, element, title, variants }) => ({
        id,
        purpose,
        element: `${analytic} ${element ?? '–'}`,
        title: `${title}${variants.length === 0 ? '' : ` (variants: ${variants.map(({ name }) => name).join(', ')})`}`,
      }));
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
