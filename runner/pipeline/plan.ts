import { authorize } from '../domain/authorize.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { LeftOut, Plan, PlannedExecution } from '../domain/plan.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { DurationMs, Instant } from '../domain/time.ts';
import { hostNeeds } from './estimate.ts';
import { planAccount } from './plan-account.ts';
import { wavesOf } from './waves.ts';

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
  const targets: { id: string; until: Instant; needs: DurationMs }[] = [];
  for (const target of request.targets) {
    const own = scenarios.filter((scenario) => scenario.platform === target.platform);
    if (own.length === 0) {
      leftOut.push({ what: target.id, because: `no selected scenario is for ${target.platform}` });
      continue;
    }
    const accounts = target.accounts.map((account) => ({ account, ...planAccount(target, account, own, request) }));
    leftOut.push(...accounts.flatMap((one) => one.leftOut));
    const needs = hostNeeds(
      accounts.flatMap(({ planned }) => planned),
      target,
      inventory,
    );
    for (const { account, planned } of accounts) {
      if (planned.length === 0) continue;
      const allowed = authorize(inventory, target, account.name, now, needs);
      if (allowed.is === 'refused') {
        leftOut.push({ what: `${target.id}/${account.name}`, because: allowed.why.detail });
        continue;
      }
      executions.push(...planned);
      if (!targets.some(({ id }) => id === target.id))
        targets.push({ id: target.id, until: allowed.target.until, needs });
    }
  }
  for (const scenario of scenarios)
    if (!request.targets.some((target) => target.platform === scenario.platform))
      leftOut.push({ what: scenario.id, because: `no selected target is ${scenario.platform}` });
  for (const { target, scenario, role } of withoutAccount(request))
    leftOut.push({ what: `${target}/${scenario}`, because: `no account of ${target} has the role ${role}` });
  return {
    schema: 'detproof/plan/1',
    runId: request.runId,
    createdAt: now,
    engagement: inventory.engagement.id,
    inventory: { file: inventory.file, sha256: inventory.sha256 },
    scenarios: scenarios.map(({ id, sha256 }) => ({ id, sha256 })),
    targets: inWaves(inventory, targets),
    executions,
    leftOut,
  };
}

/** The planned targets, with the wave that each is in. */
function inWaves(inventory: Inventory, targets: Plan['targets']): Plan['targets'] {
  const planned = targets.flatMap(({ id }) => inventory.targets.find((known) => known.id === id) ?? []);
  const waveOf = new Map(wavesOf(inventory, planned).flatMap((wave, index) => wave.map(({ id }) => [id, index + 1])));
  return targets.map((target) => ({ ...target, wave: waveOf.get(target.id) ?? 1 }));
}

/** Scenarios for whose role a target has no account at all. */
function withoutAccount({
  targets,
  scenarios,
}: PlanRequest): readonly { target: string; scenario: string; role: string }[] {
  return targets.flatMap((target) => {
    const roles = new Set(target.accounts.map(({ role }) => role));
    return scenarios.flatMap(({ id, platform, purpose, account: role = 'standard' }) =>
      platform !== target.platform || purpose === 'control' || roles.has(role)
        ? []
        : [{ target: target.id, scenario: id, role }],
    );
  });
}
