import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertAuditFree, assertLoginIdFree, loadLabRules, settingsOf, switchAuditOn } from './audit.ts';
import { startAuditDaemon } from './auditd.ts';
import { takeDown } from './down.ts';
import type { DownReport } from './down.ts';
import { assertPortsFree, assertUidsFree } from './free.ts';
import { makeRuntimeDir, writeHostFiles } from './host-files.ts';
import { openHost, startCron, startSshd } from './host.ts';
import type { StandIn } from '../standins/stand-in.ts';
import { LAB_HOSTS, RUNTIME_DIR, labHost, stateFiles } from './layout.ts';
import { withLabLock } from './lock.ts';
import { LAB_PACKAGES, ensurePackages } from './packages.ts';
import { isRunning, processRef, processesOfLabHosts } from './processes.ts';
import { LabRefused } from './refused.ts';
import { startSiem } from './siem.ts';
import { contextFor } from './stand-in-context.ts';
import { findStandIns, missingStandIns, stateOfStandIn } from './stand-ins.ts';
import type { FoundStandIns } from './stand-ins.ts';
import { bootId, readOwnState, readRunningState, saveState } from './state.ts';
import type { HostState, LabState } from './state.ts';
import { isWhole, statusOf } from './status.ts';
import type { LabStatus } from './status.ts';

/** How the lab is to be brought up. */
export interface UpOptions {
  /** Where keys, state, logs and the SIEM's store go. */
  readonly stateDir: string;
  /** How long to wait for another lab on this machine to go; 0 when absent. */
  readonly waitMs?: number;
  /** Whether the lab may be taken for abandoned, and removed by the next `up`, once this process has ended. */
  readonly tied?: boolean;
  /** Leaves the SIEM out; the caller listens for the hosts' syslog lines instead, or nobody does. */
  readonly withoutSiem?: boolean;
  /** The stand-ins to start, by name; all there are when absent. */
  readonly standIns?: readonly string[];
  /** Receives progress, a line each. */
  readonly log?: (line: string) => void;
}

/**
 * Brings the lab up: two lab hosts, the kernel's audit system with an audit daemon, and the SIEM. Does nothing when the
 * same state folder's lab is whole already. Throws {@link LabRefused} before anything is changed when the machine is not
 * fit for it; when something fails later, what was done is undone before the error is thrown.
 */
export async function up(options: UpOptions): Promise<LabStatus> {
  const log = options.log ?? (() => undefined);
  const stateDir = path.resolve(options.stateDir);
  assertLinuxRoot();
  const installed = [...(await ensurePackages(LAB_PACKAGES, log))];
  const standIns = (await findStandIns()).filter(({ name }) => options.standIns?.includes(name) ?? true);
  const missing = await missingStandIns(standIns, installed, log);
  const until = Date.now() + (options.waitMs ?? 0);
  for (;;) {
    const remainingMs = Math.max(0, until - Date.now());
    const status = await withLabLock(`bringing the lab up for ${stateDir}`, remainingMs, async () => {
      const other = await clearTheWay(stateDir, log);
      if (other === undefined) return bringUp({ ...options, stateDir, installed, log, found: { standIns, missing } });
      if (other.stateDir === stateDir) return statusOf(stateDir);
      if (Date.now() >= until) throw heldBy(other);
      return undefined;
    });
    if (status !== undefined) return status;
    await sleep(500);
  }
}

/**
 * Takes the lab down and restores what was there before. Works on half a lab and on none, and as often as wanted.
 * Refuses to take down a lab of another state folder unless `anyones` is set. Logs and the SIEM's store stay unless `dropLogs`.
 */
export async function down(options: {
  readonly stateDir: string;
  readonly anyones?: boolean;
  readonly dropLogs?: boolean;
  readonly waitMs?: number;
}): Promise<DownReport> {
  const stateDir = path.resolve(options.stateDir);
  assertLinuxRoot();
  return withLabLock(`taking the lab down for ${stateDir}`, options.waitMs ?? 30_000, async () => {
    const running = readRunningState();
    if (running !== undefined && running.stateDir !== stateDir && options.anyones !== true) throw heldBy(running);
    const state = running ?? readOwnState(stateDir);
    return takeDown(state, state?.stateDir ?? stateDir, { dropLogs: options.dropLogs ?? false });
  });
}

/** What runs of the lab, and the kernel's audit state. Changes nothing. */
export async function status(options: { readonly stateDir: string }): Promise<LabStatus> {
  return statusOf(path.resolve(options.stateDir));
}

/** Removes what is left of a lab that nobody uses any more. Returns the lab that is in the way, if one is. */
async function clearTheWay(stateDir: string, log: (line: string) => void): Promise<LabState | undefined> {
  const running = readRunningState();
  if (running === undefined) {
    if (existsSync(RUNTIME_DIR) || processesOfLabHosts().length > 0) {
      log('removing what is left of an earlier lab');
      assertClean(await takeDown(readOwnState(stateDir), stateDir, { dropLogs: false }));
    }
    return undefined;
  }
  const whole = isWhole(await statusOf(running.stateDir));
  const mine = running.stateDir === stateDir;
  const abandoned = (running.tied && !isRunning(running.by)) || processesOfLabHosts().length === 0;
  if ((mine && whole && !abandoned) || (!mine && !abandoned)) return running;
  log(`removing what is left of the lab of ${running.stateDir}`);
  assertClean(await takeDown(running, running.stateDir, { dropLogs: false }));
  return undefined;
}

async function bringUp(
  options: UpOptions & { installed: readonly string[]; log: (line: string) => void; found: FoundStandIns },
): Promise<LabStatus> {
  const { stateDir, log, found } = options;
  const standIns = found.standIns.filter(({ name }) => !found.missing.has(name));
  const auditBefore = settingsOf(await assertAuditFree());
  await assertLoginIdFree(ownLoginId());
  await assertUidsFree();
  await assertPortsFree(standIns);
  const by = processRef(process.pid);
  if (by === undefined) throw new Error('this process is not in /proc');
  const state: LabState = {
    schema: 'detproof/lab/1',
    boot: bootId(),
    since: new Date().toISOString(),
    stateDir,
    by,
    tied: options.tied ?? false,
    auditBefore,
    hosts: LAB_HOSTS.map(({ name }) => ({ name })),
    standIns: found.standIns.map((standIn) => stateOfStandIn(standIn, found.missing.get(standIn.name))),
    installed: [...options.installed],
  };
  mkdirSync(stateFiles(stateDir).logs, { recursive: true, mode: 0o700 });
  makeRuntimeDir();
  saveState(state);
  try {
    await startEverything(state, log, { withSiem: options.withoutSiem !== true, standIns });
  } catch (error) {
    const { leftBehind } = await takeDown(state, stateDir, { dropLogs: false });
    throw leftBehind.length === 0
      ? error
      : new Error(`The lab did not come up, and these are left behind: ${leftBehind.join('; ')}`, { cause: error });
  }
  return statusOf(stateDir);
}

/** In this order: processes made before audit is on for the first time since boot would never be audited. */
async function startEverything(
  state: LabState,
  log: (line: string) => void,
  { withSiem, standIns }: { withSiem: boolean; standIns: readonly StandIn[] },
): Promise<void> {
  const { stateDir } = state;
  log('writing keys and configuration');
  await writeHostFiles(stateDir);
  log('starting the kernel audit system');
  state.auditd = await startAuditDaemon(stateDir);
  saveState(state);
  await loadLabRules();
  await switchAuditOn(state.auditBefore);
  log(`starting ${LAB_HOSTS.map(({ name, port }) => `${name} on port ${port}`).join(' and ')}`);
  await Promise.all(state.hosts.map((host) => startHost(host, state)));
  if (withSiem) {
    log('starting the SIEM');
    const siem = await startSiem(state, standIns);
    if (siem !== undefined) state.siem = siem;
    saveState(state);
  }
  // After the SIEM, which would miss their first lines.
  if (standIns.length > 0) log(`starting the stand-ins ${standIns.map(({ name }) => name).join(', ')}`);
  await Promise.all(standIns.map((standIn) => startStandIn(standIn, state, log)));
}

async function startStandIn(standIn: StandIn, state: LabState, log: (line: string) => void): Promise<void> {
  await standIn.start(contextFor(standIn, state, log));
  const known = state.standIns.find(({ name }) => name === standIn.name);
  if (known !== undefined) known.started = true;
  saveState(state);
}

async function startHost(hostState: HostState, state: LabState): Promise<void> {
  const host = labHost(hostState.name);
  Object.assign(hostState, await openHost(host, state.stateDir));
  saveState(state);
  if (hostState.holder === undefined) throw new Error(`${host.name} has no holder`);
  [hostState.sshd, hostState.cron] = await Promise.all([
    startSshd(host, hostState.holder, state.stateDir),
    startCron(host, hostState.holder, state.stateDir),
  ]);
  saveState(state);
}

function assertLinuxRoot(): void {
  if (process.platform !== 'linux') throw new LabRefused('not-linux', 'The lab runs on Linux only.');
  if (process.getuid?.() !== 0)
    throw new LabRefused(
      'not-root',
      'The lab needs root: it sets up namespaces and the kernel audit system. Run it with sudo.',
    );
}

function assertClean(report: DownReport): void {
  if (report.leftBehind.length > 0)
    throw new Error(`What is left of an earlier lab cannot be removed: ${report.leftBehind.join('; ')}`);
}

function heldBy(other: LabState): LabRefused {
  return new LabRefused(
    'lab-held',
    `A lab is up on this machine already, for ${other.stateDir}, by pid ${other.by.pid} since ${other.since}. Take that one down first.`,
  );
}

function ownLoginId(): number {
  return Number(readFileSync('/proc/self/loginuid', 'utf8'));
}
