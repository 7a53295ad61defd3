import type { LineCounter } from 'yaml';

/** A place in a rule file; both count from 1. */
export type Position = { readonly line: number; readonly col: number };

type ProblemCode =
  | 'SIGMA_YAML'
  | 'SIGMA_TOO_LARGE'
  | 'SIGMA_MULTI_DOCUMENT'
  | 'SIGMA_ALIAS'
  | 'SIGMA_UNSUPPORTED'
  | 'SIGMA_MISSING'
  | 'SIGMA_WRONG_TYPE'
  | 'SIGMA_WRONG_VALUE'
  | 'SIGMA_CONDITION'
  | 'SIGMA_UNKNOWN_SELECTION'
  | 'SIGMA_MODIFIER_UNKNOWN'
  | 'SIGMA_MODIFIER_MISUSED'
  | 'SIGMA_FIELD_UNMAPPED'
  | 'SIGMA_LOGSOURCE_UNMAPPED';

/** Why a rule is refused: where, what was found, and what to do about it. */
export type Problem = Position & {
  readonly file: string;
  readonly code: ProblemCode;
  readonly found: string;
  readonly hint: string;
};

/** What is wrong with a value, before it is known where the value stands. */
export type Refusal = { readonly code: ProblemCode; readonly found: string; readonly hint: string };

/** Anything of the YAML library that knows its offset in the text. */
export type Located = { range?: readonly [number, ...number[]] | null | undefined };

/** Collects the problems of one file, so that all of them are reported at once. */
export class ProblemList {
  readonly file: string;
  readonly #lines: LineCounter;
  readonly #problems: Problem[] = [];

  constructor(file: string, lines: LineCounter) {
    this.file = file;
    this.#lines = lines;
  }

  /** Sorted by place. */
  get all(): readonly Problem[] {
    return this.#problems.toSorted((a, b) => a.line - b.line || a.col - b.col);
  }

  get isEmpty(): boolean {
    return this.#problems.length === 0;
  }

  position(at: Located | number): Position {
    const offset = typeof at === 'number' ? at : (at.range?.[0] ?? 0);
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  }

  add(at: Located | number, refusal: Refusal): void {
    this.#problems.push({ file: this.file, ...this.position(at), ...refusal });
  }
}

/** Shortens what a file says, so that a message stays one readable line. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(shown);
}
