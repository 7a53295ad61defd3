import { z } from 'zod';
import { kindOf, type Problem, shown, suggest } from './problem.ts';
import type { Path, SourceFile } from './source-file.ts';

export type CheckOptions = {
  /**
   * Paths where a secret may have been written by mistake: values are described (`a text of 12 characters`) and never
   * shown, unknown keys only when they look like keys.
   */
  readonly quiet?: (path: Path) => boolean;
};

/** A part of a file held against its schema: what could be read of it, field by field, and all that is wrong. */
export type Checked<T> = {
  /** Present when the part is wholly valid. */
  readonly whole?: T;
  /** The fields that are valid in themselves, so that further checks can go on beside a broken neighbour. */
  readonly fields: Partial<T>;
  readonly problems: readonly Problem[];
};

/** Checks the map at `path` of a file. */
export function checkObject<S extends z.ZodObject>(
  source: SourceFile,
  path: Path,
  schema: S,
  options: CheckOptions = {},
): Checked<z.output<S>> {
  const raw = valueAt(source.value, path);
  const result = schema.safeParse(raw);
  if (result.success) return { whole: result.data, fields: result.data, problems: [] };
  const fields: Record<string, unknown> = {};
  if (isRecord(raw))
    for (const [key, field] of Object.entries(schema.shape)) {
      const read = z.safeParse(field, raw[key]);
      if (read.success && read.data !== undefined) fields[key] = read.data;
    }
  return { fields: fields as Partial<z.output<S>>, problems: toProblems(source, path, schema, result.error, options) };
}

/** Checks any value against a schema; `value` is given when it is valid. `value` may differ from the file's by left-out keys. */
export function checkValue<S extends z.ZodType>(
  source: SourceFile,
  path: Path,
  schema: S,
  value: unknown,
  options: CheckOptions = {},
): { readonly value?: z.output<S>; readonly problems: readonly Problem[] } {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data, problems: [] };
  return { problems: toProblems(source, path, schema, result.error, options) };
}

/** The value at a path of plain values, or undefined. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const segment of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string | number, unknown>)[segment];
  }
  return value;
}

/** The list at a path, or an empty one when there is something else. */
export function listAt(root: unknown, path: Path): readonly unknown[] {
  const value = valueAt(root, path);
  return Array.isArray(value) ? (value as unknown[]) : [];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `targets[0].accounts[1].name`, as messages name a place. */
export function pathText(path: Path): string {
  if (path.length === 0) return 'the file';
  return path.reduce<string>(
    (text, segment) =>
      typeof segment === 'number' ? `${text}[${segment}]` : text === '' ? segment : `${text}.${segment}`,
    '',
  );
}

type Issue = z.core.$ZodIssue;

function toProblems(
  source: SourceFile,
  base: Path,
  schema: z.ZodType,
  error: z.ZodError,
  options: CheckOptions,
): Problem[] {
  return error.issues.flatMap((issue) => {
    const inner = plainPath(issue.path);
    return issueProblems(source, [...base, ...inner], issue, knownKeys(schema, inner), options);
  });
}

function issueProblems(
  source: SourceFile,
  path: Path,
  issue: Issue,
  keys: readonly string[],
  options: CheckOptions,
): Problem[] {
  const { file } = source;
  const value = valueAt(source.value, path);
  const quiet = options.quiet?.(path) === true;
  const show = quiet ? kindOf : shown;
  const problem = (code: string, found: string, hint: string): Problem => ({
    file,
    ...source.at(path),
    code,
    found,
    hint,
  });
  const name = pathText(path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      file,
      ...source.keyAt([...path, key]),
      code: 'KEY_UNKNOWN',
      found: `${unknownKey(key, valueAt(source.value, [...path, key]), quiet)} in ${name}`,
      hint: keys.length === 0 ? 'remove it' : suggest(key, keys),
    }));
  if (issue.code === 'invalid_key') {
    const at = { file, ...source.keyAt(path) };
    const key = unknownKey(String(path.at(-1)), value, quiet);
    return [{ ...at, code: 'KEY_INVALID', found: key, hint: issue.issues[0]?.message ?? 'use another key' }];
  }
  if (value === undefined && path.length > 0)
    return [problem('KEY_MISSING', `${name} is missing`, `add it: ${expected(issue)}`)];
  const found = `${name} is ${show(value)}`;
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.filter(
      (issues) => !issues.some((own) => own.path.length === 0 && own.code === 'invalid_type'),
    );
    const [only] = branch;
    if (branch.length === 1 && only !== undefined)
      return only.flatMap((own) => issueProblems(source, [...path, ...plainPath(own.path)], own, [], options));
    const choices = issue.errors.flatMap((issues) => issues.slice(0, 1).map(expected));
    return [
      problem('VALUE_INVALID', found, choices.length === 0 ? issue.message : [...new Set(choices)].join(', or ')),
    ];
  }
  if (issue.code === 'invalid_value') {
    const choices = issue.values.map(String);
    const hint = typeof value === 'string' && !quiet ? suggest(value, choices) : expected(issue);
    return [problem('VALUE_CHOICE', found, hint)];
  }
  const code = { invalid_type: 'VALUE_TYPE', too_big: 'VALUE_SIZE', too_small: 'VALUE_SIZE' }[issue.code as string];
  return [problem(code ?? 'VALUE_INVALID', found, expected(issue))];
}

/** What the schema wants, as an instruction. Messages of this project's own schemas are instructions already. */
function expected(issue: Issue): string {
  if (issue.code === 'invalid_type') return `write ${kinds[issue.expected] ?? `a value of type ${issue.expected}`}`;
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  if ((issue.code === 'too_small' || issue.code === 'too_big') && issue.message.startsWith('Too ')) {
    const limit = issue.code === 'too_small' ? `at least ${String(issue.minimum)}` : `at most ${String(issue.maximum)}`;
    const unit = issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : '';
    return `use ${limit}${unit}`;
  }
  return issue.message;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text (in quotes if it looks like a number)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys and values',
  record: 'a map of keys and values',
};

function unknownKey(key: string, value: unknown, quiet: boolean): string {
  const looksLikeKey = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(key) && value !== null;
  return quiet && !looksLikeKey ? 'a key that is not known' : `key ${shown(key)}`;
}

function plainPath(path: readonly PropertyKey[]): Path {
  return path.map((segment) => (typeof segment === 'number' ? segment : String(segment)));
}

/** The keys that an object schema knows at a path within it. */
function knownKeys(schema: z.ZodType, path: Path): readonly string[] {
  let inner: unknown = schema;
  for (const segment of path) {
    inner = unwrapped(inner);
    if (inner instanceof z.ZodObject) inner = (inner.shape as Record<string, unknown>)[String(segment)];
    else if (inner instanceof z.ZodArray) inner = inner.element;
    else if (inner instanceof z.ZodRecord) inner = inner.valueType;
    else return [];
  }
  inner = unwrapped(inner);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let inner = schema;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodExactOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault
  )
    inner = inner.unwrap();
  return inner;
}
