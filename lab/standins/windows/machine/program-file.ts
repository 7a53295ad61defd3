import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';

/** What Sysmon reads out of a program's file. */
export type ProgramFile = {
  /** Which program of the stand-in this file is. */
  readonly program: string;
  readonly originalName: string;
  readonly description: string;
  readonly product: string;
  readonly company: string;
  readonly version: string;
  /** Sysmon's text: of the file itself. */
  readonly hashes: string;
};

/** CreateProcess found no program in the file. */
export class ProgramNotFound extends Error {}

const head = 'MZ\0\0detproof stand-in program\n';

/** The text of a program's file. A copy or a renamed one stays the program that it is, as on Windows. */
export function programText(of: Omit<ProgramFile, 'hashes'>): string {
  return `${head}${JSON.stringify(of)}\n`;
}

/** Programs are started more often than they change. */
const read = new Map<string, { readonly version: string; readonly file: ProgramFile }>();

function fileState(realFile: string) {
  const state = statSync(realFile);
  return { mtimeMs: state.mtimeMs, size: state.size, ino: state.ino, isFile: state.isFile() };
}

/** Reads a program's file; undefined when it is none. */
export function readProgram(realFile: string): ProgramFile | undefined {
  const start = Buffer.alloc(head.length);
  let version: string;
  try {
    const { mtimeMs, size, ino, isFile } = fileState(realFile);
    if (!isFile) return undefined;
    version = `${ino} ${mtimeMs} ${size}`;
    const known = read.get(realFile);
    if (known?.version === version) return known.file;
    const fd = openSync(realFile, 'r');
    readSync(fd, start);
    closeSync(fd);
  } catch {
    return undefined;
  }
  if (start.toString('latin1') !== head) return undefined;
  const bytes = readFileSync(realFile);
  const digest = (name: string): string => createHash(name).update(bytes).digest('hex').toUpperCase();
  const file = {
    ...(JSON.parse(bytes.toString('utf8', head.length)) as Omit<ProgramFile, 'hashes'>),
    hashes: `SHA256=${digest('sha256')},MD5=${digest('md5')}`,
  };
  read.set(realFile, { version, file });
  return file;
}
