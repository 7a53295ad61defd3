import type { Pattern } from './pattern.ts';

/**
 * A value on its way through the encodings: characters, or one character per byte after a UTF-16 modifier, since the
 * bytes need not be text any more.
 */
export type Encoded = { readonly text: string; readonly isBytes: boolean };

const byteOrderMark = '\xff\xfe';

/** UTF-16 as bytes; `withMark` puts the little-endian byte order mark in front (the `utf16` modifier). */
export function utf16(text: string, order: 'le' | 'be', withMark = false): Encoded {
  const bytes = Buffer.from(text, 'utf16le');
  if (order === 'be') bytes.swap16();
  return { text: (withMark ? byteOrderMark : '') + bytes.toString('latin1'), isBytes: true };
}

/**
 * How bytes read as text in an event, which is how a UTF-16 modifier without a Base64 one is meant: `cmd` is looked for
 * with a NUL after each letter. Undefined when they are not ASCII, because then it depends on the log's own decoding.
 */
export function bytesAsText(bytes: string): string | undefined {
  const body = bytes.startsWith(byteOrderMark) ? bytes.slice(byteOrderMark.length) : bytes;
  if (/[^\0-\x7f]/.test(body)) return undefined;
  return body === bytes ? bytes : `\ufeff${body}`;
}

function toBuffer(value: Encoded): Buffer {
  return Buffer.from(value.text, value.isBytes ? 'latin1' : 'utf8');
}

export function base64(value: Encoded): string {
  return toBuffer(value).toString('base64');
}

/**
 * The three forms that a value takes inside a longer Base64 text, depending on where in it the value stands. The
 * characters at both ends that also depend on the neighbouring bytes are cut off.
 */
export function base64Offsets(value: Encoded): readonly string[] {
  const bytes = toBuffer(value);
  return [0, 1, 2].map((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
    const start = Math.ceil((shift * 8) / 6);
    const end = Math.floor((shifted.length * 8) / 6);
    return shifted.toString('base64').slice(start, end);
  });
}

/** The characters that Windows programs take for each other in front of an option (Sigma modifiers appendix 2.1.0). */
const dashes = ['-', '/', '–', '—', '―'];
const optionDash = /(?<![\p{L}\p{N}_])[-/–—―](?=[\p{L}\p{N}_])/gu;

/** A value with more option dashes than this is refused: each multiplies the number of texts to look for by five. */
export const maxWindashes = 3;

/** Every way to write the pattern with other option dashes; undefined when it has more than `maxWindashes`. */
export function windash(pattern: Pattern): readonly Pattern[] | undefined {
  const found = pattern.reduce(
    (sum, part) => sum + ('text' in part ? (part.text.match(optionDash) ?? []).length : 0),
    0,
  );
  if (found > maxWindashes) return undefined;
  let ways: Pattern[] = [[]];
  for (const part of pattern) {
    const forms = 'text' in part ? rewritten(part.text).map((text) => ({ text })) : [part];
    ways = ways.flatMap((way) => forms.map((form) => [...way, form]));
  }
  return ways;
}

function rewritten(text: string): readonly string[] {
  const pieces: string[] = [];
  let from = 0;
  for (const { index } of text.matchAll(optionDash)) {
    pieces.push(text.slice(from, index));
    from = index + 1;
  }
  return pieces.reduceRight<string[]>(
    (tails, piece) => dashes.flatMap((dash) => tails.map((tail) => piece + dash + tail)),
    [text.slice(from)],
  );
}
