import { isMap, isScalar, isSeq } from 'yaml';
import type { Node, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { parseCondition } from './condition.ts';
import type { Condition, Detection, FieldTest, RuleDetection, Value } from './detection.ts';
import { entries } from './metadata.ts';
import { applyModifiers, refuseModifier } from './modifiers.ts';
import type { RawValue } from './modifiers.ts';
import { quote } from './problem.ts';
import type { Located, ProblemList } from './problem.ts';

/** Reads the detection section; adds every problem in it to the list and then returns undefined. */
export function parseDetection(section: YAMLMap, problems: ProblemList): RuleDetection | undefined {
  const selections = new Map<string, Detection | undefined>();
  let condition: Node | undefined;
  for (const { key, value } of entries(section)) {
    const name = keyText(key);
    if (name === 'condition') {
      condition = value;
    } else if (name === 'timeframe') {
      const hint = 'rules that count or correlate over time are not supported here';
      problems.add(key, { code: 'SIGMA_UNSUPPORTED', found: 'timeframe', hint });
    } else if (name === undefined || !/^[A-Za-z0-9_-]+$/.test(name)) {
      const hint = 'use letters, digits, _ and - in the name of a selection';
      problems.add(key, { code: 'SIGMA_WRONG_VALUE', found: `the selection ${quote(String(key))}`, hint });
    } else {
      selections.set(name, parseSelection(value, key, problems));
    }
  }
  if (selections.size === 0) {
    problems.add(section, { code: 'SIGMA_MISSING', found: 'no selection', hint: 'add a selection to the detection' });
  }
  const parsed = parseConditions(condition, section, [...selections.keys()], problems);
  const complete = new Map<string, Detection>();
  for (const [name, detection] of selections) if (detection !== undefined) complete.set(name, detection);
  if (parsed === undefined || complete.size < selections.size) return undefined;
  return { selections: complete, condition: parsed };
}

function parseConditions(
  node: Node | undefined,
  section: YAMLMap,
  selections: readonly string[],
  problems: ProblemList,
): Condition | undefined {
  if (node === undefined) {
    problems.add(section, { code: 'SIGMA_MISSING', found: 'no condition', hint: 'add a condition to the detection' });
    return undefined;
  }
  const items = isSeq(node) ? (node as YAMLSeq<Node>).items : [node];
  const parts: Condition[] = [];
  for (const item of items) {
    if (!isScalar(item) || typeof item.value !== 'string') {
      problems.add(item, {
        code: 'SIGMA_WRONG_TYPE',
        found: 'a condition that is not text',
        hint: 'write the condition as text',
      });
      continue;
    }
    const condition = parseCondition(item.value, selections);
    if ('code' in condition) {
      const { offset, ...refusal } = condition;
      problems.add((item.range?.[0] ?? 0) + textStart(item) + offset, refusal);
    } else {
      parts.push(condition);
    }
  }
  if (items.length === 0) {
    problems.add(node, { code: 'SIGMA_MISSING', found: 'an empty list of conditions', hint: 'add a condition' });
  }
  if (parts.length === 0 || parts.length < items.length) return undefined;
  return parts.length === 1 ? parts[0] : { kind: 'or', parts };
}

/** How far into its YAML a text begins. In block and escaped texts the place within the text is not known exactly. */
function textStart(node: Scalar): number {
  return node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE' ? 1 : 0;
}

function parseSelection(node: Node | undefined, key: Located, problems: ProblemList): Detection | undefined {
  if (isMap(node)) return parseFields(node, problems);
  if (isSeq(node)) {
    const { items } = node as YAMLSeq<Node>;
    if (items.length > 0 && items.every((item) => isScalar(item))) return parseTest('', items, key, problems);
    if (items.length > 0)
      return combined(
        'any',
        items.map((item) => parseSelection(item, item, problems)),
      );
  }
  if (isScalar(node) && node.value !== null) return parseTest('', [node], node, problems);
  const hint = 'write a map of fields, a list of such maps, or a list of keywords';
  problems.add(node ?? key, { code: 'SIGMA_WRONG_TYPE', found: 'an empty selection', hint });
  return undefined;
}

function parseFields(map: YAMLMap, problems: ProblemList): Detection | undefined {
  const parts = entries(map).map(({ key, value }) => {
    const name = keyText(key);
    if (name === undefined) {
      problems.add(key, { code: 'SIGMA_WRONG_TYPE', found: 'a field name that is not text', hint: 'put it in quotes' });
      return undefined;
    }
    return parseTest(name, isSeq(value) ? (value as YAMLSeq<Node>).items : [value], key, problems);
  });
  if (parts.length > 0) return combined('all', parts);
  problems.add(map, { code: 'SIGMA_MISSING', found: 'a selection without fields', hint: 'add a field' });
  return undefined;
}

function combined(kind: 'all' | 'any', parts: readonly (Detection | undefined)[]): Detection | undefined {
  const complete = parts.filter((part) => part !== undefined);
  return complete.length === parts.length ? { kind, parts: complete } : undefined;
}

/** `key` is a field name with its modifiers, `|modifier` for keywords with modifiers, or empty for plain keywords. */
function parseTest(
  key: string,
  nodes: readonly (Node | undefined)[],
  at: Located,
  problems: ProblemList,
): FieldTest | undefined {
  const [field = '', ...modifiers] = key.split('|');
  const refusals = modifiers.map(refuseModifier).filter((refusal) => refusal !== undefined);
  const anchor = modifiers.find((name) => name === 'startswith' || name === 'endswith');
  if (field === '' && anchor !== undefined) {
    const hint = 'name a field before it; keywords are looked for anywhere';
    refusals.push({ code: 'SIGMA_MODIFIER_MISUSED', found: `${anchor} on keywords`, hint });
  }
  for (const refusal of refusals) problems.add(at, refusal);
  if (nodes.length === 0) {
    problems.add(at, {
      code: 'SIGMA_MISSING',
      found: `an empty list for ${quote(key)}`,
      hint: 'add a value, or write null',
    });
  }
  if (refusals.length > 0 || nodes.length === 0) return undefined;
  const values: Value[] = [];
  for (const node of nodes) {
    const value = parseValue(node, at, modifiers, problems);
    if (value === undefined) continue;
    const misfit = field === '' ? keywordMisfit(value) : undefined;
    if (misfit === undefined) values.push(value);
    else problems.add(node ?? at, { code: 'SIGMA_MODIFIER_MISUSED', found: misfit, hint: 'name a field before it' });
  }
  if (values.length < nodes.length) return undefined;
  return {
    kind: 'test',
    field: field === '' ? undefined : field,
    values,
    need: modifiers.includes('all') ? 'all' : 'any',
    negated: modifiers.includes('neq'),
    at: problems.position(at),
  };
}

function parseValue(
  node: Node | undefined,
  key: Located,
  modifiers: readonly string[],
  problems: ProblemList,
): Value | undefined {
  const raw = isScalar(node) ? node.value : node === undefined ? null : node;
  if (!isRawValue(raw)) {
    const hint = 'write a text, a number, true, false or null; a list holds only these';
    problems.add(node ?? key, { code: 'SIGMA_WRONG_TYPE', found: 'a value that is neither text nor number', hint });
    return undefined;
  }
  if (typeof raw === 'number' && !(Number.isSafeInteger(raw) || (Number.isFinite(raw) && !Number.isInteger(raw)))) {
    const hint = 'put it in quotes; a number of this size would lose digits';
    problems.add(node ?? key, { code: 'SIGMA_WRONG_VALUE', found: `the number ${raw}`, hint });
    return undefined;
  }
  const value = applyModifiers(raw, modifiers);
  if (!('code' in value)) return value;
  problems.add(node ?? key, value);
  return undefined;
}

function isRawValue(value: unknown): value is RawValue {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** A keyword is looked for in the whole event, so only what can be found inside a text makes sense. */
function keywordMisfit(value: Value): string | undefined {
  switch (value.kind) {
    case 'regex':
      return undefined;
    case 'text':
      return value.pattern.some((part) => 'text' in part) ? undefined : 'a keyword that every event has';
    case 'any':
      return value.values.map(keywordMisfit).find((misfit) => misfit !== undefined);
    case 'null':
    case 'exists':
    case 'cidr':
    case 'compare':
    case 'field':
      return `a keyword that is not text (${value.kind})`;
  }
}

function keyText(key: Node): string | undefined {
  return isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
}
