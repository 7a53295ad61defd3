import { isSelected, type Selectable, type Selector } from '../domain/selector.ts';

/** The groups that a target names, and those of the inventory whose expression means it; each may build on the ones before it. */
export function groupsOf(target: Partial<Selectable>, groups: Readonly<Record<string, Selector>>): readonly string[] {
  let own = target.groups ?? [];
  for (const [id, selector] of Object.entries(groups))
    if (!own.includes(id) && isSelected(selector, { ...target, groups: own })) own = [...own, id];
  return own;
}
