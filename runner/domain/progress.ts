import type { Execution } from './execution.ts';
import type { HostCheck } from './host-check.ts';
import type { Phase, PlannedExecution } from './plan.ts';
import type { HostReached } from './record.ts';

/** What a display is told while a run goes on. Nothing depends on it. */
export type Progress =
  | { readonly kind: 'wave'; readonly number: number; readonly of: number; readonly targets: readonly string[] }
  | { readonly kind: 'host'; readonly host: HostReached }
  | { readonly kind: 'check'; readonly check: HostCheck }
  | { readonly kind: 'phase'; readonly phase: Phase; readonly executions: number }
  | { readonly kind: 'started'; readonly plan: PlannedExecution }
  | { readonly kind: 'ended'; readonly plan: PlannedExecution; readonly execution: Execution }
  | { readonly kind: 'stopping'; readonly because: string }
  | { readonly kind: 'observing'; readonly siem: string; readonly seconds: number; readonly traces: number }
  | {
      readonly kind: 'poll';
      readonly siem: string;
      readonly events: number;
      readonly alerts: number;
      readonly secondsLeft: number;
      readonly trouble?: string;
    };

export type OnProgress = (progress: Progress) => void;
