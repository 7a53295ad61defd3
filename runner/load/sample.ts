import { createHash } from 'node:crypto';
import type { Target } from '../domain/inventory.ts';
import { isSelected, type Selector } from '../domain/selector.ts';

/** How many of the targets are taken. `always`: those that are taken whatever the sample says. */
export type SampleRule = { readonly perRoleAndZone: number; readonly seed: string; readonly always?: Selector };

/**
 * Of each role in each zone (of each platform and fidelity apart, since hosts of two platforms never stand for each other) the
 * `perRoleAndZone` targets whose SHA-256 of seed, line feed and id is lowest. Pure: the same seed and ids choose the same, and a
 * target that comes or goes changes nothing in another stratum and at most one place in its own. Order is the inventory's.
 */
export function sampleTargets(targets: readonly Target[], rule: SampleRule): readonly Target[] {
  const { perRoleAndZone, seed, always } = rule;
  const isKept = (target: Target): boolean => always !== undefined && isSelected(always, target);
  const strata = Map.groupBy(
    targets.filter((target) => !isKept(target)),
    ({ role, zone, platform, fidelity }) => JSON.stringify([role, zone, platform, fidelity]),
  );
  const chosen = new Set(
    [...strata.values()].flatMap((stratum) => {
      const ranked = stratum.map((target) => ({ target, rank: rankOf(seed, target.id) }));
      ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
      return ranked.slice(0, perRoleAndZone).map(({ target }) => target);
    }),
  );
  return targets.filter((target) => chosen.has(target) || isKept(target));
}

function rankOf(seed: string, id: string): string {
  return createHash('sha256').update(`${seed}\n${id}`).digest('hex');
}
