import { dirname, join, resolve } from 'node:path';
import type { AttackFacts } from '../domain/attack.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Scenario } from '../domain/scenario.ts';
import { loadAttack } from '../load/attack.ts';
import { loadInventory } from '../load/inventory.ts';
import type { Loaded, Problem } from '../load/problem.ts';
import { loadScenarios, readLibrary } from '../load/scenarios.ts';
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

/** The targets and scenarios that the user's expressions choose; without one, all. */
export function choose(
  material: Material,
  options: { readonly targets?: string; readonly scenarios?: string },
  seed: string,
): { readonly targets: readonly Target[]; readonly scenarios: readonly Scenario[] } {
  const { inventory, scenarios } = material;
  const chosenTargets = options.targets === undefined ? undefined : selectTargets(inventory, options.targets, seed);
  const chosenScenarios = options.scenarios === undefined ? undefined : selectScenarios(scenarios, options.scenarios);
  const problems = [chosenTargets, chosenScenarios].flatMap((chosen) =>
    chosen?.is === 'refused' ? chosen.problems : [],
  );
  if (problems.length > 0) throw new BadInput(problems);
  const picked = chosenScenarios?.is === 'loaded' ? chosenScenarios.value : scenarios;
  // A chosen emulation or twin without its controls could prove nothing.
  const controls = scenarios.filter(({ purpose, id }) => purpose === 'control' && !picked.some((one) => one.id === id));
  return {
    targets: chosenTargets?.is === 'loaded' ? chosenTargets.value : inventory.targets,
    scenarios: [...picked, ...controls],
  };
}

/** Folder that relative paths of an inventory are relative to. */
export function folderOf(inventoryFile: string): string {
  return dirname(resolve(inventoryFile));
}
