import { readFileSync } from 'node:fs';

/** A lab host as the SIEM is told of it. */
export type SiemHost = { readonly name: string; readonly uid: number; readonly account: string };

/**
 * Tells which lab host an audit event belongs to: all hosts share one kernel, so they are told apart by their account's
 * login id (auid), which set-uid programs keep, and else by its uid, since the jobs of a cron daemon without PAM have no login id.
 */
export class LabHosts {
  readonly #byUid: ReadonlyMap<number, SiemHost>;
  readonly #readPasswd: () => string;
  #names: ReadonlyMap<number, string> | undefined;

  constructor(hosts: readonly SiemHost[], readPasswd = () => readFileSync('/etc/passwd', 'utf8')) {
    this.#byUid = new Map(hosts.map((host) => [host.uid, host]));
    this.#readPasswd = readPasswd;
  }

  /** Undefined: the event belongs to no lab host. */
  hostOf(auid: number | undefined, uid: number | undefined): SiemHost | undefined {
    return this.#byUid.get(auid ?? -1) ?? this.#byUid.get(uid ?? -1);
  }

  /** The account's name, as the configuration or /etc/passwd has it. */
  userName(uid: number): string | undefined {
    return this.#byUid.get(uid)?.account ?? this.#passwd().get(uid);
  }

  #passwd(): ReadonlyMap<number, string> {
    this.#names ??= new Map(
      this.#readPasswd()
        .split('\n')
        .map((line) => line.split(':'))
        .flatMap(([name, , uid]) => (name !== undefined && uid !== undefined ? [[Number(uid), name] as const] : [])),
    );
    return this.#names;
  }
}
