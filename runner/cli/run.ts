import { createInterface } from 'node:readline/promises';
import type { Plan } from '../domain/plan.ts';
import { leftBehindOf } from '../pipeline/outcome.ts';
import { begin, carryOut, conclude, type Conductor, watch } from '../pipeline/run.ts';
import type { OpenRun } from '../ports.ts';
import { type App, Exit, exitCodes } from './app.ts';
import { conductorOf, newRunId, planFor, refuseEmpty, type RunOptions, sayOutcome, tellLeftBehind } from './conduct.ts';
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
    await goThrough(conductor, plan, observing);
  } finally {
    await display.end();
  }
  if (!observing) return await sayExecuted(app, plan, opened, interrupts.interrupt.aborted, options);
  const report = await conclude(conductor, plan);
  return sayOutcome(app, report, opened.path, options);
}

/** What fails from here on leaves a run that can be finished. */
async function goThrough(conductor: Conductor, plan: Plan, observing: boolean): Promise<void> {
  try {
    await carryOut(conductor, plan);
    if (observing && !conductor.interrupt.aborted) await watch(conductor, plan);
  } catch (error) {
    if (conductor.interrupt.aborted) return;
    const what = error instanceof Error ? error.message : String(error);
    throw new Exit(
      exitCodes.inconclusive,
      `Error: ${what}\nRun ${plan.runId} was broken off. When that is mended, finish it (clean-up first) with: detproof resume ${plan.runId}`,
    );
  }
}

async function sayExecuted(
  app: App,
  plan: Plan,
  opened: OpenRun,
  interrupted: boolean,
  options: RunOptions,
): Promise<number> {
  const { path } = opened;
  const { records } = await opened.read();
  const leftBehind = leftBehindOf(plan, records);
  const ended = records.flatMap((record) => (record.type === 'execution' ? [record.data.outcome.kind] : []));
  const whole = ended.length >= plan.executions.length && ended.every((kind) => kind === 'finished');
  if (options.json === true)
    sayJson(app, { runId: plan.runId, path, executions: plan.executions.length, interrupted, leftBehind });
  else
    tell(
      app,
      `Executed; what the SIEM saw was not asked yet. Next, here or on a machine with a copy of ${path}: detproof observe ${plan.runId}`,
    );
  tellLeftBehind(app, leftBehind);
  if (interrupted) return exitCodes.interrupted;
  if (leftBehind.length > 0) return exitCodes.leftBehind;
  return whole ? exitCodes.asExpected : exitCodes.inconclusive;
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
  // Ctrl-C, or Ctrl-D, instead of an answer.
  const gone = new AbortController();
  ask.once('SIGINT', () => {
    gone.abort();
  });
  ask.once('close', () => {
    gone.abort();
  });
  try {
    const answer = await ask.question('Run this plan? [y/N] ', { signal: gone.signal }).catch(() => {
      throw new Exit(exitCodes.interrupted, '\nNot run.');
    });
    if (!/^y(es)?$/i.test(answer.trim())) throw new Exit(exitCodes.refused, 'Not run.');
  } finally {
    ask.close();
  }
}
