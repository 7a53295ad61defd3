const indentAtMost = 12;

/**
 * JSON, or JSON lines, with line breaks and indentation between its tokens; undefined when the text is neither. The
 * tokens stay as they are: parsing and printing again would round long numbers and drop repeated names, and evidence
 * must not be changed.
 */
export function layOut(text: string): string | undefined {
  const whole = isJson(text) ? [text] : text.split('\n').filter((line) => line.trim() !== '');
  if (whole.length === 0 || !whole.every((part) => /^\s*[[{]/.test(part) && isJson(part))) return undefined;
  return whole.map(indent).join('\n');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `json` is known to be valid, so a token is a string, punctuation, or a run of anything else. */
function indent(json: string): string {
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g) ?? [];
  let out = '';
  let depth = 0;
  const newLine = (): string => `\n${'  '.repeat(Math.min(depth, indentAtMost))}`;
  tokens.forEach((token, index) => {
    const before = tokens[index - 1];
    const empty = before === '{' || before === '[';
    if (token === '}' || token === ']') {
      depth -= 1;
      out += empty ? token : newLine() + token;
      return;
    }
    if (empty || before === ',') out += newLine();
    out += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth += 1;
  });
  return out;
}
