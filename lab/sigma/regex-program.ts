import { charSet, invert, setHas, wordUnits } from './char-set.ts';
import type { CharSet } from './char-set.ts';
import { RegexSyntaxError } from './regex-syntax.ts';
import type { Assertion, RegexNode } from './regex-syntax.ts';

/** One state of the automaton, naming its successors by number. */
type Instruction =
  | { readonly kind: 'take'; readonly set: CharSet; next: number }
  | { readonly kind: 'fork'; readonly next: number[] }
  | { readonly kind: 'assert'; readonly assertion: Assertion; next: number }
  | { readonly kind: 'match' };

/** A nondeterministic automaton (Thompson's construction). */
export type RegexProgram = { readonly start: number; readonly instructions: readonly Instruction[] };

/** Counted repetitions are written out; an expression that becomes larger is refused. */
const maxInstructions = 2000;

/** @throws RegexSyntaxError when the expression is too large. */
export function compileProgram(node: RegexNode): RegexProgram {
  const instructions: Instruction[] = [{ kind: 'match' }];
  const emit = (instruction: Instruction): number => {
    if (instructions.length >= maxInstructions) {
      throw new RegexSyntaxError(`repetitions that amount to more than ${maxInstructions} steps`);
    }
    return instructions.push(instruction) - 1;
  };
  /** Puts the node in front of the state `next`, and returns where it begins. */
  const before = (part: RegexNode, next: number): number => {
    switch (part.kind) {
      case 'set':
        return emit({ kind: 'take', set: part.set, next });
      case 'assertion':
        return emit({ kind: 'assert', assertion: part.assertion, next });
      case 'sequence':
        return part.parts.reduceRight((after, one) => before(one, after), next);
      case 'choice':
        return emit({ kind: 'fork', next: part.parts.map((one) => before(one, next)) });
      case 'repeat':
        return repeatBefore(part, next);
    }
  };
  const repeatBefore = ({ part, min, max }: RegexNode & { kind: 'repeat' }, next: number): number => {
    let at = next;
    if (max === Infinity) {
      const loop = { kind: 'fork' as const, next: [next] };
      at = emit(loop);
      loop.next.push(before(part, at));
    } else {
      for (let i = min; i < max; i++) at = emit({ kind: 'fork', next: [before(part, at), next] });
    }
    for (let i = 0; i < min; i++) at = before(part, at);
    return at;
  };
  const start = before(node, 0);
  return { start, instructions };
}

/** Code units that no part of a program tells apart, numbered. */
export class Alphabet {
  readonly size: number;
  /** One member of each class. */
  readonly members: readonly number[];
  readonly #starts: readonly number[];
  readonly #ascii: Uint16Array;

  constructor(program: RegexProgram) {
    const sets = program.instructions.flatMap((one) => (one.kind === 'take' ? [one.set] : []));
    const starts = new Set([0]);
    // Anchors and word edges look at line breaks and word characters even where no set does.
    for (const set of [...sets, wordUnits, charSet([[10, 10]])]) {
      for (const [start] of [...set, ...invert(set)]) starts.add(start);
    }
    this.#starts = [...starts].sort((a, b) => a - b);
    this.members = this.#starts;
    this.size = this.#starts.length;
    this.#ascii = Uint16Array.from({ length: 128 }, (_, unit) => this.#search(unit));
  }

  classOf(unit: number): number {
    return this.#ascii[unit] ?? this.#search(unit);
  }

  /** For each class whether it is in the set. */
  membership(set: CharSet): readonly boolean[] {
    return this.members.map((unit) => setHas(set, unit));
  }

  #search(unit: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
