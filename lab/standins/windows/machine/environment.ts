/** The variables of a process; names are told apart without regard to case, and keep the spelling they were set in. */
export class Environment {
  readonly #values = new Map<string, { readonly name: string; readonly value: string }>();

  constructor(entries: Iterable<readonly [string, string]> = []) {
    for (const [name, value] of entries) this.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toUpperCase())?.value;
  }

  /** An empty value removes the variable, as in cmd. */
  set(name: string, value: string): void {
    const key = name.toUpperCase();
    if (value === '') this.#values.delete(key);
    else this.#values.set(key, { name: this.#values.get(key)?.name ?? name, value });
  }

  entries(): readonly (readonly [string, string])[] {
    return [...this.#values.values()]
      .map(({ name, value }) => [name, value] as const)
      .sort(([a], [b]) => (a.toUpperCase() < b.toUpperCase() ? -1 : 1));
  }

  copy(): Environment {
    return new Environment(this.entries());
  }
}
