import { existsSync, rmSync } from 'node:fs';
import {
  deleteLabRules,
  forgetDeadDaemon,
  listLabRules,
  readAuditStatus,
  restoreAuditSettings,
  settingsOf,
  switchAuditOff,
} from './audit.ts';
import { findAuditDaemons, stopAuditDaemon } from './auditd.ts';
import type { AuditSettings } from './audit.ts';
import { RUNTIME_DIR, runtimeFiles, stateFiles } from './layout.ts';
import { endProcesses, listProcesses, processesOfLabHosts } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import { findSiem, stopSiem } from './siem.ts';
import { removeState } from './state.ts';
import type { LabState } from './state.ts';

/** What taking the lab down came to. */
export interface DownReport {
  /** Whether there was anything to take down. */
  readonly wasUp: boolean;
  /** What could not be ended, removed or restored, each with what to do by hand. Empty when the machine is as it was. */
  readonly leftBehind: readonly string[];
  /** Debian packages that this lab's `up` installed; they stay. */
  readonly installed: readonly string[];
}

/**
 * Undoes everything, whatever is there, then looks whether it is gone. Each step is tried even when an earlier one failed.
 * Audit goes first: with audit on and no daemon the kernel prints every record to the console and slows the machine down.
 */
export async function takeDown(
  state: LabState | undefined,
  stateDir: string,
  { dropLogs }: { readonly dropLogs: boolean },
): Promise<DownReport> {
  const wasUp = existsSync(RUNTIME_DIR) || state !== undefined || labProcesses().length > 0;
  const leftBehind: string[] = [];
  const before = state?.auditBefore;
  const attempt = async (what: string, act: () => unknown): Promise<void> => {
    try {
      await act();
    } catch (error) {
      leftBehind.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (wasUp) {
    const touched = before !== undefined || (await isAuditTouched());
    if (touched) await attempt('the kernel’s audit system', switchAuditOff);
    await attempt('the lab’s audit rules', deleteLabRules);
    if (before !== undefined) await attempt('the kernel’s audit settings', () => restoreAuditSettings(before));
    else if (touched) leftBehind.push(SETTINGS_UNKNOWN);
    await attempt('the audit daemon', () => stopAuditDaemon(state?.auditd));
    if (touched) await attempt('what the kernel knows of the audit daemon', forgetDeadDaemon);
    await attempt('the lab hosts', () => endProcesses(labProcesses, 1500));
    await attempt('the lab’s SIEM', stopSiem);
  }
  await attempt('the lab’s files', () => {
    removeState(stateDir);
    const { auditDir, logs, siemStore } = stateFiles(stateDir);
    if (dropLogs) for (const folder of [auditDir, logs, siemStore]) rmSync(folder, { recursive: true, force: true });
  });
  if (wasUp) await attempt('the last look', async () => leftBehind.push(...(await findRemains(before))));
  return { wasUp, leftBehind, installed: state?.installed ?? [] };
}

/** Says what to do when the state file is gone, and with it the settings as they were. */
const SETTINGS_UNKNOWN =
  'the kernel’s audit settings as they were are not known, because the lab’s state file is gone; audit is off now; see: auditctl -s';

/** Whether audit bears signs of this boot's lab; without a state file there may be none, and then audit is left alone. */
async function isAuditTouched(): Promise<boolean> {
  return findAuditDaemons().length > 0 || (await listLabRules()).length > 0;
}

async function findRemains(before: AuditSettings | undefined): Promise<readonly string[]> {
  const remains: string[] = [];
  for (const { pid } of [...labProcesses(), ...findAuditDaemons(), ...findSiem()])
    remains.push(`process ${pid} does not end; try: kill -9 ${pid}`);
  if (existsSync(RUNTIME_DIR)) remains.push(`the folder ${RUNTIME_DIR}; try: rm -r ${RUNTIME_DIR}`);
  const rules = await listLabRules();
  if (rules.length > 0) remains.push(`${rules.length} audit rules; see: auditctl -l`);
  const now = JSON.stringify(settingsOf(await readAuditStatus()));
  if (before !== undefined && JSON.stringify(before) !== now) {
    remains.push(`the audit settings were ${JSON.stringify(before)} and are ${now}; see: auditctl -s`);
  }
  return remains;
}

/** Everything in a lab host or a stand-in, and what holds or makes its namespaces before they are marked. */
function labProcesses(): readonly ProcessRef[] {
  const isMark = (argument: string): boolean => argument.startsWith(`${RUNTIME_DIR}/`) && argument.endsWith('/mark');
  const holders = listProcesses().filter(({ argv }) => argv.includes(runtimeFiles.holder) || argv.some(isMark));
  return [...processesOfLabHosts(), ...holders];
}
