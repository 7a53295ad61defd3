import type { Inventory, Target } from '../domain/inventory.ts';
import type { AbortAfter, Waves } from '../domain/rollout.ts';
import { isSelected } from '../domain/selector.ts';

type Rules = Pick<Inventory, 'limits' | 'waves'>;

/** One cap: at most `most` hosts of a wave under this name. */
type Cap = { readonly name: string; readonly most: number };

type Wave = { readonly hosts: Target[]; readonly counts: Map<string, number>; readonly most: number };

/**
 * The targets in groups that are worked on at the same time, one group after the other: never more hosts of a zone, a role, a
 * jump host or a selector than the caps allow, and a first wave that is as small as `waves.first` says and taken from
 * `waves.firstFrom` where there is any of that. Each target goes into the first wave with room for it, in the order given.
 */
export function wavesOf(rules: Rules, targets: readonly Target[]): readonly (readonly Target[])[] {
  const { limits, waves: wanted } = rules;
  const mayBeFirst = firstOf(wanted, targets);
  const waves: Wave[] = [];
  const add = (): Wave => {
    const size = waves.length === 0 ? wanted?.first : wanted?.then;
    const wave = { hosts: [], counts: new Map<string, number>(), most: Math.min(size ?? limits.hosts, limits.hosts) };
    waves.push(wave);
    return wave;
  };
  const ordered = [...targets.filter(mayBeFirst), ...targets.filter((target) => !mayBeFirst(target))];
  for (const target of ordered) {
    const caps = capsOn(rules, target);
    const hasRoom = (wave: Wave, index: number): boolean =>
      wave.hosts.length < wave.most &&
      (index > 0 || mayBeFirst(target)) &&
      caps.every(({ name, most }) => (wave.counts.get(name) ?? 0) < most);
    const wave = waves.find(hasRoom) ?? add();
    wave.hosts.push(target);
    for (const { name } of caps) wave.counts.set(name, (wave.counts.get(name) ?? 0) + 1);
  }
  return waves.map(({ hosts }) => hosts);
}

/** Who may be in the first wave: everybody, unless the inventory says whom it likes there and somebody of those is. */
function firstOf(waves: Waves | undefined, targets: readonly Target[]): (target: Target) => boolean {
  const from = waves?.firstFrom;
  if (from === undefined || !targets.some((target) => isSelected(from, target))) return () => true;
  return (target) => isSelected(from, target);
}

function capsOn({ limits }: Rules, target: Target): readonly Cap[] {
  const { perZone, perRole, perJumpHost, caps = [] } = limits;
  return [
    { name: `zone ${target.zone}`, most: perZone },
    ...(perRole === undefined ? [] : [{ name: `role ${target.role}`, most: perRole }]),
    ...(perJumpHost === undefined
      ? []
      : (target.jumpHosts ?? []).map((host) => ({ name: `jump host ${host}`, most: perJumpHost }))),
    ...caps.flatMap(({ targets, hosts }, index) =>
      isSelected(targets, target) ? [{ name: `cap ${index}`, most: hosts }] : [],
    ),
  ];
}

/** Are so many failed hosts in a wave of `of` hosts more than the inventory puts up with? */
export function isTooMuch(abortAfter: AbortAfter | undefined, failed: number, of: number): boolean {
  if (abortAfter === undefined) return false;
  return 'failedHosts' in abortAfter ? failed > abortAfter.failedHosts : failed * 100 > abortAfter.percent * of;
}

/** The threshold in words. */
export function thresholdText(abortAfter: AbortAfter): string {
  return 'failedHosts' in abortAfter
    ? `${abortAfter.failedHosts} failed hosts`
    : `${abortAfter.percent} % failed hosts`;
}
