import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { down, up } from '../../lab/range/lab.ts';
import { LabRefused } from '../../lab/range/refused.ts';
import { epochMs } from '../../runner/domain/time.ts';
import { Lab } from '../lab/lab-kit.ts';

export type LabRunBench = { readonly lines: readonly string[] };

const repetitions = 3;
/** Everything but what waits for the cron daemon's next minute. */
const scenarios = 'element=ScriptDir,NetworkActivity';

/**
 * What a whole run on the lab costs above what cannot be spared: the time in which at least one command runs on a host, and the
 * time in which the SIEM must be waited for. What a person would do instead, typing the same commands, is nothing but those.
 */
export async function benchLabRun(): Promise<LabRunBench> {
  using lab = new Lab(mkdtempSync(join(tmpdir(), 'lab-bench-')));
  try {
    await up({ stateDir: lab.stateDir, waitMs: 60_000, tied: true });
  } catch (error) {
    if (error instanceof LabRefused) return { lines: [`Lab run: skipped: ${error.message}`] };
    throw error;
  }
  try {
    const runs = [];
    for (let turn = 0; turn < repetitions; turn += 1) runs.push(await measure(lab, turn));
    runs.sort((a, b) => a.overheadMs - b.overheadMs);
    const middle = runs[Math.floor(runs.length / 2)];
    if (middle === undefined) throw new Error('no run was measured');
    const all = runs.map(({ overheadMs }) => seconds(overheadMs)).join(', ');
    return {
      lines: [
        `Lab run: ${middle.executions} executions on 2 hosts, ${repetitions} runs, the median one:`,
        `  ${seconds(middle.wallMs)} in all, of which ${seconds(middle.commandsMs)} commands ran and ${seconds(middle.waitMs)} the SIEM was waited for`,
        `  overhead ${seconds(middle.overheadMs)} (${all}), ${Math.round(middle.overheadMs / middle.executions)} ms an execution: start, loading, uploads, receipts, clean-up, journal, judging, reports`,
      ],
    };
  } finally {
    await down({ stateDir: lab.stateDir, dropLogs: true });
  }
}

async function measure(
  lab: Lab,
  turn: number,
): Promise<{ wallMs: number; commandsMs: number; waitMs: number; overheadMs: number; executions: number }> {
  const started = performance.now();
  const { report } = await lab.run(scenarios, { out: lab.out(`bench-${turn}`), args: [] });
  const wallMs = performance.now() - started;
  const executions = report.executions.flatMap(({ execution }) => execution ?? []);
  const commandsMs = covered(
    executions.flatMap(({ commands }) =>
      commands.map(({ startedAt, endedAt }) => [epochMs(startedAt), epochMs(endedAt)] as const),
    ),
  );
  const lastEnd = Math.max(...executions.map(({ endedAt }) => epochMs(endedAt)));
  const observed = report.siems.flatMap(({ observedUntil }) =>
    observedUntil === undefined ? [] : [epochMs(observedUntil)],
  );
  const waitMs = Math.max(0, ...observed) - lastEnd;
  return { wallMs, commandsMs, waitMs, overheadMs: wallMs - commandsMs - waitMs, executions: executions.length };
}

/** Milliseconds that are covered by at least one of the spans. */
function covered(spans: readonly (readonly [number, number])[]): number {
  let total = 0;
  let until = -Infinity;
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    total += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return total;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

if (import.meta.main) for (const line of (await benchLabRun()).lines) console.log(line);
