/** A piece of a Sigma string: plain text, or a wildcard (`*` any text, `?` exactly one character). */
export type Part = { readonly text: string } | { readonly wild: '*' | '?' };
export type Pattern = readonly Part[];

export const anyText: Part = { wild: '*' };

/**
 * Reads a Sigma string. A backslash escapes `*`, `?` and itself; before anything else, and at the end, it is a plain
 * backslash (Sigma rules specification 2.0.0, "Escaping").
 */
export function parsePattern(raw: string): Pattern {
  const parts: Part[] = [];
  let text = '';
  for (let i = 0; i < raw.length; i++) {
    const char = raw.charAt(i);
    const next = raw.charAt(i + 1);
    if (char === '\\' && (next === '*' || next === '?' || next === '\\')) {
      text += next;
      i++;
    } else if (char === '*' || char === '?') {
      if (text !== '') parts.push({ text });
      text = '';
      parts.push({ wild: char });
    } else {
      text += char;
    }
  }
  if (text !== '') parts.push({ text });
  return parts;
}

/** The inverse of `parsePattern` for a text that is to be taken literally. */
export function escapeLiteral(text: string): string {
  return text.replace(/[*?\\]/g, '\\$&');
}

/** The text of a pattern without wildcards; undefined when it has any. */
export function plainText(pattern: Pattern): string | undefined {
  let plain = '';
  for (const part of pattern) {
    if ('wild' in part) return undefined;
    plain += part.text;
  }
  return plain;
}

/**
 * The form in which texts are compared when case does not count. The final sigma is folded too, because lower-casing
 * picks it by position and a piece of a text would then differ from the same piece in the whole text.
 */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  return lower.includes('ς') ? lower.replaceAll('ς', 'σ') : lower;
}

export function mapText(pattern: Pattern, change: (text: string) => string): Pattern {
  return pattern.map((part) => ('wild' in part ? part : { text: change(part.text) }));
}

/** Compiles a pattern to a test of the whole text. Fold both the pattern and the text when case does not count. */
export function compilePattern(pattern: Pattern): (text: string) => boolean {
  if (pattern.some((part) => 'wild' in part && part.wild === '?')) return singleCharacterTest(pattern);
  const plain = plainText(pattern);
  if (plain !== undefined) return (text) => text === plain;
  const pieces = pattern.flatMap((part) => ('text' in part ? [part.text] : []));
  const opensWild = pattern[0] !== undefined && 'wild' in pattern[0];
  const last = pattern.at(-1);
  const endsWild = last !== undefined && 'wild' in last;
  const head = opensWild ? '' : (pieces.shift() ?? '');
  const tail = endsWild ? '' : (pieces.pop() ?? '');
  if (pieces.length === 0) {
    if (tail === '') return (text) => text.startsWith(head);
    if (head === '') return (text) => text.endsWith(tail);
  }
  const [only] = pieces;
  if (head === '' && tail === '' && pieces.length === 1 && only !== undefined) return (text) => text.includes(only);
  return (text) => {
    if (!text.startsWith(head) || !text.endsWith(tail)) return false;
    let from = head.length;
    for (const piece of pieces) {
      const at = text.indexOf(piece, from);
      if (at < 0) return false;
      from = at + piece.length;
    }
    // What the pieces took must not be needed for the tail as well.
    return from <= text.length - tail.length;
  };
}

/** With `?` in it, a pattern is compared by whole characters, so that one outside the basic plane counts once. */
function singleCharacterTest(pattern: Pattern): (text: string) => boolean {
  const wanted: (string | Part)[] = pattern.flatMap((part): (string | Part)[] =>
    'wild' in part ? [part] : Array.from(part.text),
  );
  const isStar = (at: number): boolean => wanted[at] === anyText || isWild(wanted[at], '*');
  return (text) => {
    const characters = Array.from(text);
    let want = 0;
    let have = 0;
    let starAt = -1;
    let starTook = 0;
    while (have < characters.length) {
      if (isStar(want)) {
        starAt = want++;
        starTook = have;
      } else if (want < wanted.length && (isWild(wanted[want], '?') || wanted[want] === characters[have])) {
        want++;
        have++;
      } else if (starAt >= 0) {
        want = starAt + 1;
        have = ++starTook;
      } else {
        return false;
      }
    }
    while (isStar(want)) want++;
    return want === wanted.length;
  };
}

function isWild(part: string | Part | undefined, wild: '*' | '?'): boolean {
  return typeof part === 'object' && 'wild' in part && part.wild === wild;
}
