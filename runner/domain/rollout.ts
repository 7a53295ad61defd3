import type { Selector } from './selector.ts';
import type { DurationMs } from './time.ts';

/** How many hosts are worked on at the same time; in each wave of a run no cap is exceeded. */
export type Limits = {
  readonly hosts: number;
  readonly perZone: number;
  readonly perRole?: number;
  /** Of the hosts that are reached through the same jump host. */
  readonly perJumpHost?: number;
  /** Of the hosts that a selector means, at most so many. */
  readonly caps?: readonly { readonly targets: Selector; readonly hosts: number }[];
};

/** A host has failed when it was not reached, when something was left on it, or when the check after its part found trouble. */
export type AbortAfter =
  | { readonly failedHosts: number }
  /** Of the hosts of the wave, more than 0 and at most 100. */
  | { readonly percent: number };

export type Waves = {
  /** Hosts in the first wave. */
  readonly first?: number;
  /** Whom the first wave is taken from, where there is any of them. */
  readonly firstFrom?: Selector;
  /** Hosts in each wave after the first. */
  readonly then?: number;
  /** When more hosts of a wave fail than this, no further wave starts. */
  readonly abortAfter?: AbortAfter;
};

/** The least time between the end of one execution and the start of another that the same rule watches on the same host. */
export type Pacing = { readonly perRuleAndHost: DurationMs };

/** Not all hosts but some of each kind: `perRoleAndZone` of each role in each zone, chosen by the seed. */
export type Sampling = {
  readonly perRoleAndZone: number;
  readonly seed?: string;
  /** Those that are taken whatever the sample says. */
  readonly always?: Selector;
};
