import { AhoCorasick } from './aho-corasick.ts';
import type { EventView } from './event-tests.ts';
import type { Literal } from './literals.ts';

/** Only so much of a text is searched for: the rule itself is asked afterwards anyway, and the tables stay small. */
const maxSearchedLength = 16;

/** A rule that waits for a text, and where in the value it has to stand. */
type Waiting = { readonly rule: number; readonly how: Literal['how']; readonly length: number };

/** Who waits for what in one field. */
type FieldIndex = {
  readonly field: number;
  readonly byValue: ReadonlyMap<string, readonly Waiting[]>;
  readonly searched: AhoCorasick;
  readonly byText: readonly (readonly Waiting[])[];
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
    this.#always = needs.flatMap((literals, rule) => (literals === undefined ? [rule] : []));
    const byField = new Groups<number, readonly [Literal, number]>();
    for (const [rule, literals] of needs.entries()) {
      for (const literal of literals ?? []) byField.add(literal.field, [literal, rule]);
    }
    this.#fields = [...byField.entries()].map(([field, literals]) => fieldIndex(field, literals));
  }

  /** The positions of the rules that the event may match. */
  candidates(view: EventView): Iterable<number> {
    const found: number[] = [];
    for (const { field, byValue, searched, byText } of this.#fields) {
      for (const text of view.values(field).folded) {
        for (const { rule } of byValue.get(text) ?? []) found.push(rule);
        searched.search(text, (number, end) => {
          for (const { rule, how, length } of byText[number] ?? []) {
            if (how === 'starts' ? end === length : how === 'within' || end === text.length) found.push(rule);
          }
        });
      }
    }
    return found.length === 0 ? this.#always : new Set([...this.#always, ...found]);
  }
}

function fieldIndex(field: number, literals: readonly (readonly [Literal, number])[]): FieldIndex {
  const byValue = new Groups<string, Waiting>();
  const byText = new Groups<string, Waiting>();
  for (const [{ how, text }, rule] of literals) {
    const waiting = { rule, how, length: text.length };
    if (how === 'equals') byValue.add(text, waiting);
    else byText.add(text.slice(-maxSearchedLength), waiting);
  }
  const texts = [...byText.entries()];
  return {
    field,
    byValue: new Map(byValue.entries()),
    searched: new AhoCorasick(texts.map(([text]) => text)),
    byText: texts.map(([, waiting]) => waiting),
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
