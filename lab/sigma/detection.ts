import type { CidrBlock } from './cidr.ts';
import type { Pattern } from './pattern.ts';
import type { Position } from './problem.ts';
import type { SigmaRegex } from './regex.ts';

export type Comparison = 'lt' | 'lte' | 'gt' | 'gte';

/** What a field's value is compared with, once all modifiers have been applied. */
export type Value =
  | { readonly kind: 'text'; readonly pattern: Pattern; readonly cased: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'exists'; readonly exists: boolean }
  | { readonly kind: 'regex'; readonly regex: SigmaRegex }
  | { readonly kind: 'cidr'; readonly block: CidrBlock }
  | { readonly kind: 'compare'; readonly op: Comparison; readonly number: number }
  | { readonly kind: 'field'; readonly field: string; readonly part: FieldPart; readonly cased: boolean }
  /** What one value expands to (windash, base64offset): any of them, also under `all`. */
  | { readonly kind: 'any'; readonly values: readonly Value[] };

/** Where in the field the value of the other field is expected (fieldref). */
export type FieldPart = 'whole' | 'start' | 'end' | 'anywhere';

/** One line of a selection. Without a field it is a keyword, looked for in every value of the event. */
export type FieldTest = {
  readonly kind: 'test';
  readonly field: string | undefined;
  readonly values: readonly Value[];
  readonly need: 'any' | 'all';
  readonly negated: boolean;
  readonly at: Position;
};

export type Detection = FieldTest | { readonly kind: 'all' | 'any'; readonly parts: readonly Detection[] };

export type Condition =
  | { readonly kind: 'selection'; readonly name: string }
  | { readonly kind: 'not'; readonly part: Condition }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] };

export type RuleDetection = {
  readonly selections: ReadonlyMap<string, Detection>;
  readonly condition: Condition;
};
