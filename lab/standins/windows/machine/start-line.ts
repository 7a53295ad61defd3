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
    for (const extension of extensions) if (machine.tree.isFile(base + extension)) return base + extension;
  }
  return undefined;
}

/** Splits a command line into arguments by the rules of the Microsoft C runtime (2008 and later: `""` inside quotes is a quote). */
export function splitLine(line: string): readonly string[] {
  const words: string[] = [];
  // The program's name knows quotes, but no backslashes.
  const name = /^\s*(?:"([^"]*)"?|(\S*))/.exec(line);
  if (name === null || line.trim() === '') return [];
  words.push(name[1] ?? name[2] ?? '');
  let at = name[0].length;
  while (at < line.length) {
    while (/\s/.test(line[at] ?? '')) at += 1;
    if (at >= line.length) break;
    let [word, quoted] = ['', false];
    for (; at < line.length && (quoted || !/\s/.test(line[at] ?? '')); at += 1) {
      const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
      if (slashes > 0 && line[at + slashes] === '"') {
        word += '\\'.repeat(Math.floor(slashes / 2));
        at += slashes;
        if (slashes % 2 === 1) word += '"';
        else at -= 1;
      } else if (slashes > 0) {
        word += '\\'.repeat(slashes);
        at += slashes - 1;
      } else if (line[at] === '"') {
        if (quoted && line[at + 1] === '"') {
          word += '"';
          at += 1;
        } else quoted = !quoted;
      } else word += line[at] ?? '';
    }
    words.push(word);
  }
  return words;
}

/** Quotes one argument so that {@link splitLine} gives it back. */
export function quoteArgument(text: string): string {
  if (text !== '' && !/[\s"]/.test(text)) return text;
  return `"${text.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`;
}
