import type { AuthorizedTarget } from './domain/authorize.ts';
import type { EvidenceRef } from './domain/evidence.ts';
import type { Exit } from './domain/execution.ts';
import type { Reason, ReasonClass } from './domain/fact.ts';
import type { NonEmpty } from './domain/non-empty.ts';
import type { RecordBody, RecordLine } from './domain/record.ts';
import type { RunReport } from './domain/run-report.ts';
import type { Channel } from './domain/scenario.ts';
import type {
  AlertAnswer,
  AlertQuestion,
  Answer,
  EventHit,
  Question,
  RuleHealth,
  RuleQuestion,
} from './domain/siem.ts';
import type { DurationMs, Instant } from './domain/time.ts';

/** Connects to a host; one per transport kind. Holds what is shared between hosts (credentials refused, settings read). */
export interface Transport {
  /** One attempt. Throws {@link TransportFailure}. The session serves all executions of this account on this host. */
  connect(target: AuthorizedTarget, signal: AbortSignal): Promise<Session>;
}

/** A connection to one account of one host. Up to the target's `parallel` calls may be open at a time. */
export interface Session extends AsyncDisposable {
  /** What a run's report should say of this connection, such as an old algorithm that it needed; none when absent. */
  readonly remarks?: readonly string[];
  /**
   * Runs one command to its end. A command that outlives `limit.timeout`, or whose signal fires, is ended with its whole
   * process tree before this returns (exit kind `timeout`). Throws {@link TransportFailure} when it could not be started or
   * the connection was lost, not for a non-zero exit.
   */
  run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome>;
  /** Writes a new file and verifies it by hash. Missing parent folders are an error. Throws {@link TransportFailure}. */
  put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void>;
  /** Reads a file, at most `maxBytes` (longer: `cut-short`). Throws {@link TransportFailure}; class `not-found` when it does not exist. */
  get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array>;
}

export type Command = {
  /** Quoted by the transport for the remote shell; no element is ever interpreted. */
  readonly argv: NonEmpty<string>;
  readonly channel: Channel;
  readonly cwd?: string;
  readonly stdin?: Uint8Array;
  /** With the rights of an administrator, without ever asking for a password (`sudo -n`); `not-started` where that cannot be. */
  readonly privilege?: 'admin';
};

export type CommandOutcome = {
  readonly exit: Exit;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Output beyond the transport's cap was read and dropped. */
  readonly truncated: boolean;
  /** The exact line that the remote shell was given. */
  readonly sent: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
};

export type TransportFailureClass =
  | 'unreachable'
  | 'host-key'
  | 'login'
  | 'not-started'
  | 'lost'
  | 'not-found'
  | 'file'
  | 'cut-short'
  | 'aborted'
  | 'protocol';

/** What the outside world does wrong on the way to a host; becomes a value in execute, nowhere else. */
export class TransportFailure extends Error {
  override readonly name = 'TransportFailure';
  readonly class: TransportFailureClass;

  constructor(failureClass: TransportFailureClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.class = failureClass;
  }
}

/** Answers a question once. It may wait for its product's own search job, with an injected sleep; repeating, retrying and judging are not its work. */
export interface SiemAdapter {
  /** Is it there, and what time is it there? Throws {@link SiemFailure}. */
  ping(signal: AbortSignal): Promise<{ serverTime?: Instant }>;
  /** A hit for each trace and each of the asked sources that an event belongs to: sources may overlap. */
  events(question: Question, signal: AbortSignal): Promise<Answer<EventHit>>;
  /**
   * The SIEM's own alerts; never: would a rule's query match. Those of the watched rules that are tied to no trace are told apart, not left
   * out. Not complete when events that an alert refers to may be in what was cut off: they would have tied it, or tied it better.
   */
  alerts(question: AlertQuestion, signal: AbortSignal): Promise<AlertAnswer>;
  /** Enabled, runs, failures, suppression, over the asked window. A rule that the SIEM does not know has no hit. */
  rules(question: RuleQuestion, signal: AbortSignal): Promise<Answer<RuleHealth>>;
}

/** What the outside world does wrong on the way to a SIEM; becomes a value in observe, nowhere else. */
export class SiemFailure extends Error {
  override readonly name = 'SiemFailure';
  readonly class: ReasonClass;
  readonly exchanges: readonly EvidenceRef[];
  readonly retryAfter?: DurationMs;

  constructor(
    failureClass: ReasonClass,
    message: string,
    details: { exchanges?: readonly EvidenceRef[]; retryAfter?: DurationMs; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.class = failureClass;
    this.exchanges = details.exchanges ?? [];
    if (details.retryAfter !== undefined) this.retryAfter = details.retryAfter;
  }

  /** The failure as a value. */
  get reason(): Reason {
    return { class: this.class, detail: this.message };
  }
}

export type OutputFile = { readonly path: string; readonly mediaType: string; readonly text: string };

/** Pure: the same run gives the same bytes. No clock, no randomness, every string escaped. */
export interface Reporter {
  render(run: RunReport): readonly OutputFile[];
}

export interface Journal {
  /** On disk (fsync) when it returns. Throws when the journal cannot be written; the caller then touches nothing. */
  append(record: RecordBody): Promise<RecordLine>;
}

export interface EvidenceStore {
  /** Redacts secrets, then hashes and keeps the bytes. The same bytes are kept once. */
  put(bytes: Uint8Array, mediaType: string): Promise<EvidenceRef>;
  /** Throws when the evidence is missing or its bytes do not hash to its name. */
  get(ref: EvidenceRef): Promise<Uint8Array>;
}

/** The runs kept under one output folder (`--out`). */
export interface RunStore {
  /** Makes a new run and holds it. Throws, before anything is touched, when it cannot be written. */
  create(id: string): Promise<OpenRun>;
  /** Takes up a run (the newest when `id` is undefined) that no living process holds; a torn last line is set aside. */
  open(id: string | undefined): Promise<OpenRun>;
  /** Looks at a run without holding it. */
  read(id: string | undefined): Promise<KeptRun>;
  /** Ids of all runs, oldest first. Throws `RunsUnread` when they could not be looked up. */
  list(): Promise<readonly string[]>;
  /** Asks the process that holds the run to stop. Returns its process id, or undefined when nobody holds it. */
  askToStop(id: string | undefined): Promise<{ readonly id: string; readonly holder: number | undefined }>;
}

/** A run as it lies on disk. */
export interface KeptRun {
  readonly id: string;
  /** Absolute path of its folder. */
  readonly path: string;
  /** Of `plan.json`; empty when the run died before it was written. */
  readonly planSha256: string;
  /** Is there a `run.json`? */
  readonly hasReport: boolean;
  readonly records: readonly RecordLine[];
  readonly head: { readonly lines: number; readonly headSha256: string };
  readonly evidence: EvidenceStore;
  /** Text of small evidence, for display; read when the run was. */
  excerpt(ref: EvidenceRef): { readonly text: string; readonly cut: boolean } | undefined;
}

/** A run that this process holds. */
export interface OpenRun extends AsyncDisposable {
  readonly id: string;
  readonly path: string;
  readonly journal: Journal;
  readonly evidence: EvidenceStore;
  /** Name of the file that a torn last line was put into. */
  readonly setAside: string | undefined;
  /** Writes `plan.json` (once) and returns its SHA-256. */
  keepPlan(plan: unknown): Promise<string>;
  /** Writes `run.json` and the reports, each whole or not at all, and points `latest` here. */
  keepReport(report: unknown, files: readonly OutputFile[]): Promise<void>;
  /** Has somebody asked this run to stop? */
  stopAsked(): Promise<boolean>;
  /** The run as it is now. */
  read(): Promise<KeptRun>;
}

export interface Clock {
  now(): Instant;
  /** Ends early, by throwing the signal's reason, when the signal fires. */
  sleep(ms: DurationMs, signal: AbortSignal): Promise<void>;
}

export interface Random {
  /** `length` characters, the first of `a`–`z`, the others of `a`–`z0`–`9`, unpredictable. */
  name(length: number): string;
}

/** Reads a secret by its reference (`env:NAME`, `file:PATH`, `exec:COMMAND`), and remembers it for redaction. */
export interface Secrets {
  /** Throws an error that names the reference and never the value. */
  read(reference: string): Promise<Uint8Array>;
}

/** A zod schema, seen from where zod is not imported: what it accepts is `Settings`. */
export interface SettingsSchema<Settings> {
  readonly _zod: { readonly output: Settings };
}

/** What a plug-in may use of the outside world. */
export type PluginDeps = {
  readonly clock: Clock;
  readonly secrets: Secrets;
  /** A path of the settings, relative to the inventory's folder → absolute. */
  readonly resolve: (path: string) => string;
  readonly keep: (bytes: Uint8Array, mediaType: string) => Promise<EvidenceRef>;
};

/** The default export of each file (or folder's index.ts) in adapters/transports. `account`: schema of what an account adds. */
export interface TransportPlugin<Settings = unknown, AccountSettings = unknown> {
  readonly kind: string;
  readonly summary: string;
  readonly settings: SettingsSchema<Settings>;
  readonly account: SettingsSchema<AccountSettings>;
  /** The channels that its sessions know; the first is how it runs one command. */
  readonly channels: NonEmpty<Channel>;
  open(deps: PluginDeps): Transport;
}

/** The default export of each file (or folder's index.ts) in adapters/siems. */
export interface SiemPlugin<Settings = unknown> {
  readonly kind: string;
  readonly summary: string;
  readonly settings: SettingsSchema<Settings>;
  open(settings: Settings, deps: PluginDeps): SiemAdapter;
}

/** The default export of each file in reports. `templates`: names of files beside it that `open` is given the text of. */
export interface ReportPlugin {
  readonly kind: string;
  readonly summary: string;
  readonly templates: readonly string[];
  open(templates: ReadonlyMap<string, string>): Reporter;
}
