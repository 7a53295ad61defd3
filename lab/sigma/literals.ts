import type { Value } from './detection.ts';
import type { Expression } from './expression.ts';
import { fold, plainText } from './pattern.ts';
import type { RegexNode } from './regex-syntax.ts';

/** A folded text that a field has to be, to start or end with, or to have in it. */
export type Literal = {
  readonly field: number;
  readonly how: 'equals' | 'starts' | 'ends' | 'within';
  readonly text: string;
};

/** More alternatives than this do not narrow anything down. */
const maxAlternatives = 200;

/**
 * Literals of which an event must have at least one for the expression to hold; undefined when there is no such set.
 * Of several sets the one that the fewest events can be expected to meet is chosen.
 */
export function requiredLiterals(expression: Expression): readonly Literal[] | undefined {
  switch (expression.kind) {
    case 'test':
      return literalsOf(expression.field, expression.value);
    case 'not':
      return undefined;
    case 'and':
      return rarest(expression.parts.map(requiredLiterals), (literal) => weight(literal.text, literal.how));
    case 'or':
      return union(expression.parts.map(requiredLiterals));
  }
}

function literalsOf(field: number, value: Value): readonly Literal[] | undefined {
  if (value.kind === 'text') {
    const plain = plainText(value.pattern);
    if (plain !== undefined) return [{ field, how: 'equals', text: fold(plain) }];
    const pieces = value.pattern.map((part) => ('text' in part ? fold(part.text) : ''));
    const longest = pieces.reduce((best, piece) => (piece.length > best.length ? piece : best), '');
    if (longest === '') return undefined;
    const how = longest === pieces[0] ? 'starts' : longest === pieces.at(-1) ? 'ends' : 'within';
    return [{ field, how, text: longest }];
  }
  if (value.kind === 'regex') {
    return regexLiterals(value.regex.syntax)?.map((text) => ({ field, how: 'within', text: fold(text) }));
  }
  return undefined;
}

/** Texts of which at least one is in everything that the expression matches. */
export function regexLiterals(node: RegexNode): readonly string[] | undefined {
  switch (node.kind) {
    case 'set':
      return node.literal === undefined ? undefined : [node.literal];
    case 'assertion':
      return undefined;
    case 'choice':
      return union(node.parts.map(regexLiterals));
    case 'repeat':
      return node.min === 0 ? undefined : regexLiterals(node.part);
    case 'sequence': {
      const sets: (readonly string[] | undefined)[] = [];
      let run = '';
      for (const part of flat(node)) {
        if (part.kind === 'set' && part.literal !== undefined) {
          run += part.literal;
          continue;
        }
        if (run !== '') sets.push([run]);
        run = '';
        sets.push(regexLiterals(part));
      }
      if (run !== '') sets.push([run]);
      return rarest(sets, (text) => weight(text, 'within'));
    }
  }
}

function flat(node: RegexNode): readonly RegexNode[] {
  return node.kind === 'sequence' ? node.parts.flatMap(flat) : [node];
}

function union<T>(sets: readonly (readonly T[] | undefined)[]): readonly T[] | undefined {
  const all = sets.flatMap((set) => set ?? []);
  return sets.every((set) => set !== undefined) && all.length <= maxAlternatives ? all : undefined;
}

function rarest<T>(sets: readonly (readonly T[] | undefined)[], weigh: (one: T) => number): readonly T[] | undefined {
  const total = (set: readonly T[]): number => set.reduce((sum, one) => sum + weigh(one), 0);
  return sets
    .filter((set) => set !== undefined)
    .reduce<readonly T[] | undefined>(
      (best, set) => (best === undefined || total(set) < total(best) ? set : best),
      undefined,
    );
}

/** How often a text may be expected, roughly: each character more makes it a third as likely. */
function weight(text: string, how: Literal['how']): number {
  return 3 ** -(text.length + (how === 'within' ? 0 : 2));
}
