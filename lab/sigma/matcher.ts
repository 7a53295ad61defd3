import type { SigmaEvent } from './event.ts';
import { EventTests } from './event-tests.ts';
import { compileRule, compileScope, holds } from './expression.ts';
import type { CompiledRule, Expression } from './expression.ts';
import type { Problem } from './problem.ts';
import type { SigmaRule } from './rule.ts';
import { scopeOf } from './taxonomy.ts';
import type { Taxonomy } from './taxonomy.ts';

/** A rule that an event matches, and the names of the selections that hold for it. */
export type Match = { readonly rule: SigmaRule; readonly selections: readonly string[] };

/** A rule that cannot be run, and why. */
export type RefusedRule = { readonly rule: SigmaRule; readonly problems: readonly Problem[] };

/** Rules whose log sources put the same condition on events. */
type RuleGroup = { readonly scope: Expression; readonly rules: CompiledRule[] };

/**
 * Prepares rules for matching. Rules that speak of log sources or fields that the taxonomy does not know are not in the
 * matcher: they are in `refused`, with every reason.
 */
export function compileRules(
  rules: readonly SigmaRule[],
  taxonomy: Taxonomy,
): { readonly matcher: Matcher; readonly refused: readonly RefusedRule[] } {
  const tests = new EventTests();
  const groups = new Map<string, RuleGroup>();
  const refused: RefusedRule[] = [];
  for (const rule of rules) {
    const scope = scopeOf(rule, taxonomy);
    const compiled = 'code' in scope ? [scope] : compileRule(rule, scope, tests);
    if ('code' in scope || !('rule' in compiled)) {
      refused.push({ rule, problems: compiled as readonly Problem[] });
      continue;
    }
    const key = JSON.stringify(scope.when);
    const group = groups.get(key) ?? { scope: compileScope(scope, tests), rules: [] };
    groups.set(key, group);
    group.rules.push(compiled);
  }
  return { matcher: new Matcher(tests, [...groups.values()]), refused };
}

/** A set of rules. It keeps nothing between events. */
export class Matcher {
  readonly #tests: EventTests;
  readonly #groups: readonly RuleGroup[];

  constructor(tests: EventTests, groups: readonly RuleGroup[]) {
    this.#tests = tests;
    this.#groups = groups;
  }

  /** The rules that the event matches, in the order in which they were given. */
  match(event: SigmaEvent): readonly Match[] {
    const view = this.#tests.view(event);
    const matches: Match[] = [];
    for (const group of this.#groups) {
      if (!holds(group.scope, view)) continue;
      for (const { rule, condition, selections } of group.rules) {
        if (!holds(condition, view)) continue;
        const held = [...selections].filter(([, expression]) => holds(expression, view)).map(([name]) => name);
        matches.push({ rule, selections: held });
      }
    }
    return matches;
  }
}
