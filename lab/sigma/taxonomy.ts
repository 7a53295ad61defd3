import type { Problem } from './problem.ts';
import { quote } from './problem.ts';
import type { LogSource, SigmaRule } from './rule.ts';

type Scalar = string | number | boolean;
type FieldNames = Readonly<Record<string, string | readonly string[]>>;

/**
 * What a rule's log source means for an event. A mapping applies to a rule when the rule names all that the mapping
 * names; several may apply to one rule, and then all their conditions hold.
 */
type LogSourceMapping = {
  readonly product?: string;
  readonly category?: string;
  readonly service?: string;
  /** Event field → value, or list of values of which one is enough. Compared as Sigma texts are: case does not count. */
  readonly when: Readonly<Record<string, Scalar | readonly Scalar[]>>;
  /** Field names that hold for this log source only; they come before the general ones. */
  readonly fields?: FieldNames;
};

/** How rules speak about events, as data. */
export type Taxonomy = {
  /** Sigma's field name → the event's field, or several of which any may hold the value. */
  readonly fields: FieldNames;
  readonly logsources: readonly LogSourceMapping[];
};

/** One rule's log source and field names, looked up. */
export type RuleScope = {
  readonly when: readonly { readonly field: string; readonly values: readonly string[] }[];
  /** The event's fields for a field of the rule; undefined when the taxonomy does not say. */
  readonly eventFields: (field: string) => readonly string[] | undefined;
};

const parts = ['product', 'category', 'service'] as const;

/** A problem when a part of the rule's log source means nothing in this taxonomy: the rule would see the wrong events. */
export function scopeOf(rule: SigmaRule, taxonomy: Taxonomy): RuleScope | Problem {
  const { logsource } = rule;
  const applying = taxonomy.logsources.filter((mapping) => applies(mapping, logsource));
  const unknown = parts.filter(
    (part) => logsource[part] !== undefined && applying.every((one) => one[part] === undefined),
  );
  if (unknown.length > 0) {
    return {
      file: rule.file,
      ...logsource.at,
      code: 'SIGMA_LOGSOURCE_UNMAPPED',
      found: `a logsource that no event is known for: ${unknown.map((part) => `${part} ${quote(logsource[part] ?? '')}`).join(', ')}`,
      hint: 'add it to the log source mapping, or correct the logsource',
    };
  }
  const names = Object.assign({}, taxonomy.fields, ...applying.map((mapping) => mapping.fields)) as FieldNames;
  return {
    when: applying.flatMap(({ when }) =>
      Object.entries(when).map(([field, value]) => ({ field, values: [value].flat().map(String) })),
    ),
    eventFields: (field) => {
      if (Object.hasOwn(names, field)) return [names[field] ?? []].flat();
      // A dotted name is the event's own (ECS), which is never a Sigma taxonomy name.
      return field.includes('.') || field.startsWith('@') ? [field] : undefined;
    },
  };
}

function applies(mapping: LogSourceMapping, logsource: LogSource): boolean {
  return parts.every((part) => mapping[part] === undefined || mapping[part] === logsource[part]);
}
