import { isIP } from 'node:net';
import type { Condition, Detection, FieldTest, Value } from '../../lab/sigma/detection.ts';
import type { Part, Pattern } from '../../lab/sigma/pattern.ts';
import type { SigmaRule } from '../../lab/sigma/rule.ts';
import type { Taxonomy } from '../../lab/sigma/taxonomy.ts';

/** Every dotted name of an event with all its values; containers are listed too, since a field that is one exists. */
export type FlatEvent = ReadonlyMap<string, readonly unknown[]>;

export function flatten(event: Readonly<Record<string, unknown>>): FlatEvent {
  const flat = new Map<string, unknown[]>();
  const visit = (name: string, value: unknown): void => {
    const values = flat.get(name) ?? [];
    flat.set(name, values);
    if (Array.isArray(value)) {
      if (value.length === 0) values.push(null);
      for (const element of value) visit(name, element);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) visit(name === '' ? key : `${name}.${key}`, inner);
    } else {
      values.push(value);
    }
  };
  for (const [key, value] of Object.entries(event)) visit(key, value);
  return flat;
}

/**
 * Evaluates a rule the obvious way, without an index, shared tests or an automaton: what the matcher is compared with.
 * Its field names must be in the taxonomy, and its log source mapped.
 */
export function naiveMatch(rule: SigmaRule, taxonomy: Taxonomy, event: FlatEvent): boolean {
  const { logsource, detection } = rule;
  const inScope = taxonomy.logsources
    .filter((mapping) =>
      (['product', 'category', 'service'] as const).every(
        (part) => mapping[part] === undefined || mapping[part] === logsource[part],
      ),
    )
    .every(({ when }) =>
      Object.entries(when).every(([field, wanted]) => {
        const allowed = [wanted].flat().map((one) => lower(String(one)));
        return (event.get(field) ?? []).some((value) => allowed.includes(lower(String(value))));
      }),
    );
  if (!inScope) return false;
  const values = (field: string): readonly unknown[] | undefined => {
    const names = [taxonomy.fields[field] ?? field].flat();
    const found = names.flatMap((name) => event.get(name) ?? []);
    return names.some((name) => event.has(name)) ? found : undefined;
  };
  const all = [...event.values()].flat();
  const condition = (part: Condition): boolean => {
    switch (part.kind) {
      case 'and':
        return part.parts.every(condition);
      case 'or':
        return part.parts.some(condition);
      case 'not':
        return !condition(part.part);
      case 'selection': {
        const selection = detection.selections.get(part.name);
        return selection !== undefined && holds(selection);
      }
    }
  };
  const holds = (part: Detection): boolean => {
    if (part.kind === 'test') return testHolds(part);
    return part.kind === 'all' ? part.parts.every(holds) : part.parts.some(holds);
  };
  const testHolds = ({ field, values: wanted, need, negated }: FieldTest): boolean => {
    const found = field === undefined ? all : values(field);
    const one = (value: Value): boolean => valueHolds(value, found, field === undefined, values);
    return (need === 'all' ? wanted.every(one) : wanted.some(one)) !== negated;
  };
  return condition(detection.condition);
}

function valueHolds(
  value: Value,
  found: readonly unknown[] | undefined,
  isKeyword: boolean,
  valuesOf: (field: string) => readonly unknown[] | undefined,
): boolean {
  const texts = textsOf(found);
  switch (value.kind) {
    case 'null':
      return found === undefined || found.includes(null);
    case 'exists':
      return (found !== undefined) === value.exists;
    case 'any':
      return value.values.some((one) => valueHolds(one, found, isKeyword, valuesOf));
    case 'text': {
      const pattern: Pattern = isKeyword ? [{ wild: '*' }, ...value.pattern, { wild: '*' }] : value.pattern;
      return texts.some((text) => patternMatches(pattern, text, value.cased));
    }
    case 'regex': {
      const regex = new RegExp(value.regex.source, value.regex.flags);
      return texts.some((text) => regex.test(text));
    }
    case 'compare': {
      const numbers = texts.filter((text) => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)).map(Number);
      const { op, number } = value;
      return numbers.some((one) =>
        op === 'lt' ? one < number : op === 'lte' ? one <= number : op === 'gt' ? one > number : one >= number,
      );
    }
    case 'field': {
      const before: Part[] = value.part === 'end' || value.part === 'anywhere' ? [{ wild: '*' }] : [];
      const after: Part[] = value.part === 'start' || value.part === 'anywhere' ? [{ wild: '*' }] : [];
      return textsOf(valuesOf(value.field)).some((other) =>
        texts.some((text) => patternMatches([...before, { text: other }, ...after], text, value.cased)),
      );
    }
    case 'cidr':
      return texts.some((text) => addressBits(text).startsWith(blockBits(value.block)));
  }
}

function textsOf(values: readonly unknown[] | undefined): readonly string[] {
  return (values ?? []).filter((one) => one !== null && one !== undefined).map(String);
}

function patternMatches(pattern: Pattern, text: string, cased: boolean): boolean {
  const source = pattern
    .map((part) =>
      'wild' in part ? (part.wild === '*' ? '.*' : '.') : escapeRegExp(cased ? part.text : lower(part.text)),
    )
    .join('');
  return new RegExp(`^${source}$`, 'su').test(cased ? text : lower(text));
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`);
}

function lower(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ');
}

/** An address as 0s and 1s, with a letter in front that tells the families apart; only for addresses without `::`. */
function addressBits(text: string): string {
  const family = isIP(text);
  if (family === 4) return `4${bits(text.split('.').map(Number), 8)}`;
  if (family === 6)
    return `6${bits(
      text.split(':').map((group) => parseInt(group, 16)),
      16,
    )}`;
  return '';
}

function blockBits({ address, prefixBits }: Extract<Value, { kind: 'cidr' }>['block']): string {
  const all = bits(address, 16);
  return address[5] === 0xffff && prefixBits >= 96 ? `4${all.slice(96, prefixBits)}` : `6${all.slice(0, prefixBits)}`;
}

function bits(groups: readonly number[], width: number): string {
  return groups.map((group) => group.toString(2).padStart(width, '0')).join('');
}
