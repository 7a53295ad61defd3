import type { AnalyticId, LogSourceRef, Platform } from './attack.ts';
import type { NonEmpty } from './non-empty.ts';
import type { DurationMs } from './time.ts';

export type Purpose = 'emulation' | 'twin' | 'control';
/** How commands reach a host: one command without a terminal, a line typed into a terminal, or WinRM's command shell. */
export const channels = ['exec', 'shell', 'winrm'] as const;
export type Channel = (typeof channels)[number];
/** What a scenario asks for: `exec` is the transport's own way to run one command; `any`, of controls only: every channel in use. */
export type ChannelAsked = 'exec' | 'shell' | 'any';
/** How the interpreter is found: as inventoried, a copy or a link under another name, or through the script's own first line. */
export const interpreters = ['plain', 'renamed', 'symlink', 'shebang'] as const;
export type Interpreter = (typeof interpreters)[number];
/** How the code reaches the interpreter; `pyc` is compiled on the target first, `executable` is the operator's own single file. */
export const invocations = ['file', '-c', 'stdin', 'module', 'zipapp', 'pyc', 'executable'] as const;
export type Invocation = (typeof invocations)[number];
/** What starts the interpreter: the login session, cron through a guarded one-shot entry, a launchd job, a scheduled task. */
export const vias = ['session', 'cron', 'launchd', 'task'] as const;
export type Via = (typeof vias)[number];

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
  /** A program that starts the interpreter in the session's place: a script host, a copied shell. */
  readonly launcher?: Launcher;
  /** `executable` only: the name in the target's `executables`. */
  readonly executable?: string;
  /** Runs with the rights of an administrator: on POSIX through `sudo -n`, unless the account has them. */
  readonly privilege?: 'admin';
  readonly timeout: DurationMs;
};

/** In its argv the placeholders are also `{{interpreter}}` and `{{script}}`. */
export type Launcher = {
  /** At least the program itself. */
  readonly argv: readonly string[];
  /** Files of scenarios/payloads that it needs, put in place as they are. */
  readonly files: readonly { readonly from: string; readonly at: string }[];
};

/** The question of its own that a scenario asks which drops a file: is its creation in the SIEM? */
export type FileExpectation = { readonly sources: NonEmpty<LogSourceRef>; readonly within: DurationMs };

export type Expectation = {
  readonly event: {
    readonly sources: NonEmpty<LogSourceRef>;
    readonly within: DurationMs;
    readonly context: readonly ContextField[];
  };
  readonly file?: FileExpectation;
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
  /** Which intrusion reports it stands for, or what it is for. */
  readonly why: string;
  /** Why running it does no harm; a control's is that it does nothing. */
  readonly harmless?: string;
  /** Log sources that could show it, official and supplementary, expected or not. */
  readonly couldShow: readonly LogSourceRef[];
  /** A twin names the emulation whose legitimate counterpart it is. */
  readonly twinOf?: string;
  readonly channel: ChannelAsked;
  /** Role of the accounts that run it; without one, every account of role `standard` does. */
  readonly account?: string;
  /** Runs only now, against the target's maintenance window; without it, at any time. */
  readonly when?: 'in-maintenance' | 'outside-maintenance';
  readonly steps: NonEmpty<PythonStep>;
  /** Everything outside the neutral run folder that the steps create; checked not to exist before, removed afterwards. */
  readonly creates: readonly string[];
  readonly expect: Expectation;
  readonly variants: readonly Variant[];
  /** Where it was read, for messages; and the hash of the file's bytes, for the plan. */
  readonly file: string;
  readonly sha256: string;
};
