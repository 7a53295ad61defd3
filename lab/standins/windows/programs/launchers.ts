import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { splitLine } from '../machine/command-line.ts';
import type { Machine, Program } from '../machine/machine.ts';
import { wildcard } from '../machine/paths.ts';
import type { WinProcess } from '../machine/process.ts';
import { startLine } from '../machine/start-line.ts';
import { readScript } from './script-host.ts';

const pythonProgram = 'C:\\Program Files\\Python311\\python.exe';

/** Starts a child with the streams and variables of its parent. */
function child(process: WinProcess, machine: Machine, commandLine: string, cwd = process.cwd): WinProcess | undefined {
  const { env, logon, stdin, stdout, stderr } = process;
  return startLine(machine, commandLine, { cwd, env: env.copy(), logon, parent: process, stdin, stdout, stderr });
}

/** py.exe, the Python launcher: `py [-3[.11]] ARGUMENTS` becomes python.exe with the same arguments. */
export const py: Program = async (process, machine) => {
  const rest = process.commandLine.replace(/^\s*(?:"[^"]*"|\S+)\s*/, '');
  const version = /^-(?:V:)?(\d+(?:\.\d+)?)(?:-\d+)?(?=\s|$)\s*/.exec(rest);
  if (version !== null && !['3', '3.11'].includes(version[1] ?? '')) {
    await process.err(`No suitable Python runtime found\r\n`);
    return 103;
  }
  const args = version === null ? rest : rest.slice(version[0].length);
  const started = child(process, machine, `"${pythonProgram}" ${args}`.trimEnd());
  return started === undefined ? 103 : started.exited;
};

/** forfiles.exe: `/p FOLDER /m MASK /c COMMAND`, once for each file that the mask fits. */
export const forfiles: Program = async (process, machine) => {
  const words = splitLine(process.commandLine);
  const valueOf = (option: string, otherwise: string): string => {
    const at = words.findIndex((word) => word.toLowerCase() === option);
    return at === -1 ? otherwise : (words[at + 1] ?? otherwise);
  };
  const folder = machine.tree.resolve(valueOf('/p', '.'), process.cwd);
  const mask = valueOf('/m', '*');
  const command = valueOf('/c', 'cmd /c echo @file').replaceAll(/0x([0-9a-f]{2})/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  if (!machine.tree.isFolder(folder)) {
    await process.err(`ERROR: The directory name "${folder}" is invalid.\r\n`);
    return 1;
  }
  const pattern = wildcard(mask) ?? new RegExp(`^${mask.replace(/[.+^${}()|[\]\\]/g, '\\$&')}$`, 'i');
  const found = readdirSync(machine.tree.real(folder) ?? '')
    .filter((name) => pattern.test(name))
    .sort();
  if (found.length === 0) {
    await process.err(`ERROR: Files of type "${mask}" not found.\r\n`);
    return 1;
  }
  let code = 0;
  for (const name of found) {
    const { name: stem, ext } = path.win32.parse(name);
    const values: Readonly<Record<string, string>> = {
      file: name,
      fname: stem,
      ext: ext.slice(1),
      path: path.win32.join(folder, name),
      relpath: `.\\${name}`,
    };
    const line = command.replaceAll(
      /@(file|fname|ext|path|relpath)\b/gi,
      (_, key: string) => `"${values[key.toLowerCase()] ?? ''}"`,
    );
    const started = child(process, machine, line, folder);
    if (started === undefined) {
      await process.err(`ERROR: The system cannot find the file specified.\r\n`);
      return 1;
    }
    code = await started.exited;
  }
  return code;
};

/** wscript.exe and cscript.exe: a script that starts one command by WScript.Shell (script-host.ts). */
export const wscript: Program = async (process, machine) => {
  const words = splitLine(process.commandLine)
    .slice(1)
    .filter((word) => !word.startsWith('//'));
  const [file, ...args] = words;
  const windowsPath = machine.tree.resolve(file ?? '', process.cwd);
  if (file === undefined || !machine.tree.isFile(windowsPath)) {
    await process.err(`Input Error: Can not find script file "${windowsPath}".\r\n`);
    return 1;
  }
  const order = readScript(readFileSync(machine.tree.real(windowsPath) ?? '', 'utf8'), args);
  if (order === undefined) {
    await process.err(
      `The stand-in does not know this script: ${windowsPath}. It runs one command by WScript.Shell.\r\n`,
    );
    return 1;
  }
  const started = child(process, machine, order.command);
  if (started === undefined) {
    await process.err(`${windowsPath}(1, 1) WshShell: The system cannot find the file specified.\r\n`);
    return 1;
  }
  if (!order.waits) return 0;
  const code = await started.exited;
  return order.quits ? code : 0;
};
