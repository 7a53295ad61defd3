/** Letters of East Asian scripts, full-width forms and emoji take two columns of a terminal, combining marks none. */
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;
const mark = /\p{M}/u;

function columnsOf(character: string): number {
  return mark.test(character) ? 0 : wide.test(character) ? 2 : 1;
}

/** Columns that `text` takes in a terminal. It holds no control characters. */
export function columns(text: string): number {
  return Array.from(text).reduce((sum, character) => sum + columnsOf(character), 0);
}

/** `text` in exactly `width` columns: filled up with spaces, or cut with `...` at its end. */
export function fit(text: string, width: number): string {
  const taken = columns(text);
  return taken <= width ? text + ' '.repeat(width - taken) : clip(text, width);
}

function clip(text: string, width: number): string {
  const dots = '.'.repeat(Math.min(3, width));
  let kept = '';
  let used = dots.length;
  for (const character of text) {
    used += columnsOf(character);
    if (used > width) break;
    kept += character;
  }
  const result = kept + dots;
  return result + ' '.repeat(Math.max(0, width - columns(result)));
}

/** Words of `text` on lines of at most `width` columns; a longer word is broken. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((one) => pieces(one, width))) {
    if (line !== '' && columns(line) + 1 + columns(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

function pieces(word: string, width: number): readonly string[] {
  const parts: string[] = [];
  let part = '';
  for (const character of word) {
    if (part !== '' && columns(part) + columnsOf(character) > width) {
      parts.push(part);
      part = '';
    }
    part += character;
  }
  return [...parts, part];
}
