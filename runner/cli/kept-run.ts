import { join } from 'node:path';
import type { Plan } from '../domain/plan.ts';
import { loadPlan } from '../load/plan-file.ts';
import { type App, BadInput, Exit, exitCodes } from './app.ts';
import type { Display } from './display.ts';
import { startDisplay } from './display.ts';
import { conductorOf, sayOutcome } from './conduct.ts';
import { type Interrupts, listenForInterrupts } from './interrupts.ts';
import { loadMaterial } from './material.ts';
import { tell } from './print.ts';
import { carryOut, cleanUpLeftovers, conclude, type Conductor, watch } from '../pipeline/run.ts';
import type { KeptRun } from '../ports.ts';

export type KeptRunOptions = {
  readonly inventory: string;
  readonly library?: string;
  readonly out: string;
  readonly json?: boolean;
};

/** The plan of a kept run; a run that died before its plan was written touched nothing. */
export async function planOf(run: KeptRun): Promise<Plan> {
  if (run.planSha256 === '')
    throw new Exit(exitCodes.badInput, `${run.path} holds no plan.json: this run ended before anything was touched.`);
  const read = await loadPlan(join(run.path, 'plan.json'));
  if (read.is === 'refused') throw new BadInput(read.problems);
  return read.value;
}

/** `resume`: finishes a run that was killed, stopped or interrupted. */
export function resume(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  return goOn(app, id, options, async (conductor, plan) => {
    await carryOut(conductor, plan);
    if (!conductor.interrupt.aborted) await watch(conductor, plan);
  });
}

/** `observe`: asks the SIEM about a run that was executed, here or on another machine. Touches no target. */
export function observe(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  return goOn(app, id, options, watch);
}

/** `cleanup`: tries again to remove what a run left behind; also what a killed run never came to clean up. */
export function cleanup(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  return goOn(app, id, options, async (conductor, plan) => {
    await carryOut({ ...conductor, halt: AbortSignal.abort() }, plan);
    const still = await cleanUpLeftovers(conductor, plan);
    tell(
      app,
      still === 0 ? 'Nothing of this run is left on a target.' : `${still} executions still leave something behind.`,
    );
  });
}

async function goOn(
  app: App,
  id: string | undefined,
  options: KeptRunOptions,
  work: (conductor: Conductor, plan: Plan) => Promise<void>,
): Promise<number> {
  const material = await loadMaterial(app, options);
  await using opened = await app.runs(options.out).open(id);
  const plan = await planOf(await opened.read());
  await opened.journal.append({
    type: 'run-resumed',
    data: { operator: app.operator, ...(opened.setAside === undefined ? {} : { setAside: opened.setAside }) },
  });
  if (opened.setAside !== undefined) tell(app, `A torn last line of the journal was set aside: ${opened.setAside}`);
  using interrupts: Interrupts = listenForInterrupts((line) => {
    tell(app, line);
  });
  const display: Display = startDisplay(app);
  const conductor = conductorOf(app, material, opened, { interrupts, display, inventory: options.inventory });
  interrupts.watch(opened, app.clock);
  try {
    await work(conductor, plan).catch((error: unknown) => {
      if (!interrupts.interrupt.aborted) throw error;
    });
  } finally {
    await display.end();
  }
  const report = await conclude(conductor, plan);
  return sayOutcome(app, report, opened.path, options);
}
