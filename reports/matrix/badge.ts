import { type ShownVerdict, verdictWords } from '../shared/words.ts';

/** A verdict as the page draws it: icon, word and class together, so that colour is never alone. */
export type Badge = { readonly verdict: ShownVerdict; readonly word: string; readonly meaning: string };

export function badge(verdict: ShownVerdict): Badge {
  const { word, meaning } = verdictWords[verdict];
  return { verdict, word, meaning };
}
