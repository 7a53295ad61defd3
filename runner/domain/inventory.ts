import type { LogSourceRef, Platform } from './attack.ts';
import type { Selector } from './selector.ts';
import type { Channel, Stance } from './scenario.ts';
import type { NonEmpty } from './non-empty.ts';
import type { Limits, Pacing, Sampling, Waves } from './rollout.ts';
import type { DurationMs, Instant } from './time.ts';

/** A reference to a secret: `env:NAME`, `file:PATH` or `exec:COMMAND`; never the value. */
export type SecretRef = { readonly kind: 'env' | 'file' | 'exec'; readonly name: string };

export type Engagement = {
  readonly id: string;
  readonly authorizedBy: string;
  readonly contacts: readonly string[];
  readonly changeTicket?: string;
  readonly allowedSigners?: string;
  /** True: no plan runs without an approver's signature. */
  readonly signedPlans: boolean;
  /** Target ids, host names and addresses that are refused whatever else is said. */
  readonly neverTouch: readonly string[];
  /** Where network payloads connect to: `loopback`, or a `HOST:PORT` of the engagement that answers HTTP. */
  readonly sink: string;
};

/** Days 1 (Monday) to 7; minutes since midnight in `timeZone`; `to` ≤ `from` ends on the next day. */
export type Weekly = {
  readonly kind: 'weekly';
  readonly days: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly timeZone: string;
};

/** When a group of targets may be touched; the whole run, clean-up included, ends before it closes. */
export type Window = {
  readonly id: string;
  readonly groups: readonly string[];
  readonly open: { readonly kind: 'span'; readonly from: Instant; readonly to: Instant } | Weekly;
  readonly freezes: readonly { readonly from: Instant; readonly to: Instant; readonly because: string }[];
  /** Time to keep free for clean-up before the window closes. */
  readonly cleanupReserve: DurationMs;
};

/** `role`: what scenarios ask for (`standard` unless said otherwise; `admin`, `service`, `automation`, `unlisted`, or the site's own). */
export type Account = { readonly name: string; readonly role: string; readonly settings: unknown };

export type Target = {
  readonly id: string;
  readonly platform: Platform;
  readonly address: string;
  /** `channels`: what the plug-in of that kind offers; the first is how it runs one command. */
  readonly transport: { readonly kind: string; readonly settings: unknown; readonly channels: NonEmpty<Channel> };
  readonly accounts: readonly Account[];
  /** Absolute path of the Python interpreter. */
  readonly interpreter: string;
  readonly groups: readonly string[];
  readonly role: string;
  readonly owner: string;
  readonly criticality: 'low' | 'medium' | 'high';
  readonly zone: string;
  /** Per SIEM id: the names under which it knows the host. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** When the owner runs maintenance: what scenarios about the time of an execution are held against. */
  readonly maintenance?: Weekly;
  /** Single-file executables of the operator: files on this machine (absolute paths), and what they must hash to. */
  readonly executables: Readonly<Record<string, { readonly path: string; readonly sha256: string }>>;
  readonly fidelity: 'real' | 'stand-in';
  /** Executions at the same time on this host, at most 8 (sshd's MaxSessions is 10). */
  readonly parallel: number;
  /** Names of the processes of the host's sensors: looked for before and after its part of a run. */
  readonly sensors?: readonly string[];
  /** Hosts that the transport goes through, nearest first. */
  readonly jumpHosts?: readonly string[];
};

/** One entry of the Python policy: interpreters that match `path` are expected on the targets, and are somebody's. */
export type ExpectedPython = {
  readonly targets?: Selector;
  /** A pattern with `*`, of the path as it is called or of what it leads to. */
  readonly path: string;
  /** A pattern, such as `3.11.*`; any version without it. */
  readonly version?: string;
  readonly owner: string;
  readonly because?: string;
};

export type Siem = { readonly id: string; readonly kind: string; readonly settings: unknown };

/** The site's word on what scenarios expect: the last entry that matches wins, field by field. */
export type Overlay = {
  readonly scenarios: readonly string[];
  readonly roles?: readonly string[];
  readonly siems?: readonly string[];
  readonly rules?: readonly string[];
  readonly stance?: Stance;
  readonly because?: string;
  readonly owner?: string;
  readonly until?: string;
  readonly within?: DurationMs;
  readonly observeFor?: DurationMs;
  /** `correlated` also counts alerts tied by host, process and time; the default counts exact ones only. */
  readonly attribution?: 'exact' | 'correlated';
  readonly notCollected?: readonly LogSourceRef[];
};

export type Inventory = {
  readonly file: string;
  readonly sha256: string;
  readonly engagement: Engagement;
  readonly windows: readonly Window[];
  readonly targets: readonly Target[];
  readonly siems: readonly Siem[];
  readonly expectations: readonly Overlay[];
  readonly limits: Limits;
  readonly waves?: Waves;
  readonly pace?: Pacing;
  readonly sample?: Sampling;
  /** Which Python interpreters are expected where, and whose they are. */
  readonly python: readonly ExpectedPython[];
};
