import type { AnalyticId, LogSourceRef, Platform } from './attack.ts';
import type { NonEmpty } from './non-empty.ts';
import type { DurationMs } from './time.ts';

export type Purpose = 'emulation' | 'twin' | 'control';
export type Channel = 'exec' | 'shell';
/** How the interpreter is found: as inventoried, a copy or a link under another name, or through the script's own first line. */
export type Interpreter = 'plain' | 'renamed' | 'symlink' | 'shebang';
/** How the code reaches the interpreter. */
export type Invocation = 'file' | '-c' | 'stdin' | 'module' | 'zipapp';
/** What starts the interpreter: the login session, or the host's cron daemon through a guarded one-shot entry. */
export type Via = 'session' | 'cron';

/** Fields of an event that a verdict may require; each adapter maps its product's names to these. */
export const contextFields = [
  'process',
  'command-line',
  'parent',
  'user',
  'host',
  'script',
  'cwd',
  'destination',
] as const;
export type ContextField = (typeof contextFields)[number];

/** `must-alert` and `must-stay-quiet` are expectations; `known-gap` and `not-collected` are declared beforehand, with a reason. */
export type Stance = 'must-alert' | 'must-stay-quiet' | 'known-gap' | 'not-collected';

/** One run of a payload. Placeholders `{{run}}`, `{{home}}`, `{{marker}}` are filled in at the intent. */
export type PythonStep = {
  /** File name below scenarios/payloads. */
  readonly script: string;
  /** Where the script is placed; by default `{{home}}/{{run}}/run.py`. */
  readonly at: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly interpreter: Interpreter;
  readonly invocation: Invocation;
  readonly via: Via;
  readonly timeout: DurationMs;
};

export type Expectation = {
  readonly event: {
    readonly sources: NonEmpty<LogSourceRef>;
    readonly within: DurationMs;
    readonly context: readonly ContextField[];
  };
  readonly alert: {
    /** Ids of the rules of which any one counts; empty for a twin or control that no rule may react to. */
    readonly rules: readonly string[];
    readonly within: DurationMs;
    readonly stance: Stance;
    readonly because?: string;
    readonly owner?: string;
    /** ISO date after which a known gap is no longer excused. */
    readonly until?: string;
  };
};

/** A scenario with one axis changed. */
export type Variant = {
  /** `interpreter=renamed`, `invocation=stdin`: unique within the scenario. */
  readonly name: string;
  readonly steps: NonEmpty<PythonStep>;
  readonly expect: Expectation;
};

export type Scenario = {
  /** Path below scenarios/ without `.yaml`: `linux/script-in-hidden-directory`. */
  readonly id: string;
  readonly title: string;
  readonly platform: Platform;
  readonly analytic: AnalyticId;
  /** The mutable element exercised; controls exercise none. */
  readonly element?: string;
  readonly purpose: Purpose;
  readonly why: string;
  /** A twin names the emulation whose legitimate counterpart it is. */
  readonly twinOf?: string;
  readonly channel: Channel;
  readonly steps: NonEmpty<PythonStep>;
  /** Everything outside the neutral run folder that the steps create; checked not to exist before, removed afterwards. */
  readonly creates: readonly string[];
  readonly expect: Expectation;
  readonly variants: readonly Variant[];
  /** Where it was read, for messages; and the hash of the file's bytes, for the plan. */
  readonly file: string;
  readonly sha256: string;
};
