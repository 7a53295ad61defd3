import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ecsTaxonomy } from '../sigma/ecs-taxonomy.ts';
import { compileRules } from '../sigma/matcher.ts';
import type { Matcher } from '../sigma/matcher.ts';
import type { Problem } from '../sigma/problem.ts';
import { parseSigmaRule } from '../sigma/rule.ts';
import type { SigmaRule } from '../sigma/rule.ts';

/** A rule as the SIEM knows it. `id` is the file's name without its ending; `problem` = why it cannot run. */
type KnownRule = {
  readonly id: string;
  readonly uuid?: string;
  readonly name: string;
  readonly problem?: string;
};

/** The rules of a folder (and extra ones), ready to run. */
export type RuleSet = {
  readonly rules: readonly KnownRule[];
  readonly matcher: Matcher;
  /** Changes when any rule does. */
  readonly fingerprint: string;
};

const ending = /\.ya?ml$/;

/** What {@link loadRules} would load, cheaply: names, sizes and times of the files, and the extra texts. */
export function fingerprintOf(folder: string, extra: readonly string[]): string {
  const files = ruleFiles(folder).map((name) => {
    const { size, mtimeMs } = statSync(path.join(folder, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return JSON.stringify([files, extra]);
}

/** Loads and compiles. A rule that cannot be run is known with its problem, and the others run. */
export function loadRules(folder: string, extra: readonly string[]): RuleSet {
  const fingerprint = fingerprintOf(folder, extra);
  const sources = [
    ...ruleFiles(folder).map((name) => ({
      id: name.replace(ending, ''),
      text: readFileSync(path.join(folder, name), 'utf8'),
    })),
    ...extra.map((text, index) => ({ id: `extra-${index + 1}`, text })),
  ];
  const broken: KnownRule[] = [];
  const parsed: SigmaRule[] = [];
  for (const { id, text } of sources) {
    const result = parseSigmaRule(text, id);
    if ('rule' in result) parsed.push(result.rule);
    else broken.push({ id, name: id, problem: explain(result.problems) });
  }
  const { matcher, refused } = compileRules(parsed, ecsTaxonomy);
  const problems = new Map(refused.map(({ rule, problems: reasons }) => [rule.file, explain(reasons)]));
  const known = parsed.map((rule) => {
    const problem = problems.get(rule.file);
    return { id: rule.file, uuid: rule.id, name: rule.title, ...(problem !== undefined && { problem }) };
  });
  return { rules: [...known, ...broken].sort((a, b) => (a.id < b.id ? -1 : 1)), matcher, fingerprint };
}

function ruleFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => ending.test(name))
    .sort();
}

function explain(problems: readonly Problem[]): string {
  return problems
    .map(({ file, line, col, code, found, hint }) => `${file}:${line}:${col} ${code}: ${found}; ${hint}`)
    .join(' · ');
}
