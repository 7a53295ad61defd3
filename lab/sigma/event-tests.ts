import { cidrHolds } from './cidr.ts';
import type { Comparison, FieldPart, Value } from './detection.ts';
import { FieldPath, FieldValues, allValues } from './event.ts';
import type { SigmaEvent } from './event.ts';
import { anyText, compilePattern, fold, mapText } from './pattern.ts';
import type { Pattern } from './pattern.ts';

/** A question about one or two fields of an event, shared by all the rules that ask it. */
type EventTest = (view: EventView) => boolean;

/** What the view counts its events in holds no more. */
const maxTurns = 2 ** 31 - 1;

/**
 * The fields and questions that a set of rules has in common, numbered. Each field is read and each question is
 * answered at most once per event.
 */
export class EventTests {
  readonly #fields = new Map<string, number>();
  readonly #readers: ((event: SigmaEvent) => FieldValues)[] = [];
  readonly #ids = new Map<string, number>();
  readonly #tests: EventTest[] = [];

  /** The number of a field that any of several event fields may hold. No names: every value of the event. */
  field(names: readonly string[]): number {
    return numbered(this.#fields, names.join('\n'), () => {
      const paths = names.map((name) => new FieldPath(name));
      this.#readers.push(paths.length === 0 ? allValues : (event) => read(event, paths));
    });
  }

  /** The number of the question whether the field has this value. */
  test(field: number, value: Exclude<Value, { kind: 'any' | 'field' }>): number {
    return this.#add(`${field} ${keyOf(value)}`, () => valueTest(field, value));
  }

  /** The number of the question whether one field has the value of another. */
  comparison(field: number, other: number, part: FieldPart, cased: boolean): number {
    return this.#add(`${field} ${part} ${other} ${cased}`, () => fieldTest(field, other, part, cased));
  }

  view(): EventView {
    return new EventView(this.#readers, this.#tests);
  }

  #add(key: string, make: () => EventTest): number {
    return numbered(this.#ids, key, () => {
      this.#tests.push(make());
    });
  }
}

/**
 * One event, as the tests see it. A view is used for event after event, so that none costs more than what is asked
 * about it.
 */
export class EventView {
  readonly #readers: readonly ((event: SigmaEvent) => FieldValues)[];
  readonly #tests: readonly EventTest[];
  /** For each test the turn in which it was answered: positive for yes, negative for no. */
  readonly #answers: Int32Array;
  readonly #values: FieldValues[] = [];
  readonly #read: Int32Array;
  #event: SigmaEvent = {};
  #turn = 0;

  constructor(readers: readonly ((event: SigmaEvent) => FieldValues)[], tests: readonly EventTest[]) {
    this.#readers = readers;
    this.#tests = tests;
    this.#answers = new Int32Array(tests.length);
    this.#read = new Int32Array(readers.length);
  }

  /** Turns to another event. */
  show(event: SigmaEvent): void {
    this.#event = event;
    if (++this.#turn < maxTurns) return;
    this.#turn = 1;
    this.#answers.fill(0);
    this.#read.fill(0);
  }

  values(field: number): FieldValues {
    const known = this.#values[field];
    if (known !== undefined && this.#read[field] === this.#turn) return known;
    const values = this.#readers[field]?.(this.#event) ?? new FieldValues();
    this.#values[field] = values;
    this.#read[field] = this.#turn;
    return values;
  }

  answer(test: number): boolean {
    const known = this.#answers[test];
    if (known === this.#turn) return true;
    if (known === -this.#turn) return false;
    const answer = this.#tests[test]?.(this) ?? false;
    this.#answers[test] = answer ? this.#turn : -this.#turn;
    return answer;
  }
}

function numbered(numbers: Map<string, number>, key: string, onNew: () => void): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  const number = numbers.size;
  numbers.set(key, number);
  onNew();
  return number;
}

function read(event: SigmaEvent, paths: readonly FieldPath[]): FieldValues {
  const values = new FieldValues();
  for (const path of paths) path.collect(event, values);
  return values;
}

function keyOf(value: Exclude<Value, { kind: 'any' | 'field' }>): string {
  if (value.kind === 'regex') return `regex ${value.regex.flags} ${value.regex.source}`;
  return JSON.stringify(value);
}

function valueTest(field: number, value: Exclude<Value, { kind: 'any' | 'field' }>): EventTest {
  switch (value.kind) {
    case 'text': {
      const { cased } = value;
      const matches = compilePattern(cased ? value.pattern : mapText(value.pattern, fold));
      return (view) => {
        const values = view.values(field);
        return (cased ? values.texts : values.folded).some(matches);
      };
    }
    case 'null':
      return (view) => {
        const { present, hasNull } = view.values(field);
        return !present || hasNull;
      };
    case 'exists':
      return (view) => view.values(field).present === value.exists;
    case 'regex':
      return (view) => view.values(field).texts.some(value.regex.test);
    case 'cidr':
      return (view) => view.values(field).addresses.some((ip) => cidrHolds(value.block, ip));
    case 'compare': {
      const compare = comparisons[value.op];
      return (view) => view.values(field).texts.some((text) => isNumber(text) && compare(Number(text), value.number));
    }
  }
}

const comparisons: Readonly<Record<Comparison, (field: number, value: number) => boolean>> = {
  lt: (field, value) => field < value,
  lte: (field, value) => field <= value,
  gt: (field, value) => field > value,
  gte: (field, value) => field >= value,
};

/** Logs often hold numbers as text; only plain decimal ones are taken for numbers. */
function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text);
}

function fieldTest(field: number, other: number, part: FieldPart, cased: boolean): EventTest {
  const before = part === 'end' || part === 'anywhere' ? [anyText] : [];
  const after = part === 'start' || part === 'anywhere' ? [anyText] : [];
  return (view) => {
    const [texts, wanted] = [field, other].map((one) => (cased ? view.values(one).texts : view.values(one).folded));
    return (wanted ?? []).some((text) => {
      const pattern: Pattern = [...before, ...(text === '' ? [] : [{ text }]), ...after];
      return texts?.some(compilePattern(pattern)) ?? false;
    });
  };
}
