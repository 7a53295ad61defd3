import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

/** What a checkpoint holds. */
export const positionSchema = z.object({ inode: z.number(), offset: z.number(), head: z.string() });

/** A place in a log that is rotated. `head` = its first bytes, since an inode number is used again for a later file. */
export type LogPosition = { readonly inode: number; readonly offset: number; readonly head: string };
export type LogLine = { readonly text: string; readonly start: LogPosition };

type OpenFile = { readonly fd: number; readonly inode: number; head: string; offset: number; rest: Buffer };

const headBytes = 64;
const chunkBytes = 256 * 1024;

/**
 * Follows a log file that is rotated by renaming (`audit.log` → `audit.log.1` → `audit.log.2` …) or emptied in place. Each
 * complete line is given once; a line without its line feed waits for it.
 */
export class LogFollower {
  readonly #file: string;
  readonly #maxLineBytes: number;
  #open: OpenFile | undefined;
  #lost = 0;

  /** @param from where to go on; `end` leaves out what the log holds already. A position that no file has any more means: from its beginning. */
  constructor(file: string, from: LogPosition | 'end', maxLineBytes = 1024 * 1024) {
    this.#file = file;
    this.#maxLineBytes = maxLineBytes;
    if (from === 'end') {
      this.#open = openLog(file);
      if (this.#open !== undefined) this.#open.offset = fstatSync(this.#open.fd).size;
    } else {
      this.#open = this.#generations()
        .map(openLog)
        .reduce<OpenFile | undefined>((found, candidate) => {
          const isIt = found === undefined && candidate !== undefined && isAt(candidate, from);
          if (candidate !== undefined && !isIt) closeSync(candidate.fd);
          return isIt ? candidate : found;
        }, undefined);
      if (this.#open === undefined) this.#lost += 1;
      else this.#open.offset = from.offset;
    }
  }

  /** How often it could not be told whether something was missed: the file that was read from was rotated away or emptied. */
  get lost(): number {
    return this.#lost;
  }

  /** Where the next line begins; undefined while there is no file. */
  get position(): LogPosition | undefined {
    const open = this.#open;
    return open && { inode: open.inode, offset: open.offset - open.rest.length, head: open.head };
  }

  /** The lines that came since the last call, at most about `maxBytes` of them. An unreadable log is thrown as node's error. */
  read(maxBytes = 8 * 1024 * 1024): readonly LogLine[] {
    const lines: LogLine[] = [];
    let left = maxBytes;
    for (;;) {
      this.#open ??= openLog(this.#file);
      if (this.#open === undefined) return lines;
      left -= this.#readOpen(this.#open, left, lines);
      if (left <= 0) return lines;
      const next = this.#nextGeneration(this.#open);
      if (next === undefined) return lines;
      // Between reading to its end and seeing it renamed, more may have been written to it.
      this.#readOpen(this.#open, maxBytes, lines);
      closeSync(this.#open.fd);
      this.#open = next;
    }
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #readOpen(open: OpenFile, maxBytes: number, lines: LogLine[]): number {
    if (fstatSync(open.fd).size < open.offset) {
      Object.assign(open, { offset: 0, rest: Buffer.alloc(0) });
      this.#lost += 1;
    }
    // An empty file that has got its first lines, or was emptied, has another head.
    if (open.offset < headBytes) open.head = readHead(open.fd);
    let total = 0;
    const chunk = Buffer.allocUnsafe(chunkBytes);
    while (total < maxBytes) {
      const size = readSync(open.fd, chunk, 0, chunkBytes, open.offset);
      if (size === 0) break;
      total += size;
      this.#split(open, chunk.subarray(0, size), lines);
    }
    return total;
  }

  #split(open: OpenFile, chunk: Buffer, lines: LogLine[]): void {
    const bytes = Buffer.concat([open.rest, chunk]);
    let start = open.offset - open.rest.length;
    let from = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, from)) {
      const line = bytes.subarray(from, end);
      lines.push({ text: line.toString('utf8'), start: { inode: open.inode, offset: start, head: open.head } });
      start += line.length + 1;
      from = end + 1;
    }
    open.offset += chunk.length;
    // A line that never ends must not fill the memory; what is kept of it will not be a record, and says so to its reader.
    const rest = bytes.subarray(from);
    open.rest = Buffer.from(rest.length > this.#maxLineBytes ? rest.subarray(rest.length - this.#maxLineBytes) : rest);
  }

  /** The file that came after this one, once this one has been renamed. */
  #nextGeneration(open: OpenFile): OpenFile | undefined {
    const current = statOrNothing(this.#file);
    if (current === undefined || current.ino === open.inode) return undefined;
    const generations = this.#generations();
    const inodes = generations.map((file) => statOrNothing(file)?.ino);
    const at = inodes.indexOf(open.inode);
    if (at === -1) this.#lost += 1;
    const next = at === -1 ? this.#file : generations[at + 1];
    return next === undefined ? undefined : openLog(next);
  }

  /** Oldest first; the log itself is the last. */
  #generations(): readonly string[] {
    const folder = path.dirname(this.#file);
    const prefix = `${path.basename(this.#file)}.`;
    let names: readonly string[];
    try {
      names = readdirSync(folder);
    } catch {
      return [];
    }
    const rotated = names
      .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
      .sort((a, b) => Number(b.slice(prefix.length)) - Number(a.slice(prefix.length)));
    return [...rotated.map((name) => path.join(folder, name)), this.#file];
  }
}

function openLog(file: string): OpenFile | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { fd, inode: fstatSync(fd).ino, head: readHead(fd), offset: 0, rest: Buffer.alloc(0) };
}

function readHead(fd: number): string {
  const bytes = Buffer.alloc(headBytes);
  return bytes.subarray(0, readSync(fd, bytes, 0, headBytes, 0)).toString('latin1');
}

function isAt(open: OpenFile, position: LogPosition): boolean {
  return (
    open.inode === position.inode && open.head.startsWith(position.head) && fstatSync(open.fd).size >= position.offset
  );
}

function statOrNothing(file: string): { readonly ino: number } | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
