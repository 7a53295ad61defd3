import { type Condition, type Selectable, type Selector, targetFields } from '../domain/selector.ts';
import { groupsOf } from './groups.ts';
import type { InventoryFile } from './inventory-schema.ts';
import { noMatch } from './select.ts';
import type { Report } from './report-at.ts';
import type { Path } from './source-file.ts';

type Rollout = Partial<Pick<InventoryFile, 'groups' | 'limits' | 'waves' | 'sample'>>;

/** Every expression means somebody, and no wave is larger than the caps allow. */
export function checkRollout(file: Rollout, targets: readonly Partial<Selectable>[], report: Report): void {
  const { groups = {}, limits, waves, sample } = file;
  const grouped = (known: Readonly<Record<string, Selector>>): readonly Partial<Selectable>[] =>
    targets.map((target) => ({ ...target, groups: groupsOf(target, known) }));
  const entries = Object.entries(groups);
  for (const [index, [id, selector]] of entries.entries())
    checkSelector(selector, ['groups', id], grouped(Object.fromEntries(entries.slice(0, index))), report);
  const all = grouped(groups);
  for (const [index, cap] of (limits?.caps ?? []).entries())
    checkSelector(cap.targets, ['limits', 'caps', index, 'targets'], all, report);
  if (waves?.firstFrom !== undefined) checkSelector(waves.firstFrom, ['waves', 'firstFrom'], all, report);
  if (sample?.always !== undefined) checkSelector(sample.always, ['sample', 'always'], all, report);
  for (const size of ['first', 'then'] as const)
    if (limits !== undefined && (waves?.[size] ?? 0) > limits.hosts)
      report(
        ['waves', size],
        'INVENTORY_WAVES',
        `a wave of ${String(waves?.[size])} hosts, where limits.hosts allows ${limits.hosts} at the same time`,
        'make the wave smaller, or limits.hosts larger',
      );
}

function checkSelector(selector: Selector, path: Path, targets: readonly Partial<Selectable>[], report: Report): void {
  for (const { field, pattern } of termsOf(selector.condition)) {
    const fault = noMatch({ col: 1, field, pattern }, targets, targetFields);
    if (fault !== undefined) report(path, 'INVENTORY_NO_MATCH', `${fault.found}: no target has that`, fault.hint);
  }
}

function termsOf(condition: Condition): readonly { readonly field: string; readonly pattern: string }[] {
  switch (condition.is) {
    case 'one-of':
      return condition.patterns.map((pattern) => ({ field: condition.field, pattern }));
    case 'not':
      return termsOf(condition.of);
    case 'and':
    case 'or':
      return condition.of.flatMap(termsOf);
  }
}
