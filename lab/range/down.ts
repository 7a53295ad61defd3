import { existsSync, rmSync } from 'node:fs';
import {
  deleteLabRules,
  listLabRules,
  readAuditStatus,
  restoreAuditSettings,
  settingsOf,
  switchAuditOff,
} from './audit.ts';
import { findAuditDaemons, stopAuditDaemon } from './auditd.ts';
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
  const attempt = async (what: string, act: () => unknown): Promise<void> => {
    try {
      await act();
    } catch (error) {
      leftBehind.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (wasUp) {
    await attempt('the lab’s audit rules', deleteLabRules);
    await attempt('the kernel’s audit settings', () => restoreAudit(state));
    await attempt('the audit daemon', () => stopAuditDaemon(state?.auditd));
    await attempt('the lab hosts', () => endProcesses(labProcesses, 1500));
    await attempt('the lab’s SIEM', stopSiem);
  }
  await attempt('the lab’s files', () => {
    removeState(stateDir);
    const { auditDir, logs, siemStore } = stateFiles(stateDir);
    if (dropLogs) for (const folder of [auditDir, logs, siemStore]) rmSync(folder, { recursive: true, force: true });
  });
  if (wasUp) await attempt('the last look', async () => leftBehind.push(...(await findRemains(state))));
  return { wasUp, leftBehind };
}

/** Without a state the settings before are not known; then at least nothing goes to the console. */
async function restoreAudit(state: LabState | undefined): Promise<void> {
  if (state !== undefined) await restoreAuditSettings(state.auditBefore);
  else if (findAuditDaemons().length > 0 || (await readAuditStatus()).pid === 0) await switchAuditOff();
}

async function findRemains(state: LabState | undefined): Promise<readonly string[]> {
  const remains: string[] = [];
  for (const { pid } of [...labProcesses(), ...findAuditDaemons(), ...findSiem()])
    remains.push(`process ${pid} does not end; try: kill -9 ${pid}`);
  if (existsSync(RUNTIME_DIR)) remains.push(`the folder ${RUNTIME_DIR}; try: rm -r ${RUNTIME_DIR}`);
  const rules = await listLabRules();
  if (rules.length > 0) remains.push(`${rules.length} audit rules; see: auditctl -l`);
  const now = await readAuditStatus();
  if (state === undefined) {
    remains.push(
      `the audit settings before the lab are not known (its state file is gone); audit is off now, backlog_limit ${now.backlog_limit}; see: auditctl -s`,
    );
  } else {
    const [want, have] = [JSON.stringify(state.auditBefore), JSON.stringify(settingsOf(now))];
    if (want !== have) remains.push(`the audit settings were ${want} and are ${have}; see: auditctl -s`);
  }
  return remains;
}

/** Everything in a lab host, and what holds its namespaces before they are marked. */
function labProcesses(): readonly ProcessRef[] {
  const holders = listProcesses().filter(({ argv }) => argv.includes(runtimeFiles.holder));
  return [...processesOfLabHosts(), ...holders];
}
