import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { StandIn } from '../standins/stand-in.ts';
import { LAB_ADDRESS, LAB_HOSTS, SYSLOG_PORT, hostFiles, runtimeFiles, standInFolders, stateFiles } from './layout.ts';
import { endProcesses, isRunning, listProcesses, startDaemon, waitUntil } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import { missingSyslogSockets } from './host.ts';
import type { LabState } from './state.ts';

const SIEM_MAIN = path.resolve(import.meta.dirname, '../siem/main.ts');

/** What the lab's SIEM is told about the lab; the file named by its `--config`. */
interface LabSiemConfig {
  readonly stateDir: string;
  readonly storeDir: string;
  readonly auditLog: string;
  readonly hosts: readonly {
    readonly name: string;
    readonly uid: number;
    readonly account: string;
    /** As in /proc/PID/ns/mnt; absent while the host is not open. */
    readonly mntNs?: string;
    /** Where the SIEM's collector listens for the host's syslog lines. */
    readonly syslogSocket: string;
  }[];
  readonly standIns: readonly { readonly host: string; readonly format: string; readonly file?: string }[];
  readonly syslog: { readonly address: string; readonly port: number };
  /** Where faults of the SIEM are switched on and off. */
  readonly controlFile: string;
}

/** Writes the SIEM's configuration and starts it, if this checkout has one. Waits until it listens for the hosts' syslog lines. */
export async function startSiem(state: LabState, standIns: readonly StandIn[]): Promise<ProcessRef | undefined> {
  writeFileSync(runtimeFiles.siemConfig, JSON.stringify(siemConfig(state, standIns), undefined, 2) + '\n', {
    mode: 0o600,
  });
  if (!existsSync(SIEM_MAIN)) return undefined;
  const log = path.join(stateFiles(state.stateDir).logs, 'siem.log');
  const siem = await startDaemon([process.execPath, SIEM_MAIN, '--config', runtimeFiles.siemConfig], log);
  const listening = await waitUntil(() => !isRunning(siem) || missingSyslogSockets().length === 0, 20_000);
  if (!isRunning(siem)) throw new Error(`the lab's SIEM ended at once; ${log} ends with:\n${lastLines(log)}`);
  if (!listening)
    throw new Error(`the lab's SIEM does not listen for ${missingSyslogSockets().join(', ')}; see ${log}`);
  return siem;
}

/** Ends the lab's SIEM, known by its configuration file. Returns what could not be ended. */
export async function stopSiem(): Promise<readonly ProcessRef[]> {
  return endProcesses(findSiem, 5000);
}

/** The lab's SIEM processes that run now. */
export function findSiem(): readonly ProcessRef[] {
  return listProcesses().filter(({ argv }) => argv[argv.indexOf('--config') + 1] === runtimeFiles.siemConfig);
}

function siemConfig(state: LabState, standIns: readonly StandIn[]): LabSiemConfig {
  const { auditLog, siemStore, siemFaults } = stateFiles(state.stateDir);
  return {
    stateDir: state.stateDir,
    storeDir: siemStore,
    auditLog,
    hosts: LAB_HOSTS.map(({ name, uid, account }) => {
      const mntNs = state.hosts.find((host) => host.name === name)?.mntNs;
      return { name, uid, account, ...(mntNs !== undefined && { mntNs }), syslogSocket: hostFiles(name).syslogSocket };
    }),
    standIns: standIns.flatMap(({ name, logs }) =>
      logs.map((log) => ({
        host: name,
        format: log.format,
        ...(log.via === 'file' && { file: path.join(standInFolders(state.stateDir, name).logs, log.file) }),
      })),
    ),
    syslog: { address: LAB_ADDRESS, port: SYSLOG_PORT },
    controlFile: siemFaults,
  };
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}
