import { parseCidr } from './cidr.ts';
import type { Comparison, FieldPart, Value } from './detection.ts';
import { base64, base64Offsets, bytesAsText, maxWindashes, utf16, windash } from './encodings.ts';
import type { Encoded } from './encodings.ts';
import { anyText, mapText, parsePattern, plainText } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import { quote } from './problem.ts';
import type { Refusal } from './problem.ts';
import { compileRegex } from './regex.ts';
import { splitFlags } from './regex-syntax.ts';
import type { RegexFlag } from './regex-syntax.ts';

/** A value as it stands in the file. */
export type RawValue = string | number | boolean | null;

type TextDraft = { kind: 'text'; raw: string; pattern: Pattern; cased: boolean; isBytes: boolean };
/** A value between two modifiers. */
type Draft =
  | TextDraft
  | { kind: 'number'; number: number }
  | { kind: 'boolean'; boolean: boolean }
  | { kind: 'regex'; source: string; flags: ReadonlySet<RegexFlag> }
  | { kind: 'expansion'; drafts: readonly Draft[] }
  | Extract<Value, { kind: 'null' | 'exists' | 'cidr' | 'compare' | 'field' }>;

/** Applies itself to a value, or says what it needs instead. `isFirst`: no other modifier has changed the value. */
type Modifier = (draft: Draft, isFirst: boolean) => Draft | string;

const modifiers: ReadonlyMap<string, Modifier> = new Map<string, Modifier>([
  ['contains', affix('anywhere')],
  ['startswith', affix('start')],
  ['endswith', affix('end')],
  ['cased', (draft) => (draft.kind === 'text' || draft.kind === 'field' ? { ...draft, cased: true } : 'a string')],
  ['windash', expandDashes],
  ['wide', encodeUtf16((text) => utf16(text, 'le'))],
  ['utf16le', encodeUtf16((text) => utf16(text, 'le'))],
  ['utf16be', encodeUtf16((text) => utf16(text, 'be'))],
  ['utf16', encodeUtf16((text) => utf16(text, 'le', true))],
  ['base64', encodeBase64((value) => [base64(value)])],
  ['base64offset', encodeBase64(base64Offsets)],
  ['re', regex],
  ...['i', 'ignorecase'].map((name): [string, Modifier] => [name, regexFlag('i')]),
  ...['m', 'multiline'].map((name): [string, Modifier] => [name, regexFlag('m')]),
  ...['s', 'dotall'].map((name): [string, Modifier] => [name, regexFlag('s')]),
  ['cidr', cidr],
  ['exists', exists],
  ['fieldref', fieldReference],
  ['lt', compare('lt')],
  ['lte', compare('lte')],
  ['gt', compare('gt')],
  ['gte', compare('gte')],
]);

/** These say how a line's values are taken together, so they have no place in the order of the others. */
const listModifiers: ReadonlySet<string> = new Set(['all', 'neq']);

/** Known to the specification (modifiers appendix 2.1.0), and refused here with the reason. */
const unsupportedModifiers: ReadonlyMap<string, string> = new Map([
  ['expand', 'placeholders are not expanded here; write the values out'],
  ...['minute', 'hour', 'day', 'week', 'month', 'year'].map((name): [string, string] => [
    name,
    'parts of a date are not compared here; compare a field that holds the number',
  ]),
]);

/** Says what is wrong with a modifier's name, if anything. */
export function refuseModifier(name: string): Refusal | undefined {
  const why = unsupportedModifiers.get(name);
  if (why !== undefined) return { code: 'SIGMA_UNSUPPORTED', found: `the modifier ${name}`, hint: why };
  if (modifiers.has(name) || listModifiers.has(name)) return undefined;
  const known = [...modifiers.keys(), ...listModifiers].toSorted().join(', ');
  return { code: 'SIGMA_MODIFIER_UNKNOWN', found: `the modifier ${quote(name)}`, hint: `use one of: ${known}` };
}

/** Applies modifiers in their order to one value. The names must have passed `refuseModifier`. */
export function applyModifiers(raw: RawValue, names: readonly string[]): Value | Refusal {
  let draft = draftOf(raw);
  const applied: string[] = [];
  for (const name of names) {
    const modifier = modifiers.get(name);
    if (modifier === undefined) continue;
    const next = applyTo(draft, modifier, applied.length === 0);
    if (typeof next === 'string') {
      const before = applied.length > 0 ? ` after ${applied.join('|')}` : '';
      return {
        code: 'SIGMA_MODIFIER_MISUSED',
        found: `the modifier ${name}${before} on ${describe(raw)}`,
        hint: `${name} needs ${next}`,
      };
    }
    draft = next;
    applied.push(name);
  }
  return finish(draft);
}

function draftOf(raw: RawValue): Draft {
  if (raw === null) return { kind: 'null' };
  if (typeof raw === 'number') return { kind: 'number', number: raw };
  if (typeof raw === 'boolean') return { kind: 'boolean', boolean: raw };
  return { kind: 'text', raw, pattern: parsePattern(raw), cased: false, isBytes: false };
}

function applyTo(draft: Draft, modifier: Modifier, isFirst: boolean): Draft | string {
  if (draft.kind !== 'expansion') return modifier(draft, isFirst);
  const drafts: Draft[] = [];
  for (const one of draft.drafts) {
    const next = applyTo(one, modifier, isFirst);
    if (typeof next === 'string') return next;
    drafts.push(next);
  }
  return { kind: 'expansion', drafts };
}

function finish(draft: Draft): Value | Refusal {
  switch (draft.kind) {
    case 'number':
      return { kind: 'text', pattern: [{ text: String(draft.number) }], cased: false };
    case 'boolean':
      return { kind: 'text', pattern: [{ text: String(draft.boolean) }], cased: false };
    case 'text':
      return finishText(draft);
    case 'regex': {
      const compiled = compileRegex(draft.source, draft.flags);
      return 'code' in compiled ? compiled : { kind: 'regex', regex: compiled };
    }
    case 'expansion': {
      const values: Value[] = [];
      for (const one of draft.drafts) {
        const value = finish(one);
        if ('code' in value) return value;
        values.push(value);
      }
      return { kind: 'any', values };
    }
    case 'null':
    case 'exists':
    case 'cidr':
    case 'compare':
    case 'field':
      return draft;
  }
}

function finishText({ pattern, cased, isBytes }: TextDraft): Value | Refusal {
  if (!isBytes) return { kind: 'text', pattern, cased };
  const texts = pattern.map((part) => ('wild' in part ? part : bytesAsText(part.text)));
  const parts = texts.map((part) => (typeof part === 'string' ? { text: part } : part));
  if (parts.every((part) => part !== undefined)) return { kind: 'text', pattern: parts, cased };
  return {
    code: 'SIGMA_MODIFIER_MISUSED',
    found: 'a UTF-16 modifier on text that is not ASCII, without a base64 modifier after it',
    hint: 'add base64 or base64offset after it; how such bytes read as text differs from log to log',
  };
}

function affix(part: Exclude<FieldPart, 'whole'>): Modifier {
  return (draft) => {
    if (draft.kind === 'text') {
      const { pattern } = draft;
      const before = part === 'start' ? [] : [anyText];
      const after = part === 'end' ? [] : [anyText];
      return { ...draft, pattern: [...before, ...pattern, ...after] };
    }
    if (draft.kind === 'regex') {
      const [before, after] = { anywhere: ['', ''], start: ['^', ''], end: ['', '$'] }[part];
      return { ...draft, source: `${before}(?:${draft.source})${after}` };
    }
    return draft.kind === 'field'
      ? { ...draft, part }
      : 'a string; put the number in quotes to have it compared as text';
  };
}

function expandDashes(draft: Draft): Draft | string {
  if (draft.kind !== 'text' || draft.isBytes) return 'a string, before any encoding';
  const ways = windash(draft.pattern);
  if (ways === undefined) return `at most ${maxWindashes} option dashes in one value; split it and use all`;
  return { kind: 'expansion', drafts: ways.map((pattern) => ({ ...draft, pattern })) };
}

function encodeUtf16(encode: (text: string) => Encoded): Modifier {
  return (draft) => {
    if (draft.kind !== 'text' || draft.isBytes) return 'a string, once';
    return { ...draft, pattern: mapText(draft.pattern, (text) => encode(text).text), isBytes: true };
  };
}

function encodeBase64(encode: (value: Encoded) => readonly string[]): Modifier {
  return (draft) => {
    const text = draft.kind === 'text' ? plainText(draft.pattern) : undefined;
    if (draft.kind !== 'text' || text === undefined || text === '')
      return 'a string that is not empty and has no wildcards';
    const drafts = encode({ text, isBytes: draft.isBytes }).map((form): Draft => {
      return { ...draft, pattern: [{ text: form }], isBytes: false };
    });
    return { kind: 'expansion', drafts };
  };
}

function regex(draft: Draft, isFirst: boolean): Draft | string {
  if (draft.kind !== 'text' || !isFirst) return 'a string, before any other modifier';
  const { flags, rest } = splitFlags(draft.raw);
  return { kind: 'regex', source: rest, flags };
}

function regexFlag(flag: RegexFlag): Modifier {
  return (draft) =>
    draft.kind === 'regex' ? { ...draft, flags: new Set([...draft.flags, flag]) } : 'to stand directly after re';
}

function cidr(draft: Draft, isFirst: boolean): Draft | string {
  if (draft.kind !== 'text' || !isFirst) return 'a network such as 10.0.0.0/8 or fe80::/10, before any other modifier';
  const block = parseCidr(draft.raw);
  return 'wrong' in block ? `a network such as 10.0.0.0/8 or fe80::/10: ${block.wrong}` : { kind: 'cidr', block };
}

function exists(draft: Draft): Draft | string {
  return draft.kind === 'boolean' ? { kind: 'exists', exists: draft.boolean } : 'true or false, without quotes';
}

function fieldReference(draft: Draft): Draft | string {
  const field = draft.kind === 'text' && !draft.isBytes ? plainText(draft.pattern) : undefined;
  if (draft.kind !== 'text' || field === undefined || field === '') {
    return 'the name of a field; contains, startswith and endswith come after it';
  }
  return { kind: 'field', field, part: 'whole', cased: draft.cased };
}

function compare(op: Comparison): Modifier {
  return (draft) =>
    draft.kind === 'number' ? { kind: 'compare', op, number: draft.number } : 'a number, without quotes';
}

function describe(raw: RawValue): string {
  return typeof raw === 'string' ? quote(raw) : String(raw);
}
