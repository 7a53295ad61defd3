import { readdir, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sshd, sshdMissing } from '../adapters/transports/sshd.ts';
import type { ScaleCost, ScaleOrder } from './scale-run.ts';
import { outputOf } from './sides.ts';

const scenarios = 60;
const sizes = [10, 40] as const;
/** Of one run. */
const limitMs = 600_000;

type Row = ScaleCost & {
  readonly hosts: number;
  readonly wall: number;
  readonly connections: number;
  readonly commands: number;
  readonly keptMiB: number;
};

/** 60 scenarios on 10 and on 40 hosts: what grows with the hosts, and what more than they do. As lines of text. */
export async function benchScale(): Promise<readonly string[]> {
  const missing = await sshdMissing();
  if (missing !== undefined) return [`skipped: ${missing}`];
  const rows: Row[] = [];
  for (const hosts of sizes) rows.push(await measure(hosts));
  return describe(rows);
}

async function measure(hosts: number): Promise<Row> {
  const addresses = Array.from({ length: hosts }, (_, index) => `127.0.3.${index + 1}`);
  await using servers = new AsyncDisposableStack();
  const started: Sshd[] = [];
  // sshd listens on 16 addresses at most (MAX_LISTEN_SOCKS).
  for (let at = 0; at < hosts; at += 10)
    started.push(
      servers.use(
        await Sshd.start({
          listen: addresses.slice(at, at + 10),
          config: ['MaxStartups 200'],
          ...(started[0] === undefined ? {} : { like: started[0] }),
        }),
      ),
    );
  const [first] = started;
  if (first === undefined) throw new RangeError('no hosts');
  const out = join(first.folder, 'out');
  const order: ScaleOrder = {
    ...{ addresses, scenarios, out, port: first.port, key: first.key },
    knownHosts: started.map(({ knownHosts }) => knownHosts),
  };
  const begun = performance.now();
  const program = fileURLToPath(new URL('scale-run.ts', import.meta.url));
  const { stdout } = await outputOf(process.execPath, [program, JSON.stringify(order)], {}, limitMs);
  const wall = (performance.now() - begun) / 1_000;
  const cost = JSON.parse(stdout) as ScaleCost;
  const expected = hosts * scenarios;
  if (cost.executions !== expected + 2 * hosts || cost.detected !== expected)
    throw new Error(`${hosts} hosts: of ${expected} scenarios ${cost.detected} were detected, ${cost.executions} ran`);
  const said = started.map(({ log }) => log()).join('\n');
  const count = (what: RegExp): number => [...said.matchAll(what)].length;
  return {
    ...cost,
    ...{ hosts, wall },
    connections: count(/^Accepted publickey /gm),
    commands: count(/^Starting session: /gm),
    keptMiB: (await bytesIn(out)) / 2 ** 20,
  };
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  return sum;
}

function describe(rows: readonly Row[]): readonly string[] {
  const [few, many] = [rows.at(0), rows.at(-1)];
  const growth = (of: (row: Row) => number): string =>
    few === undefined || many === undefined ? '' : (of(many) / of(few)).toFixed(2);
  return [
    `${scenarios} scenarios and 2 controls on each of 10 and 40 loopback addresses of a real sshd, all hosts at once, 4 executions at a time on each, ${cpus().length} CPUs; every step starts Python and leaves its receipt, and every execution is detected; the SIEM is in memory and answers at once`,
    ...rows.map(
      ({ hosts, executions, wall, seconds, connections, commands, cpuSeconds, peakMiB, keptMiB }) =>
        `${scenarios} × ${hosts}: ${executions} executions in ${wall.toFixed(1)} s (execute ${seconds.execute.toFixed(1)}, observe ${seconds.observe.toFixed(1)}, judge and report ${seconds.conclude.toFixed(1)}), ` +
        `${connections} connections, ${commands} commands; detproof took ${cpuSeconds.toFixed(1)} s of CPU and at most ${Math.round(peakMiB)} MiB; the run takes ${Math.round(keptMiB)} MiB on disk`,
    ),
    `from 10 to 40 hosts (4 times the executions): ${growth(({ wall }) => wall)} times the wall time, ${growth(({ cpuSeconds }) => cpuSeconds)} times the CPU, ${growth(({ peakMiB }) => peakMiB)} times the memory, ${growth(({ connections }) => connections)} times the connections`,
  ];
}

if (import.meta.main) for (const line of await benchScale()) console.log(line);
