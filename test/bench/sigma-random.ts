/** Random choices that are the same in every run (mulberry32), so that figures can be compared. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to, and without, `below`. */
  integer(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.integer(from.length)] ?? from[0];
  }

  /** Between `least` and `most` different ones. */
  several<T>(from: readonly [T, ...T[]], least: number, most: number): T[] {
    const count = least + this.integer(most - least + 1);
    const chosen = new Set<T>();
    for (let tries = 0; chosen.size < count && tries < 50; tries++) chosen.add(this.pick(from));
    return [...chosen];
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.integer(16).toString(16)).join('');
  }
}
