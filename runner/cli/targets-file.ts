import { lstat, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { importHeader } from '../load/targets-text.ts';
import { Exit, exitCodes } from './app.ts';

/**
 * Writes the file that `--into` names, whole or not at all: a run that begins meanwhile reads the old one. Where a link stands, the
 * file that it leads to is written. Throws {@link Exit} for anything but a regular file or nothing, and for a file of somebody else.
 */
export async function writeTargetsFile(into: string, text: string): Promise<void> {
  try {
    const file = await placeOf(into);
    const draft = `${file}.${process.pid}.new`;
    const handle = await open(draft, 'wx', 0o600);
    try {
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  } catch (error) {
    if (error instanceof Exit) throw error;
    const code = codeOf(error) ?? String(error);
    throw new Exit(
      exitCodes.refused,
      `Refused: ${into} cannot be written (${code}). Name another file with --into, or make this one and its folder writable.`,
    );
  }
}

/** The file to be replaced; the draft is made beside it, so that it can be renamed over it. */
async function placeOf(into: string): Promise<string> {
  const found = await orAbsent(stat(into));
  if (found === undefined) {
    if ((await orAbsent(lstat(into))) !== undefined)
      throw bad(`${into} is a link that leads nowhere. Remove it, or make the file that it leads to.`);
    const folder = dirname(into);
    if ((await orAbsent(stat(folder)))?.isDirectory() !== true)
      throw bad(`${into} cannot be made: there is no folder ${folder}. Make it, or name another file with --into.`);
    return into;
  }
  if (found.isDirectory()) throw bad(`${into} is a folder. Name a file in it, as --into ${join(into, 'targets.yaml')}`);
  // What is read from or renamed over a pipe or a device is lost, and a pipe may keep its reader waiting for ever.
  if (!found.isFile()) throw bad(`${into} is no regular file. Name a file with --into; without it nothing is written.`);
  const before = await readFile(into, 'utf8');
  if (before !== '' && !before.startsWith(importHeader))
    throw new Exit(
      exitCodes.refused,
      `Refused: ${into} was not written by detproof import. Name another file, or remove it.`,
    );
  return realpath(into);
}

function bad(message: string): Exit {
  return new Exit(exitCodes.badInput, message);
}

/** A file in the place of a folder above counts as nothing there, too. */
async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
