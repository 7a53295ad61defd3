import type { EvidenceRef } from './evidence.ts';
import type { Reason } from './fact.ts';
import type { ClockOffset, Instant } from './time.ts';
import type { Channel } from './scenario.ts';

/** `^[a-z][a-z0-9]{19,31}$`: one per execution, its own argv element; letters and digits so that no tokenizer splits it. */
export type Marker = string;
export const markerPattern = /^[a-z][a-z0-9]{19,31}$/;

/** One of the two lines that a payload writes: proof that it ran, and the truth that SIEM fields are compared with. */
export type ReceiptLine = {
  readonly receipt: 'started' | 'finished';
  readonly marker: Marker;
  readonly pid: number;
  readonly ppid: number;
  /** Absent where the platform or the permissions do not let a process read it. */
  readonly parentExecutable?: string;
  /** The parent's short name, at most 15 characters on Linux (/proc/PID/comm): readable where its executable is not. */
  readonly parentName?: string;
  readonly argv: readonly string[];
  /** The platform does not tell a process its command line, and this is put together from what Python knows: options are lost. */
  readonly partialArgv?: true;
  readonly executable: string;
  /** Absolute path of the script file; absent for `-c` and standard input. */
  readonly script?: string;
  readonly cwd: string;
  readonly user: string;
  readonly host: string;
  /** The host's own clock. */
  readonly time: Instant;
  readonly version: string;
  readonly sha256?: string;
  /** `address:port` of connections that the behaviour made. */
  readonly destinations?: readonly string[];
  /** `finished` only: what the behaviour did, in a few words, or the exception that ended it. */
  readonly did?: string;
};

export type Receipt = {
  readonly started?: ReceiptLine;
  readonly finished?: ReceiptLine;
  readonly evidence?: EvidenceRef;
};

export type CommandRecord = {
  /** What it was for: `upload`, `step 1`, `clean-up` … */
  readonly purpose: string;
  readonly channel: Channel;
  /** The exact line that the remote shell was given, redacted. */
  readonly sent: string;
  readonly exit: Exit;
  readonly stdout: EvidenceRef;
  readonly stderr: EvidenceRef;
  readonly truncated: boolean;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
};

export type Exit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** `survivors`: processes of the command that were still there after SIGKILL. */
  | { readonly kind: 'timeout'; readonly survivors: readonly number[] };

/** One thing to undo. Written to the journal with the intent, so that another process can carry it out. */
export type CleanupStep =
  | { readonly kind: 'end-processes'; readonly marker: Marker }
  | { readonly kind: 'remove'; readonly path: string }
  /** A parent folder that did not exist before; removed only when nothing is left in it. */
  | { readonly kind: 'remove-if-empty'; readonly path: string }
  /** Takes this exact line out of the account's crontab and leaves every other byte as it was. */
  | { readonly kind: 'remove-crontab-line'; readonly line: string }
  /** A launchd job of the account, by its label. */
  | { readonly kind: 'remove-launchd-job'; readonly label: string }
  /** A scheduled task of the account, by its name. */
  | { readonly kind: 'remove-task'; readonly name: string };

export type Cleanup =
  | { readonly kind: 'steps'; readonly steps: readonly CleanupStep[] }
  | { readonly kind: 'nothing-to-undo'; readonly because: string };

export type CleanupResult = {
  readonly done: readonly string[];
  readonly leftBehind: readonly LeftBehind[];
};

/** What could not be removed: what, where, why, and what a person does about it. */
export type LeftBehind = {
  readonly target: string;
  readonly account: string;
  readonly what: string;
  readonly because: string;
  readonly hint: string;
};

/** Written, and on disk, before the target is touched for this execution. */
export type Intent = {
  readonly execution: string;
  readonly marker: Marker;
  /** Name of the neutral folder in the account's home. */
  readonly run: string;
  readonly at: Instant;
  readonly cleanup: Cleanup;
};

export type ExecutionOutcome =
  | { readonly kind: 'finished' }
  | { readonly kind: 'broken-off'; readonly why: Reason }
  /** `blockSign`: what the product itself said. A missing receipt alone never makes this. */
  | { readonly kind: 'prevented'; readonly blockSign: string; readonly evidence: EvidenceRef }
  /** The behaviour was not started; `why` is the transport's own answer. */
  | { readonly kind: 'not-run'; readonly why: Reason };

/** What happened on the target; on detproof's clock unless said otherwise. */
export type Execution = {
  readonly execution: string;
  readonly marker: Marker;
  readonly run: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly outcome: ExecutionOutcome;
  readonly commands: readonly CommandRecord[];
  readonly receipt: Receipt;
  readonly clock?: ClockOffset;
  readonly cleanup: CleanupResult;
};

/** How a command ended, in words. */
export function exitText(exit: Exit): string {
  switch (exit.kind) {
    case 'code':
      return `exit code ${exit.code}`;
    case 'signal':
      return `ended by ${exit.signal}`;
    case 'timeout':
      return exit.survivors.length === 0
        ? 'timed out, process tree ended'
        : `timed out; still there after SIGKILL: ${exit.survivors.join(', ')}`;
  }
}

/** What a clean-up step is about, in one line. */
export function cleanupSubject(step: CleanupStep): string {
  switch (step.kind) {
    case 'end-processes':
      return step.marker;
    case 'remove':
    case 'remove-if-empty':
      return step.path;
    case 'remove-crontab-line':
      return step.line;
    case 'remove-launchd-job':
      return step.label;
    case 'remove-task':
      return step.name;
  }
}
