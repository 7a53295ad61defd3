import { win32 } from 'node:path';
import { splitLine } from './command-line.ts';
import type { ProcessStart, WinProcess } from './process.ts';
import type { Machine } from './machine.ts';
import { ProgramNotFound } from './program-file.ts';

/**
 * Starts what a command line names, as CreateProcess does: its first word is the program, which may have no extension and
 * is looked for on the path. Undefined: there is no such program. An image that is given is not looked for.
 */
export function startLine(
  machine: Machine,
  commandLine: string,
  start: Omit<ProcessStart, 'commandLine' | 'image'>,
): WinProcess | undefined {
  const [program = ''] = splitLine(commandLine);
  const image = findProgram(machine, program, start.cwd, start.env.get('Path') ?? '', ['', '.exe']);
  if (image === undefined) return undefined;
  try {
    return machine.start({ ...start, image, commandLine });
  } catch (error) {
    if (error instanceof ProgramNotFound) return undefined;
    throw error;
  }
}

/** The file that a name means: in the folder, then along the path, with each of these extensions in turn. */
export function findProgram(
  machine: Machine,
  name: string,
  cwd: string,
  searchPath: string,
  extensions: readonly string[],
): string | undefined {
  if (name === '' || /[*?"<>|]/.test(name)) return undefined;
  const folders = /[\\/:]/.test(name) ? [''] : ['', ...searchPath.split(';').filter(Boolean)];
  for (const folder of folders) {
    const base = machine.tree.resolve(folder === '' ? name : `${folder.replaceAll('"', '')}\\${name}`, cwd);
    const { dir, base: wanted } = win32.parse(base);
    const there = machine.tree.names(dir);
    for (const extension of extensions)
      if (there.has((wanted + extension).toUpperCase()) && machine.tree.isFile(base + extension))
        return base + extension;
  }
  return undefined;
}
