import type { NonEmpty } from './non-empty.ts';
import type { Instant } from './time.ts';

export const checkSubjects = [
  'reachable',
  'login',
  'interpreter',
  'clock',
  'sensor',
  'isolation',
  'ssh-service',
] as const;

/**
 * `sensor`: is the process of a sensor running? `isolation`: was the host cut off while the run went on? `ssh-service`: on ESXi SSH
 * is switched on by the owner before, and off again afterwards.
 */
export type CheckSubject = (typeof checkSubjects)[number];

export type CheckItem = {
  readonly what: CheckSubject;
  /** Name of the sensor's process. */
  readonly sensor?: string;
  /** `to-confirm`: a person has to say it; detproof neither looks nor does it. */
  readonly state: 'ok' | 'trouble' | 'unknown' | 'to-confirm';
  readonly detail: string;
};

/** What was looked at on a host before its part of a run, for each account, or after it. */
export type HostCheck = {
  readonly target: string;
  readonly account: string;
  readonly when: 'before' | 'after';
  readonly at: Instant;
  readonly items: NonEmpty<CheckItem>;
};

/** Items that somebody has to look at. */
export function findingsOf({ items }: HostCheck): readonly CheckItem[] {
  return items.filter(({ state }) => state !== 'ok');
}

/** `sensor auditd`, `SSH service` … */
export function subjectText({ what, sensor }: CheckItem): string {
  return what === 'sensor' ? `sensor ${sensor ?? ''}` : what === 'ssh-service' ? 'SSH service' : what;
}
