import { parseIp } from './cidr.ts';
import type { IpAddress } from './cidr.ts';
import { fold } from './pattern.ts';

/** An event as a collector hands it over: dotted names, nested objects (ECS), or a mixture. */
export type SigmaEvent = Readonly<Record<string, unknown>>;

/** All values that an event has for one field. An array stands for each of its elements. */
export class FieldValues {
  /** The field is there, whatever its value. */
  present = false;
  /** One of its values is null, or it is an empty list. */
  hasNull = false;
  /** The values as text; numbers and booleans as JSON writes them. */
  readonly texts: string[] = [];
  #folded: readonly string[] | undefined;
  #addresses: readonly IpAddress[] | undefined;

  /** The texts in the form in which case does not count; made once. */
  get folded(): readonly string[] {
    return (this.#folded ??= this.texts.map(fold));
  }

  /** Those of the texts that are IP addresses; read once. */
  get addresses(): readonly IpAddress[] {
    return (this.#addresses ??= this.texts.map(parseIp).filter((ip) => ip !== undefined));
  }

  add(value: unknown): void {
    this.present = true;
    if (Array.isArray(value)) {
      if (value.length === 0) this.hasNull = true;
      for (const element of value) this.add(element);
    } else if (value === null || value === undefined) {
      this.hasNull = true;
    } else if (typeof value === 'string') {
      this.texts.push(value);
    } else if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
      this.texts.push(String(value));
    }
  }
}

/** A dotted name, with every way in which it may be spread over nested objects. */
export class FieldPath {
  /** `#keys[from][count]`: the segments from `from` on, `count + 1` of them, joined. */
  readonly #keys: readonly (readonly string[])[];

  constructor(name: string) {
    const segments = name.split('.');
    this.#keys = segments.map((_, from) =>
      segments.slice(from).map((_, to) => segments.slice(from, from + to + 1).join('.')),
    );
  }

  collect(container: unknown, into: FieldValues, from = 0): void {
    if (Array.isArray(container)) {
      for (const element of container) this.collect(element, into, from);
      return;
    }
    if (typeof container !== 'object' || container === null) return;
    const keys = this.#keys[from] ?? [];
    for (let count = 0; count < keys.length; count++) {
      const key = keys[count] ?? '';
      if (!Object.hasOwn(container, key)) continue;
      const value = (container as SigmaEvent)[key];
      if (count === keys.length - 1) into.add(value);
      else this.collect(value, into, from + count + 1);
    }
  }
}

/** Every text, number and boolean of an event, wherever it stands: what a keyword is looked for in. */
export function allValues(event: SigmaEvent): FieldValues {
  const values = new FieldValues();
  const open: unknown[] = [event];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) values.add(value);
    else for (const inner of Object.values(value as SigmaEvent)) open.push(inner);
  }
  return values;
}
