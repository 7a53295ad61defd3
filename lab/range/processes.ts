import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MOUNT_MARK } from './layout.ts';

/** A process that cannot be mistaken for a later one with the same pid: `startTicks` is field 22 of /proc/PID/stat (proc(5)). */
export interface ProcessRef {
  readonly pid: number;
  readonly startTicks: number;
}

/** A process with what tells whether it belongs to the lab. */
export interface ProcessView extends ProcessRef {
  readonly argv: readonly string[];
  /** As in /proc/PID/ns/mnt: `mnt:[4026531841]`. */
  readonly mntNs: string;
}

/** The running process with this pid; undefined when there is none or it is only a zombie waiting for its parent. */
export function processRef(pid: number): ProcessRef | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command name, field 2, is in parentheses and may itself contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], Number(fields[19])];
  return state === 'Z' || state === 'X' ? undefined : { pid, startTicks };
}

/** Whether exactly this process still runs. */
export function isRunning(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.startTicks === ref.startTicks;
}

/** Every process that can be looked at now; one that ends while it is being looked at is left out. */
export function listProcesses(): ProcessView[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const ref = processRef(Number(name));
      if (ref === undefined) return [];
      try {
        const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1);
        return [{ ...ref, argv, mntNs: mountNamespace(ref.pid) }];
      } catch {
        return [];
      }
    });
}

/** The mount namespace of a process. Throws when the process is gone. */
export function mountNamespace(pid: number | 'self'): string {
  return readlinkSync(`/proc/${pid}/ns/mnt`);
}

/**
 * The processes whose mount namespace is a lab host's or a stand-in's, known by the source of its tmpfs mounts. Needs no state
 * file. A process that has changed its root (sshd before a login) does not show those mounts; another in its namespace does.
 */
export function processesOfLabHosts(): ProcessView[] {
  const own = mountNamespace('self');
  const others = listProcesses().filter(({ mntNs }) => mntNs !== own);
  const labs = new Set<string>();
  for (const { pid, mntNs } of others) if (!labs.has(mntNs) && showsMark(pid)) labs.add(mntNs);
  return others.filter(({ mntNs }) => labs.has(mntNs));
}

function showsMark(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(` - tmpfs ${MOUNT_MARK} `);
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

/**
 * Ends processes: SIGTERM, then SIGKILL to what is left after `graceMs`. `find` is asked again each time, so that children
 * born meanwhile are ended too. Returns what still runs 5 s after the last signal.
 */
export async function endProcesses(find: () => readonly ProcessRef[], graceMs: number): Promise<readonly ProcessRef[]> {
  const kills = [
    { signal: 'SIGTERM', waitMs: graceMs },
    { signal: 'SIGKILL', waitMs: 5000 },
  ] as const;
  for (const { signal, waitMs } of kills) {
    const until = Date.now() + waitMs;
    const signalled = new Set<number>();
    while (Date.now() < until) {
      const running = find().filter(isRunning);
      if (running.length === 0) return [];
      for (const { pid } of running.filter((ref) => !signalled.has(ref.pid))) {
        signalled.add(pid);
        try {
          process.kill(pid, signal);
        } catch {
          // It ended by itself between the look and the signal.
        }
      }
      await sleep(20);
    }
  }
  return find().filter(isRunning);
}

/** Waits until `condition` holds, asking every 20 ms. False when `timeoutMs` passed first. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() >= until) return false;
    await sleep(20);
  }
  return true;
}

/** What a daemon of the lab may see of the caller's environment: nothing. */
const DAEMON_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

/** sh(1) lines that give up the caller's audit login id, so that pam_loginuid(8) can set the account's, and become the daemon. */
const WITHOUT_LOGIN_ID = '{ echo 4294967295 > /proc/self/loginuid; } 2>/dev/null; exec "$@"';

/**
 * Starts a daemon that outlives this process: own session, no terminal, output appended to `log`.
 * `enter` is a prefix that execs its arguments, such as nsenter(1), so that the pid stays the same.
 */
export async function startDaemon(
  argv: readonly [string, ...string[]],
  log: string,
  enter: readonly string[] = [],
): Promise<ProcessRef> {
  const [file, ...args] = [...enter, '/bin/sh', '-c', WITHOUT_LOGIN_ID, 'sh', ...argv] as [string, ...string[]];
  const output = openSync(log, 'a', 0o600);
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: DAEMON_ENVIRONMENT,
      cwd: '/',
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const ref = child.pid === undefined ? undefined : processRef(child.pid);
    if (ref === undefined) throw new Error(`${argv.join(' ')} ended at once; see ${log}`);
    return ref;
  } finally {
    closeSync(output);
  }
}
