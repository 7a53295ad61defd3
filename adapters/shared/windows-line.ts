import { windowsCommandLine } from '../../runner/domain/windows-quote.ts';
import { type Command, TransportFailure } from '../../runner/ports.ts';
import { cmdLine, inFolder } from './cmd-quote.ts';

/** CreateProcess takes 32,767 characters, and sshd adds its own (CreateProcessW, lpCommandLine). */
const longestLine = 32_000;

/** Read by PowerShell, and by whatever puts the line into quotation marks, as itself. */
const plainWord = /^[A-Za-z0-9_.\\:/+=][A-Za-z0-9_\-.\\:/+=]*$/;
const plainSwitch = /^-[A-Za-z][A-Za-z]*$/;

/** The line for an account whose shell is cmd.exe: sshd runs `cmd.exe /c "LINE"` and escapes nothing. */
export function cmdShellLine({ argv, cwd }: Command): string {
  const line = cmdLine(argv);
  return cwd === undefined ? line : inFolder(cwd, line);
}

/** Whether a folder is there, as either shell tells it: by exit code 0. */
export function folderLine(shell: 'cmd' | 'powershell', folder: string): string {
  return shell === 'cmd' ? inFolder(folder, 'exit 0') : `${enter(folder)}exit 0`;
}

function enter(folder: string): string {
  return `Set-Location -LiteralPath ${literal(folder)} -ErrorAction Stop; `;
}

/**
 * The line for an account whose shell is PowerShell: sshd runs `powershell.exe -c "LINE"` and escapes quotation marks. Without
 * its `exit` every failure would be exit code 1. Windows PowerShell and PowerShell 7 hand quotation marks, empty words and
 * closing backslashes to programs differently, so a command that has such goes as one exact text (.NET ProcessStartInfo).
 */
export function powershellShellLine({ argv, cwd }: Command): string {
  for (const word of argv)
    if (/[\0\r\n]/.test(word) || !word.isWellFormed())
      throw new TransportFailure(
        'not-started',
        `${JSON.stringify(word.slice(0, 200))} cannot be an argument on Windows: it holds a NUL, a line break or half of a surrogate pair`,
      );
  const [name, ...args] = argv;
  if (name === '' || name.startsWith('-') || name.includes('"'))
    throw new TransportFailure('not-started', `${JSON.stringify(name)} cannot be the name of a command on Windows`);
  const folder = cwd === undefined ? '' : enter(cwd);
  const hard = args.some((arg) => arg === '' || arg.includes('"') || (/\s/.test(arg) && arg.endsWith('\\')));
  const line = hard
    ? `${folder}$i=New-Object Diagnostics.ProcessStartInfo ${literal(name)},${literal(windowsCommandLine(args))}; $i.UseShellExecute=$false; ` +
      `$i.WorkingDirectory=(Get-Location).ProviderPath; $p=[Diagnostics.Process]::Start($i); $p.WaitForExit(); exit $p.ExitCode`
    : `${folder}${plainWord.test(name) ? name : `& ${literal(name)}`}${args.map((arg) => ` ${word(arg)}`).join('')}; exit $LASTEXITCODE`;
  if (line.length > longestLine)
    throw new TransportFailure(
      'not-started',
      `the command is ${line.length} characters long as a line for PowerShell, and ${longestLine} is the most. Put what is long into a file, or send it on standard input`,
    );
  return line;
}

function word(text: string): string {
  return plainWord.test(text) || plainSwitch.test(text) ? text : literal(text);
}

/** Between single quotation marks PowerShell acts on nothing but those, and takes the typographic ones for the same. */
function literal(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, '$&$&')}'`;
}
