import { join } from 'node:path';
import { refuseEngagement } from '../domain/authorize.ts';
import type { Plan } from '../domain/plan.ts';
import type { RunReport } from '../domain/run-report.ts';
import { loadPlan } from '../load/plan-file.ts';
import { type App, BadInput, Exit, exitCodes } from './app.ts';
import type { Display } from './display.ts';
import { startDisplay } from './display.ts';
import { conductorOf, sayOutcome, tellLeftBehind } from './conduct.ts';
import { type Interrupts, listenForInterrupts } from './interrupts.ts';
import { loadMaterial, type Material } from './material.ts';
import { sayJson, tell } from './print.ts';
import { carryOut, cleanUpLeftovers, conclude, type Conductor, takeUp, watch } from '../pipeline/run.ts';
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
export async function resume(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  const material = await loadMaterial(app, options);
  const refusal = refuseEngagement(material.inventory.engagement);
  if (refusal !== undefined)
    throw new Exit(exitCodes.refused, `Refused: ${refusal.detail}. What it left is removed with: detproof cleanup`);
  const { report, path } = await goOn(app, id, material, options, async (conductor, plan) => {
    await carryOut(conductor, plan);
    if (!conductor.interrupt.aborted) await watch(conductor, plan);
  });
  return sayOutcome(app, report, path, options);
}

/** `observe`: asks the SIEM about a run that was executed, here or on another machine. Touches no target. */
export async function observe(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  const { report, path } = await goOn(app, id, await loadMaterial(app, options), options, watch);
  return sayOutcome(app, report, path, options);
}

/**
 * `cleanup`: tries again to remove what a run left behind; also what a killed run never came to clean up. The exit code speaks of
 * the clean-up, not of the verdicts.
 */
export async function cleanup(app: App, id: string | undefined, options: KeptRunOptions): Promise<number> {
  const { report } = await goOn(app, id, await loadMaterial(app, options), options, cleanUpLeftovers);
  const { leftBehind, outcome } = report;
  if (options.json === true) sayJson(app, { runId: report.run.id, leftBehind });
  tellLeftBehind(app, leftBehind);
  if (leftBehind.length === 0) tell(app, 'Nothing of this run is left on a target.');
  if (outcome.exitCode === exitCodes.interrupted) return exitCodes.interrupted;
  return leftBehind.length === 0 ? exitCodes.asExpected : exitCodes.leftBehind;
}

async function goOn(
  app: App,
  id: string | undefined,
  material: Material,
  options: KeptRunOptions,
  work: (conductor: Conductor, plan: Plan) => Promise<void>,
): Promise<{ readonly report: RunReport; readonly path: string }> {
  await using opened = await app.runs(options.out).open(id);
  const kept = await opened.read();
  const plan = await planOf(kept);
  refuseOther(kept, plan, material);
  await takeUp({ run: opened, operator: app.operator, toolVersion: app.version }, plan, kept);
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
  return { report: await conclude(conductor, plan), path: opened.path };
}

/** Throws {@link Exit} 4 when this is not the plan that was opened, or not its engagement's inventory. */
function refuseOther(kept: KeptRun, plan: Plan, { inventory }: Material): void {
  const opened = kept.records.find((record) => record.type === 'run-opened');
  if (opened !== undefined && opened.data.planSha256 !== kept.planSha256)
    throw new Exit(
      exitCodes.refused,
      `Refused: ${kept.path}/plan.json was changed since the run was opened; the journal names another hash.`,
    );
  if (plan.engagement !== inventory.engagement.id)
    throw new Exit(
      exitCodes.refused,
      `Refused: run ${kept.id} belongs to engagement ${plan.engagement}, and ${inventory.file} is of ${inventory.engagement.id}. Name its inventory with --inventory.`,
    );
}
