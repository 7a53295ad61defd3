/** UTF-16 code units from the first to the second, both included. */
export type CharRange = readonly [from: number, to: number];

/** A set of UTF-16 code units: sorted ranges that neither overlap nor touch. */
export type CharSet = readonly CharRange[];

const lastUnit = 0xffff;

export function charSet(ranges: readonly CharRange[]): CharSet {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

export function invert(set: CharSet): CharSet {
  const inverted: CharRange[] = [];
  let from = 0;
  for (const [start, end] of set) {
    if (start > from) inverted.push([from, start - 1]);
    from = end + 1;
  }
  if (from <= lastUnit) inverted.push([from, lastUnit]);
  return inverted;
}

export function setHas(set: CharSet, unit: number): boolean {
  return set.some(([from, to]) => unit >= from && unit <= to);
}

/** The set with the other case of each of its letters, as far as that is a single code unit. */
export function withBothCases(set: CharSet): CharSet {
  const ranges: CharRange[] = [...set];
  for (const [from, to] of set) {
    for (let unit = from; unit <= to; unit++) {
      const char = String.fromCharCode(unit);
      for (const other of [char.toLowerCase(), char.toUpperCase()]) {
        if (other.length === 1 && other !== char) ranges.push([other.charCodeAt(0), other.charCodeAt(0)]);
      }
    }
  }
  return charSet(ranges);
}

function units(text: string): CharSet {
  return charSet(Array.from({ length: text.length }, (_, i) => [text.charCodeAt(i), text.charCodeAt(i)] as const));
}

const digits: CharSet = [[0x30, 0x39]];
export const wordUnits = charSet([...digits, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]);
const spaces = units(' \t\n\v\f\r');

/** `\d \w \s` and their opposites. They are ASCII, as in PCRE without its Unicode mode. */
export const classEscapes: ReadonlyMap<string, CharSet> = new Map([
  ['d', digits],
  ['D', invert(digits)],
  ['w', wordUnits],
  ['W', invert(wordUnits)],
  ['s', spaces],
  ['S', invert(spaces)],
]);
