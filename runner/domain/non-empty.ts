/** A list that holds at least one element: evidence without anything in it cannot be built. */
export type NonEmpty<T> = readonly [T, ...T[]];

/** The list as a {@link NonEmpty}, or undefined when it is empty. */
export function nonEmpty<T>(list: readonly T[]): NonEmpty<T> | undefined {
  const [first, ...rest] = list;
  return first === undefined ? undefined : [first, ...rest];
}
