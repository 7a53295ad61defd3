import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ecsTaxonomy } from '../../lab/sigma/ecs-taxonomy.ts';
import { compileRules, type Matcher } from '../../lab/sigma/matcher.ts';
import { parseSigmaRule, type SigmaRule } from '../../lab/sigma/rule.ts';
import type { Expectation, PythonStep, Scenario } from '../../runner/domain/scenario.ts';
import { loadAttack } from '../../runner/load/attack.ts';
import { formatProblem } from '../../runner/load/problem.ts';
import { loadScenarios, readLibrary } from '../../runner/load/scenarios.ts';

export const scenariosFolder = join(import.meta.dirname, '../../scenarios');
export const rulesFolder = join(scenariosFolder, 'detections');

/** The shipped scenarios, as the runner loads them. Throws with every problem that they have. */
export async function shippedScenarios(): Promise<readonly Scenario[]> {
  const attack = await loadAttack(join(scenariosFolder, 'attack'));
  if (attack.is === 'refused') throw new Error(attack.problems.map(formatProblem).join('\n'));
  const scenarios = await loadScenarios(scenariosFolder, attack.value, await readLibrary(scenariosFolder));
  if (scenarios.is === 'refused') throw new Error(scenarios.problems.map(formatProblem).join('\n'));
  return scenarios.value;
}

/** A scenario in its plain form, or one of its variants. */
export type Form = {
  /** `linux/web-request`, or with a variant `linux/web-request@invocation=-c`. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly steps: readonly PythonStep[];
  readonly expect: Expectation;
};

export function formsOf(scenarios: readonly Scenario[]): readonly Form[] {
  return scenarios.flatMap((scenario) => [
    { name: scenario.id, scenario, steps: scenario.steps, expect: scenario.expect },
    ...scenario.variants.map(({ name, steps, expect }) => ({
      name: `${scenario.id}@${name}`,
      scenario,
      steps,
      expect,
    })),
  ]);
}

/** The shipped rules, by the name that scenarios use. Throws with every problem that they have. */
export function referenceRules(): readonly SigmaRule[] {
  return readdirSync(rulesFolder).map((file) =>
    readRule(readFileSync(join(rulesFolder, file), 'utf8'), basename(file, '.yml')),
  );
}

export function readRule(text: string, name: string): SigmaRule {
  const read = parseSigmaRule(text, name);
  if ('problems' in read) throw new Error(JSON.stringify(read.problems, undefined, 2));
  return read.rule;
}

/** Throws when the lab's SIEM could not run one of them. */
export function matcherOf(rules: readonly SigmaRule[]): Matcher {
  const { matcher, refused } = compileRules(rules, ecsTaxonomy);
  if (refused.length > 0) throw new Error(JSON.stringify(refused.map(({ problems }) => problems)));
  return matcher;
}

/** Not of those that fire on how a host is reached, whatever is then run there. */
export function isAboutPython({ tags }: SigmaRule): boolean {
  return !tags.some((tag) => tag.startsWith('attack.t1021'));
}
