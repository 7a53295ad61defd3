import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordLine } from '../../runner/domain/record.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export type Ended = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

export type Site = {
  readonly engagement?: string;
  readonly window?: string;
  readonly target?: string;
  readonly observeFor?: string;
};

const sources = `{ 'auditd:SYSCALL/execve': { event.dataset: execve }, 'auditd:SYSCALL/connect': { event.dataset: connect }, 'linux:syslog//var/log/syslog': { event.dataset: syslog } }`;

/** A folder in which somebody works with detproof: inventories, a home that payloads run in, and what the runs leave. */
export class Desk {
  readonly folder = mkdtempSync(join(tmpdir(), 'desk-'));
  readonly home = join(this.folder, 'home');
  readonly out = join(this.folder, 'out');

  constructor() {
    mkdirSync(this.home, { mode: 0o700 });
  }

  /** An inventory of this machine, by the local transport, and of a SIEM whose folder is `siem`. */
  inventory(name: string, site: Site = {}): string {
    const file = join(this.folder, name);
    const { engagement = '', window = 'span: { from: 2020-01-01T00:00:00Z, to: 2100-01-01T00:00:00Z }' } = site;
    writeFileSync(
      file,
      `engagement: { id: tests, authorizedBy: tests, contacts: [tests]${engagement} }
windows:
  - { id: always, groups: [all], ${window} }
targets:
  - id: here
    platform: linux
    address: 127.0.0.1
    ${site.target ?? `transport: { kind: local }\n    accounts: [{ name: ${userInfo().username} }]`}
    interpreter: /usr/bin/python3
    groups: [all]
    role: workstation
    owner: tests
    criticality: low
    zone: local
    names: { siem: [here] }
    fidelity: real
siems:
  - { id: siem, kind: files, path: siem, sources: ${sources} }
expectations:
  - { scenarios: ['*'], within: 1s, observeFor: ${site.observeFor ?? '1s'} }
`,
    );
    return file;
  }

  /** A host of SSH at a port where nobody listens. */
  closedPort(): string {
    return this.sshPort(1);
  }

  /** A host of SSH at a port of this machine. */
  sshPort(port: number): string {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    writeFileSync(join(this.folder, 'key'), privateKey, { mode: 0o600 });
    writeFileSync(join(this.folder, 'known_hosts'), '');
    return `transport: { kind: ssh, port: ${port}, knownHosts: known_hosts }\n    accounts: [{ name: alice, key: 'file:key' }]`;
  }

  /** The store of a SIEM that works and has seen nothing. */
  emptySiem(): void {
    mkdirSync(join(this.folder, 'siem'), { recursive: true });
    for (const name of ['events', 'alerts', 'rules']) writeFileSync(join(this.folder, 'siem', `${name}.ndjson`), '');
  }

  /** Every shipped rule is there, on, and has run in the last hour until now. */
  siemKnowsAllRules(): void {
    const ids = readdirSync(join(project, 'scenarios/detections')).map((name) => name.replace(/\.yml$/, ''));
    const [from, to] = [new Date(Date.now() - 3_600_000).toISOString(), new Date(Date.now() + 600_000).toISOString()];
    const lines = ids.map((id) => JSON.stringify({ rule: { id, name: id }, from, to, enabled: true, ok: true }));
    writeFileSync(join(this.folder, 'siem/rules.ndjson'), `${lines.join('\n')}\n`);
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [join(project, 'runner/main.ts'), ...args], {
      cwd: this.folder,
      env: { ...process.env, HOME: this.home, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** One command line, in a process of its own, without a terminal. `watch` sees what it says on stderr so far. */
  detproof(
    args: readonly string[],
    watch: (stderr: string, child: ChildProcess) => void = () => undefined,
  ): Promise<Ended> {
    return endOf(this.start(args), watch);
  }

  report(run = 'latest'): RunReport {
    const folder = run === 'latest' ? join(this.out, 'latest') : join(this.out, 'runs', run);
    return JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunReport;
  }

  records(): readonly RecordLine[] {
    return readFileSync(join(this.out, 'latest', 'journal.jsonl'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as RecordLine);
  }

  /** What payloads and harness left in the home. */
  get leftInHome(): readonly string[] {
    return readdirSync(this.home);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits for a process and keeps what it said. */
export function endOf(
  child: ChildProcess,
  watch: (stderr: string, child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
    watch(output.stderr, child);
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (exitCode) => {
      done({ exitCode, ...output });
    });
  });
}
