import type { Inventory, Target } from '../domain/inventory.ts';
import { phases, type Plan, type PlannedExecution } from '../domain/plan.ts';
import { duration, type DurationMs, formatDuration, type Instant, shift } from '../domain/time.ts';
import { longestMs, overheadMs } from './needs.ts';

/**
 * Upper bound of the time that these executions take on their host, all its accounts together, when every step runs into its
 * time-out: clean-up of each with it, and the gaps that the pace makes.
 */
export function hostNeeds(
  executions: readonly PlannedExecution[],
  { parallel, platform }: Pick<Target, 'parallel' | 'platform'>,
  { pace }: Pick<Inventory, 'pace'>,
): DurationMs {
  const perPhase = phases.map((phase) => {
    const own = executions.filter((one) => one.phase === phase);
    const times = own.map((one) => longest(one, platform));
    // No order of jobs on that many machines takes longer than their even share and one more (Graham 1966).
    const work = times.reduce((sum, time) => sum + time, 0) / parallel + Math.max(0, ...times);
    return work + (pace === undefined ? 0 : waits(own, platform, pace.perRuleAndHost));
  });
  return duration(Math.ceil(perPhase.reduce((sum, time) => sum + time, 0)));
}

function longest({ steps }: PlannedExecution, platform: Target['platform']): number {
  return overheadMs + longestMs(steps, platform);
}

/** What the pace adds: the executions of the rule that watches most go one after the other, with a gap before each. */
function waits(executions: readonly PlannedExecution[], platform: Target['platform'], gapMs: number): number {
  const byRule = new Map<string, number>();
  for (const one of executions) {
    const { purpose, expect } = one;
    const rules = new Set(expect.flatMap(({ siem, rules: ids }) => ids.map((id) => `${siem} ${id}`)));
    // Two controls need no gap between them: see Pace.
    const cost = purpose === 'control' ? 0 : gapMs + longest(one, platform);
    for (const rule of rules) byRule.set(rule, (byRule.get(rule) ?? 0) + cost);
  }
  const edge = executions.some(({ purpose }) => purpose === 'control') && byRule.size > 0 ? gapMs : 0;
  return Math.max(edge, ...byRule.values());
}

export type Fit = {
  readonly target: string;
  readonly wave: number;
  /** When its wave begins at the latest, if nothing goes beyond its time-outs. */
  readonly beginsBy: Instant;
  readonly needs: DurationMs;
  readonly until: Instant;
  readonly fits: boolean;
};

/**
 * Does each host's part end before its window closes, clean-up included, even when every wave before it takes as long as it may?
 * What does not is not lost: it is run if the others are quicker, and otherwise not run, with the reason.
 */
export function fitOf(plan: Plan): readonly Fit[] {
  const waves = Map.groupBy(plan.targets, ({ wave = 1 }) => wave);
  const longestOf = (wave: number): number => Math.max(0, ...(waves.get(wave) ?? []).map(({ needs = 0 }) => needs));
  return plan.targets.map(({ id, until, needs = duration(0), wave = 1 }) => {
    const before = Array.from({ length: wave - 1 }, (_, index) => longestOf(index + 1));
    const beginsBy = shift(
      plan.createdAt,
      before.reduce((sum, ms) => sum + ms, 0),
    );
    return { target: id, wave, beginsBy, needs, until, fits: shift(beginsBy, needs) <= until };
  });
}

/** Of a host that may be cut short, why. */
export function tightText({ wave, beginsBy, needs, until }: Fit): string {
  return `it is in wave ${wave}, which begins by ${beginsBy} if all before it take as long as they may, and needs up to ${formatDuration(needs)}: that goes beyond ${until}; what does not fit then is not run`;
}
