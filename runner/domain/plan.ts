import type { AnalyticId, LogSourceRef } from './attack.ts';
import type { Channel, ContextField, FileExpectation, PythonStep, Purpose, Stance } from './scenario.ts';
import type { NonEmpty } from './non-empty.ts';
import type { DurationMs, Instant } from './time.ts';

/** Order of one run: every phase ends on all hosts of a wave before the next begins. */
export const phases = ['control-before', 'twins', 'emulations', 'control-after'] as const;
export type Phase = (typeof phases)[number];

/** What one SIEM is expected to show of one execution, after the site's overlay. */
export type SiemExpectation = {
  readonly siem: string;
  readonly sources: NonEmpty<LogSourceRef>;
  readonly context: readonly ContextField[];
  readonly file?: FileExpectation;
  readonly eventWithin: DurationMs;
  readonly rules: readonly string[];
  readonly alertWithin: DurationMs;
  /** How long detproof keeps asking after the execution ended. */
  readonly observeFor: DurationMs;
  readonly stance: Stance;
  readonly because?: string;
  readonly owner?: string;
  readonly until?: string;
  readonly attribution: 'exact' | 'correlated';
};

export type PlannedExecution = {
  /** Unique within the plan: `TARGET/ACCOUNT/SCENARIO[@VARIANT]`, for controls with `#before` or `#after`. */
  readonly id: string;
  readonly phase: Phase;
  readonly purpose: Purpose;
  readonly scenario: string;
  readonly variant?: string;
  readonly title: string;
  readonly analytic: AnalyticId;
  readonly element?: string;
  readonly target: string;
  readonly account: string;
  readonly channel: Channel;
  readonly steps: NonEmpty<PythonStep>;
  readonly creates: readonly string[];
  readonly expect: readonly SiemExpectation[];
};

export type LeftOut = { readonly what: string; readonly because: string };

/** Not all hosts were taken: which were meant, and how those of the plan were chosen from them. */
export type Sample = {
  readonly perRoleAndZone: number;
  /** The same seed and the same ids choose the same hosts. */
  readonly seed: string;
  /** The expression of those that were taken in any case. */
  readonly always?: string;
  /** Ids of the hosts in scope, in the inventory's order. */
  readonly inScope: readonly string[];
  /** Of these, those that were chosen. */
  readonly chosen: readonly string[];
};

/** What is to be run, where, until when; written before the first touch. Holds no markers: those are minted at the intent. */
export type Plan = {
  readonly schema: 'detproof/plan/1';
  readonly runId: string;
  readonly createdAt: Instant;
  readonly engagement: string;
  readonly inventory: { readonly file: string; readonly sha256: string };
  readonly scenarios: readonly { readonly id: string; readonly sha256: string }[];
  readonly targets: readonly {
    readonly id: string;
    readonly until: Instant;
    /** The longest that its executions may take, on all of its accounts. */
    readonly needs?: DurationMs;
    /** Which of the waves it is in, from 1. */
    readonly wave?: number;
  }[];
  readonly executions: readonly PlannedExecution[];
  readonly leftOut: readonly LeftOut[];
  readonly sample?: Sample;
};
