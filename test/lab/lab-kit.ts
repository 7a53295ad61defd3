import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { down, up, type UpOptions } from '../../lab/range/lab.ts';
import { LabRefused } from '../../lab/range/refused.ts';
import type { Assessment, ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { requirement } from '../require.ts';
import { turn } from './turn.ts';

export const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const labWaitMs = 1_500_000;

export type Ended = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

/** A real lab of a test's own, with an inventory and a scenario library that the test may change. */
export class Lab {
  readonly folder: string;
  readonly stateDir: string;
  readonly library: string;

  constructor(folder: string) {
    this.folder = folder;
    this.stateDir = join(folder, 'lab');
    this.library = join(folder, 'library');
  }

  /** Writes an inventory like the project's own, for this lab, with short waits; `change` edits its text. */
  inventory(name = 'inventory.yaml', change: (text: string) => string = (text) => text): string {
    const text = readFileSync(join(project, 'inventory.yaml'), 'utf8')
      .replaceAll('out/lab', this.stateDir)
      .replace(/within: 20s/, 'within: 3s')
      .replace(/observeFor: 25s/, 'observeFor: 5s');
    const file = join(this.folder, name);
    writeFileSync(file, change(text));
    return file;
  }

  /** A scenario library of its own: the shipped one, and what the test adds (`linux/x.yaml`, `payloads/x.py`). */
  extendLibrary(files: Readonly<Record<string, string>>): string {
    cpSync(join(project, 'scenarios'), this.library, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.library, name)), { recursive: true });
      writeFileSync(join(this.library, name), text);
    }
    return this.library;
  }

  out(name = 'out'): string {
    return join(this.folder, name);
  }

  /** One command line of detproof, in a process of its own. */
  detproof(
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; onStart?: (pid: number) => void } = {},
  ): Promise<Ended> {
    return new Promise((done, fail) => {
      const child = spawn(process.execPath, [join(project, 'runner/main.ts'), ...args], {
        cwd: this.folder,
        env: { ...process.env, NODE_OPTIONS: '', ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const output = { stdout: '', stderr: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
      child.once('error', fail);
      child.once('close', (exitCode) => {
        done({ exitCode, ...output });
      });
      if (child.pid !== undefined) options.onStart?.(child.pid);
    });
  }

  /** `run --yes` of some scenarios; the exit code, the document, and what was printed. */
  async run(
    scenarios: string,
    more: { inventory?: string; out?: string; args?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ended & { readonly report: RunReport; readonly path: string }> {
    const out = more.out ?? this.out();
    const ended = await this.detproof(
      [
        'run',
        '--yes',
        '-i',
        more.inventory ?? this.inventory(),
        '-o',
        out,
        '-s',
        scenarios,
        ...(more.args ?? ['--no-variants']),
      ],
      more.env === undefined ? {} : { env: more.env },
    );
    const path = join(out, 'latest');
    let text: string;
    try {
      text = readFileSync(join(path, 'run.json'), 'utf8');
    } catch {
      throw new Error(`the run left no run.json (exit ${String(ended.exitCode)}):\n${ended.stderr}`);
    }
    return { ...ended, path, report: JSON.parse(text) as RunReport };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The hidden-directory emulation: detected by its rule when all is well. */
export const hidden = 'linux/script-in-hidden-directory';

/** What the lab's SIEM showed of one scenario on one host. */
export function assessment(report: RunReport, target: string, scenario: string, phase?: string): Assessment {
  const one = execution(report, target, scenario, phase).assessments[0];
  if (one === undefined) throw new Error(`${scenario} on ${target} was not assessed`);
  return one;
}

export function execution(report: RunReport, target: string, scenario: string, phase?: string): ExecutionReport {
  const found = report.executions.find(
    ({ plan }) =>
      plan.target === target &&
      `${plan.scenario}${plan.variant === undefined ? '' : `@${plan.variant}`}` === scenario &&
      (phase === undefined || plan.phase === phase),
  );
  if (found === undefined) throw new Error(`${scenario} on ${target} is not in the report`);
  return found;
}

export function verdicts(report: RunReport, target: string): readonly string[] {
  return report.executions
    .filter(({ plan }) => plan.target === target)
    .flatMap(({ assessments }) => assessments.map(({ verdict }) => verdict));
}

/** Brings a lab up, without stand-ins unless `standIns` names some or says all, for `work` and takes it down again, whatever happens. Skipped, with the reason, where there can be none. */
export async function withLab(
  t: Test,
  work: (lab: Lab) => Promise<void>,
  { standIns = [] }: { readonly standIns?: NonNullable<UpOptions['standIns']> | 'all' } = {},
): Promise<void> {
  await turn();
  using lab = new Lab(mkdtempSync(join(tmpdir(), 'lab-test-')));
  try {
    await up({ stateDir: lab.stateDir, waitMs: labWaitMs, tied: true, ...(standIns !== 'all' && { standIns }) });
  } catch (error) {
    if (!(error instanceof LabRefused)) throw error;
    requirement(t, 'the lab', error.message);
    return;
  }
  try {
    await work(lab);
  } finally {
    const { leftBehind } = await down({ stateDir: lab.stateDir, dropLogs: true });
    t.same(leftBehind, [], 'the lab left nothing behind');
  }
}
