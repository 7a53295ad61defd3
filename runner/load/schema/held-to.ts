import type { z } from 'zod';

/**
 * Gives back a schema whose output is exactly the domain's type `T` (apart from `readonly`); for any other schema it does
 * not compile, so that what is published and checked cannot drift from what the program means.
 */
export function heldTo<T>() {
  return <S extends z.ZodType>(schema: Same<Spelled<z.output<S>>, Spelled<T>> extends true ? S : never): S => schema;
}

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Assignability alone would not tell `a?: string` from a missing `a`: optional properties become required, marked ones. */
type Spelled<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly unknown[]
    ? { -readonly [K in keyof T]: Spelled<T[K]> }
    : { [K in keyof T]-?: object extends Pick<T, K> ? { optional: Spelled<T[K]> } : Spelled<T[K]> };
