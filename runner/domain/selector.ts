import type { Target } from './inventory.ts';
import { glob } from './glob.ts';
import type { NonEmpty } from './non-empty.ts';

/** A condition over things with named fields, as `--targets` and the inventory write it (docs/inventory.md has the grammar). */
export type Condition =
  /** One of the field's values matches one of the patterns. */
  | { readonly is: 'one-of'; readonly field: string; readonly patterns: NonEmpty<string> }
  | { readonly is: 'not'; readonly of: Condition }
  | { readonly is: 'and' | 'or'; readonly of: NonEmpty<Condition> };

/** A condition as it was written and as it was understood. */
export type Selector = { readonly text: string; readonly condition: Condition };

/** What a condition may speak of: per field, the values that a thing has. */
export type Fields<T> = Readonly<Record<string, (item: T) => readonly string[]>>;

export function matches<T>(condition: Condition, item: T, fields: Fields<T>): boolean {
  switch (condition.is) {
    case 'one-of': {
      const values = fields[condition.field]?.(item) ?? [];
      return condition.patterns.some((pattern) => values.some((value) => glob(pattern, value)));
    }
    case 'not':
      return !matches(condition.of, item, fields);
    case 'and':
      return condition.of.every((part) => matches(part, item, fields));
    case 'or':
      return condition.of.some((part) => matches(part, item, fields));
  }
}

/** What selectors over targets look at. */
export type Selectable = Pick<
  Target,
  'id' | 'platform' | 'groups' | 'role' | 'zone' | 'owner' | 'criticality' | 'fidelity'
> & { readonly transport: { readonly kind: string } };

export const targetFields: Fields<Partial<Selectable>> = {
  id: ({ id }) => one(id),
  platform: ({ platform }) => one(platform),
  group: ({ groups }) => groups ?? [],
  role: ({ role }) => one(role),
  zone: ({ zone }) => one(zone),
  owner: ({ owner }) => one(owner),
  criticality: ({ criticality }) => one(criticality),
  fidelity: ({ fidelity }) => one(fidelity),
  transport: ({ transport }) => one(transport?.kind),
};

/** Is this target one of those that a selector of the inventory means? */
export function isSelected(selector: Selector, target: Partial<Selectable>): boolean {
  return matches(selector.condition, target, targetFields);
}

function one(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}
