import type { AttackFacts, LogSourceRef } from './attack.ts';
import type { EvidenceRef } from './evidence.ts';
import type { Execution, LeftBehind } from './execution.ts';
import type { Facts } from './facts.ts';
import type { HostCheck } from './host-check.ts';
import type { LeftOut, PlannedExecution, SiemExpectation } from './plan.ts';
import type { RunState } from './record.ts';
import type { ClockOffset, DurationMs, Instant } from './time.ts';
import type { Judgement, VerdictKind } from './verdict.ts';
import type { Platform } from './attack.ts';

/** What one SIEM showed of one execution, and what it amounts to. */
export type Assessment = Judgement & {
  readonly siem: string;
  readonly expect: SiemExpectation;
  readonly facts: Facts;
  /** Receipt's time → event in the SIEM, by SIEM times corrected with the offsets of this run. */
  readonly eventLatencyMs?: DurationMs;
  readonly alertLatencyMs?: DurationMs;
};

/** One planned execution with all that is known of it. `execution` is absent when the run ended before its turn. */
export type ExecutionReport = {
  readonly plan: PlannedExecution;
  readonly execution?: Execution;
  readonly assessments: readonly Assessment[];
};

/**
 * A figure that cannot be quoted without its base: `of` = what was judged (denominator), plus what could not be told and
 * what was not tested; hosts tested of hosts in scope. A percentage is `share / of`, and only when `of` > 0.
 */
export type Figure = {
  readonly share: number;
  readonly of: number;
  readonly inconclusive: number;
  readonly notTested: number;
  readonly hostsTested: number;
  readonly hostsInScope: number;
};

/** One cell of the matrix: what a roll-up of `executions` (ids) amounts to; the worst variant wins. */
export type Cell = {
  readonly verdict: VerdictKind | 'not-tested';
  readonly counts: Readonly<Record<string, number>>;
  readonly executions: readonly string[];
  /** How many of the executions were on a stand-in. */
  readonly standIns: number;
  /** Of a cell over several hosts: what stand-ins came to, kept apart; then `verdict` and `counts` are those of real hosts alone. */
  readonly onStandIns?: {
    readonly verdict: VerdictKind | 'not-tested';
    readonly counts: Readonly<Record<string, number>>;
  };
};

export type ElementRow = {
  readonly analytic: string;
  readonly platform: Platform;
  readonly element: string;
  readonly gist: string;
  /** Emulations of this element, per SIEM id. */
  readonly cells: Readonly<Record<string, Cell>>;
};

export type SourceRow = {
  readonly analytic: string;
  readonly platform: Platform;
  readonly source: LogSourceRef;
  readonly official: boolean;
  /** Of real hosts; `hosts` has stand-ins too. `alive` = controls of every tested host seen before and after; `partly`, `silent`, `unclear`, `not-tested`. */
  readonly cells: Readonly<
    Record<
      string,
      {
        readonly state: 'alive' | 'partly' | 'silent' | 'unclear' | 'not-tested';
        readonly hosts: readonly { readonly target: string; readonly state: 'alive' | 'silent' | 'unclear' }[];
        /** Executions (emulations and twins) whose event this source delivered, of those that expected it. */
        readonly delivered: number;
        readonly expected: number;
      }
    >
  >;
};

/** Scenario (with variant) by target. */
export type ScenarioRow = {
  readonly scenario: string;
  readonly variant?: string;
  readonly title: string;
  readonly analytic: string;
  readonly element?: string;
  readonly purpose: 'emulation' | 'twin' | 'control';
  /** Per target id, per SIEM id. */
  readonly cells: Readonly<Record<string, Readonly<Record<string, Cell>>>>;
};

export type Matrix = {
  readonly elements: readonly ElementRow[];
  readonly sources: readonly SourceRow[];
  readonly scenarios: readonly ScenarioRow[];
  /** Per SIEM id. */
  readonly figures: Readonly<
    Record<
      string,
      {
        /** Emulations detected in time by the site's own rules. */
        readonly detected: Figure;
        /** … of which or besides which by rules that detproof ships. */
        readonly detectedByReferenceRules: Figure;
        /** Emulations whose event arrived with all of its context, alerted on or not. */
        readonly logged: Figure;
        /** Emulations that are gaps: logged, logged-thin, recorded-only, missed, blind. */
        readonly gaps: Figure;
        readonly twinsQuiet: Figure;
        /** Elements with every emulation detected (by whichever rule) or prevented, of the elements tested. */
        readonly elementsDetected: Figure;
        readonly alertLatencyMs?: { readonly median: DurationMs; readonly p90: DurationMs; readonly max: DurationMs };
        /** `detected`: by the site's own rules. */
        readonly byPlatform: Readonly<
          Partial<Record<Platform, { readonly detected: Figure; readonly elements: Figure }>>
        >;
      }
    >
  >;
};

/**
 * A whole run as one document, `run.json`: every report is a projection of it. Pure data; `excerpts` holds the text of
 * small evidence (by sha256), cut and escaped for display, so that a report needs no file besides.
 */
export type RunReport = {
  readonly schema: 'detproof/run/1';
  readonly tool: { readonly name: 'detproof'; readonly version: string };
  readonly run: {
    readonly id: string;
    readonly startedAt: Instant;
    readonly endedAt: Instant;
    readonly state: RunState;
    readonly resumed: number;
    readonly operator: string;
    readonly planSha256: string;
    readonly journal: { readonly lines: number; readonly headSha256: string };
    /** Only some of the hosts in scope were taken. */
    readonly sample?: {
      readonly perRoleAndZone: number;
      readonly seed: string;
      readonly always?: string;
      readonly hostsInScope: number;
      readonly hostsSampled: number;
    };
  };
  readonly engagement: {
    readonly id: string;
    readonly authorizedBy: string;
    readonly changeTicket?: string;
    readonly contacts: readonly string[];
  };
  readonly attack: AttackFacts;
  readonly siems: readonly {
    readonly id: string;
    readonly kind: string;
    /** False: the adapter was not qualified on this site; its verdicts say so. */
    readonly qualified: boolean;
    readonly clock?: ClockOffset;
    readonly observedFrom?: Instant;
    readonly observedUntil?: Instant;
    readonly polls: number;
    readonly exchanges: readonly EvidenceRef[];
    readonly trouble?: string;
  }[];
  readonly targets: readonly {
    readonly id: string;
    readonly platform: Platform;
    readonly address: string;
    readonly role: string;
    readonly owner: string;
    readonly zone: string;
    readonly criticality: string;
    readonly fidelity: 'real' | 'stand-in';
    readonly reached: boolean;
    readonly trouble?: string;
    readonly clock?: ClockOffset;
    /** What the transport had to do that weakens what it says. */
    readonly remarks?: readonly string[];
  }[];
  readonly executions: readonly ExecutionReport[];
  readonly matrix: Matrix;
  /** Rules that fired on controls, per SIEM: detections by them are shown and not counted. */
  readonly harnessRules: Readonly<Record<string, readonly string[]>>;
  readonly leftOut: readonly LeftOut[];
  readonly leftBehind: readonly LeftBehind[];
  /** What was looked at on each host before and after its part, in the order of the journal. */
  readonly hostChecks?: readonly HostCheck[];
  /** Why no further wave was started. */
  readonly aborted?: string;
  readonly excerpts: Readonly<Record<string, { readonly text: string; readonly cut: boolean }>>;
  readonly outcome: { readonly exitCode: number; readonly sentence: string };
};
