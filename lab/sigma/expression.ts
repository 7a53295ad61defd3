import type { Condition, Detection, FieldTest, Value } from './detection.ts';
import type { EventTests, EventView } from './event-tests.ts';
import { anyText } from './pattern.ts';
import type { Pattern } from './pattern.ts';
import type { Problem } from './problem.ts';
import { quote } from './problem.ts';
import type { SigmaRule } from './rule.ts';
import { scopeOf } from './taxonomy.ts';
import type { RuleScope, Taxonomy } from './taxonomy.ts';

/** A rule's logic over numbered tests. */
export type Expression =
  | { readonly kind: 'test'; readonly test: number; readonly field: number; readonly value: Value }
  | { readonly kind: 'not'; readonly part: Expression }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Expression[] };

/** A rule, ready to be asked about events. */
export type CompiledRule = {
  readonly rule: SigmaRule;
  /** What its log source demands of an event. */
  readonly scope: Expression;
  readonly condition: Expression;
  readonly selections: ReadonlyMap<string, Expression>;
};

/** A rule that cannot be run, and every reason. */
export type RefusedRule = { readonly rule: SigmaRule; readonly problems: readonly Problem[] };

export function holds(expression: Expression, view: EventView): boolean {
  switch (expression.kind) {
    case 'test':
      return view.answer(expression.test);
    case 'not':
      return !holds(expression.part, view);
    case 'and':
      for (const part of expression.parts) if (!holds(part, view)) return false;
      return true;
    case 'or':
      for (const part of expression.parts) if (holds(part, view)) return true;
      return false;
  }
}

/** Numbers a rule's tests, or says why the taxonomy has no place for the rule. */
export function compileRule(rule: SigmaRule, taxonomy: Taxonomy, tests: EventTests): CompiledRule | RefusedRule {
  const names = scopeOf(rule, taxonomy);
  if ('code' in names) return { rule, problems: [names] };
  const problems: Problem[] = [];
  const field = (name: string, { at }: FieldTest): number => {
    const eventFields = names.eventFields(name);
    if (eventFields !== undefined) return tests.field(eventFields);
    const hint = 'add it to the field mapping, or use the event’s own dotted name';
    problems.push({ file: rule.file, ...at, code: 'SIGMA_FIELD_UNMAPPED', found: `the field ${quote(name)}`, hint });
    return -1;
  };
  const compile = (detection: Detection): Expression => {
    if (detection.kind === 'test') return compileTest(detection, tests, field);
    const parts = detection.parts.map(compile);
    return detection.kind === 'all' ? allOf(parts) : anyOf(parts);
  };
  const selections = new Map<string, Expression>();
  for (const [name, detection] of rule.detection.selections) selections.set(name, compile(detection));
  if (problems.length > 0) return { rule, problems };
  const condition = compileCondition(rule.detection.condition, selections);
  return { rule, scope: compileScope(names, tests), condition, selections };
}

/** The log source's condition on events. */
function compileScope(scope: RuleScope, tests: EventTests): Expression {
  const parts = scope.when.map(({ field, values }): Expression => {
    const number = tests.field([field]);
    const alternatives = values.map((text) => {
      const pattern: Pattern = text === '' ? [] : [{ text }];
      return valueExpression(number, { kind: 'text', pattern, cased: false }, tests);
    });
    return anyOf(alternatives);
  });
  return allOf(parts);
}

function compileCondition(condition: Condition, selections: ReadonlyMap<string, Expression>): Expression {
  switch (condition.kind) {
    case 'selection':
      return selections.get(condition.name) ?? anyOf([]);
    case 'not':
      return { kind: 'not', part: compileCondition(condition.part, selections) };
    case 'and':
    case 'or':
      return { kind: condition.kind, parts: condition.parts.map((part) => compileCondition(part, selections)) };
  }
}

function compileTest(
  test: FieldTest,
  tests: EventTests,
  fieldNumber: (name: string, test: FieldTest) => number,
): Expression {
  const field = test.field === undefined ? tests.field([]) : fieldNumber(test.field, test);
  const compile = (value: Value): Expression => {
    if (value.kind === 'any') return anyOf(value.values.map(compile));
    if (value.kind === 'field') {
      const other = fieldNumber(value.field, test);
      return { kind: 'test', test: tests.comparison(field, other, value.part, value.cased), field, value };
    }
    return valueExpression(field, test.field === undefined ? asKeyword(value) : value, tests);
  };
  const parts = test.values.map(compile);
  const joined = test.need === 'all' ? allOf(parts) : anyOf(parts);
  return test.negated ? { kind: 'not', part: joined } : joined;
}

function valueExpression(
  field: number,
  value: Exclude<Value, { kind: 'any' | 'field' }>,
  tests: EventTests,
): Expression {
  return { kind: 'test', test: tests.test(field, value), field, value };
}

/** A keyword may stand anywhere in a value. */
function asKeyword<V extends Value>(value: V): V {
  return value.kind === 'text' ? { ...value, pattern: [anyText, ...value.pattern, anyText] } : value;
}

function allOf(parts: readonly Expression[]): Expression {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: 'and', parts };
}

function anyOf(parts: readonly Expression[]): Expression {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: 'or', parts };
}
