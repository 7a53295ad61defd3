import type { EvidenceRef } from './evidence.ts';
import type { CleanupResult, Execution, Intent, Marker } from './execution.ts';
import type { Reason } from './fact.ts';
import type { Facts } from './facts.ts';
import type { HostCheck } from './host-check.ts';
import type { AlertHit, EventHit, RuleHealth, UntiedAlert } from './siem.ts';
import type { ClockOffset, Instant } from './time.ts';
import type { Judgement } from './verdict.ts';

/** The last answer to one question, asked after every `observeFor` was over, with all hits that any answer held. */
export type Observed<H> = {
  readonly hits: readonly H[];
  readonly complete: { readonly yes: true } | { readonly yes: false; readonly because: Reason };
  readonly exchanges: readonly EvidenceRef[];
};

/** All that one SIEM said of a run. */
export type Observation = {
  readonly siem: string;
  readonly from: Instant;
  /** On detproof's clock: when the last answers were asked for. */
  readonly until: Instant;
  /** Markers of the executions that were asked about: of others, no answer says anything. */
  readonly asked: readonly Marker[];
  readonly clock?: ClockOffset;
  readonly polls: number;
  readonly events: Observed<EventHit>;
  /** `untied`: alerts that no answer tied to an execution, of the rules that any is watched with. Older records are without them. */
  readonly alerts: Observed<AlertHit> & { readonly untied?: readonly UntiedAlert[] };
  readonly rules: Observed<RuleHealth>;
};

export type HostReached = {
  readonly target: string;
  readonly account: string;
  readonly clock?: ClockOffset;
  readonly failure?: Reason;
  /** What the transport had to do that weakens what it says: an unchecked certificate, an old algorithm. */
  readonly remarks?: readonly string[];
};

export type RunState = 'complete' | 'stopped' | 'interrupted';

/** What one line of the journal says. */
export type RecordBody =
  | {
      readonly type: 'run-opened';
      readonly data: {
        readonly runId: string;
        readonly planSha256: string;
        readonly tool: string;
        readonly operator: string;
      };
    }
  | { readonly type: 'run-resumed'; readonly data: { readonly operator: string; readonly setAside?: string } }
  /** Written before a host is touched for the first time. */
  | { readonly type: 'reaching'; readonly data: { readonly target: string; readonly account: string } }
  | { readonly type: 'host'; readonly data: HostReached }
  | { readonly type: 'host-check'; readonly data: HostCheck }
  /** More hosts of a wave failed than the inventory puts up with: what was not started is not run. */
  | {
      readonly type: 'aborted';
      readonly data: { readonly wave: number; readonly failed: readonly string[]; readonly because: string };
    }
  | { readonly type: 'intent'; readonly data: Intent }
  | { readonly type: 'execution'; readonly data: Execution }
  /** A clean-up that was not part of its execution: by `resume`, `cleanup` or after a lost connection. */
  | { readonly type: 'clean-up'; readonly data: { readonly execution: string; readonly result: CleanupResult } }
  | { readonly type: 'stop-asked'; readonly data: { readonly by: string } }
  | { readonly type: 'executed'; readonly data: { readonly state: RunState } }
  | {
      readonly type: 'poll';
      readonly data: {
        readonly siem: string;
        readonly question: 'events' | 'alerts' | 'rules' | 'ping';
        readonly hits?: number;
        readonly complete?: boolean;
        readonly failure?: Reason;
        readonly exchanges: readonly EvidenceRef[];
      };
    }
  | { readonly type: 'observation'; readonly data: Observation }
  | {
      readonly type: 'facts';
      readonly data: { readonly execution: string; readonly siem: string; readonly facts: Facts };
    }
  | { readonly type: 'verdict'; readonly data: { readonly execution: string; readonly siem: string } & Judgement }
  | { readonly type: 'run-closed'; readonly data: { readonly state: RunState; readonly exitCode: number } };

/** One line of journal.jsonl. `prev` = SHA-256 of the bytes of the line before, without its line feed; 64 zeros for the first. */
export type RecordLine = { readonly seq: number; readonly time: Instant; readonly prev: string } & RecordBody;
