import type { Platform } from '../domain/attack.ts';
import type { Plan } from '../domain/plan.ts';
import { checkValue } from './check.ts';
import { readJsonFile } from './json-file.ts';
import { type Loaded, loaded, type Problem } from './problem.ts';
import { type Report, reportOn } from './report-at.ts';
import { planSchema } from './schema/plan.ts';
import type { SourceFile } from './source-file.ts';
import { checkArguments, checkCreates, checkInvocation, checkPlaces } from './step-checks.ts';

/** A plan of 100,000 executions has some 200 MB. */
const maxBytes = 268_435_456;

/**
 * Reads `plan.json`. A plan may have been written on another machine, and what it says is created is removed recursively:
 * its paths and steps are held against the same rules as a scenario's.
 */
export async function loadPlan(file: string): Promise<Loaded<Plan>> {
  const { source, problems } = await readJsonFile(file, maxBytes);
  if (source === undefined) return loaded<Plan>(undefined, problems);
  const checked = checkValue(source, [], planSchema, source.value);
  const own = checked.value === undefined ? [] : planProblems(source, checked.value);
  return loaded<Plan>(checked.value, [...problems, ...checked.problems, ...own]);
}

function planProblems(source: SourceFile, plan: Plan): readonly Problem[] {
  const { report, problems } = reportOn(source);
  const ids = new Set<string>();
  for (const [index, execution] of plan.executions.entries()) {
    const within: Report = (path, ...rest) => {
      report(['executions', index, ...path], ...rest);
    };
    if (ids.has(execution.id))
      within(['id'], 'PLAN_DUPLICATE', 'a second execution with this id', 'write the plan anew');
    ids.add(execution.id);
    const platform = platformOf(execution.scenario);
    if (platform === undefined) {
      within(['scenario'], 'PLAN_SCENARIO', 'a scenario of no known platform', 'write the plan anew');
      continue;
    }
    const place = { creates: execution.creates, platform };
    checkCreates(place, within);
    for (const [position, step] of execution.steps.entries()) {
      checkArguments(step, ['steps', position], within);
      checkPlaces(step, ['steps', position], place, within);
      checkInvocation(step, ['steps', position], within);
    }
  }
  return problems;
}

/** A scenario's id begins with the folder of its platform. */
function platformOf(scenario: string): Platform | undefined {
  const platforms: readonly Platform[] = ['windows', 'macos', 'linux', 'esxi'];
  return platforms.find((platform) => scenario.startsWith(`${platform}/`));
}
