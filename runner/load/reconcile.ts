import type { Target } from '../domain/inventory.ts';
import type { ImportedTarget } from './import-targets.ts';

/** A field that a file and the inventory do not agree on, in words; settings of a transport are not shown. */
export type Difference = { readonly field: string; readonly inFile: string; readonly inInventory: string };

export type Reconciliation = {
  readonly onlyInFile: readonly string[];
  readonly onlyInInventory: readonly string[];
  readonly different: readonly { readonly id: string; readonly fields: readonly Difference[] }[];
  readonly same: number;
};

/** What a file of hosts and the inventory say differently; hosts are the same when their ids are, without case. Pure. */
export function reconcile(imported: readonly ImportedTarget[], inventory: readonly Target[]): Reconciliation {
  const known = new Map(inventory.map((target) => [target.id.toLowerCase(), target]));
  const named = new Set(imported.map(({ read }) => read.id.toLowerCase()));
  const both = imported.flatMap((one) => {
    const target = known.get(one.read.id.toLowerCase());
    return target === undefined ? [] : [{ id: one.read.id, fields: differences(one, target) }];
  });
  const different = both.filter(({ fields }) => fields.length > 0);
  return {
    onlyInFile: imported.map(({ read }) => read.id).filter((id) => !known.has(id.toLowerCase())),
    onlyInInventory: inventory.map(({ id }) => id).filter((id) => !named.has(id.toLowerCase())),
    different,
    same: both.length - different.length,
  };
}

function differences({ read, transportSettings }: ImportedTarget, target: Target): readonly Difference[] {
  const list = (values: readonly string[] = []): string => [...values].sort().join(', ');
  const names = (of: Readonly<Record<string, readonly string[]>>): string =>
    Object.entries(of)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([siem, all]) => `${siem}: ${list(all)}`)
      .join('; ');
  // The groups of an inventory are also those whose expression means the target: only what it lacks is a difference.
  const lacking = read.groups.filter((group) => !target.groups.includes(group));
  const rows: readonly (readonly [string, string, string])[] = [
    ...(['id', 'platform', 'address', 'interpreter', 'role', 'owner', 'criticality', 'zone', 'fidelity'] as const).map(
      (field) => [field, read[field], target[field]] as const,
    ),
    ['parallel', String(read.parallel), String(target.parallel)],
    ['groups', list(read.groups), lacking.length === 0 ? list(read.groups) : list(target.groups)],
    ['names', names(read.names), names(target.names)],
    ['sensors', list(read.sensors), list(target.sensors)],
    ['accounts', list(read.accounts.map(({ name }) => name)), list(target.accounts.map(({ name }) => name))],
    ['transport', read.transport.kind, target.transport.kind],
  ];
  const found = rows.flatMap(([field, inFile, inInventory]) =>
    inFile === inInventory ? [] : [{ field, inFile, inInventory }],
  );
  const otherSettings =
    read.transport.kind === target.transport.kind && !isSame(transportSettings, target.transport.settings);
  const settings = { field: 'transport', inFile: 'other settings', inInventory: 'other settings' };
  return otherSettings ? [...found, settings] : found;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([key, of]) => [key, sorted(of)]),
  );
}
