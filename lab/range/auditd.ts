import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readAuditStatus } from './audit.ts';
import { runtimeFiles, stateFiles } from './layout.ts';
import { endProcesses, isRunning, listProcesses, startDaemon, waitUntil } from './processes.ts';
import type { ProcessRef } from './processes.ts';

/** auditd writes this file whatever its configuration says (auditd.c), and removes it unless it was killed. */
const PID_FILE = '/run/auditd.pid';

/**
 * Starts the lab's own audit daemon with its own configuration, and waits until the kernel has it registered.
 * Leaves the kernel's `enabled` alone. Rotates its log so that it takes at most 128 MB, and stops writing rather than
 * halting the machine when the disk is full.
 */
export async function startAuditDaemon(stateDir: string): Promise<ProcessRef> {
  const { auditDir, logs } = stateFiles(stateDir);
  mkdirSync(auditDir, { recursive: true, mode: 0o700 });
  mkdirSync(path.join(runtimeFiles.auditdConfig, 'plugins.d'), { recursive: true, mode: 0o700 });
  rmSync(runtimeFiles.auditLogs, { force: true });
  symlinkSync(auditDir, runtimeFiles.auditLogs);
  writeFileSync(path.join(runtimeFiles.auditdConfig, 'auditd.conf'), configuration(), { mode: 0o600 });
  const log = path.join(logs, 'auditd.log');
  const daemon = await startDaemon(['/usr/sbin/auditd', '-n', '-s', 'nochange', '-c', runtimeFiles.auditdConfig], log);
  const registered = await waitUntil(
    async () => !isRunning(daemon) || (await readAuditStatus()).pid === daemon.pid,
    20_000,
  );
  if (!registered || !isRunning(daemon)) throw new Error(`auditd did not start; see ${log}`);
  return daemon;
}

/**
 * Ends the lab's audit daemon, known by its configuration folder. `last` is the one that was started last: when it was
 * killed, its pid file is still there. Returns what could not be ended.
 */
export async function stopAuditDaemon(last: ProcessRef | undefined): Promise<readonly ProcessRef[]> {
  const daemons = [...findAuditDaemons(), ...(last === undefined ? [] : [last])];
  const left = await endProcesses(findAuditDaemons, 3000);
  if (daemons.some(({ pid }) => pidFileSays(pid))) rmSync(PID_FILE, { force: true });
  return left;
}

/** The lab's audit daemons that run now: one or none. */
export function findAuditDaemons(): readonly ProcessRef[] {
  return listProcesses().filter(
    ({ argv }) =>
      path.basename(argv[0] ?? '') === 'auditd' && argv[argv.indexOf('-c') + 1] === runtimeFiles.auditdConfig,
  );
}

function pidFileSays(pid: number): boolean {
  try {
    return Number(readFileSync(PID_FILE, 'utf8')) === pid;
  } catch {
    return false;
  }
}

/** See auditd.conf(5). Each record is written at once; `freq` only says how often the file is synced to disk. */
function configuration(): string {
  return `local_events = yes
write_logs = yes
log_file = ${runtimeFiles.auditLogs}/audit.log
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 32
num_logs = 4
max_log_file_action = ROTATE
priority_boost = 4
name_format = NONE
space_left = 20
space_left_action = IGNORE
admin_space_left = 10
admin_space_left_action = SUSPEND
disk_full_action = SUSPEND
disk_error_action = SUSPEND
verify_email = no
plugin_dir = ${runtimeFiles.auditdConfig}/plugins.d
`;
}
