import type { Platform } from '../domain/attack.ts';
import type { CleanupStep } from '../domain/execution.ts';
import type { Via } from '../domain/scenario.ts';
import type { Instant } from '../domain/time.ts';
import type { Command } from '../ports.ts';
import type { Invocation, PlacedFile } from './invocation.ts';
import { posixDialect } from './posix-dialect.ts';
import { windowsDialect } from './windows-dialect.ts';

/** What `prepare` makes before the files come. */
export type Folders = {
  /** Must not be there yet. */
  readonly fresh: readonly string[];
  /** Missing parents of those. */
  readonly parents: readonly string[];
  /** Folders inside what is fresh. */
  readonly inner: readonly string[];
};

export type Copy = { readonly kind: 'copy' | 'link'; readonly from: string; readonly to: string };

/** A step that something other than the session starts, once. */
export type Scheduled = {
  /** Undoes it; in the journal before `add` is run. */
  readonly undo: CleanupStep;
  readonly files: readonly PlacedFile[];
  readonly add: Command;
  /** What the record shows of it. */
  readonly shown: string;
  /** When it starts, on our clock; at once where it is not said. */
  readonly fireAt?: Instant;
};

/** One way to have a step started by the host itself. */
export type Scheduler = {
  /** What the host is asked first; its answer is `told`. */
  readonly ask?: () => Command;
  /** What a host could answer to that, for those who want to see beforehand what would be scheduled. */
  readonly sampleAnswer?: string;
  /** At most so long between adding and starting. */
  readonly waitMs: number;
  /** Undefined when the host's answer cannot be read; throws RangeError for what cannot be scheduled this way. */
  readonly schedule: (
    ready: Invocation,
    place: { readonly folder: string; readonly name: string; readonly told: string; readonly offsetMs: number },
  ) => Scheduled | undefined;
};

/**
 * What the harness itself does on a host, in the words of its shell. No command line of the harness holds a marker, or the SIEM
 * would show the harness as the execution: data goes over standard input.
 */
export type Dialect = {
  readonly separator: '/' | '\\';
  /** Ending of programs' names. */
  readonly programSuffix: '' | '.exe';
  /** Says `home PATH`, `clock SECONDS`, `interpreter PATH` when it is an executable file, `absent PATH` of each missing folder. */
  readonly probe: (interpreter: string, folders: readonly string[]) => Command;
  /** Says `made PATH` of each fresh folder; fails with `exists PATH`, touching nothing more, when one is there already. */
  readonly prepare: (folders: Folders, copies: readonly Copy[]) => Command;
  /** Says of each step `done KIND [PATH]` or `left KIND ARGUMENT: REASON`. Carrying it out twice is harmless. */
  readonly cleanUp: (steps: readonly CleanupStep[]) => Command;
  /** How a person does it. */
  readonly byHand: (step: CleanupStep) => { readonly what: string; readonly hint: string };
  readonly schedulers: Partial<Record<Exclude<Via, 'session'>, Scheduler>>;
  /** Says the short name of each running process, a line each. */
  readonly processes: () => Command;
  /** Says what `parseHostLook` reads; runs nothing but the host's own tools. */
  readonly inspect: () => Command;
};

/** The dialect of a platform: sh for all but Windows. */
export function dialectOf(platform: Platform): Dialect {
  return platform === 'windows' ? windowsDialect : posixDialect;
}
