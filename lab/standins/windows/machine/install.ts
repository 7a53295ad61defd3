import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Account } from './accounts.ts';
import { FileTree } from './paths.ts';
import { programText } from './program-file.ts';
import type { ProgramFile } from './program-file.ts';

const pythonFiles = path.resolve(import.meta.dirname, '../python');
const folders = [
  'Windows\\Temp',
  'Windows\\System32\\Tasks',
  'ProgramData',
  'Program Files',
  'Users\\Public\\Documents',
  'Temp',
];
const homeFolders = ['AppData\\Local\\Temp', 'AppData\\Roaming', 'Desktop', 'Documents', 'Downloads'];

/**
 * Makes the drive of a stand-in in a folder, or completes one that is there: system folders, a profile for each account,
 * the files of the programs, and what Python needs to run here. `uid` becomes the owner of what accounts may write to.
 */
export function install(
  folder: string,
  accounts: readonly Account[],
  programs: readonly (Omit<ProgramFile, 'hashes'> & { readonly files: readonly string[] })[],
  libraries: readonly string[],
  uid?: number,
): FileTree {
  mkdirSync(path.join(folder, 'C'), { recursive: true, mode: 0o755 });
  const tree = new FileTree(folder, uid);
  const make = (windowsPath: string, writable: boolean): void => {
    const drive = path.join(tree.root, 'C');
    let at = drive;
    for (const part of windowsPath.split('\\')) {
      at = path.join(at, part);
      if (!existsSync(at)) mkdirSync(at, { mode: 0o755 });
      if (writable && at !== path.join(drive, 'Users')) tree.own(at);
    }
  };
  for (const name of folders) make(name, !name.startsWith('Windows\\System32') && name !== 'Program Files');
  for (const { name } of accounts) for (const sub of homeFolders) make(`Users\\${name}\\${sub}`, true);
  for (const { files, program, originalName, description, product, company, version } of programs) {
    const text = programText({ program, originalName, description, product, company, version });
    for (const file of files) {
      make(path.win32.dirname(file).slice(3), false);
      writeFileSync(tree.real(file) ?? '', text, { mode: 0o755 });
    }
  }
  for (const file of libraries)
    writeFileSync(tree.real(file) ?? '', 'MZ\0\0detproof stand-in library\n', { mode: 0o644 });
  mkdirSync(path.join(tree.root, 'python'), { recursive: true, mode: 0o755 });
  for (const name of readdirSync(pythonFiles).filter((entry) => entry.endsWith('.py')))
    copyFileSync(path.join(pythonFiles, name), path.join(tree.root, 'python', name));
  return tree;
}
