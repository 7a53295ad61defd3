/**
 * Characters that act instead of being seen: controls (ANSI escapes among them), format characters (bidirectional
 * overrides, zero-width ones, tags), line and paragraph separators, private use, halves of a pair, non-characters;
 * and combining marks beyond the fourth in a row, which would paint over the lines around them.
 */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]|(?<=\p{M}{4})\p{M}/gu;

const short = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function escaped(character: string): string {
  const known = short.get(character);
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** 1234567 → `1,234,567`, whatever the locale of the machine. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/**
 * Text of a host or a SIEM as a person may safely see it, on one line: whatever acts is written out (`\x1b`, `\u202e`),
 * and what is longer than `limit` UTF-16 units is cut, with a note that says how much is missing.
 */
export function visible(text: string, limit = 600): string {
  return cut(text, limit).replace(acting, escaped);
}

/** The same for a block of text: line feeds and tabs stay. */
export function visibleBlock(text: string, limit = 20_000): string {
  return cut(text, limit)
    .replace(/\r\n/g, '\n')
    .replace(acting, (character) => (character === '\n' || character === '\t' ? character : escaped(character)));
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const kept = text.slice(0, limit).replace(/[\ud800-\udbff]$/, '');
  return `${kept} … [cut: ${grouped(text.length - kept.length)} more characters]`;
}

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['`', '&#96;'],
]);

/** Safe in HTML text and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => entities.get(character) ?? character);
}
