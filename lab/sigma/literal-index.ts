import { AhoCorasick } from './aho-corasick.ts';
import type { EventView } from './event-tests.ts';
import type { Literal } from './literals.ts';

/** Only so much of a text is searched for: the rule itself is asked afterwards anyway, and the tables stay small. */
const maxSearchedLength = 16;

/** What is known of one field: the numbers of those who wait for a value, or for a text within a value. */
type FieldIndex = {
  readonly field: number;
  readonly byValue: ReadonlyMap<string, readonly number[]>;
  readonly searched: AhoCorasick;
  readonly byText: readonly (readonly number[])[];
};

/**
 * Tells which rules an event may match, from the literals that they need. Its cost grows with the event and hardly with
 * the number of rules.
 */
export class LiteralIndex {
  readonly #fields: readonly FieldIndex[];
  readonly #always: readonly number[];

  /** @param needs for each rule, by its position, the literals of which it needs one; undefined: it must always be asked. */
  constructor(needs: readonly (readonly Literal[] | undefined)[]) {
    this.#always = needs.flatMap((literals, number) => (literals === undefined ? [number] : []));
    const values = new Groups<number, readonly [Literal, number]>();
    for (const [number, literals] of needs.entries()) {
      for (const literal of literals ?? []) values.add(literal.field, [literal, number]);
    }
    this.#fields = [...values.entries()].map(([field, waiting]) => fieldIndex(field, waiting));
  }

  /** The positions of the rules that the event may match, in ascending order. */
  candidates(view: EventView): readonly number[] {
    const candidates = new Set(this.#always);
    for (const { field, byValue, searched, byText } of this.#fields) {
      for (const text of view.values(field).folded) {
        for (const number of byValue.get(text) ?? []) candidates.add(number);
        searched.search(text, (found) => {
          for (const number of byText[found] ?? []) candidates.add(number);
        });
      }
    }
    return [...candidates].sort((a, b) => a - b);
  }
}

function fieldIndex(field: number, waiting: readonly (readonly [Literal, number])[]): FieldIndex {
  const byValue = new Groups<string, number>();
  const byText = new Groups<string, number>();
  for (const [{ how, text }, number] of waiting) {
    if (how === 'equals') byValue.add(text, number);
    else byText.add(text.slice(-maxSearchedLength), number);
  }
  const texts = [...byText.entries()];
  return {
    field,
    byValue: new Map(byValue.entries()),
    searched: new AhoCorasick(texts.map(([text]) => text)),
    byText: texts.map(([, numbers]) => numbers),
  };
}

/** A map to lists. */
class Groups<K, V> {
  readonly #lists = new Map<K, V[]>();

  add(key: K, value: V): void {
    const list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, [value]);
    else list.push(value);
  }

  entries(): IterableIterator<[K, V[]]> {
    return this.#lists.entries();
  }
}
