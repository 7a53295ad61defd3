import { createHash } from 'node:crypto';
import { glob } from '../domain/glob.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Scenario } from '../domain/scenario.ts';
import { type Loaded, loaded, type Problem, shown, suggest } from './problem.ts';

/** What a term may speak of: `key:value`. A term without a key speaks of the id. */
type Keys<T> = Readonly<Record<string, (item: T) => readonly string[]>>;

const targetKeys: Keys<Target> = {
  id: ({ id }) => [id],
  group: ({ groups }) => groups,
  role: ({ role }) => [role],
  platform: ({ platform }) => [platform],
  zone: ({ zone }) => [zone],
  owner: ({ owner }) => [owner],
  criticality: ({ criticality }) => [criticality],
  fidelity: ({ fidelity }) => [fidelity],
};

const scenarioKeys: Keys<Scenario> = {
  id: ({ id }) => [id],
  purpose: ({ purpose }) => [purpose],
  element: ({ element }) => (element === undefined ? [] : [element]),
  analytic: ({ analytic }) => [analytic],
  platform: ({ platform }) => [platform],
  source: ({ expect }) => expect.event.sources,
};

/**
 * `--targets`: terms with commas between them. A term is an id or `group:`, `role:`, `platform:`, `zone:`, `owner:`,
 * `criticality:`, `fidelity:` with a value, each with `*` for any text; `!` or `-` before it takes away. Without a term that
 * adds, everything is meant. `sample:N` keeps N of what is selected, the same ones for the same `seed`. Order is the
 * inventory's. A term that matches nothing is a slip and is refused, and so is a selection of nothing.
 */
export function selectTargets(inventory: Inventory, expression: string, seed: string): Loaded<readonly Target[]> {
  return select('--targets', inventory.targets, expression, targetKeys, seed);
}

/** `--scenarios`: as {@link selectTargets}, by id, `purpose:`, `element:`, `analytic:`, `platform:`, `source:`. */
export function selectScenarios(scenarios: readonly Scenario[], expression: string): Loaded<readonly Scenario[]> {
  return select('--scenarios', scenarios, expression, scenarioKeys, undefined);
}

type Term = { readonly col: number; readonly takesAway: boolean; readonly key: string; readonly value: string };

function select<T extends { readonly id: string }>(
  option: string,
  items: readonly T[],
  expression: string,
  keys: Keys<T>,
  seed: string | undefined,
): Loaded<readonly T[]> {
  const problems: Problem[] = [];
  const report = (col: number, code: string, found: string, hint: string): void => {
    problems.push({ file: option, line: 1, col, code, found, hint });
  };
  let size: number | undefined;
  const adding = new Set<T>();
  const takingAway = new Set<T>();
  let adds = false;
  for (const term of terms(expression)) {
    if (term.key === 'sample') {
      if (seed === undefined || !/^[1-9]\d{0,5}$/.test(term.value) || term.takesAway || size !== undefined)
        report(term.col, 'SELECT_SAMPLE', shown(term.value), 'write sample:N once, for targets, with a number from 1');
      else size = Number(term.value);
      continue;
    }
    const valueOf = Object.hasOwn(keys, term.key) ? keys[term.key] : undefined;
    if (valueOf === undefined) {
      report(term.col, 'SELECT_UNKNOWN_KEY', `unknown key ${shown(term.key)}`, suggest(term.key, Object.keys(keys)));
      continue;
    }
    const isMatch = (item: T): boolean => valueOf(item).some((value) => glob(term.value, value));
    const matching = isPattern(term.value) ? items.filter(isMatch) : [];
    if (matching.length === 0)
      report(
        term.col,
        'SELECT_NO_MATCH',
        `${term.key} ${shown(term.value)} matches nothing`,
        suggest(term.value, new Set(items.flatMap(valueOf))),
      );
    adds ||= !term.takesAway;
    for (const item of matching) (term.takesAway ? takingAway : adding).add(item);
  }
  const selected = items.filter((item) => (adding.has(item) || !adds) && !takingAway.has(item));
  if (selected.length === 0 && problems.length === 0)
    report(1, 'SELECT_NOTHING', `${shown(expression)} selects nothing`, 'take fewer away');
  return loaded(size === undefined ? selected : sample(selected, size, seed ?? ''), problems);
}

/** A few stars are enough, and many would be slow to match. */
function isPattern(value: string): boolean {
  return value.length <= 300 && value.split('*').length <= 5;
}

function terms(expression: string): readonly Term[] {
  let col = 1;
  return expression.split(',').flatMap((part): Term[] => {
    const at = col + part.length - part.trimStart().length;
    col += part.length + 1;
    const text = part.trim();
    if (text === '') return [];
    const takesAway = text.startsWith('!') || text.startsWith('-');
    const bare = takesAway ? text.slice(1).trim() : text;
    const colon = bare.indexOf(':');
    const isKey = colon > 0 && /^[a-z]+$/.test(bare.slice(0, colon));
    if (!isKey) return [{ col: at, takesAway, key: 'id', value: bare }];
    return [{ col: at, takesAway, key: bare.slice(0, colon), value: bare.slice(colon + 1).trim() }];
  });
}

/** The `size` items whose id and seed together hash lowest: who else is in the inventory does not decide between two of them. */
function sample<T extends { readonly id: string }>(items: readonly T[], size: number, seed: string): readonly T[] {
  const rank = new Map(items.map((item) => [item, createHash('sha256').update(`${seed}\n${item.id}`).digest('hex')]));
  const chosen = new Set(items.toSorted((a, b) => ((rank.get(a) ?? '') < (rank.get(b) ?? '') ? -1 : 1)).slice(0, size));
  return items.filter((item) => chosen.has(item));
}
