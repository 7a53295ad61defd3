import type { Platform } from './attack.ts';
import type { Purpose } from './scenario.ts';
import type { DurationMs, Instant } from './time.ts';

/** What a plan does to the hosts of one owner, for that owner to read before it is run. */
export type OwnerPage = {
  readonly owner: string;
  readonly runId: string;
  readonly createdAt: Instant;
  readonly operator: string;
  readonly engagement: {
    readonly id: string;
    readonly authorizedBy: string;
    readonly changeTicket?: string;
    readonly contacts: readonly string[];
    readonly sink: string;
  };
  readonly hosts: readonly OwnerHost[];
  /** Hosts on which the same is done, and what that is. */
  readonly works: readonly { readonly hosts: readonly string[]; readonly items: readonly OwnerWork[] }[];
  /** Of this owner's hosts and accounts: what is not done, and why. */
  readonly leftOut: readonly { readonly what: string; readonly because: string }[];
};

export type OwnerHost = {
  readonly id: string;
  readonly address: string;
  readonly platform: Platform;
  readonly role: string;
  readonly zone: string;
  readonly criticality: string;
  readonly fidelity: 'real' | 'stand-in';
  readonly accounts: readonly string[];
  /** `ssh`, and the hosts on the way. */
  readonly reachedBy: string;
  readonly interpreter: string;
  readonly sensors: readonly string[];
  readonly wave: number;
  readonly waves: number;
  readonly until: Instant;
  readonly needs: DurationMs;
  /** Why it may not fit into its window. */
  readonly tight?: string;
  /** Its windows and freezes, in words. */
  readonly windows: readonly string[];
};

/** One scenario, or a variant of it, as it is carried out; `{{run}}` and `{{marker}}` are not known before. */
export type OwnerWork = {
  readonly scenario: string;
  readonly variant?: string;
  readonly title: string;
  readonly purpose: Purpose;
  /** Why it does no harm. */
  readonly harmless?: string;
  readonly accounts: readonly string[];
  readonly times: number;
  readonly steps: readonly OwnerStep[];
  /** Files and folders that are made, all of which are removed. */
  readonly makes: readonly string[];
  /** Where it connects to. */
  readonly network: string;
  readonly longest: DurationMs;
};

export type OwnerStep = {
  /** The line as the host's shell gets it. */
  readonly command: string;
  /** A long text that the line holds, or that goes to standard input. */
  readonly source?: string;
  /** Who starts it, and with whose rights. */
  readonly startedBy: string;
};
