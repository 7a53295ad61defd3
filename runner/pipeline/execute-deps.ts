import type { Inventory, Target } from '../domain/inventory.ts';
import type { Instant } from '../domain/time.ts';
import type { Clock, EvidenceStore, Journal, Random } from '../ports.ts';
import type { Host, Probe } from './host.ts';
import type { Payloads } from './invocation.ts';

/** What executing uses of the outside world. */
export type ExecuteDeps = {
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly evidence: EvidenceStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly payloads: Payloads;
};

/** One account on one host that was reached. */
export type Where = {
  readonly target: Target;
  readonly host: Host;
  readonly probe: Probe;
  /** Held while what the account has scheduled is read and written: a crontab is one file. */
  readonly schedule: <T>(work: () => Promise<T>) => Promise<T>;
};

/** What an intent gives an execution that no plan holds. */
export type Minted = { readonly marker: string; readonly run: string; readonly at: Instant };
