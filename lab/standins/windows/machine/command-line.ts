/** Splits a command line into arguments by the rules of the Microsoft C runtime (2008 and later: `""` inside quotes is a quote). */
export function splitLine(line: string): readonly string[] {
  const words: string[] = [];
  // The program's name knows quotes, but no backslashes.
  const name = /^\s*(?:"([^"]*)"?|(\S*))/.exec(line);
  if (name === null || line.trim() === '') return [];
  words.push(name[1] ?? name[2] ?? '');
  let at = name[0].length;
  while (at < line.length) {
    while (/\s/.test(line[at] ?? '')) at += 1;
    if (at >= line.length) break;
    let [word, quoted] = ['', false];
    for (; at < line.length && (quoted || !/\s/.test(line[at] ?? '')); at += 1) {
      const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
      if (slashes > 0 && line[at + slashes] === '"') {
        word += '\\'.repeat(Math.floor(slashes / 2));
        at += slashes;
        if (slashes % 2 === 1) word += '"';
        else at -= 1;
      } else if (slashes > 0) {
        word += '\\'.repeat(slashes);
        at += slashes - 1;
      } else if (line[at] === '"') {
        if (quoted && line[at + 1] === '"') {
          word += '"';
          at += 1;
        } else quoted = !quoted;
      } else word += line[at] ?? '';
    }
    words.push(word);
  }
  return words;
}

/** Quotes one argument so that {@link splitLine} gives it back. */
export function quoteArgument(text: string): string {
  if (text !== '' && !/[\s"]/.test(text)) return text;
  return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
