import { createHash } from 'node:crypto';
import type { Inventory, Target } from '../domain/inventory.ts';
import { isSelected, type Selector } from '../domain/selector.ts';
import { type Loaded, type Problem, shown } from './problem.ts';

/** How many of the targets are taken. `always`: those that are taken whatever the sample says. */
export type SampleRule = { readonly perRoleAndZone: number; readonly seed: string; readonly always?: Selector };

/**
 * What the inventory's `sample`, `--sample` and `--seed` come to; undefined when all targets are meant. Without a seed of its own a
 * run's id is its seed: it is recorded with the plan in any case.
 */
export function sampleRule(
  { sample }: Pick<Inventory, 'sample'>,
  options: { readonly sample?: string; readonly seed?: string },
  runId: string,
): Loaded<SampleRule | undefined> {
  const wrong = (option: string, found: string, hint: string): Loaded<SampleRule | undefined> => {
    const problem: Problem = { file: option, line: 1, col: 1, code: 'SELECT_SAMPLE', found, hint };
    return { is: 'refused', problems: [problem] };
  };
  const asked = options.sample;
  if (asked !== undefined && asked !== 'all' && !/^[1-9]\d{0,3}$/.test(asked))
    return wrong('--sample', shown(asked), 'write how many hosts of each role in each zone, from 1 to 9999, or all');
  const perRoleAndZone = asked === 'all' ? undefined : asked === undefined ? sample?.perRoleAndZone : Number(asked);
  if (options.seed !== undefined && perRoleAndZone === undefined)
    return wrong('--seed', 'a seed, and no sample that it could decide', 'add --sample N, or leave it out');
  if (options.seed !== undefined && !/^[^\p{C}]{1,100}$/u.test(options.seed))
    return wrong('--seed', shown(options.seed), 'use up to 100 printable characters');
  if (perRoleAndZone === undefined) return { is: 'loaded', value: undefined };
  const seed = options.seed ?? sample?.seed ?? runId;
  const always = sample?.always;
  return { is: 'loaded', value: { perRoleAndZone, seed, ...(always !== undefined && { always }) } };
}

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
