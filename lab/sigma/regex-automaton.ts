import { setHas, wordUnits } from './char-set.ts';
import { Alphabet } from './regex-program.ts';
import type { RegexProgram } from './regex-program.ts';
import type { Assertion } from './regex-syntax.ts';

/** What stands next to a place in the text, as far as anchors care. `last-newline` is the one that ends the text. */
type Neighbour = 'edge' | 'newline' | 'last-newline' | 'word' | 'other';

/** A state of the deterministic automaton: where the program can be, what came before, and where each symbol leads. */
type State = {
  readonly at: readonly number[];
  readonly before: Neighbour;
  readonly next: (State | Verdict | undefined)[];
};

type Verdict = 'match' | 'no match';

/**
 * States are kept until they hold this many numbers together (some megabytes); then all are forgotten and made anew as
 * needed.
 */
const maxKept = 200_000;

/**
 * Searches texts for a match in time linear in their length, whatever the expression: a deterministic automaton, of
 * which only the states that texts lead to are ever made. Backtracking, as `RegExp` does it, would let whoever
 * chooses the text stall the detector: `foo.*bar.*baz` takes it a quarter of a second on 4,000 characters of
 * `foobar`, and every further `.*` multiplies that by hundreds.
 */
export class RegexAutomaton {
  readonly #program: RegexProgram;
  readonly #alphabet: Alphabet;
  readonly #memberships: readonly (readonly boolean[])[];
  /** What each symbol is to its neighbours: the alphabet's classes, then a line break that ends the text, then its end. */
  readonly #symbols: readonly Neighbour[];
  readonly #newline: number;
  readonly #lastNewline: number;
  readonly #end: number;
  readonly #start: State;
  readonly #states = new Map<string, State>();
  #kept = 0;

  constructor(program: RegexProgram) {
    this.#program = program;
    this.#alphabet = new Alphabet(program);
    this.#memberships = program.instructions.map((one) =>
      one.kind === 'take' ? this.#alphabet.membership(one.set) : [],
    );
    this.#symbols = [...this.#alphabet.members.map(neighbour), 'last-newline', 'edge'];
    this.#newline = this.#alphabet.classOf(10);
    this.#lastNewline = this.#symbols.length - 2;
    this.#end = this.#symbols.length - 1;
    this.#start = this.#stateFor([program.start], 'edge');
  }

  /** Whether the expression matches somewhere in the text. */
  test(text: string): boolean {
    let state = this.#start;
    for (let i = 0; i <= text.length; i++) {
      const symbol = this.#symbolAt(text, i);
      const next = (state.next[symbol] ??= this.#step(state, symbol));
      if (typeof next === 'string') return next === 'match';
      state = next;
    }
    return false;
  }

  #symbolAt(text: string, i: number): number {
    if (i === text.length) return this.#end;
    const unit = text.charCodeAt(i);
    return unit === 10 && i === text.length - 1 ? this.#lastNewline : this.#alphabet.classOf(unit);
  }

  #step(from: State, symbol: number): State | Verdict {
    const after = this.#symbols[symbol] ?? 'edge';
    const unitClass = symbol === this.#lastNewline ? this.#newline : symbol;
    // A match may begin at any character, so the start is always among the places to be.
    const taken = new Uint8Array(this.#program.instructions.length);
    taken[this.#program.start] = 1;
    for (const at of this.#reachable(from, after)) {
      const instruction = this.#program.instructions[at];
      if (instruction?.kind === 'match') return 'match';
      if (instruction?.kind === 'take' && this.#memberships[at]?.[unitClass] === true) taken[instruction.next] = 1;
    }
    if (symbol === this.#end) return 'no match';
    const at: number[] = [];
    for (let one = 0; one < taken.length; one++) if (taken[one] === 1) at.push(one);
    return this.#stateFor(at, after);
  }

  /** The instructions that can be reached without taking a character. */
  #reachable({ at, before }: State, after: Neighbour): ReadonlySet<number> {
    const seen = new Set(at);
    for (const one of seen) {
      const instruction = this.#program.instructions[one];
      if (instruction?.kind === 'fork') for (const next of instruction.next) seen.add(next);
      if (instruction?.kind === 'assert' && isTrue(instruction.assertion, before, after)) seen.add(instruction.next);
    }
    return seen;
  }

  #stateFor(at: readonly number[], before: Neighbour): State {
    // Cheaper than digits, and instructions are few enough to be code units.
    const key = before + String.fromCharCode(...at);
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    this.#kept += at.length + this.#symbols.length;
    if (this.#kept > maxKept) this.#forget();
    const state: State = { at, before, next: [] };
    this.#states.set(key, state);
    return state;
  }

  /** States are held by those that lead to them, so the start's own way on has to be cut too. */
  #forget(): void {
    this.#states.clear();
    this.#kept = 0;
    this.#start.next.length = 0;
  }
}

function neighbour(unit: number): Neighbour {
  if (unit === 10) return 'newline';
  return setHas(wordUnits, unit) ? 'word' : 'other';
}

function isTrue(assertion: Assertion, before: Neighbour, after: Neighbour): boolean {
  switch (assertion) {
    case 'start':
      return before === 'edge';
    case 'end':
      return after === 'edge' || after === 'last-newline';
    case 'line-start':
      return before === 'edge' || before === 'newline';
    case 'line-end':
      return after === 'edge' || after === 'newline' || after === 'last-newline';
    case 'word-edge':
      return (before === 'word') !== (after === 'word');
    case 'no-word-edge':
      return (before === 'word') === (after === 'word');
  }
}
