import { isMap, isScalar, isSeq } from 'yaml';
import type { Node, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { quote } from './problem.ts';
import type { Located, ProblemList } from './problem.ts';

/** How a text has to look: a pattern, and how to say it. */
export type Shape = { readonly pattern: RegExp; readonly hint: string };

/** Reads the values of one map, and adds a problem for each that is not as it should be. */
export class MapReader {
  readonly #values = new Map<string, { key: Node; value: Node | undefined }>();
  readonly #map: Located;
  readonly #problems: ProblemList;

  constructor(map: YAMLMap, problems: ProblemList) {
    this.#map = map;
    this.#problems = problems;
    for (const { key, value } of entries(map)) {
      if (isScalar(key) && typeof key.value === 'string') this.#values.set(key.value, { key, value });
      else problems.add(key, { code: 'SIGMA_WRONG_TYPE', found: 'a name that is not text', hint: 'put it in quotes' });
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  refuse(name: string, hint: string): void {
    const found = `the section ${name}`;
    this.#problems.add(this.#values.get(name)?.key ?? this.#map, { code: 'SIGMA_UNSUPPORTED', found, hint });
  }

  /** Undefined when the text is absent, or wrong and reported. */
  text(name: string, shape?: Shape): string | undefined {
    const entry = this.#values.get(name);
    if (entry === undefined) return undefined;
    return this.#textOf(entry.value ?? entry.key, entry.value, name, shape);
  }

  /** A value out of a fixed set. */
  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const found = this.text(name, { pattern: /./, hint: `use one of: ${allowed.join(', ')}` });
    const choice = allowed.find((one) => one === found);
    if (found !== undefined && choice === undefined) {
      const hint = `use one of: ${allowed.join(', ')}`;
      this.#wrongValue(this.#values.get(name)?.value ?? this.#map, `${name} ${quote(found)}`, hint);
    }
    return choice;
  }

  /** A list of texts; empty when it is absent. */
  texts(name: string, shape?: Shape): readonly string[] {
    const entry = this.#values.get(name);
    if (entry === undefined) return [];
    if (!isSeq(entry.value)) {
      this.#wrongType(entry.value ?? entry.key, `${name} that is not a list`, 'write a list of texts');
      return [];
    }
    const { items } = entry.value as YAMLSeq<Node>;
    return items.flatMap((item) => this.#textOf(item, item, name, shape) ?? []);
  }

  map(name: string): YAMLMap | undefined {
    const entry = this.#values.get(name);
    if (entry === undefined || isMap(entry.value)) return entry?.value as YAMLMap | undefined;
    this.#wrongType(entry.value ?? entry.key, `${name} that is not a map`, 'write a map');
    return undefined;
  }

  /** Reports the name when the map does not have it at all. */
  demand(name: string, hint: string): void {
    if (!this.has(name)) this.#problems.add(this.#map, { code: 'SIGMA_MISSING', found: `no ${name}`, hint });
  }

  #textOf(at: Located, node: Node | undefined, name: string, shape?: Shape): string | undefined {
    if (!isScalar(node) || typeof node.value !== 'string') {
      this.#wrongType(at, `${name} that is not text`, 'write a text, in quotes if it looks like a number');
      return undefined;
    }
    if (shape === undefined || shape.pattern.test(node.value)) return node.value;
    this.#wrongValue(at, `${name} ${quote(node.value)}`, shape.hint);
    return undefined;
  }

  #wrongType(at: Located, found: string, hint: string): void {
    this.#problems.add(at, { code: 'SIGMA_WRONG_TYPE', found, hint });
  }

  #wrongValue(at: Located, found: string, hint: string): void {
    this.#problems.add(at, { code: 'SIGMA_WRONG_VALUE', found, hint });
  }
}

/** The pairs of a map of a parsed document, where keys and values are nodes. */
export function entries(map: YAMLMap): readonly { readonly key: Node; readonly value: Node | undefined }[] {
  return (map.items as Pair<Node, Node | null>[]).map(({ key, value }) => ({ key, value: value ?? undefined }));
}
