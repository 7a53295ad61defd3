import type { Inventory, Target } from '../domain/inventory.ts';
import type { Scenario } from '../domain/scenario.ts';
import { type Fields, matches, targetFields } from '../domain/selector.ts';
import { type Loaded, loaded, type Problem, shown, suggest } from './problem.ts';
import { type Fault, readSelector, type Term } from './selector.ts';

const scenarioFields: Fields<Scenario> = {
  id: ({ id }) => [id],
  purpose: ({ purpose }) => [purpose],
  element: ({ element }) => (element === undefined ? [] : [element]),
  analytic: ({ analytic }) => [analytic],
  platform: ({ platform }) => [platform],
  channel: ({ channel }) => [channel],
  source: ({ expect }) => expect.event.sources,
};

/**
 * `--targets`: an expression over id, platform, group, role, zone, owner, criticality, fidelity and transport. The order is the
 * inventory's. A pattern that matches nothing is a slip and is refused, and so is a selection of nothing.
 */
export function selectTargets(inventory: Inventory, expression: string): Loaded<readonly Target[]> {
  return select('--targets', inventory.targets, expression, targetFields);
}

/** `--scenarios`: as {@link selectTargets}, over id, purpose, element, analytic, platform, channel and source. */
export function selectScenarios(scenarios: readonly Scenario[], expression: string): Loaded<readonly Scenario[]> {
  return select('--scenarios', scenarios, expression, scenarioFields);
}

function select<T>(option: string, items: readonly T[], expression: string, fields: Fields<T>): Loaded<readonly T[]> {
  const problem = (fault: Fault): Problem => ({ file: option, line: 1, ...fault });
  const read = readSelector(expression, Object.keys(fields));
  if (read.is === 'wrong') return loaded<readonly T[]>(undefined, read.faults.map(problem));
  const unmatched = read.terms.flatMap((term) => noMatch(term, items, fields) ?? []);
  if (unmatched.length > 0) return loaded<readonly T[]>(undefined, unmatched.map(problem));
  const selected = items.filter((item) => matches(read.selector.condition, item, fields));
  const nothing: Fault = {
    col: 1,
    code: 'SELECT_NOTHING',
    found: `${shown(expression)} selects nothing`,
    hint: 'each part matches something, but nothing matches all of it: loosen it',
  };
  return loaded(selected, selected.length === 0 ? [problem(nothing)] : []);
}

/** What is wrong with a pattern that matches none of these, or undefined. */
export function noMatch<T>({ col, field, pattern }: Term, items: readonly T[], fields: Fields<T>): Fault | undefined {
  if (items.some((item) => matches({ is: 'one-of', field, patterns: [pattern] }, item, fields))) return undefined;
  const older = /^([!-]?)([a-z]+):(.+)$/.exec(pattern);
  const hint =
    field === 'id' && older !== null && fields[older[2] ?? ''] !== undefined
      ? `write ${older[1] === '' ? '' : 'not '}${older[2] ?? ''}=${older[3] ?? ''}`
      : field === 'id' && pattern.startsWith('-')
        ? `write not ${pattern.slice(1)}`
        : suggest(pattern, new Set(items.flatMap((item) => fields[field]?.(item) ?? [])));
  return { col, code: 'SELECT_NO_MATCH', found: `${field} ${shown(pattern)} matches nothing`, hint };
}
