import { join } from 'node:path';
import { execa } from 'execa';
import ssh from '../../adapters/transports/ssh/index.ts';
import { sshSettings } from '../../adapters/transports/ssh/settings.ts';
import winrm from '../../adapters/transports/winrm/index.ts';
import { winrmSettings } from '../../adapters/transports/winrm/settings.ts';
import { runInHost } from '../../lab/range/host.ts';
import { standInFolders, stateFiles } from '../../lab/range/layout.ts';
import { readRunningState } from '../../lab/range/state.ts';
import { macHost } from '../../lab/standins/macos/host.ts';
import { duration } from '../../runner/domain/time.ts';
import type { Session } from '../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import { processesOf } from './target-state.ts';

const never = new AbortController().signal;

/**
 * What of ours waits in a remote shell over WinRM outlives its client, as does the shell: the host ends both when nobody has used
 * the shell for 300 s (docs/hosts.md).
 */
const remoteShells = /^(?:winrshost|cmd|powershell)\.exe$/i;

/** The stand-ins of {@link standInState}. */
export const schedulingStandIns = ['lab-macos', 'lab-windows', 'lab-windows-ssh'] as const;

/**
 * Everything that a run could leave on the stand-ins that start jobs and tasks: files where accounts can write, what launchd and
 * the task scheduler know, processes.
 */
export async function standInState(stateDir: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const [mac, overWinrm, overSsh] = await Promise.all([
    macState(),
    windowsState(stateDir, 'lab-windows', openWinrm),
    windowsState(stateDir, 'lab-windows-ssh', openSsh),
  ]);
  return { ...mac, ...overWinrm, ...overSsh };
}

/** The launchd jobs and scheduled tasks in a {@link standInState}. */
export function scheduledIn(state: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return Object.entries(state).flatMap(([what, lines]) =>
    /(?:jobs|tasks)$/.test(what) ? lines.map((line) => `${what}: ${line}`) : [],
  );
}

async function macState(): Promise<Record<string, readonly string[]>> {
  const state = readRunningState()?.standIns.find(({ name }) => name === macHost.name);
  const launchd = state?.processes.find(({ what }) => what === 'launchd');
  if (launchd === undefined) throw new Error(`${macHost.name} is not up`);
  const folders = ['/Users', '/private/tmp', '/private/var/tmp', '/Library', '/Applications', '/Volumes', '/dev/shm'];
  const files = await runInHost(launchd.ref, ['find', ...folders, '-mindepth', '1', '-printf', '%p %y %s\\n']);
  const jobs = await runInHost(launchd.ref, ['launchctl', 'list']);
  return {
    [`${macHost.name} files`]: linesOf(files),
    [`${macHost.name} jobs`]: linesOf(jobs).filter((line) => !line.startsWith('PID\t')),
    [`${macHost.name} processes`]: processesOf(macHost.uid),
  };
}

async function windowsState(
  stateDir: string,
  name: string,
  open: (stateDir: string) => Promise<Session>,
): Promise<Record<string, readonly string[]>> {
  const drive = join(standInFolders(stateDir, name).runtime, 'host/C');
  const { stdout: files } = await execa('find', [drive, '-mindepth', '1', '-printf', '%P %y\\n']);
  await using session = await open(stateDir);
  const tasks = (await ask(session, ['schtasks.exe', '/query'])).flatMap(
    (line) => /^([a-z\d]+) +N\/A/.exec(line)?.[1] ?? [],
  );
  const processes = await ask(session, ['tasklist.exe']);
  return {
    [`${name} files`]: linesOf(files),
    [`${name} tasks`]: tasks,
    [`${name} processes`]: processes.flatMap((line) => {
      const [image] = /^\S+\.exe/i.exec(line) ?? [];
      return image === undefined || (name === 'lab-windows' && remoteShells.test(image)) ? [] : [image];
    }),
  };
}

async function ask(session: Session, argv: readonly [string, ...string[]]): Promise<readonly string[]> {
  const limit = { timeout: duration(60_000), signal: never };
  const { exit, stdout } = await session.run({ argv: [...argv], channel: 'exec' }, limit);
  if (exit.kind !== 'code' || exit.code !== 0) throw new Error(`${argv.join(' ')} failed`);
  return linesOf(new TextDecoder().decode(stdout));
}

function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).filter(Boolean).sort();
}

function openWinrm(stateDir: string): Promise<Session> {
  const password = join(standInFolders(stateDir, 'lab-windows').secrets, 'dana.password');
  const target = authorizedTarget({
    ...{ id: 'lab-windows', platform: 'windows', address: '127.0.0.1', account: 'dana' },
    ...{ kind: 'winrm', settings: winrmSettings.parse({ port: 2225, tls: false }) },
    accountSettings: { password: `file:${password}` },
  });
  return winrm.open(realDeps).connect(target, never);
}

function openSsh(stateDir: string): Promise<Session> {
  const { knownHosts, clientKey } = stateFiles(stateDir);
  const target = authorizedTarget({
    ...{ id: 'lab-windows-ssh', platform: 'windows', address: '127.0.0.1', account: 'dana' },
    ...{ kind: 'ssh', settings: sshSettings.parse({ port: 2227, knownHosts }) },
    accountSettings: { key: `file:${clientKey}` },
  });
  return ssh.open(realDeps).connect(target, never);
}
