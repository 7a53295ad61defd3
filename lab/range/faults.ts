import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { switchAuditOff, switchAuditOn } from './audit.ts';
import { startAuditDaemon, stopAuditDaemon } from './auditd.ts';
import { sshdConfig } from './host-files.ts';
import { doorOf, reloadSshd, runInHost, startSshd, stopSshd } from './host.ts';
import { hostFiles, labHost } from './layout.ts';
import type { LabHostName } from './layout.ts';
import { withLabLock } from './lock.ts';
import { isRunning } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import { LabRefused } from './refused.ts';
import { readRunningState, saveState } from './state.ts';
import type { HostState, LabState } from './state.ts';

/**
 * What can be broken on purpose in a lab that is up, and mended again. Every function throws {@link LabRefused}
 * (`lab-not-up`) when this state folder's lab is not up. `down` mends everything.
 */

/** Where a lab host's interpreters are. */
const PROGRAMS = '/usr/bin';

/** Ends the audit daemon. Audit is turned off first, so that the kernel does not print to the console: nothing is recorded meanwhile. */
export async function stopAuditd(stateDir: string): Promise<void> {
  await change(stateDir, async (state) => {
    await switchAuditOff();
    const left = await stopAuditDaemon(state.auditd);
    if (left.length > 0) throw new Error(`auditd does not end: pid ${left.map(({ pid }) => pid).join(', ')}`);
    delete state.auditd;
  });
}

/** Starts the audit daemon again; it goes on with the same log. Does nothing when it runs. */
export async function startAuditd(stateDir: string): Promise<void> {
  await change(stateDir, async (state) => {
    if (state.auditd !== undefined && isRunning(state.auditd)) return;
    state.auditd = await startAuditDaemon(state.stateDir);
    await switchAuditOn(state.auditBefore);
  });
}

/**
 * Sets the clock of a host's later SSH sessions off by whole seconds; 0 mends it. Programs of the session see the wrong
 * time (libfaketime); the kernel, sshd, cron and programs that run set-uid do not. Intervals stay right.
 */
export async function setClock(stateDir: string, hostName: LabHostName, offsetSeconds: number): Promise<void> {
  await change(stateDir, async (state) => {
    const host = labHost(hostName);
    const sshd = runningSshd(hostState(state, hostName));
    const environment = {
      LD_PRELOAD: await faketimeLibrary(),
      FAKETIME: `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}`,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DISABLE_SHM: '1',
    };
    const config = offsetSeconds === 0 ? sshdConfig(host) : sshdConfig(host, environment);
    writeFileSync(hostFiles(hostName).sshdConfig, config, { mode: 0o600 });
    await reloadSshd(host, sshd, state.stateDir);
  });
}

/** Ends a host's sshd: the host cannot be reached. Sessions that are open stay open. */
export async function stopHostSshd(stateDir: string, hostName: LabHostName): Promise<void> {
  await change(stateDir, async (state) => {
    const host = hostState(state, hostName);
    if (host.sshd !== undefined) await stopSshd(host.sshd);
    delete host.sshd;
  });
}

/** Starts a host's sshd again, with the same host keys. Does nothing when it runs. */
export async function startHostSshd(stateDir: string, hostName: LabHostName): Promise<void> {
  await change(stateDir, async (state) => {
    const host = hostState(state, hostName);
    if (host.sshd !== undefined && isRunning(host.sshd)) return;
    host.sshd = await startSshd(labHost(hostName), doorOf(host), state.stateDir);
  });
}

/** Takes every python out of a host's /usr/bin: there is no such file, as on a host that never had one. */
export async function hidePython(stateDir: string, hostName: LabHostName): Promise<void> {
  await change(stateDir, async (state) => {
    const door = doorOf(hostState(state, hostName));
    const whiteouts = `/run/without-python.${Date.now()}`;
    await runInHost(door, ['mkdir', whiteouts]);
    // In an overlay a device 0:0 in an upper layer stands for "not there" (overlayfs in the kernel's documentation).
    for (const name of readdirSync(PROGRAMS).filter((entry) => entry.startsWith('python'))) {
      await runInHost(door, ['mknod', `${whiteouts}/${name}`, 'c', '0', '0']);
    }
    const layers = `lowerdir=${whiteouts}:${PROGRAMS}`;
    await runInHost(door, ['mount', '--no-mtab', '-t', 'overlay', '-o', layers, 'detproof-lab', PROGRAMS]);
  });
}

/** Undoes {@link hidePython}. Programs that are running meanwhile keep running. */
export async function restorePython(stateDir: string, hostName: LabHostName): Promise<void> {
  await change(stateDir, async (state) => {
    await runInHost(doorOf(hostState(state, hostName)), ['umount', '--no-mtab', '--lazy', PROGRAMS]);
  });
}

/** The state is saved even when the change fails half-way, because what was ended is ended. */
async function change(folder: string, act: (state: LabState) => Promise<void>): Promise<void> {
  const stateDir = path.resolve(folder);
  await withLabLock(`changing the lab of ${stateDir}`, 30_000, async () => {
    const state = readRunningState();
    if (state?.stateDir !== stateDir)
      throw new LabRefused('lab-not-up', `The lab of ${stateDir} is not up. Bring it up first.`);
    try {
      await act(state);
    } finally {
      saveState(state);
    }
  });
}

function hostState(state: LabState, name: LabHostName): HostState {
  const host = state.hosts.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`the lab's state does not name ${name}`);
  return host;
}

function runningSshd(host: HostState): ProcessRef {
  if (host.sshd === undefined || !isRunning(host.sshd)) throw new Error(`sshd of ${host.name} does not run`);
  return host.sshd;
}

/** The build for programs with threads, which works for others too. */
async function faketimeLibrary(): Promise<string> {
  const { stdout } = await execa('dpkg-query', ['-L', 'libfaketime']);
  const library = stdout.split('\n').find((file) => file.endsWith('/libfaketimeMT.so.1'));
  if (library === undefined) throw new Error('the package libfaketime holds no libfaketimeMT.so.1');
  return library;
}
