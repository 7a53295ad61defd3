import { createInterface } from 'node:readline/promises';
import type { Plan } from '../domain/plan.ts';
import { begin, carryOut, conclude, watch } from '../pipeline/run.ts';
import { type App, Exit, exitCodes } from './app.ts';
import { conductorOf, newRunId, planFor, refuseEmpty, type RunOptions, sayOutcome } from './conduct.ts';
import { startDisplay } from './display.ts';
import { listenForInterrupts } from './interrupts.ts';
import { loadMaterial } from './material.ts';
import { planLines } from './plan.ts';
import { sayJson, tell } from './print.ts';

/** `run` (and `execute`, which leaves the SIEM out): plan, ask, execute, observe, judge, report. Returns the exit code. */
export async function run(app: App, options: RunOptions, observing: boolean): Promise<number> {
  const material = await loadMaterial(app, options);
  const plan = planFor(app, material, options, newRunId(app));
  refuseEmpty(plan);
  if (options.yes !== true) await confirm(app, plan);
  await using opened = await app.runs(options.out).create(plan.runId);
  using interrupts = listenForInterrupts((line) => {
    tell(app, line);
  });
  tell(app, `Run ${plan.runId} (to stop it from another terminal: detproof stop ${plan.runId})`);
  const display = startDisplay(app);
  const conductor = conductorOf(app, material, opened, { interrupts, display, inventory: options.inventory });
  interrupts.watch(opened, app.clock);
  try {
    await begin(conductor, plan);
    await carryOut(conductor, plan);
    if (observing && !interrupts.interrupt.aborted)
      await watch(conductor, plan).catch((error: unknown) => {
        if (!interrupts.interrupt.aborted) throw error;
      });
  } finally {
    await display.end();
  }
  if (!observing) return sayExecuted(app, plan, opened.path, interrupts.interrupt.aborted, options);
  const report = await conclude(conductor, plan);
  return sayOutcome(app, report, opened.path, options);
}

function sayExecuted(app: App, plan: Plan, path: string, interrupted: boolean, options: RunOptions): number {
  if (options.json === true) sayJson(app, { runId: plan.runId, path, executions: plan.executions.length, interrupted });
  else
    tell(
      app,
      `Executed; what the SIEM saw was not asked yet. Next, here or on a machine with a copy of ${path}: detproof observe ${plan.runId}`,
    );
  return interrupted ? exitCodes.interrupted : exitCodes.asExpected;
}

/** Shows the plan and asks. Without a terminal there is nobody to ask. */
async function confirm(app: App, plan: Plan): Promise<void> {
  for (const line of planLines(plan)) tell(app, line);
  if (!app.stdin.isTTY)
    throw new Exit(
      exitCodes.refused,
      'Refused: nobody is at the terminal to say yes to this plan. Add --yes to run it.',
    );
  const ask = createInterface({ input: app.stdin, output: app.stderr });
  try {
    const answer = await ask.question('Run this plan? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw new Exit(exitCodes.refused, 'Not run.');
  } finally {
    ask.close();
  }
}
