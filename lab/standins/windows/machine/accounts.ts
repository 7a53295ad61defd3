import { createHash, randomUUID } from 'node:crypto';

/** A local account of the stand-in. */
export type Account = {
  readonly name: string;
  /** Absent: nobody can log in with a password. */
  readonly password?: string;
  /** `standard` accounts run with a medium integrity level, `admin` ones with a high one (no UAC filter over the network). */
  readonly role: 'standard' | 'admin' | 'service';
  /** False: the login succeeds and the shell is refused with "access denied", as for one who is in neither group that may. */
  readonly remoteManagement: boolean;
};

/** A logon: whom processes belong to. */
export type Logon = {
  readonly user: string;
  readonly domain: string;
  readonly sid: string;
  /** Hex with 0x, as in the event log. */
  readonly logonId: string;
  readonly logonGuid: string;
  readonly integrity: 'Medium' | 'High' | 'System';
  /** Type 3 network, 5 service, 8 network with a password in clear, 4 batch. */
  readonly logonType: number;
};

/** The logon of the operating system itself. */
export const systemLogon: Logon = {
  user: 'SYSTEM',
  domain: 'NT AUTHORITY',
  sid: 'S-1-5-18',
  logonId: '0x3e7',
  logonGuid: '{00000000-0000-0000-0000-000000000000}',
  integrity: 'System',
  logonType: 0,
};

/** The local accounts of one host and their logons. */
export class Accounts {
  readonly #host: string;
  readonly #accounts: readonly Account[];
  readonly #expired = new Set<Account>();
  #nextLogonId = 0x5a1c0;

  constructor(host: string, accounts: readonly Account[]) {
    this.#host = host;
    this.#accounts = accounts;
  }

  get all(): readonly Account[] {
    return this.#accounts;
  }

  find(name: string): Account | undefined {
    return this.#accounts.find((account) => account.name.toUpperCase() === name.toUpperCase());
  }

  /** From now on its password has to be changed before anybody can log in with it. */
  expirePassword(account: Account): void {
    this.#expired.add(account);
  }

  hasExpiredPassword(account: Account): boolean {
    return this.#expired.has(account);
  }

  logon(account: Account, logonType: number): Logon {
    this.#nextLogonId += 0x1f3;
    return {
      user: account.name,
      domain: this.#host,
      sid: this.sid(account),
      logonId: `0x${this.#nextLogonId.toString(16)}`,
      logonGuid: `{${randomUUID()}}`,
      integrity: account.role === 'admin' ? 'High' : 'Medium',
      logonType,
    };
  }

  /** Made from the host's name, so that it is the same after a restart. */
  sid(account: Account): string {
    const digest = createHash('sha256').update(this.#host).digest();
    const parts = [0, 4, 8].map((at) => digest.readUInt32LE(at));
    return `S-1-5-21-${parts.join('-')}-${1001 + this.#accounts.indexOf(account)}`;
  }
}
