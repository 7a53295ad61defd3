import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { LAB_HOSTS, hostFiles, labHost, runtimeFiles, stateFiles } from './layout.ts';
import type { LabHost, LabHostName } from './layout.ts';
import { endProcesses, isRunning, mountNamespace, startDaemon, waitUntil } from './processes.ts';
import type { ProcessRef } from './processes.ts';
import type { HostState } from './state.ts';

const SETUP_SCRIPT = path.join(import.meta.dirname, 'host-setup.sh');

/** Opens a lab host's namespaces and mounts its files. What it returns keeps them open; the daemons come after. */
export async function openHost(host: LabHost, stateDir: string): Promise<{ holder: ProcessRef; mntNs: string }> {
  const log = path.join(stateFiles(stateDir).logs, `${host.name}.holder.log`);
  const unshare = ['unshare', '--mount', '--uts', '--propagation', 'private'];
  const holder = await startDaemon([runtimeFiles.holder, 'infinity'], log, unshare);
  const own = mountNamespace('self');
  if (
    !(await waitUntil(() => !isRunning(holder) || mountNamespace(holder.pid) !== own, 20_000)) ||
    !isRunning(holder)
  ) {
    throw new Error(`the namespaces of ${host.name} could not be made; see ${log}`);
  }
  const setup = ['/bin/sh', SETUP_SCRIPT, host.name, host.account, String(host.uid)];
  await execa('nsenter', [...enterArguments(holder), ...setup], { stdin: 'ignore' });
  return { holder, mntNs: mountNamespace(holder.pid) };
}

/** Starts the host's sshd and waits until it listens. */
export async function startSshd(host: LabHost, holder: ProcessRef, stateDir: string): Promise<ProcessRef> {
  const log = path.join(stateFiles(stateDir).logs, `${host.name}.sshd.log`);
  const sshd = await startDaemon(['/usr/sbin/sshd', '-D'], log, ['nsenter', ...enterArguments(holder)]);
  await waitForSshd(host, sshd, log);
  return sshd;
}

/** Starts the host's cron daemon. */
export async function startCron(host: LabHost, holder: ProcessRef, stateDir: string): Promise<ProcessRef> {
  const log = path.join(stateFiles(stateDir).logs, `${host.name}.cron.log`);
  return startDaemon(['/usr/sbin/cron', '-f'], log, ['nsenter', ...enterArguments(holder)]);
}

/** Ends the host's sshd and, with it, no session: those are processes of their own. */
export async function stopSshd(sshd: ProcessRef): Promise<void> {
  const left = await endProcesses(() => [sshd], 2000);
  if (left.length > 0) throw new Error(`sshd ${sshd.pid} does not end`);
}

/** Makes sshd read its configuration again. It keeps its pid and closes its port for a moment. */
export async function reloadSshd(host: LabHost, sshd: ProcessRef, stateDir: string): Promise<void> {
  process.kill(sshd.pid, 'SIGHUP');
  await waitUntil(() => !isListening(host.port), 500);
  await waitForSshd(host, sshd, path.join(stateFiles(stateDir).logs, `${host.name}.sshd.log`));
}

/** Runs a program as root inside a lab host and returns when it has ended. Throws when it fails. */
export async function runInHost(holder: ProcessRef, argv: readonly string[]): Promise<string> {
  const { stdout } = await execa('nsenter', [...enterArguments(holder), ...argv], { stdin: 'ignore' });
  return stdout;
}

/** Any process that still keeps the host's namespaces open. */
export function doorOf(host: HostState): ProcessRef {
  const door = [host.holder, host.sshd, host.cron].find((ref) => ref !== undefined && isRunning(ref));
  if (door === undefined) throw new Error(`${host.name} is not running`);
  return door;
}

/** Whether some process listens on this loopback port; proc_net_tcp in the kernel's documentation. Opens no connection, which sshd would log. */
export function isListening(port: number): boolean {
  const listening = '0A';
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, , state]) => state === listening && local?.endsWith(suffix));
}

/** The collector's sockets that do not exist yet. */
export function missingSyslogSockets(): readonly LabHostName[] {
  return LAB_HOSTS.map(({ name }) => name).filter((name) => !existsSync(hostFiles(labHost(name).name).syslogSocket));
}

function enterArguments(door: ProcessRef): readonly string[] {
  return ['--target', String(door.pid), '--mount', '--uts', '--'];
}

async function waitForSshd(host: LabHost, sshd: ProcessRef, log: string): Promise<void> {
  const ready = await waitUntil(() => !isRunning(sshd) || isListening(host.port), 20_000);
  if (!ready || !isRunning(sshd))
    throw new Error(`sshd of ${host.name} does not listen on port ${host.port}; see ${log}`);
}
