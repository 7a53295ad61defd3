import { dirname, join, resolve } from 'node:path';
import type { AttackFacts } from '../domain/attack.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Scenario } from '../domain/scenario.ts';
import { loadAttack } from '../load/attack.ts';
import { loadInventory } from '../load/inventory.ts';
import type { Loaded, Problem } from '../load/problem.ts';
import { loadScenarios, readLibrary } from '../load/scenarios.ts';
import { type SampleRule, sampleRule, sampleTargets } from '../load/sample.ts';
import { selectScenarios, selectTargets } from '../load/select.ts';
import { type App, BadInput } from './app.ts';

export type LibraryOptions = { readonly inventory: string; readonly library?: string };

/** What was loaded of the user's files. */
export type Material = {
  readonly attack: AttackFacts;
  readonly scenarios: readonly Scenario[];
  readonly inventory: Inventory;
  /** Folder that scenarios and payloads are from. */
  readonly library: string;
  /** Ids of the rules that detproof ships. */
  readonly referenceRules: ReadonlySet<string>;
};

/** Loads everything; all problems of all files are thrown together. */
export async function loadMaterial(app: App, options: LibraryOptions): Promise<Material> {
  const problems: Problem[] = [];
  const take = <T>(loaded: Loaded<T>): T | undefined => {
    if (loaded.is === 'loaded') return loaded.value;
    problems.push(...loaded.problems);
    return undefined;
  };
  const folder = options.library ?? app.library;
  const attack = take(await loadAttack(join(app.library, 'attack')));
  const library = await readLibrary(folder);
  const scenarios = attack === undefined ? undefined : take(await loadScenarios(folder, attack, library));
  const inventory = take(
    await loadInventory(options.inventory, app.plugins, {
      ...(scenarios === undefined ? {} : { scenarios: scenarios.map(({ id }) => id) }),
      ...(attack === undefined ? {} : { sources: sourcesOf(attack) }),
    }),
  );
  if (attack === undefined || scenarios === undefined || inventory === undefined) throw new BadInput(problems);
  return { attack, scenarios, inventory, library: folder, referenceRules: (await readLibrary(app.library)).detections };
}

function sourcesOf(attack: AttackFacts): readonly string[] {
  return attack.analytics.flatMap(({ logSources, supplementary }) =>
    [...logSources, ...supplementary].map(({ ref }) => ref),
  );
}

export type Choice = {
  readonly targets?: string;
  readonly scenarios?: string;
  /** A number, or `all`, which sets aside what the inventory says. */
  readonly sample?: string;
  readonly seed?: string;
};

/**
 * The targets and scenarios that the user's expressions choose; without one, all. Of the targets then a sample, when the inventory
 * or the command line asks for one; `scope` is what it was taken from.
 */
export function choose(
  material: Material,
  options: Choice,
  runId: string,
): {
  readonly targets: readonly Target[];
  readonly scenarios: readonly Scenario[];
  readonly sample?: { readonly rule: SampleRule; readonly scope: readonly Target[] };
} {
  const { inventory, scenarios } = material;
  const chosenTargets = options.targets === undefined ? undefined : selectTargets(inventory, options.targets);
  const chosenScenarios = options.scenarios === undefined ? undefined : selectScenarios(scenarios, options.scenarios);
  const rule = sampleRule(inventory, options, runId);
  const problems = [chosenTargets, chosenScenarios, rule].flatMap((chosen) =>
    chosen?.is === 'refused' ? chosen.problems : [],
  );
  if (problems.length > 0) throw new BadInput(problems);
  const picked = chosenScenarios?.is === 'loaded' ? chosenScenarios.value : scenarios;
  // A chosen emulation or twin without its controls could prove nothing.
  const platforms = new Set(picked.map(({ platform }) => platform));
  const controls = scenarios.filter(
    ({ purpose, id, platform }) =>
      purpose === 'control' && platforms.has(platform) && !picked.some((one) => one.id === id),
  );
  const scope = chosenTargets?.is === 'loaded' ? chosenTargets.value : inventory.targets;
  const sample = rule.is === 'loaded' && rule.value !== undefined ? { rule: rule.value, scope } : undefined;
  return {
    targets: sample === undefined ? scope : sampleTargets(scope, sample.rule),
    scenarios: [...picked, ...controls],
    ...(sample !== undefined && { sample }),
  };
}

/** The targets to look at: all that the user's expression means. A sample is for what is executed, and would hide the others here. */
export function chosenTargets(material: Material, { targets }: Choice): readonly Target[] {
  return choose(material, { sample: 'all', ...(targets !== undefined && { targets }) }, '').targets;
}

/** Folder that relative paths of an inventory are relative to. */
export function folderOf(inventoryFile: string): string {
  return dirname(resolve(inventoryFile));
}
