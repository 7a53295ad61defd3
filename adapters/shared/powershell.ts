import type { NonEmpty } from '../../runner/domain/non-empty.ts';
import { longestCmdLine } from './cmd-quote.ts';

/** How every PowerShell text is started: no profile of the account, no question to a person, no policy in the way, nothing to quote. */
const powershell = [
  'powershell.exe',
  '-NoProfile',
  '-NonInteractive',
  '-ExecutionPolicy',
  'Bypass',
  '-EncodedCommand',
] as const;

/**
 * Reads a PowerShell text, as base64 of UTF-8, from the first line of standard input and runs it; the text reads the lines
 * that follow with `[Console]::In`. It must not say `$input`, or powershell.exe reads all of standard input first, and not set
 * the input's encoding, which throws away what was read ahead.
 */
export const stdinBootstrap = [
  "$ProgressPreference='SilentlyContinue'",
  // Without a console this fails, and then nothing needs to be set.
  'try{[Console]::InputEncoding=[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false}catch{}',
  '$t=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([Console]::In.ReadLine()))',
  '& ([ScriptBlock]::Create($t))',
].join('\n');

/** A PowerShell text as a command, and what to put on its standard input. */
export type PowershellCommand = { readonly argv: NonEmpty<string>; readonly stdin: Uint8Array };

/**
 * The text goes with the command (`-EncodedCommand`: base64 of UTF-16) where the line is not too long for cmd.exe, otherwise
 * before the input ({@link stdinBootstrap}). Which one can be seen in the command; nothing is ever cut.
 */
export function powershellCommand(script: string, input: Uint8Array = new Uint8Array()): PowershellCommand {
  const argv = encoded(script);
  return argv.join(' ').length <= longestCmdLine ? { argv, stdin: input } : byStdin(script, input);
}

/**
 * The same choice for a command that somebody else made: one that is too long and runs PowerShell by `-EncodedCommand`
 * becomes one that reads the text from standard input. Others come back as they are.
 */
export function fitPowershell(argv: NonEmpty<string>, stdin: Uint8Array): PowershellCommand {
  const script = encodedScript(argv);
  return script === undefined || argv.join(' ').length <= longestCmdLine ? { argv, stdin } : byStdin(script, stdin);
}

/** The PowerShell text of a command made here or in the same way, or undefined. */
export function encodedScript(argv: readonly string[]): string | undefined {
  const [base64 = ''] = argv.slice(powershell.length);
  const isOurs = argv.length === powershell.length + 1 && powershell.every((word, index) => word === argv[index]);
  return isOurs ? Buffer.from(base64, 'base64').toString('utf16le') : undefined;
}

function encoded(script: string): NonEmpty<string> {
  return [...powershell, Buffer.from(script, 'utf16le').toString('base64')];
}

function byStdin(script: string, input: Uint8Array): PowershellCommand {
  const first = `${Buffer.from(script, 'utf8').toString('base64')}\n`;
  return { argv: encoded(stdinBootstrap), stdin: Buffer.concat([Buffer.from(first), input]) };
}
