import { createServer } from 'node:net';
import { readFileSync, readdirSync } from 'node:fs';
import { LAB_ADDRESS, LAB_HOSTS } from './layout.ts';
import { processRef } from './processes.ts';
import { LabRefused } from './refused.ts';

/** Throws {@link LabRefused} when a port of the lab is taken. */
export async function assertPortsFree(): Promise<void> {
  for (const { name, port } of LAB_HOSTS) {
    if (await isPortFree(port)) continue;
    throw new LabRefused(
      'port-in-use',
      `Port ${port} on ${LAB_ADDRESS}, which ${name} needs, is taken. "ss -ltnp sport = :${port}" tells by whom.`,
    );
  }
}

/**
 * Throws {@link LabRefused} when a uid or account name of the lab means something on this machine already: an audit
 * rule for it would record a stranger.
 */
export function assertUidsFree(): void {
  const known = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const running = uidsOfProcesses();
  for (const { account, uid } of LAB_HOSTS) {
    const owner = known.find((fields) => Number(fields[2]) === uid)?.[0];
    if (owner !== undefined)
      throw new LabRefused(
        'uid-in-use',
        `The uid ${uid}, which the lab uses for ${account}, belongs to ${owner} on this machine.`,
      );
    if (running.has(uid))
      throw new LabRefused(
        'uid-in-use',
        `A process with the uid ${uid}, which the lab uses for ${account}, runs on this machine.`,
      );
  }
}

function uidsOfProcesses(): ReadonlySet<number> {
  const uids = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // Not of zombies: those of an earlier lab wait for a parent that may take its time.
      if (processRef(Number(name)) === undefined) return [];
      return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
    } catch {
      return [];
    }
  });
  return new Set(uids);
}

function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: LAB_ADDRESS, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
