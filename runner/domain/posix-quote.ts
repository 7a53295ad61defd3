/**
 * One word of a POSIX shell command (IEEE Std 1003.1, XCU 2.2.2): single quotes keep every byte but the single quote.
 * `=ls` is quoted for zsh, where it means the path of ls.
 * Throws RangeError for NUL, which no argument can hold.
 */
export function posixQuote(word: string): string {
  if (word.includes('\0')) throw new RangeError('an argument cannot hold a NUL byte');
  return /^(?!=)[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A whole command line, no word of which is interpreted. */
export function posixCommandLine(argv: readonly string[]): string {
  return argv.map(posixQuote).join(' ');
}
