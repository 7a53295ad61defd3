import { existsSync } from 'node:fs';
import { LabRefused } from './refused.ts';
import { listLabRules, readAuditStatus } from './audit.ts';
import type { AuditSettings, AuditStatus } from './audit.ts';
import { LAB_ADDRESS, LAB_HOSTS, stateFiles } from './layout.ts';
import type { LabHostName } from './layout.ts';
import { isRunning } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import { readOwnState, readRunningState } from './state.ts';

/** What runs of the lab. A pid is absent when that part does not run. */
export interface LabStatus {
  /** `whole`: everything that was started runs; `partly`: some of it does; `down`: there is no lab. */
  readonly is: 'whole' | 'partly' | 'down';
  /** When `up` began. */
  readonly since?: string;
  /** Whose lab it is; may be another checkout's. */
  readonly stateDir?: string;
  readonly hosts: readonly LabHostStatus[];
  readonly standIns: readonly StandInStatus[];
  readonly auditd?: number;
  readonly siem?: number;
  readonly audit: { readonly now?: AuditStatus; readonly before?: AuditSettings; readonly rules: number };
  /** What a client needs to log in. */
  readonly clientKey?: string;
  readonly knownHosts?: string;
  readonly auditLog?: string;
  /** Debian packages that `up` installed; they stay. */
  readonly installed: readonly string[];
}

/** One lab host in {@link LabStatus}. */
interface LabHostStatus {
  readonly name: LabHostName;
  readonly account: string;
  readonly uid: number;
  readonly address: string;
  readonly port: number;
  readonly mntNs?: string;
  readonly holder?: number;
  readonly sshd?: number;
  readonly cron?: number;
}

/** A stand-in in {@link LabStatus}. */
interface StandInStatus {
  readonly name: string;
  readonly platform: string;
  readonly address: string;
  readonly ports: readonly number[];
  readonly accounts: readonly string[];
  readonly processes: readonly { readonly what: string; readonly pid?: number }[];
  /** Why it was left out, if it was. */
  readonly missing?: string;
}

/** Looks at the machine; changes nothing. Asks the kernel only as far as we may. */
export async function statusOf(stateDir: string): Promise<LabStatus> {
  const state = readRunningState() ?? readOwnState(stateDir);
  const files = state === undefined ? undefined : stateFiles(state.stateDir);
  const hosts = LAB_HOSTS.map((host): LabHostStatus => {
    const found = state?.hosts.find(({ name }) => name === host.name);
    return {
      ...host,
      address: LAB_ADDRESS,
      ...(found?.mntNs !== undefined && { mntNs: found.mntNs }),
      ...pid('holder', found?.holder),
      ...pid('sshd', found?.sshd),
      ...pid('cron', found?.cron),
    };
  });
  const standIns = (state?.standIns ?? []).map(({ name, platform, ports, accounts, processes, missing }) => ({
    ...{ name, platform, address: LAB_ADDRESS, ports, accounts },
    processes: processes.map(({ what, ref }) => ({ what, ...pid('pid', ref) })),
    ...(missing !== undefined && { missing }),
  }));
  const status = {
    hosts,
    standIns,
    ...pid('auditd', state?.auditd),
    ...pid('siem', state?.siem),
    audit: { ...(await auditNow()), ...(state !== undefined && { before: state.auditBefore }) },
    installed: state?.installed ?? [],
    ...(state !== undefined && { since: state.since, stateDir: state.stateDir }),
    ...(files !== undefined && { clientKey: files.clientKey, knownHosts: files.knownHosts, auditLog: files.auditLog }),
  };
  const expected = [
    ...hosts.flatMap(({ holder, sshd, cron }) => [holder, sshd, cron]),
    ...standIns.flatMap(({ processes }) => processes.map((one) => one.pid)),
    status.auditd,
  ];
  if (state?.siem !== undefined) expected.push(status.siem);
  const allStarted = state?.standIns.every(({ started, missing }) => started || missing !== undefined) === true;
  const whole = allStarted && expected.every((part) => part !== undefined) && existsSync(files?.clientKey ?? '');
  return { is: state === undefined ? 'down' : whole ? 'whole' : 'partly', ...status };
}

/** Whether nothing of the lab is missing. */
export function isWhole(status: LabStatus): boolean {
  return status.is === 'whole';
}

function pid<Name extends string>(name: Name, ref: ProcessRef | undefined): Partial<Record<Name, number>> {
  return ref !== undefined && isRunning(ref) ? ({ [name]: ref.pid } as Partial<Record<Name, number>>) : {};
}

async function auditNow(): Promise<{ now?: AuditStatus; rules: number }> {
  try {
    return { now: await readAuditStatus(), rules: (await listLabRules()).length };
  } catch (error) {
    if (error instanceof LabRefused) return { rules: 0 };
    throw error;
  }
}
