import type { LogSourceRef } from './attack.ts';
import type { EvidenceRef } from './evidence.ts';
import type { Marker } from './execution.ts';
import type { Reason } from './fact.ts';
import type { NonEmpty } from './non-empty.ts';
import type { ContextField } from './scenario.ts';
import type { Instant } from './time.ts';

/** What one execution can be recognised by. */
export type Trace = {
  readonly marker: Marker;
  /** The names under which this SIEM knows the host; compared without case. */
  readonly hosts: NonEmpty<string>;
  readonly processes: readonly { readonly pid: number; readonly executable: string; readonly startedAt: Instant }[];
  /** Absolute paths of files that it dropped and whose creation is asked about. */
  readonly files: readonly string[];
  readonly window: { readonly from: Instant; readonly to: Instant };
};

/** Many traces in one query. A hit matches a trace by marker, by host and process and time, or by host and file and time; it says by which. */
export type Question = {
  readonly traces: NonEmpty<Trace>;
  readonly sources: readonly LogSourceRef[];
  readonly window: { readonly from: Instant; readonly to: Instant; readonly basis: 'event' | 'ingest' };
  readonly limit: number;
};

/** `watched`: ids of the rules of which those alerts are wanted, too, that are tied to no trace. */
export type AlertQuestion = Question & { readonly watched: readonly string[] };

export type RuleQuestion = {
  readonly rules: readonly string[];
  readonly window: { readonly from: Instant; readonly to: Instant };
};

/** `exchanges`: every request and answer behind it, as kept evidence. An answer that is not complete proves no absence. */
export type Answer<H> = {
  readonly hits: readonly H[];
  readonly complete: { readonly yes: true } | { readonly yes: false; readonly because: Reason };
  readonly exchanges: NonEmpty<EvidenceRef>;
};

export type MatchedBy =
  | { readonly by: 'marker'; readonly field: string }
  | { readonly by: 'host-process-time' }
  /** The creation of one of the trace's files. */
  | { readonly by: 'host-file-time' };

export type EventHit = {
  readonly marker: Marker;
  readonly matched: MatchedBy;
  readonly source: LogSourceRef;
  /** The SIEM's own id of the event, to look it up again. Several records of one event may share it. */
  readonly id: string;
  /** By the host's clock, as the SIEM stores it. */
  readonly time: Instant;
  /** When the SIEM took it in, by its own clock; absent where the product does not say. */
  readonly ingested?: Instant;
  readonly pid?: number;
  /** What the product holds for each context field; absent or empty = not filled in. */
  readonly fields: Readonly<Partial<Record<ContextField, string>>>;
  readonly raw: EvidenceRef;
};

export type AlertHit = {
  readonly marker: Marker;
  readonly matched: MatchedBy;
  readonly rule: { readonly id: string; readonly name: string };
  readonly id: string;
  /** When the SIEM raised it, by its own clock. */
  readonly time: Instant;
  readonly host?: string;
  readonly techniques: readonly string[];
  readonly severity?: string;
  readonly events: readonly string[];
  readonly raw: EvidenceRef;
};

/**
 * An alert that is tied to none of the traces: it bears no marker of theirs, refers to no event that would lead to one, and names no
 * process of theirs. That of a rule that counts events, say, or one whose events the SIEM no longer has.
 */
export type UntiedAlert = {
  readonly rule: { readonly id: string; readonly name: string };
  readonly id: string;
  /** When the SIEM raised it, by its own clock. */
  readonly time: Instant;
  /** The hosts that it, or else its events, name; empty when it may be about any. */
  readonly hosts: readonly string[];
  readonly techniques: readonly string[];
  /** When that happened for which it was raised, by the host's clock; empty unless this is known of all of its events. */
  readonly eventTimes: readonly Instant[];
  readonly raw: EvidenceRef;
};

/** `limit` is one for hits and untied alerts together. */
export type AlertAnswer = Answer<AlertHit> & { readonly untied: readonly UntiedAlert[] };

/** What the SIEM says of one rule over the asked window. Times by the SIEM's clock. */
export type RuleHealth = {
  readonly rule: string;
  readonly name: string;
  /** Over the whole asked window; `part` = switched during it. */
  readonly enabled: 'all' | 'part' | 'none';
  /** Ingest-time spans that the rule has searched successfully, sorted, not overlapping. */
  readonly ran: readonly { readonly from: Instant; readonly to: Instant }[];
  readonly failures: readonly { readonly at: Instant; readonly error: string }[];
  /** Suppression, throttling or a cap on alerts that was in force. */
  readonly suppression?: string;
  readonly raw: EvidenceRef;
};
