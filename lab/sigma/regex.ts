import type { Refusal } from './problem.ts';

export type RegexFlag = 'i' | 'm' | 's';

/** A compiled `re` value: found anywhere in the text, unless the expression anchors itself. */
export type SigmaRegex = { readonly source: string; readonly flags: string; readonly test: (text: string) => boolean };

/** A rule whose expression is longer is refused. */
export const maxRegexLength = 2000;

export function compileRegex(source: string, flags: ReadonlySet<RegexFlag>): SigmaRegex | Refusal {
  const order = [...flags].sort().join('');
  if (source.length > maxRegexLength) {
    return {
      code: 'SIGMA_WRONG_VALUE',
      found: `a regular expression of ${source.length} characters`,
      hint: `keep it under ${maxRegexLength}`,
    };
  }
  try {
    const compiled = new RegExp(source, order);
    return { source, flags: order, test: (text) => compiled.test(text) };
  } catch (cause) {
    return {
      code: 'SIGMA_WRONG_VALUE',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'correct the regular expression',
    };
  }
}
