import type { Refusal } from './problem.ts';
import { RegexAutomaton } from './regex-automaton.ts';
import { compileProgram } from './regex-program.ts';
import { parseRegex, RegexSyntaxError } from './regex-syntax.ts';
import type { RegexFlag, RegexNode } from './regex-syntax.ts';

/** A compiled `re` value: found anywhere in the text, unless the expression anchors itself. */
export type SigmaRegex = {
  readonly source: string;
  readonly flags: string;
  readonly syntax: RegexNode;
  /** Takes time linear in the length of the text. */
  readonly test: (text: string) => boolean;
};

/** A rule with a longer expression is refused. */
const maxRegexLength = 2000;

/** Compiles an expression, or says why it cannot be used. Case counts, unless a flag says otherwise. */
export function compileRegex(source: string, flags: ReadonlySet<RegexFlag>): SigmaRegex | Refusal {
  if (source.length > maxRegexLength) {
    const found = `a regular expression of ${source.length} characters`;
    return { code: 'SIGMA_WRONG_VALUE', found, hint: `keep it to ${maxRegexLength} characters` };
  }
  try {
    const syntax = parseRegex(source, flags);
    const automaton = new RegexAutomaton(compileProgram(syntax));
    return { source, flags: [...flags].sort().join(''), syntax, test: (text) => automaton.test(text) };
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    const hint = 'use . ^ $ * + ? {n,m} [a-z] ( ) | and \\d \\w \\s \\b only, and say the rest in the condition';
    return { code: 'SIGMA_WRONG_VALUE', found: `a regular expression with ${error.message}`, hint };
  }
}
