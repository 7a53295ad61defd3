import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { Condition, Selector } from '../domain/selector.ts';
import { shown, suggest } from './problem.ts';

/**
 * The grammar of `--targets`, `--scenarios` and of every selector in the inventory:
 *
 *     expression := all { "or" all }
 *     all        := part { "and" part }
 *     part       := "not" part | "(" expression ")" | [ FIELD ( "=" | "!=" ) ] pattern { "," pattern }
 *     pattern    := a word without spaces and ( ) = ! , ' "   |   'any text'   |   "any text"
 *
 * `*` in a pattern stands for any text. Patterns without a field speak of the id. `field!=x` is `not field=x`.
 */
export type Read =
  | { readonly is: 'read'; readonly selector: Selector; readonly terms: readonly Term[] }
  | { readonly is: 'wrong'; readonly faults: NonEmpty<Fault> };

/** What is wrong with an expression; `col` counts its characters from 1. */
export type Fault = { readonly col: number; readonly code: string; readonly found: string; readonly hint: string };

/** One pattern of the expression, for checks that know what there is to be matched. */
export type Term = { readonly col: number; readonly field: string; readonly pattern: string };

type Token = { readonly text: string; readonly col: number; readonly kind: 'word' | 'quoted' | 'mark' | 'end' };

const maxLength = 2_000;
const maxDepth = 30;
const operators: ReadonlySet<string> = new Set(['and', 'or', 'not']);

/** Reads an expression over these fields. Never throws: whatever the text is, it is a condition or has faults with their column. */
export function readSelector(text: string, fields: readonly string[]): Read {
  if (text.length > maxLength)
    return wrong(
      1,
      'SELECT_TOO_LONG',
      `${text.length} characters`,
      `use at most ${maxLength}; a group can name a part`,
    );
  try {
    const parser = new Parser(tokens(text), fields);
    const condition = parser.whole();
    const faults = nonEmpty(parser.faults);
    return faults === undefined
      ? { is: 'read', selector: { text, condition }, terms: parser.terms }
      : { is: 'wrong', faults };
  } catch (error) {
    if (error instanceof Stop) return { is: 'wrong', faults: [error.fault] };
    throw error;
  }
}

/** After a fault of the grammar nothing behind it means anything. */
class Stop extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.found);
    this.fault = fault;
  }
}

function wrong(col: number, code: string, found: string, hint: string): Read {
  return { is: 'wrong', faults: [{ col, code, found, hint }] };
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  const pattern = /(\s+)|([(),]|!=|=)|'([^']*)'|"([^"]*)"|([^\s()=!,'"]+)/uy;
  for (let at = 0; at < text.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    const col = at + 1;
    if (match === null) {
      const quote = /^['"]/.exec(text.slice(at))?.[0];
      throw new Stop(
        quote === undefined
          ? { col, code: 'SELECT_SYNTAX', found: shown(text.charAt(at)), hint: 'write not, or field!=value' }
          : { col, code: 'SELECT_SYNTAX', found: `a ${quote} that is not closed`, hint: `add the closing ${quote}` },
      );
    }
    const [, space, mark, single, double, word] = match;
    if (space !== undefined) continue;
    const quoted = single ?? double;
    if (mark !== undefined) found.push({ kind: 'mark', text: mark, col });
    else if (quoted !== undefined) found.push({ kind: 'quoted', text: quoted, col });
    else found.push({ kind: 'word', text: word ?? '', col });
  }
  return [...found, { kind: 'end', text: '', col: text.length + 1 }];
}

class Parser {
  readonly faults: Fault[] = [];
  readonly terms: Term[] = [];
  readonly #tokens: readonly Token[];
  readonly #fields: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(all: readonly Token[], fields: readonly string[]) {
    this.#tokens = all;
    this.#fields = fields;
  }

  whole(): Condition {
    const condition = this.#any();
    if (this.#next.kind !== 'end') this.#stop('the end, and, or or');
    return condition;
  }

  #any(): Condition {
    return this.#chain('or', () => this.#chain('and', () => this.#part()));
  }

  #chain(word: 'and' | 'or', part: () => Condition): Condition {
    const parts: [Condition, ...Condition[]] = [part()];
    while (this.#isWord(word)) {
      this.#at += 1;
      parts.push(part());
    }
    return parts.length === 1 ? parts[0] : { is: word, of: parts };
  }

  #part(): Condition {
    this.#depth += 1;
    if (this.#depth > maxDepth) this.#stop(`at most ${maxDepth} levels of not and parentheses`);
    try {
      if (this.#isWord('not')) {
        this.#at += 1;
        return { is: 'not', of: this.#part() };
      }
      if (this.#isMark('(')) {
        this.#at += 1;
        const inner = this.#any();
        if (!this.#isMark(')')) this.#stop('), and or or');
        this.#at += 1;
        return inner;
      }
      return this.#term();
    } finally {
      this.#depth -= 1;
    }
  }

  #term(): Condition {
    const first = this.#next;
    const follows = this.#tokens[this.#at + 1];
    const sign = follows?.kind === 'mark' && (follows.text === '=' || follows.text === '!=') ? follows.text : undefined;
    if (first.kind !== 'word' || sign === undefined) return this.#patterns('id');
    if (!this.#fields.includes(first.text))
      this.faults.push({
        col: first.col,
        code: 'SELECT_UNKNOWN_FIELD',
        found: `unknown field ${shown(first.text)}`,
        hint: suggest(first.text, this.#fields),
      });
    this.#at += 2;
    const condition = this.#patterns(first.text);
    return sign === '=' ? condition : { is: 'not', of: condition };
  }

  #patterns(field: string): Condition {
    const patterns: [string, ...string[]] = [this.#pattern(field)];
    while (this.#isMark(',')) {
      this.#at += 1;
      patterns.push(this.#pattern(field));
    }
    const sign = this.#next;
    if (sign.kind === 'mark' && (sign.text === '=' || sign.text === '!='))
      this.#stop('and or or: a comma stands between values of one field');
    return { is: 'one-of', field, patterns };
  }

  #pattern(field: string): string {
    const { kind, text, col } = this.#next;
    const isValue = kind === 'quoted' || (kind === 'word' && !operators.has(text));
    if (!isValue) this.#stop(field === 'id' ? 'an id, field=value, not or (' : `a value of ${field}`);
    this.#at += 1;
    if (text === '' || text.split('*').length > 5)
      this.faults.push({
        col,
        code: 'SELECT_PATTERN',
        found: text === '' ? 'an empty value' : shown(text),
        hint: text === '' ? 'write a value, or * for any' : 'use at most four *',
      });
    this.terms.push({ col, field, pattern: text });
    return text;
  }

  get #next(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new RangeError('read beyond the end of an expression');
    return token;
  }

  #isWord(text: string): boolean {
    return this.#next.kind === 'word' && this.#next.text === text;
  }

  #isMark(text: string): boolean {
    return this.#next.kind === 'mark' && this.#next.text === text;
  }

  #stop(expected: string): never {
    const { kind, text, col } = this.#next;
    const found = kind === 'end' ? 'the end of the expression' : shown(text);
    throw new Stop({ col, code: 'SELECT_SYNTAX', found, hint: `expected here: ${expected}` });
  }
}
