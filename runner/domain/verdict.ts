import type { Reason } from './fact.ts';
import type { Hop } from './facts.ts';

export const emulationVerdicts = [
  'prevented',
  'detected',
  'detected-late',
  'logged',
  'logged-thin',
  'recorded-only',
  'missed',
  'blind',
  'inconclusive',
  'not-run',
] as const;
export const twinVerdicts = ['quiet', 'noisy', 'blind', 'inconclusive', 'not-run'] as const;
export const controlVerdicts = ['clean', 'harness-visible', 'blind', 'inconclusive', 'not-run'] as const;

export type EmulationVerdict = (typeof emulationVerdicts)[number];
export type TwinVerdict = (typeof twinVerdicts)[number];
export type ControlVerdict = (typeof controlVerdicts)[number];
export type VerdictKind = EmulationVerdict | TwinVerdict | ControlVerdict;

/** How a verdict compares with what the site expects. */
export type Score = 'as-expected' | 'worse' | 'better' | 'inconclusive';

export type Judgement = {
  readonly verdict: VerdictKind;
  /** The first `no` among the waterfall hops: where the pipeline broke. */
  readonly brokeAt?: Hop;
  /** One sentence that a person understands without the code. */
  readonly sentence: string;
  readonly why?: Reason;
  readonly score: Score;
  /** A detection by a rule that detproof ships, counted apart from the site's own. */
  readonly byReferenceRule: boolean;
  readonly notes: readonly string[];
};
