/**
 * The lab cannot be brought up, or a fault cannot be set, because of something on this machine that must not be overridden.
 * Nothing has been changed when it is thrown. `reason` is stable and for programs; the message is for people and says what to do next.
 */
export class LabRefused extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = 'LabRefused';
    this.reason = reason;
  }
}

/** Why the lab refuses. */
export type RefusalReason =
  | 'not-root'
  | 'not-linux'
  | 'not-debian'
  | 'packages-missing'
  | 'audit-unavailable'
  | 'audit-locked'
  | 'audit-in-use'
  | 'login-id-fixed'
  | 'uid-in-use'
  | 'port-in-use'
  | 'lab-held'
  | 'lab-not-up';
