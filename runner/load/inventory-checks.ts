import { glob } from '../domain/glob.ts';
import { listAt, valueAt } from './check.ts';
import type { InventoryFile } from './inventory-schema.ts';
import { type Problem, shown, suggest } from './problem.ts';
import { checkRollout } from './rollout-checks.ts';
import { groupsOf } from './groups.ts';
import { type Report, reportOn } from './report-at.ts';
import type { Path, SourceFile } from './source-file.ts';

type Entry<K extends 'windows' | 'targets' | 'expectations'> = {
  readonly path: Path;
  readonly fields: Partial<InventoryFile[K][number]>;
};

/** The entries of the lists, each with those of its fields that are valid in themselves. */
export type InventoryEntries = {
  readonly windows: readonly Entry<'windows'>[];
  readonly targets: readonly Entry<'targets'>[];
  readonly expectations: readonly Entry<'expectations'>[];
  readonly rollout: Partial<Pick<InventoryFile, 'groups' | 'limits' | 'waves' | 'sample'>>;
};

/** What the inventory may refer to outside itself; what is absent is not checked. */
export type InventoryReferences = {
  /** Ids of the scenarios. */
  readonly scenarios?: readonly string[];
  /** References of the log sources, official and supplementary. */
  readonly sources?: readonly string[];
};

/** All that is wrong with an inventory besides the form of its entries. */
export function inventoryProblems(
  source: SourceFile,
  entries: InventoryEntries,
  references: InventoryReferences,
): readonly Problem[] {
  const { report, problems } = reportOn(source);
  for (const list of ['windows', 'targets', 'siems']) checkUnique(source, [list], 'id', report);
  const siems = idsOf(source, 'siems');
  checkGroups(source, entries, report);
  const targets = entries.targets.map(({ fields }) => fields);
  checkRollout(entries.rollout, targets, report);
  for (const window of entries.windows) checkWindow(source, window, report);
  for (const { path, fields } of entries.targets) {
    checkUnique(source, [...path, 'accounts'], 'name', report);
    for (const siem of Object.keys(fields.names ?? {}))
      if (!siems.includes(siem))
        report([...path, 'names', siem], 'INVENTORY_UNKNOWN_SIEM', `no SIEM ${shown(siem)}`, suggest(siem, siems));
  }
  const roles = entries.targets.flatMap(({ fields }) => fields.role ?? []);
  for (const overlay of entries.expectations) checkOverlay(overlay, { siems, roles, ...references }, report);
  return problems;
}

function idsOf(source: SourceFile, list: string): readonly string[] {
  return listAt(source.value, [list]).flatMap((entry) => {
    const id = valueAt(entry, ['id']);
    return typeof id === 'string' ? [id] : [];
  });
}

/** Compared without case: ids become names of files, and host names know no case. */
function checkUnique(source: SourceFile, path: Path, key: string, report: Report): void {
  const seen = new Set<string>();
  for (const [index, entry] of listAt(source.value, path).entries()) {
    const value = valueAt(entry, [key]);
    if (typeof value !== 'string') continue;
    if (seen.has(value.toLowerCase()))
      report(
        [...path, index, key],
        'INVENTORY_DUPLICATE',
        `a second entry with this ${key}`,
        `give each one its own ${key}`,
      );
    seen.add(value.toLowerCase());
  }
}

/** Every group of a window has targets, and every target is in a group that has a window. */
function checkGroups(source: SourceFile, { windows, targets, rollout }: InventoryEntries, report: Report): void {
  const { groups = {} } = rollout;
  const groupsIn = (list: string): readonly string[] =>
    listAt(source.value, [list]).flatMap((entry) =>
      listAt(entry, ['groups']).filter((group) => typeof group === 'string'),
    );
  const ofTargets = [...groupsIn('targets'), ...Object.keys(groups)];
  const ofWindows = groupsIn('windows');
  for (const { path, fields } of windows)
    for (const [index, group] of (fields.groups ?? []).entries())
      if (!ofTargets.includes(group))
        report(
          [...path, 'groups', index],
          'INVENTORY_UNKNOWN_GROUP',
          `no target is in group ${group}`,
          suggest(group, new Set(ofTargets)),
        );
  for (const { path, fields } of targets) {
    const own = groupsOf(fields, groups);
    if (fields.groups !== undefined && !own.some((group) => ofWindows.includes(group)))
      report(
        [...path, 'groups'],
        'INVENTORY_NO_WINDOW',
        `no window names a group of this target (${own.join(', ') || 'it has none'}), so it could never be touched`,
        `add one of its groups to a window, or use a group that has one: ${[...new Set(ofWindows)].join(', ') || 'there is none'}`,
      );
  }
}

function checkWindow(source: SourceFile, { path, fields }: Entry<'windows'>, report: Report): void {
  const { span, weekly, freezes = [] } = fields;
  if (span !== undefined && weekly !== undefined)
    report([...path, 'weekly'], 'INVENTORY_WINDOW', 'a window with both span and weekly', 'make it two windows');
  const says = (key: string): boolean => valueAt(source.value, [...path, key]) !== undefined;
  if (!says('span') && !says('weekly'))
    report(
      path,
      'INVENTORY_WINDOW',
      'a window that does not say when',
      'add span: { from, to } or weekly: { days, from, to, timeZone }',
    );
  if (span !== undefined && span.to <= span.from)
    report(
      [...path, 'span', 'to'],
      'INVENTORY_SPAN',
      'an end that is not after the start',
      'make `to` later than `from`',
    );
  for (const [index, freeze] of freezes.entries())
    if (freeze.to <= freeze.from)
      report(
        [...path, 'freezes', index, 'to'],
        'INVENTORY_SPAN',
        'an end that is not after the start',
        'make `to` later than `from`',
      );
  if (weekly !== undefined && new Set(weekly.days).size !== weekly.days.length)
    report([...path, 'weekly', 'days'], 'INVENTORY_DUPLICATE', 'a day that is named twice', 'name each day once');
}

type Known = InventoryReferences & { readonly siems: readonly string[]; readonly roles: readonly string[] };

function checkOverlay({ path, fields }: Entry<'expectations'>, known: Known, report: Report): void {
  for (const [index, pattern] of fields.scenarios?.entries() ?? [])
    if (known.scenarios?.some((id) => glob(pattern, id)) === false)
      report(
        [...path, 'scenarios', index],
        'INVENTORY_NO_MATCH',
        `${shown(pattern)} matches no scenario`,
        suggest(pattern, known.scenarios),
      );
  for (const [index, role] of fields.roles?.entries() ?? [])
    if (!known.roles.includes(role))
      report(
        [...path, 'roles', index],
        'INVENTORY_NO_MATCH',
        `no target has the role ${shown(role)}`,
        suggest(role, new Set(known.roles)),
      );
  for (const [index, siem] of (fields.siems ?? []).entries())
    if (!known.siems.includes(siem))
      report([...path, 'siems', index], 'INVENTORY_UNKNOWN_SIEM', `no SIEM ${shown(siem)}`, suggest(siem, known.siems));
  for (const [index, ref] of (fields.notCollected ?? []).entries())
    if (known.sources !== undefined && !known.sources.includes(ref))
      report(
        [...path, 'notCollected', index],
        'INVENTORY_UNKNOWN_SOURCE',
        `no log source ${shown(ref)}`,
        suggest(ref, known.sources),
      );
  const { rule, rules, stance, because, owner, until, within, observeFor } = fields;
  if (rule !== undefined && rules !== undefined)
    report([...path, 'rules'], 'INVENTORY_RULES', 'both rule and rules', 'keep one of them');
  if ((stance === 'known-gap' || stance === 'not-collected') && because === undefined)
    report([...path, 'stance'], 'INVENTORY_NO_REASON', `${stance} without a reason`, 'add because: …');
  if (stance === 'known-gap' && owner === undefined)
    report([...path, 'stance'], 'INVENTORY_NO_OWNER', 'known-gap without an owner', 'add owner: who is to close it');
  if (stance !== undefined && stance !== 'known-gap' && until !== undefined)
    report(
      [...path, 'until'],
      'INVENTORY_UNTIL',
      `until with ${stance}`,
      'remove it: only a known gap has an end date',
    );
  if (within !== undefined && observeFor !== undefined && observeFor < within)
    report(
      [...path, 'observeFor'],
      'INVENTORY_OBSERVE_FOR',
      'observeFor shorter than within, so that an alert in time could be missed',
      'make observeFor at least as long as within',
    );
}
