import { createServer } from 'node:net';
import { readFileSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
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

/** Throws {@link LabRefused} when a uid of the lab means something on this machine: an audit rule for it would record a stranger. */
export async function assertUidsFree(): Promise<void> {
  const running = uidsOfProcesses();
  for (const { account, uid } of LAB_HOSTS) {
    const use = `The uid ${uid}, which the lab uses for ${account}, is in use on this machine`;
    const { stdout } = await execa('getent', ['passwd', String(uid)], { reject: false });
    if (stdout !== '') throw new LabRefused('uid-in-use', `${use}: ${stdout}`);
    if (running.has(uid)) throw new LabRefused('uid-in-use', `${use}, by a process.`);
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
