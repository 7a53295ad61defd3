import { readdirSync, readFileSync } from 'node:fs';
import { doorOf, runInHost } from '../../lab/range/host.ts';
import { LAB_HOSTS } from '../../lab/range/layout.ts';
import { readRunningState } from '../../lab/range/state.ts';

/** Everything that a run could leave on the lab's hosts: files where accounts can write, crontabs, processes. */
export async function targetState(): Promise<Readonly<Record<string, readonly string[]>>> {
  const state = readRunningState();
  if (state === undefined) throw new Error('the lab is not up');
  const found: Record<string, readonly string[]> = {};
  for (const host of LAB_HOSTS) {
    const door = state.hosts.find(({ name }) => name === host.name);
    if (door === undefined) throw new Error(`${host.name} is not up`);
    const folders = ['/home', '/tmp', '/var/tmp', '/dev/shm', '/srv', '/var/spool/cron'];
    const files = await runInHost(doorOf(door), ['find', ...folders, '-mindepth', '1', '-printf', '%p %y %s\\n']);
    found[`${host.name} files`] = files
      .split('\n')
      .filter((line) => !/^\/(home\/\w+|srv\/\w+|var\/spool\/cron\/crontabs) d /.test(line) && line !== '')
      .sort();
    found[`${host.name} processes`] = processesOf(host.uid);
  }
  return found;
}

/** Command lines of the processes of an account, sshd's own for an open session left out. */
export function processesOf(uid: number): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const own = new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        // A process without a command line has ended, and waits to be collected.
        return own && line !== '' && !line.startsWith('sshd:') ? [line] : [];
      } catch {
        return [];
      }
    });
}
