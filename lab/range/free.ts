import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { readFileSync, readdirSync } from 'node:fs';
import { execa } from 'execa';
import type { StandIn } from '../standins/stand-in.ts';
import { LAB_ADDRESS, LAB_HOSTS, SYSLOG_PORT } from './layout.ts';
import { processRef } from './processes.ts';
import { LabRefused } from './refused.ts';

/** Throws {@link LabRefused} when a port of the lab or of these stand-ins is taken. */
export async function assertPortsFree(standIns: readonly Pick<StandIn, 'name' | 'ports'>[]): Promise<void> {
  const taken = (port: number, name: string, option: string): LabRefused =>
    new LabRefused(
      'port-in-use',
      `Port ${port} on ${LAB_ADDRESS}, which ${name} needs, is taken. "ss -${option} sport = :${port}" tells by whom.`,
    );
  for (const { name, ports } of [...LAB_HOSTS.map(({ name, port }) => ({ name, ports: [port] })), ...standIns])
    for (const port of ports) if (!(await isPortFree(port))) throw taken(port, name, 'ltnp');
  if (!(await isDatagramPortFree(SYSLOG_PORT))) throw taken(SYSLOG_PORT, 'the lab’s SIEM', 'lunp');
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

/** Who uses one of these user ids on this machine; undefined for nobody. */
export async function userOfIds({ first, count }: { first: number; count: number }): Promise<string | undefined> {
  const isIn = (uid: number): boolean => uid >= first && uid < first + count;
  const running = [...uidsOfProcesses()].find(isIn);
  if (running !== undefined) return `a process runs with the uid ${running}`;
  const { stdout } = await execa('getent', ['passwd'], { reject: false });
  return stdout.split('\n').find((entry) => isIn(Number(entry.split(':')[2] ?? 'NaN')));
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

function isDatagramPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      resolve(false);
    });
    socket.bind({ port, address: LAB_ADDRESS, exclusive: true }, () => {
      socket.close(() => {
        resolve(true);
      });
    });
  });
}
