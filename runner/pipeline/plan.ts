import { authorize } from '../domain/authorize.ts';
import { glob } from '../domain/glob.ts';
import type { Inventory, Overlay, Target } from '../domain/inventory.ts';
import {
  type LeftOut,
  type Phase,
  phases,
  type Plan,
  type PlannedExecution,
  type SiemExpectation,
} from '../domain/plan.ts';
import type { Expectation, Scenario, Variant } from '../domain/scenario.ts';
import { duration, type DurationMs, type Instant } from '../domain/time.ts';
import { cronWaitMs } from './cron-entry.ts';

export type PlanRequest = {
  readonly runId: string;
  readonly inventory: Inventory;
  /** Those to be run. */
  readonly scenarios: readonly Scenario[];
  /** All scenarios, chosen or not: what a twin is the counterpart of is looked up there. */
  readonly library: readonly Scenario[];
  /** Already selected; what a selection left out is the caller's to say. */
  readonly targets: readonly Target[];
  readonly now: Instant;
  readonly variants: boolean;
};

/** What would run where, and what is left out and why. Pure; holds no markers. Targets that may not be touched now are left out. */
export function makePlan(request: PlanRequest): Plan {
  const { inventory, scenarios, now } = request;
  const leftOut: LeftOut[] = [];
  const executions: PlannedExecution[] = [];
  const targets: { id: string; until: Instant }[] = [];
  for (const target of request.targets) {
    const own = scenarios.filter((scenario) => scenario.platform === target.platform);
    if (own.length === 0) {
      leftOut.push({ what: target.id, because: `no selected scenario is for ${target.platform}` });
      continue;
    }
    for (const account of target.accounts) {
      const planned = planAccount(target, account.name, own, request);
      const allowed = authorize(inventory, target, account.name, now, needed(planned, target.parallel));
      if (allowed.is === 'refused') {
        leftOut.push({ what: `${target.id}/${account.name}`, because: allowed.why.detail });
        continue;
      }
      executions.push(...planned);
      if (!targets.some(({ id }) => id === target.id)) targets.push({ id: target.id, until: allowed.target.until });
    }
  }
  for (const scenario of scenarios)
    if (!request.targets.some((target) => target.platform === scenario.platform))
      leftOut.push({ what: scenario.id, because: `no selected target is ${scenario.platform}` });
  return {
    schema: 'detproof/plan/1',
    runId: request.runId,
    createdAt: now,
    engagement: inventory.engagement.id,
    inventory: { file: inventory.file, sha256: inventory.sha256 },
    scenarios: scenarios.map(({ id, sha256 }) => ({ id, sha256 })),
    targets,
    executions,
    leftOut,
  };
}

/** Upper bound of the time that these executions take when every step runs into its time-out. */
function needed(executions: readonly PlannedExecution[], parallel: number): DurationMs {
  const perPhase = phases.map((phase) => {
    const times = executions
      .filter((one) => one.phase === phase)
      .map(({ steps }) =>
        steps.reduce((sum, { timeout, via }) => sum + timeout + (via === 'cron' ? cronWaitMs : 0), 0),
      );
    // No order of jobs on that many machines takes longer than their even share and one more (Graham 1966).
    return times.reduce((sum, time) => sum + time, 0) / parallel + Math.max(0, ...times);
  });
  return duration(Math.ceil(perPhase.reduce((sum, time) => sum + time, 0)));
}

function planAccount(
  target: Target,
  account: string,
  scenarios: readonly Scenario[],
  request: PlanRequest,
): readonly PlannedExecution[] {
  const controls = scenarios.filter(({ purpose }) => purpose === 'control');
  const work = scenarios.filter(({ purpose }) => purpose !== 'control');
  const channels = new Set(work.map(({ channel }) => channel));
  const plan = (scenario: Scenario, phase: Phase, variant?: Variant, suffix = ''): PlannedExecution => ({
    id: `${target.id}/${account}/${scenario.id}${variant === undefined ? '' : `@${variant.name}`}${suffix}`,
    phase,
    purpose: scenario.purpose,
    scenario: scenario.id,
    ...(variant === undefined ? {} : { variant: variant.name }),
    title: scenario.title,
    analytic: scenario.analytic,
    ...(scenario.element === undefined ? {} : { element: scenario.element }),
    target: target.id,
    account,
    channel: scenario.channel,
    steps: (variant ?? scenario).steps,
    creates: scenario.creates,
    expect: expectations(scenario, (variant ?? scenario).expect, target, request),
  });
  const all = (purpose: 'twin' | 'emulation', phase: Phase): readonly PlannedExecution[] =>
    work
      .filter((scenario) => scenario.purpose === purpose)
      .flatMap((scenario) => [
        plan(scenario, phase),
        ...(request.variants ? scenario.variants.map((variant) => plan(scenario, phase, variant)) : []),
      ]);
  const steps = [...all('twin', 'twins'), ...all('emulation', 'emulations')];
  // A control is watched with every rule that the steps are watched with: only what ran over it can be called clean.
  const watchedBy = ({ expect, ...control }: PlannedExecution): PlannedExecution => ({
    ...control,
    expect: expect.map((own) => {
      const others = steps.flatMap((step) => step.expect.filter(({ siem }) => siem === own.siem));
      return { ...own, rules: [...new Set([...own.rules, ...others.flatMap(({ rules }) => rules)])].sort() };
    }),
  });
  const around = (phase: 'control-before' | 'control-after', suffix: string): readonly PlannedExecution[] =>
    controls.flatMap((control) =>
      [...(channels.size === 0 ? [control.channel] : channels)].map((channel) =>
        watchedBy({
          ...plan(control, phase, undefined, `${channel === 'exec' ? '' : `!${channel}`}${suffix}`),
          channel,
        }),
      ),
    );
  return [...around('control-before', '#before'), ...steps, ...around('control-after', '#after')];
}

function expectations(
  scenario: Scenario,
  expect: Expectation,
  target: Target,
  request: PlanRequest,
): readonly SiemExpectation[] {
  const counterpart = request.library.find(({ id }) => id === scenario.twinOf);
  return request.inventory.siems
    .filter((siem) => target.names[siem.id] !== undefined)
    .map((siem) => {
      const site = overlay(request.inventory.expectations, scenario.id, target.role, siem.id);
      const { alert, event } = expect;
      const alertWithin = site.within ?? alert.within;
      // A twin is watched with the rules of the emulation whose counterpart it is: that they are alive is what makes it quiet.
      const rules =
        counterpart === undefined
          ? alert.rules
          : (overlay(request.inventory.expectations, counterpart.id, target.role, siem.id).rules ??
            counterpart.expect.alert.rules);
      // An overlay's stance is about emulations and speaks of the plain form; a declared gap of a variant stays.
      const takesStance =
        scenario.purpose === 'emulation' && alert.stance === 'must-alert' && site.stance !== undefined;
      const notCollected = event.sources.every((source) => site.notCollected?.includes(source) ?? false);
      const stance = notCollected ? 'not-collected' : takesStance ? site.stance : alert.stance;
      const words = takesStance || notCollected ? site : alert;
      return {
        siem: siem.id,
        sources: event.sources,
        context: event.context,
        eventWithin: duration(Math.min(event.within, alertWithin)),
        rules: site.rules ?? rules,
        alertWithin,
        // An alert in time must be seen, whichever of the overlay's entries shortened what.
        observeFor: duration(Math.max(site.observeFor ?? Math.max(alertWithin, event.within) * 2, alertWithin)),
        stance,
        ...(words.because === undefined ? {} : { because: words.because }),
        ...(words.owner === undefined ? {} : { owner: words.owner }),
        ...(words.until === undefined ? {} : { until: words.until }),
        attribution: site.attribution ?? 'exact',
      };
    });
}

/** All overlay entries that match, the later ones over the earlier, field by field. */
function overlay(entries: readonly Overlay[], scenario: string, role: string, siem: string): Partial<Overlay> {
  return entries
    .filter(
      (entry) =>
        entry.scenarios.some((pattern) => glob(pattern, scenario)) &&
        (entry.roles?.includes(role) ?? true) &&
        (entry.siems?.includes(siem) ?? true),
    )
    .reduce<Partial<Overlay>>((merged, entry) => ({ ...merged, ...entry }), {});
}
