import type { SigmaEvent } from './event.ts';
import { EventTests } from './event-tests.ts';
import type { EventView } from './event-tests.ts';
import { compileRule, holds } from './expression.ts';
import type { CompiledRule, Expression, RefusedRule } from './expression.ts';
import { LiteralIndex } from './literal-index.ts';
import { requiredLiterals } from './literals.ts';
import type { SigmaRule } from './rule.ts';
import type { Taxonomy } from './taxonomy.ts';

/** A rule that an event matches, and the names of the selections that hold for it. */
export type Match = { readonly rule: SigmaRule; readonly selections: readonly string[] };

/** Rules whose log sources put the same condition on events. */
type RuleGroup = { readonly scope: Expression; readonly rules: readonly CompiledRule[]; readonly index: LiteralIndex };

/**
 * Prepares rules for matching. Rules that speak of log sources or fields that the taxonomy does not know are not in the
 * matcher: they are in `refused`, with every reason.
 */
export function compileRules(
  rules: readonly SigmaRule[],
  taxonomy: Taxonomy,
): { readonly matcher: Matcher; readonly refused: readonly RefusedRule[] } {
  const tests = new EventTests();
  const groups = new Map<string, { scope: Expression; rules: CompiledRule[] }>();
  const refused: RefusedRule[] = [];
  for (const rule of rules) {
    const compiled = compileRule(rule, taxonomy, tests);
    if ('problems' in compiled) {
      refused.push(compiled);
      continue;
    }
    const key = JSON.stringify(compiled.scope);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { scope: compiled.scope, rules: [compiled] });
    else group.rules.push(compiled);
  }
  const indexed = [...groups.values()].map((group) => ({
    ...group,
    index: new LiteralIndex(group.rules.map(({ condition }) => requiredLiterals(condition))),
  }));
  return { matcher: new Matcher(rules, tests.view(), indexed), refused };
}

/** A set of rules. What it says of an event does not depend on the events before. */
export class Matcher {
  readonly #order: ReadonlyMap<SigmaRule, number>;
  readonly #view: EventView;
  readonly #groups: readonly RuleGroup[];

  constructor(rules: readonly SigmaRule[], view: EventView, groups: readonly RuleGroup[]) {
    this.#order = new Map(rules.map((rule, position) => [rule, position]));
    this.#view = view;
    this.#groups = groups;
  }

  /** The rules that the event matches, in the order in which they were given. */
  match(event: SigmaEvent): readonly Match[] {
    const view = this.#view;
    view.show(event);
    const matches: Match[] = [];
    for (const { scope, rules, index } of this.#groups) {
      if (!holds(scope, view)) continue;
      for (const position of index.candidates(view)) {
        const compiled = rules[position];
        if (compiled !== undefined && holds(compiled.condition, view)) matches.push(matchOf(compiled, view));
      }
    }
    return matches.sort((a, b) => this.#positionOf(a) - this.#positionOf(b));
  }

  #positionOf({ rule }: Match): number {
    return this.#order.get(rule) ?? 0;
  }
}

function matchOf({ rule, selections }: CompiledRule, view: EventView): Match {
  const held = [...selections].filter(([, expression]) => holds(expression, view));
  return { rule, selections: held.map(([name]) => name) };
}
