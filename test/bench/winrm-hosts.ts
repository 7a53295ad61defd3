import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WindowsSettingsInput } from '../../lab/standins/windows/settings.ts';

const program = fileURLToPath(new URL('../../lab/standins/windows/main.ts', import.meta.url));

/** /proc/PID/stat counts in these on every Linux that Node runs on (USER_HZ, time(7)). */
const ticksPerSecond = 100;

export type Endpoint = { readonly address: string; readonly port: number };

/** Windows stand-ins in processes of their own, with their WinRM endpoints over plain http shared out among them. */
export class WinrmHosts implements AsyncDisposable {
  readonly folder: string;
  readonly account = 'dana';
  readonly passwordFile: string;
  readonly endpoints: readonly Endpoint[];
  readonly processes: number;
  readonly #pids: readonly number[];
  readonly #stop: () => Promise<void>;

  private constructor(
    folder: string,
    passwordFile: string,
    endpoints: readonly Endpoint[],
    pids: readonly number[],
    stop: () => Promise<void>,
  ) {
    this.folder = folder;
    this.passwordFile = passwordFile;
    this.endpoints = endpoints;
    this.processes = pids.length;
    this.#pids = pids;
    this.#stop = stop;
  }

  /** Throws what a stand-in says when it does not start. */
  static async start(addresses: readonly string[], processes: number): Promise<WinrmHosts> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-winrm-'));
    chmodSync(folder, 0o755);
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'Bench and nothing else 1\n', { mode: 0o600 });
    const running: { readonly stop: () => Promise<void> }[] = [];
    const stop = async (): Promise<void> => {
      await Promise.all(running.map((one) => one.stop()));
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const endpoints: Endpoint[] = [];
      const pids: number[] = [];
      for (let index = 0; index < processes; index += 1) {
        const own = addresses.filter((_, at) => at % processes === index);
        const one = standIn(settingsFile(folder, passwordFile, `WIN-${index}`, own));
        running.push(one);
        const ports = await one.ready;
        pids.push(one.pid);
        endpoints.push(...own.map((address, at) => ({ address, port: ports[at] ?? 0 })));
      }
      return new WinrmHosts(folder, passwordFile, endpoints, pids, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  /** Seconds of CPU that the stand-ins have used so far. */
  cpuSeconds(): number {
    return this.#pids.reduce((sum, pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // Fields 14 and 15 (proc_pid_stat(5)); the name in brackets may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    }, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

function settingsFile(folder: string, passwordFile: string, name: string, addresses: readonly string[]): string {
  const settings: WindowsSettingsInput = {
    name,
    folder: join(folder, name),
    eventLogs: join(folder, `${name}-events`),
    accounts: [{ name: 'dana', passwordFile }],
    listeners: addresses.map((address) => ({ address, port: 0 })),
    // Each process stands for many hosts, but counts as one.
    quotas: { maxShellsPerUser: 10_000, maxConcurrentOperationsPerUser: 1_000_000 },
  };
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(settings));
  return file;
}

function standIn(config: string): { pid: number; ready: Promise<readonly number[]>; stop: () => Promise<void> } {
  const child = spawn(process.execPath, [program, '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  const ready = new Promise<readonly number[]>((resolve, reject) => {
    createInterface(child.stdout).once('line', (line) => {
      resolve((JSON.parse(line.replace(/^ready /, '')) as { ports: readonly number[] }).ports);
    });
    void ended.then(() => {
      reject(new Error(`the Windows stand-in did not start: ${complaints}`));
    });
  });
  return {
    pid: child.pid ?? 0,
    ready,
    async stop() {
      child.kill();
      await ended;
    },
  };
}
