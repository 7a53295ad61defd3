import type { Plan } from '../domain/plan.ts';
import { refuseEngagement } from '../domain/authorize.ts';
import type { LeftBehind } from '../domain/execution.ts';
import type { Target } from '../domain/inventory.ts';
import type { RunReport } from '../domain/run-report.ts';
import { visible } from '../load/problem.ts';
import { makePlan } from '../pipeline/plan.ts';
import type { Conductor } from '../pipeline/run.ts';
import type { OpenRun } from '../ports.ts';
import { type App, Exit, exitCodes } from './app.ts';
import type { Display } from './display.ts';
import type { Interrupts } from './interrupts.ts';
import { choose, folderOf, type Material } from './material.ts';
import { say, sayJson, tell } from './print.ts';

export type RunOptions = {
  readonly inventory: string;
  readonly library?: string;
  readonly out: string;
  readonly json?: boolean;
  readonly targets?: string;
  readonly scenarios?: string;
  readonly sample?: string;
  readonly seed?: string;
  readonly variants: boolean;
  readonly yes?: boolean;
};

/** `20261124t050102-k3f9`: sorts by time, and is a folder name everywhere. */
export function newRunId(app: App): string {
  const stamp = app.clock.now().slice(0, 19).replace(/[-:]/g, '').toLowerCase();
  return `${stamp}-${app.random.name(4)}`;
}

/** The plan of the chosen scenarios on the chosen targets. Throws {@link Exit} 4 when nothing of it may be touched now. */
export function planFor(app: App, material: Material, options: RunOptions, runId: string): Plan {
  const refusal = refuseEngagement(material.inventory.engagement);
  if (refusal !== undefined) throw new Exit(exitCodes.refused, `Refused: ${refusal.detail}.`);
  const { targets, scenarios, sample } = choose(material, options, runId);
  const { inventory, scenarios: library } = material;
  const now = app.clock.now();
  const plan = makePlan({ runId, inventory, library, targets, scenarios, now, variants: options.variants });
  if (sample === undefined) return plan;
  const { perRoleAndZone, seed, always } = sample.rule;
  const ids = (of: readonly Target[]): readonly string[] => of.map(({ id }) => id);
  const chosen = { perRoleAndZone, seed, inScope: ids(sample.scope), chosen: ids(targets) };
  return { ...plan, sample: { ...chosen, ...(always !== undefined && { always: always.text }) } };
}

/** Throws {@link Exit} 4 for a plan that has nothing to execute, with the reasons. */
export function refuseEmpty(plan: Plan): void {
  if (plan.executions.length > 0) return;
  const reasons = plan.leftOut.map(({ what, because }) => `  ${what}: ${because}`);
  throw new Exit(exitCodes.refused, ['Refused: nothing of this plan may be run now.', ...reasons].join('\n'));
}

/** Everything that a run needs, for one run folder. */
export function conductorOf(
  app: App,
  material: Material,
  run: OpenRun,
  { interrupts, display, inventory }: { interrupts: Interrupts; display: Display; inventory: string },
): Conductor {
  const keep = run.evidence.put.bind(run.evidence);
  const deps = app.pluginDeps(material.inventory, folderOf(inventory), keep);
  return {
    ...material,
    run,
    clock: app.clock,
    random: app.random,
    payloads: app.payloads(material.library),
    operator: app.operator,
    toolVersion: app.version,
    transports: app.transports(deps),
    siems: app.siems(material.inventory, deps),
    reporters: [...app.reports.values()].map(({ reporter }) => reporter),
    progress: (progress) => {
      display.progress(progress);
    },
    interrupt: interrupts.interrupt,
    halt: interrupts.halt,
  };
}

/** The summary, where everything lies, and the exit code. */
export function sayOutcome(app: App, report: RunReport, path: string, options: { readonly json?: boolean }): number {
  if (options.json === true) sayJson(app, report);
  else {
    say(app, app.summary(report));
    say(app, '');
    say(app, `Report    ${path}/reports/matrix.html`);
    say(app, `Evidence  ${path}/ (run.json, journal.jsonl, evidence/)`);
  }
  tellLeftBehind(app, report.leftBehind);
  return report.outcome.exitCode;
}

/** What a person has to remove, one line each. */
export function tellLeftBehind(app: App, leftBehind: readonly LeftBehind[]): void {
  for (const { target, account, what, because, hint } of leftBehind)
    tell(app, `Left behind on ${target} as ${account}: ${visible(what)} (${visible(because)}). ${visible(hint)}`);
}
