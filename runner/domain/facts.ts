import type { LogSourceRef } from './attack.ts';
import type { EvidenceRef } from './evidence.ts';
import type { Fact } from './fact.ts';
import type { AlertHit, EventHit, RuleHealth } from './siem.ts';
import type { ContextField } from './scenario.ts';
import type { NonEmpty } from './non-empty.ts';
import type { DurationMs, Instant } from './time.ts';

/** The hops of the detection pipeline in order; `prevented` stands outside the waterfall. */
export const hops = ['ran', 'recorded', 'delivered', 'usable', 'alerted', 'attributed', 'in-time'] as const;
export type Hop = (typeof hops)[number];

export type ControlSeen = {
  readonly execution: string;
  readonly phase: 'control-before' | 'control-after';
  readonly source: LogSourceRef;
  readonly event: string;
  readonly raw: EvidenceRef;
};

/** The finished receipt. */
export type RanEvidence = { readonly receipt: EvidenceRef };
/** The transport's own answer. */
export type NotRunProof = { readonly answer: string };

export type DeliveredEvidence = { readonly hit: EventHit; readonly latencyMs: DurationMs };
/**
 * `absent`: this source's controls were seen before and after, the answer was complete and `observeFor` over.
 * `source-silent`: nothing of this host arrives from this source, while the same source of other hosts does.
 */
export type NotDeliveredProof =
  | {
      readonly kind: 'absent';
      readonly controls: readonly [ControlSeen, ControlSeen];
      readonly answer: NonEmpty<EvidenceRef>;
      readonly observedUntil: Instant;
    }
  | {
      readonly kind: 'source-silent';
      readonly others: NonEmpty<ControlSeen>;
      readonly answer: NonEmpty<EvidenceRef>;
      readonly observedUntil: Instant;
    };

export type FieldProblem = {
  readonly field: ContextField;
  readonly problem: 'missing' | 'contradicts';
  readonly receipt: string;
  readonly siem: string;
};
export type UsableEvidence = { readonly event: string; readonly agreed: readonly ContextField[] };
export type NotUsableProof = {
  readonly event: string;
  readonly raw: EvidenceRef;
  readonly problems: NonEmpty<FieldProblem>;
};

export type AlertedEvidence = { readonly alert: AlertHit; readonly latencyMs: DurationMs };
export type NotAlertedProof = {
  readonly kind: 'rule-ran' | 'rule-disabled';
  readonly rules: NonEmpty<RuleHealth>;
  readonly answer: NonEmpty<EvidenceRef>;
  readonly observedUntil: Instant;
};

export type Grade = 'exact' | 'correlated' | 'other-rule';
export type AttributedEvidence = { readonly alert: string; readonly rule: string; readonly grade: Grade };
export type NotAttributedProof = { readonly alerts: NonEmpty<AttributedEvidence> };

export type InTimeEvidence = {
  readonly latencyMs: DurationMs;
  readonly withinMs: DurationMs;
  readonly uncertaintyMs: number;
};
export type LateProof = InTimeEvidence;

/** All facts about one execution as one SIEM tells them. */
export type Facts = {
  readonly ran: Fact<RanEvidence, NotRunProof>;
  readonly prevented: Fact<{ readonly sign: string; readonly evidence: EvidenceRef }, never>;
  readonly recorded: Fact<never, never>;
  readonly sources: NonEmpty<{
    readonly source: LogSourceRef;
    readonly delivered: Fact<DeliveredEvidence, NotDeliveredProof>;
    readonly usable: Fact<UsableEvidence, NotUsableProof>;
  }>;
  /** Is the creation of the file that the scenario dropped in the SIEM? A question of its own: no verdict depends on it. */
  readonly created?: Fact<DeliveredEvidence, NotDeliveredProof>;
  readonly alerted: Fact<AlertedEvidence, NotAlertedProof>;
  readonly attributed: Fact<AttributedEvidence, NotAttributedProof>;
  readonly inTime: Fact<InTimeEvidence, LateProof>;
  /** Every alert tied to this execution, whatever its rule and grade. */
  readonly alerts: readonly (AttributedEvidence & {
    readonly latencyMs: DurationMs;
    readonly raw: EvidenceRef;
    readonly name: string;
    /** As the SIEM's alert names them. */
    readonly techniques: readonly string[];
  })[];
  /** Alerts could be read whole and `observeFor` is over: what a twin or control needs to be called quiet or clean. */
  readonly alertsRead: Fact<EvidenceRef, never>;
  /** Rules that also fired on a control, and so on the harness itself. */
  readonly byHarness: readonly string[];
};
