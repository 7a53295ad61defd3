/**
 * Does `text` match `pattern` as a whole? `*` stands for any text, slashes included; every other character for itself. Takes
 * the leftmost place for each part between two stars, so its time grows with the lengths only.
 */
export function glob(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let from = first.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return from <= end;
}
