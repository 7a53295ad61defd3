import type { Program } from '../machine/machine.ts';
import { splitLine } from '../machine/command-line.ts';
import { stdinBootstrap } from '../../../../adapters/shared/powershell.ts';
import { harnessTexts } from './powershell-texts.ts';
import { PowershellExit } from './powershell-call.ts';
import type { PowershellCall } from './powershell-call.ts';

/** What powershell.exe ends with when the script of `-File` is not there: -196608. */
const noSuchFile = 0xfffd0000;

/**
 * powershell.exe, which the stand-in does not have: it does itself what the harness's own texts say, known by each of their
 * characters, and refuses every other text by name.
 */
export const powershell: Program = async (process, machine) => {
  const words = splitLine(process.commandLine).slice(1);
  const file = words[words.findIndex((word) => /^[-/](?:file|f)$/i.test(word)) + 1] ?? '';
  if (
    words.some((word) => /^[-/](?:file|f)$/i.test(word)) &&
    !machine.tree.exists(machine.tree.resolve(file, process.cwd))
  ) {
    await process.err(
      `The argument '${file}' to the -File parameter does not exist. Provide the path to an existing '.ps1' file.\r\n`,
    );
    return noSuchFile;
  }
  const text = textOf(words);
  if (text === undefined) return refuse(process, 'a session without a command, or an option that it does not know');
  const input = async (): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  };
  if (text !== stdinBootstrap) return run(text, { process, machine, input });
  const all = await input();
  const end = all.indexOf('\n');
  const inner = Buffer.from(all.slice(0, end === -1 ? undefined : end), 'base64').toString('utf8');
  return run(inner, { process, machine, input: () => Promise.resolve(end === -1 ? '' : all.slice(end + 1)) });
};

async function run(text: string, call: PowershellCall): Promise<number> {
  const exit = /^\s*exit(?:\s+(\d+))?\s*;?\s*$/i.exec(text);
  if (exit !== null) return Number(exit[1] ?? 0);
  const written = /^\s*(?:Write-Output\s+)?(?:'([^']*)'|"([^"$`]*)")\s*$/i.exec(text);
  if (written !== null) {
    await call.process.out(`${written[1] ?? written[2] ?? ''}\r\n`);
    return 0;
  }
  const known = harnessTexts.get(text);
  if (known === undefined) return refuse(call.process, text);
  try {
    return await known(call);
  } catch (error) {
    if (error instanceof PowershellExit) return error.code;
    throw error;
  }
}

/** The script, however it is given. Undefined: none, or not in a way that the stand-in knows. */
function textOf(words: readonly string[]): string | undefined {
  for (let at = 0; at < words.length; at += 1) {
    const word = (words[at] ?? '').toLowerCase().replace(/^\//, '-');
    if (!word.startsWith('-')) return words.slice(at).join(' ');
    if (['-noprofile', '-noninteractive', '-nologo', '-nop', '-noni'].includes(word)) continue;
    if (['-executionpolicy', '-ep', '-ex', '-outputformat', '-inputformat', '-windowstyle', '-w'].includes(word))
      at += 1;
    else if (['-command', '-c'].includes(word)) return words.slice(at + 1).join(' ');
    else if (['-encodedcommand', '-enc', '-e', '-ec'].includes(word))
      return Buffer.from(words[at + 1] ?? '', 'base64').toString('utf16le');
    else return undefined;
  }
  return undefined;
}

async function refuse(process: PowershellCall['process'], text: string): Promise<number> {
  const shown = text.replace(/\s+/g, ' ').slice(0, 120);
  await process.err(`The stand-in has no PowerShell and does not know this text: ${shown}\r\n`);
  return 1;
}
