import { windowsQuote } from '../../runner/domain/windows-quote.ts';
import { type Command, TransportFailure } from '../../runner/ports.ts';

/** cmd.exe takes lines of 8,191 characters, with its own name and switches ("Command prompt line string limitation", Microsoft). */
export const longestCmdLine = 8_100;

/** Read by cmd.exe and by the C runtime as itself. */
const plainWord = /^[\p{L}\p{N}_\-./\\:+=,@#$~{}[\]]+$/u;

/** As a command's name `/` begins a switch, and `=` and `,` end it. */
const plainName = /^[\p{L}\p{N}_.\\#$~][\p{L}\p{N}_\-.\\:+#$~]*$/u;

/** What cmd.exe does itself; a program of that name would not be found, and the arguments would be read by other rules. */
const ownCommands = new Set(
  (
    'assoc break call cd chdir cls color copy date del dir dpath echo endlocal erase exit for ftype goto if keys md mkdir ' +
    'mklink move path pause popd prompt pushd rd rem ren rename rmdir set setlocal shift start time title type ver verify vol'
  ).split(' '),
);

/**
 * A command as one line for `cmd.exe /c`, whether or not that line is put into quotation marks once more: the program gets
 * back exactly these arguments (CommandLineToArgvW). As plain as can be, since the line itself is what a detection looks at.
 * Delayed expansion (`cmd /v:on`) is off, as it is by default. Throws {@link TransportFailure} `not-started` for what a line
 * cannot hold and for one that is too long; nothing is ever cut.
 */
export function cmdLine(argv: Command['argv']): string {
  const [name, ...args] = argv;
  for (const argument of argv) {
    const odd = /[\0\r\n]/.exec(argument)?.[0];
    if (odd !== undefined || !argument.isWellFormed())
      throw new TransportFailure(
        'not-started',
        `${JSON.stringify(argument.slice(0, 200))} cannot be an argument on Windows: it holds ` +
          (odd === undefined
            ? 'half of a surrogate pair'
            : odd === '\0'
              ? 'a NUL'
              : 'a line break, which ends the line for cmd.exe'),
      );
  }
  const line = [commandName(name), ...args.map(word)].join(' ');
  if (line.length > longestCmdLine)
    throw new TransportFailure(
      'not-started',
      `the command is ${line.length} characters long as a line for cmd.exe, which takes ${longestCmdLine}. Put what is long into a file, or send it on standard input`,
    );
  return line;
}

/**
 * `cmd /c` takes off the first and last quotation mark of a line that begins with one; `@`, which says not to echo a command
 * that is not echoed anyway, keeps it from the beginning.
 */
function commandName(name: string): string {
  if (name === '' || /["%]/.test(name) || name.startsWith('-'))
    throw new TransportFailure('not-started', `${JSON.stringify(name)} cannot be the name of a command on Windows`);
  if (ownCommands.has(name.toLowerCase()))
    throw new TransportFailure(
      'not-started',
      `${name} is no program but a command of cmd.exe, which reads arguments by rules of its own. Say cmd.exe /c ${name}, if that is meant`,
    );
  return plainName.test(name) ? name : `@"${name}"`;
}

function word(argument: string): string {
  if (plainWord.test(argument)) return argument;
  const quoted = windowsQuote(argument);
  const inQuotes = quoted.startsWith('"') ? quoted : `"${quoted.replace(/(\\+)$/, '$1$1')}"`;
  // Between quotation marks cmd.exe acts on nothing but `%`.
  return /["%]/.test(argument) ? withCarets(inQuotes) : inQuotes;
}

/**
 * Every character that cmd.exe acts on gets a caret, quotation marks too, so that for cmd.exe nothing is quoted. Variables
 * are filled in before carets are taken off: what follows a `%` gets one always, so that the name of none can follow.
 */
function withCarets(text: string): string {
  return text.replace(/([()!^"<>&|%])|(?<=%)./gsu, '^$&');
}

/** `cd` to a folder and, where that succeeds, the line: for shells that cannot be started in a folder. */
export function inFolder(folder: string, line: string): string {
  if (/["%\0\r\n]/.test(folder) || folder === '')
    throw new TransportFailure('not-started', `${JSON.stringify(folder)} cannot be the folder of a command on Windows`);
  return `cd /d "${folder}" && ${line}`;
}
