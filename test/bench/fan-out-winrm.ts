import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { python } from '../python-packages.ts';
import { compare, type Comparison, describe, median, outputOf, type Side } from './sides.ts';
import { type Endpoint, WinrmHosts } from './winrm-hosts.ts';

const hosts = 40;
const commandsPerHost = 10;
const repetitions = 5;
const cmd = 'C:\\Windows\\System32\\cmd.exe';

/** Everything that a side needs to know. */
export type WinrmField = {
  readonly endpoints: readonly Endpoint[];
  readonly account: string;
  readonly passwordFile: string;
  readonly commandsPerHost: number;
  /** By its whole path, so that the stand-in need not look for it. */
  readonly cmd: string;
  /** Of pywinrm, at the same time. */
  readonly threads: number;
  /** Of pywinrm: `protocol` keeps a shell for all commands of a host, `session` makes one for each. */
  readonly way: 'protocol' | 'session';
  /** Configuration of OpenSSL with which Python has MD4. */
  readonly openssl: string;
  /** Folder in which Node keeps what it has compiled. */
  readonly compiled: string;
};

/** requests_ntlm takes MD4 from OpenSSL, which has it in its legacy provider only (OPENSSL_PROVIDER-LEGACY(7)). */
const openssl = `openssl_conf = start
[start]
providers = offered
[offered]
default = switched_on
legacy = switched_on
[switched_on]
activate = 1
`;

/** CPU seconds of a side's own process and of the stand-ins meanwhile, one entry a turn. */
type Cpu = { readonly client: number[]; readonly server: number[] };

type Program = Pick<Side<WinrmField>, 'name' | 'goal'> & {
  readonly start: (field: WinrmField) => ReturnType<typeof outputOf>;
};

/** Its own process, as the other is: starting Node and loading the transport is part of the time. */
const detproof: Program = {
  name: 'detproof',
  start: (field) =>
    outputOf(process.execPath, [beside('fan-out-winrm-detproof.ts'), JSON.stringify(field)], {
      // Python keeps its modules compiled beside them without being asked; Node is told where, as runner/main.ts tells it.
      NODE_COMPILE_CACHE: field.compiled,
    }),
};

const pywinrm = (name: string, way: WinrmField['way'], more: Pick<Program, 'goal'> = {}): Program => ({
  name,
  ...more,
  start: (field) =>
    outputOf(python, [beside('fan-out-winrm-pywinrm.py'), JSON.stringify({ ...field, way })], {
      OPENSSL_CONF: field.openssl,
    }),
});

function beside(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** Notes what CPU the process says it took (its last line on standard error), and what the stand-ins took. */
function measured({ start, ...side }: Program, servers: WinrmHosts, cpu: Cpu): Side<WinrmField> {
  return {
    ...side,
    async run(field) {
      const before = servers.cpuSeconds();
      const { stdout, stderr } = await start(field);
      cpu.server.push(servers.cpuSeconds() - before);
      const last = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { cpuSeconds: number };
      cpu.client.push(last.cpuSeconds);
      return stdout;
    },
  };
}

/** 40 endpoints on 40 loopback addresses, 10 commands each over plain http with NTLM and sealing; the sides take turns. */
export async function benchWinrmFanOut(): Promise<Comparison> {
  const processes = Math.min(cpus().length, 4);
  const what = `${commandsPerHost} commands on each of ${hosts} loopback endpoints (${processes} processes of the Windows stand-in), wall time of the whole process, ${repetitions} turns, ${cpus().length} CPUs`;
  const missing = await pywinrmMissing();
  if (missing !== undefined) return { what, sides: [], ratios: [], notes: [], skipped: [missing] };
  const addresses = Array.from({ length: hosts }, (_, index) => `127.0.2.${index + 1}`);
  await using servers = await WinrmHosts.start(addresses, processes);
  const configuration = join(servers.folder, 'openssl.cnf');
  writeFileSync(configuration, openssl);
  const programs = [
    detproof,
    pywinrm('pywinrm, a shell per host', 'protocol', { goal: 0.5 }),
    pywinrm('pywinrm, winrm.Session', 'session', { goal: 0.5 }),
  ];
  const cpu = programs.map((): Cpu => ({ client: [], server: [] }));
  const { endpoints, account, passwordFile } = servers;
  const field: WinrmField = {
    ...{ endpoints, account, passwordFile, commandsPerHost, cmd },
    ...{ threads: hosts, way: 'protocol', openssl: configuration, compiled: join(servers.folder, 'compiled') },
  };
  const sides = programs.map((program, index) => measured(program, servers, cpu[index] ?? { client: [], server: [] }));
  // Both programs read from the disk once, and the stand-ins warm, before anything counts.
  for (const side of sides) await side.run(field);
  for (const { client, server } of cpu) client.length = server.length = 0;
  const result = await compare({
    ...{ what, repetitions, sides, addresses, commandsPerHost },
    field: () => Promise.resolve(field),
  });
  const notes = programs.map(({ name }, index) => {
    const { client = [], server = [] } = cpu[index] ?? {};
    return `CPU of ${name}: ${median(client).toFixed(2)} s of its own, ${median(server).toFixed(2)} s of the stand-ins`;
  });
  return { ...result, notes };
}

async function pywinrmMissing(): Promise<string | undefined> {
  const { failed } = await execa(python, ['-c', 'import winrm, requests_ntlm'], { reject: false });
  return failed ? 'pywinrm is not installed (Debian: apt-get install python3-winrm)' : undefined;
}

if (import.meta.main) for (const line of describe(await benchWinrmFanOut())) console.log(line);
