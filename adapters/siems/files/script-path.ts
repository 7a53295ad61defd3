/** Names under which CPython and PyPy are installed, version and `w` included. */
const pythonName = /^(?:python|pypy|py)w?[\d.]*(?:\.exe)?$/i;
/** Options whose argument may be the next element (Python's documentation, "Command line and environment"). */
const takesArgument = /^-[a-zA-Z]*[WX]$/;
const codeOrModule = /^-[a-zA-Z]*[cm]/;
const scriptName = /\.(?:py|pyw|pyz|pyc)$/i;

/**
 * The script's path in a Python command line, as it stands there: the first argument that is no option of the interpreter.
 * None for `-c`, `-m` and standard input, where no path exists. For a program that is not called python (a renamed
 * interpreter, a script started by its own first line) only a name that ends like a Python file is one.
 */
export function scriptPath(args: readonly string[]): string | undefined {
  const [program = '', ...rest] = args;
  const isPython = pythonName.test(program.slice(Math.max(program.lastIndexOf('/'), program.lastIndexOf('\\')) + 1));
  for (let index = 0; index < rest.length; index++) {
    const argument = rest[index] ?? '';
    if (argument === '-' || codeOrModule.test(argument)) return undefined;
    if (takesArgument.test(argument) || argument === '--check-hash-based-pycs') index += 1;
    else if (!argument.startsWith('-'))
      return argument !== '' && (isPython || scriptName.test(argument)) ? argument : undefined;
  }
  return undefined;
}
