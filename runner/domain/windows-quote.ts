/**
 * One argument of a Windows command line, so that CommandLineToArgvW and the C runtime read it back as it was: backslashes are
 * doubled before a quotation mark only ("Parsing C++ command-line arguments", Microsoft C++ documentation). Quoting for cmd.exe
 * comes on top of this where a shell is in between.
 */
export function windowsQuote(argument: string): string {
  if (argument !== '' && !/[\s"]/.test(argument)) return argument;
  return `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}

/** A whole command line, for CreateProcess. */
export function windowsCommandLine(argv: readonly string[]): string {
  return argv.map(windowsQuote).join(' ');
}
