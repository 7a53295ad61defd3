import type { Condition } from './detection.ts';
import { compilePattern, parsePattern } from './pattern.ts';
import { quote } from './problem.ts';
import type { Refusal } from './problem.ts';

/** What is wrong with a condition, and how many characters into it. */
export type ConditionRefusal = Refusal & { readonly offset: number };

const maxDepth = 50;
const token = /\s*(?:([()|])|([A-Za-z0-9_*-]+)|(\S))/gy;
type Token = { readonly text: string; readonly offset: number };

class ConditionError extends Error {
  readonly refusal: ConditionRefusal;

  constructor(offset: number, found: string, hint: string, code: Refusal['code'] = 'SIGMA_CONDITION') {
    super(found);
    this.refusal = { offset, code, found, hint };
  }
}

/** Reads a condition over the given selections (Sigma rules specification 2.0.0, "Condition"). */
export function parseCondition(text: string, selections: readonly string[]): Condition | ConditionRefusal {
  try {
    return new ConditionParser(tokenize(text), text.length, selections).parse();
  } catch (error) {
    if (error instanceof ConditionError) return error.refusal;
    throw error;
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(token)) {
    const [whole, punctuation, word, other] = match;
    const found = punctuation ?? word ?? other ?? '';
    const offset = match.index + whole.length - found.length;
    if (found === '|') {
      const hint = 'aggregation is not supported here; write the rule so that a single event decides';
      throw new ConditionError(offset, `the aggregation ${quote(text.slice(offset))}`, hint, 'SIGMA_UNSUPPORTED');
    }
    if (other !== undefined) {
      throw new ConditionError(offset, `the character ${quote(other)}`, 'use names, and, or, not, of and parentheses');
    }
    tokens.push({ text: found, offset });
  }
  return tokens;
}

class ConditionParser {
  readonly #tokens: readonly Token[];
  readonly #end: number;
  readonly #selections: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], end: number, selections: readonly string[]) {
    this.#tokens = tokens;
    this.#end = end;
    this.#selections = selections;
  }

  parse(): Condition {
    const condition = this.#or();
    const rest = this.#peek();
    if (rest !== undefined) {
      throw new ConditionError(rest.offset, `${quote(rest.text)} after the end`, 'join the two parts with and or or');
    }
    return condition;
  }

  #or(): Condition {
    return this.#joined('or', () => this.#joined('and', () => this.#not()));
  }

  #joined(kind: 'and' | 'or', next: () => Condition): Condition {
    const first = next();
    const parts = [first];
    while (this.#accept(kind)) parts.push(next());
    return parts.length === 1 ? first : { kind, parts };
  }

  #not(): Condition {
    const { offset, text } = this.#next();
    if (text !== 'not' && text !== '(') return this.#operand({ offset, text });
    if (++this.#depth > maxDepth) {
      throw new ConditionError(offset, `more than ${maxDepth} levels of not and parentheses`, 'simplify the condition');
    }
    const condition: Condition = text === 'not' ? { kind: 'not', part: this.#not() } : this.#or();
    if (text === '(' && !this.#accept(')')) {
      throw new ConditionError(offset, 'a ( without its )', 'close the parenthesis');
    }
    this.#depth--;
    return condition;
  }

  #operand({ offset, text }: Token): Condition {
    if (this.#peek()?.text === 'of') return this.#quantified({ offset, text });
    if (this.#selections.includes(text)) return { kind: 'selection', name: text };
    if (text === 'near') {
      throw new ConditionError(offset, 'near', 'correlation in time is not supported here', 'SIGMA_UNSUPPORTED');
    }
    if (['and', 'or', 'of', ')'].includes(text)) {
      throw new ConditionError(offset, `${quote(text)} where a selection was expected`, 'name a selection here');
    }
    const lower = text.toLowerCase();
    if (['and', 'or', 'not'].includes(lower)) {
      throw new ConditionError(offset, quote(text), `write ${lower} in lower case`);
    }
    throw this.#unknown(offset, `the selection ${quote(text)}, which is not defined`);
  }

  #quantified(quantifier: Token): Condition {
    this.#next();
    if (!['1', 'any', 'all'].includes(quantifier.text)) {
      const hint = 'only 1 of, any of and all of exist';
      throw new ConditionError(quantifier.offset, quote(`${quantifier.text} of`), hint, 'SIGMA_UNSUPPORTED');
    }
    const { offset, text } = this.#next();
    const names = this.#selections.filter((name) => nameMatches(name, text));
    if (names.length === 0) throw this.#unknown(offset, `${quote(text)}, which matches no selection`);
    const parts = names.map((name): Condition => ({ kind: 'selection', name }));
    return { kind: quantifier.text === 'all' ? 'and' : 'or', parts };
  }

  #unknown(offset: number, found: string): ConditionError {
    const known = this.#selections.length > 0 ? this.#selections.join(', ') : 'none';
    return new ConditionError(offset, found, `defined are: ${known}`, 'SIGMA_UNKNOWN_SELECTION');
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #next(): Token {
    const next = this.#tokens[this.#at++];
    if (next === undefined)
      throw new ConditionError(this.#end, 'the end where a selection was expected', 'complete the condition');
    return next;
  }

  #accept(text: string): boolean {
    if (this.#peek()?.text !== text) return false;
    this.#at++;
    return true;
  }
}

/** Names that start with `_` are left out, unless the pattern asks for them. */
function nameMatches(name: string, pattern: string): boolean {
  if (pattern === 'them') return !name.startsWith('_');
  if (name.startsWith('_') && !pattern.startsWith('_')) return false;
  return compilePattern(parsePattern(pattern))(name);
}
