export type Paint = (text: string) => string;

/** ANSI styles (ECMA-48, SGR) around words, or none. They are never the only carrier of a meaning. */
export type Paints = { readonly bold: Paint; readonly dim: Paint; readonly bad: Paint; readonly unsure: Paint };

export function paints(color: boolean): Paints {
  const style =
    (on: number, off: number): Paint =>
    (text) =>
      color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { bold: style(1, 22), dim: style(2, 22), bad: style(31, 39), unsure: style(33, 39) };
}
