import type { NonEmpty } from '../domain/non-empty.ts';

/** What is wrong in a file of the user, where (line and column count from 1), and what to do about it. */
export type Problem = {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  /** Stable and machine-readable: `SCENARIO_NO_MARKER`, `KEY_UNKNOWN`. */
  readonly code: string;
  readonly found: string;
  readonly hint: string;
};

/** What loading gives: the value, or everything that is wrong with it at once. */
export type Loaded<T> =
  { readonly is: 'loaded'; readonly value: T } | { readonly is: 'refused'; readonly problems: NonEmpty<Problem> };

/**
 * The value, unless there is a problem; `value` may be undefined only then. Problems come out in the order of the files'
 * lines.
 */
export function loaded<T>(value: T | undefined, problems: readonly Problem[]): Loaded<T> {
  const [first, ...rest] = inOrder(problems);
  if (first !== undefined) return { is: 'refused', problems: [first, ...rest] };
  if (value === undefined) throw new TypeError('nothing was loaded, and no problem says why');
  return { is: 'loaded', value };
}

/** By file, then in the order of its lines. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.col - b.col,
  );
}

/** Three lines: `file:line:col  CODE`, what was found, what to do. Holds no control character besides the line feeds. */
export function formatProblem(problem: Problem): string {
  const { file, line, col, code, found, hint } = problem;
  return `${visible(file)}:${line}:${col}  ${code}\n  found: ${visible(found)}\n  hint:  ${visible(hint)}`;
}

/**
 * Characters that move the cursor, hide text or turn its direction: C0 and C1 controls, line and paragraph separators,
 * bidirectional controls (Unicode, UAX #9), half surrogate pairs.
 */
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;
const everyUnprintable = new RegExp(unprintable, 'gu');

export function isPrintable(text: string): boolean {
  return !unprintable.test(text);
}

/** The text with every unprintable character written out (`\x1b`, `\u202e`). */
export function visible(text: string): string {
  return text.replace(everyUnprintable, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

const shownLength = 60;

/** A value as a message shows it: short, on one line, without control characters, without a password of a URL. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return kindOf(value);
  if (/:[^/\s@]*@|PRIVATE KEY/.test(value)) return kindOf(value);
  const text = visible(value);
  return text.length <= shownLength ? `"${text}"` : `"${text.slice(0, shownLength)}…" (${value.length} characters)`;
}

/** What a value is, without showing it where it could be a secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'nothing (null)';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of length ${value.length}`;
  if (typeof value === 'string') return value === '' ? 'an empty text' : `a text of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return 'a map';
}

/** The known word that is nearest to `word`, if it is near enough to be a slip of the pen. */
function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(word.slice(0, 80).toLowerCase(), candidate.slice(0, 80).toLowerCase());
    if (distance <= Math.max(1, candidate.length / 3) && (best === undefined || distance < best.distance))
      best = { word: candidate, distance };
  }
  return best?.word;
}

/** `did you mean x? known: a, b, x`, cut when the list is long. */
export function suggest(word: string, known: Iterable<string>): string {
  const words = [...known].sort();
  if (words.length === 0) return 'there is none';
  const near = nearest(word, words);
  const list = words.length <= 20 ? words.join(', ') : `${words.slice(0, 20).join(', ')} and ${words.length - 20} more`;
  return near === undefined ? `known: ${list}` : `did you mean ${near}? known: ${list}`;
}

/** Levenshtein's: insertions, deletions and replacements between two words. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of Array.from(a).entries()) {
    const current = [row + 1];
    for (const [column, other] of Array.from(b).entries())
      current.push(
        Math.min(
          (previous[column + 1] ?? 0) + 1,
          (current[column] ?? 0) + 1,
          (previous[column] ?? 0) + (letter === other ? 0 : 1),
        ),
      );
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
