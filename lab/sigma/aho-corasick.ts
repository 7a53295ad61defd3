/**
 * Finds which of many texts occur in a text, in one pass over it (Aho and Corasick, 1975), as an automaton whose every
 * step is one look into a table.
 */
export class AhoCorasick {
  readonly #classes: CharClasses;
  /** State × character class → state. State 0 is the start. */
  readonly #next: Int32Array;
  /** For each state the numbers of the texts that end there. */
  readonly #found: readonly (readonly number[])[];

  /** @param texts none empty. Their position is the number under which they are reported. */
  constructor(texts: readonly string[]) {
    this.#classes = new CharClasses(texts);
    const width = this.#classes.size;
    const stateLimit = texts.reduce((sum, text) => sum + text.length, 1);
    const next = new Int32Array(stateLimit * width);
    const found: number[][] = [[]];
    for (const [number, text] of texts.entries()) {
      let state = 0;
      for (let i = 0; i < text.length; i++) {
        const edge = state * width + this.#classes.of(text.charCodeAt(i));
        if (next[edge] === 0) next[edge] = found.push([]) - 1;
        state = next[edge] ?? 0;
      }
      found[state]?.push(number);
    }
    this.#next = next.slice(0, found.length * width);
    this.#found = found;
    this.#completeEdges(found);
  }

  /** Calls back with the number and the end of each occurrence of each of the texts. */
  search(text: string, onFound: (number: number, end: number) => void): void {
    const width = this.#classes.size;
    let state = 0;
    for (let i = 0; i < text.length; i++) {
      state = this.#next[state * width + this.#classes.of(text.charCodeAt(i))] ?? 0;
      const found = this.#found[state];
      if (found !== undefined) for (const number of found) onFound(number, i + 1);
    }
  }

  /** Fills in where to go when a text breaks off: to the longest other text's beginning that fits what was read. */
  #completeEdges(found: number[][]): void {
    const width = this.#classes.size;
    const next = this.#next;
    const fallback = new Int32Array(found.length);
    const open = [0];
    for (const state of open) {
      for (let one = 0; one < width; one++) {
        const edge = state * width + one;
        const fallen = state === 0 ? 0 : (next[(fallback[state] ?? 0) * width + one] ?? 0);
        const target = next[edge] ?? 0;
        if (target === 0) {
          next[edge] = fallen;
        } else {
          fallback[target] = fallen;
          found[target]?.push(...(found[fallen] ?? []));
          open.push(target);
        }
      }
    }
  }
}

/** Numbers the characters that occur in the texts; 0 stands for all others. */
class CharClasses {
  readonly size: number;
  readonly #ascii = new Uint16Array(128);
  readonly #others = new Map<number, number>();

  constructor(texts: readonly string[]) {
    let size = 1;
    for (const text of texts) {
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        if (this.of(unit) !== 0) continue;
        if (unit < 128) this.#ascii[unit] = size++;
        else this.#others.set(unit, size++);
      }
    }
    this.size = size;
  }

  of(unit: number): number {
    return this.#ascii[unit] ?? this.#others.get(unit) ?? 0;
  }
}
