import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { SiemFailure } from '../../../runner/ports.ts';
import { deepestNesting, isDeeperThan, isDocument } from './json-fields.ts';
import type { Document } from './json-fields.ts';

/** Where a line stands: enough to read its bytes again. */
export type LineAt = { readonly file: KnownFile<unknown>; readonly offset: number; readonly length: number };

/** What was read of a file, for whoever wants to check an answer: the SHA-256 of its bytes `from` … `from + bytes`. */
export type FileRead = {
  readonly file: string;
  readonly from: number;
  readonly bytes: number;
  readonly sha256: string;
};

/** A line → what is kept of it; or what is wrong with it. */
export type ReadLine<T> = (document: Document, at: LineAt) => T | { readonly problem: string };

type KnownFile<T> = {
  readonly identity: string;
  name: string;
  /** Where reading began: not 0 when the file was longer than what may be read. */
  readonly from: number;
  readonly hash: Hash;
  end: number;
  lines: number;
  readonly items: T[];
  readonly problems: string[];
};

/** The files as they were at one moment, open until disposed. */
export type Snapshot<T> = AsyncDisposable & {
  /** Oldest first. */
  readonly items: readonly T[];
  /** Lines that could not be understood, as `file:line: why`. */
  readonly problems: readonly string[];
  readonly read: readonly FileRead[];
  /** Older lines existed and are gone, or were not read. */
  readonly beginsLate: boolean;
  bytes(at: LineAt): Promise<Buffer>;
};

const headBytes = 256;
const chunkBytes = 1024 * 1024;
/** A problem per line of a file that is something else altogether helps nobody. */
const mostProblems = 20;

/**
 * NAME and, where it was rotated, NAME.1 before it, as lines of JSON. What was read once is kept by the file's identity, so
 * asking again reads what was appended only. The last line counts when its line feed is there.
 */
export class LineFiles<T extends object> {
  readonly #folder: string;
  readonly #name: string;
  readonly #maxBytes: number;
  readonly #readLine: ReadLine<T>;
  #known: readonly KnownFile<T>[] = [];
  #busy: Promise<unknown> = Promise.resolve();

  constructor(folder: string, name: string, maxBytes: number, readLine: ReadLine<T>) {
    this.#folder = folder;
    this.#name = name;
    this.#maxBytes = maxBytes;
    this.#readLine = readLine;
  }

  /** Throws {@link SiemFailure} when NAME is not there or cannot be read. */
  async snapshot(signal: AbortSignal): Promise<Snapshot<T>> {
    // Two callers must not read the same bytes into the same list.
    const mine = this.#busy.then(() => this.#take(signal));
    this.#busy = mine.catch(() => undefined);
    return mine;
  }

  async #take(signal: AbortSignal): Promise<Snapshot<T>> {
    const handles = await this.#open();
    try {
      const known: KnownFile<T>[] = [];
      for (const [name, handle] of handles) {
        const file = await this.#recognise(name, handle);
        if (known.some(({ identity }) => identity === file.identity)) continue;
        await this.#readOn(file, handle, signal);
        known.push(file);
      }
      this.#known = known;
      return snapshotOf(known, handles);
    } catch (error) {
      await closeAll(handles);
      throw error;
    }
  }

  /** Oldest first. The newest is opened first and must still be it afterwards, or a rotation in between would hide a file. */
  async #open(): Promise<ReadonlyMap<string, FileHandle>> {
    for (let attempt = 0; ; attempt++) {
      const newest = await this.#openFile(this.#name);
      if (newest === undefined) throw this.#missing();
      const older = await this.#openFile(`${this.#name}.1`);
      const again = await this.#openFile(this.#name);
      const same = again !== undefined && (await again.stat()).ino === (await newest.stat()).ino;
      await again?.close();
      const handles = new Map(older === undefined ? [] : [[`${this.#name}.1`, older]]).set(this.#name, newest);
      if (same || attempt === 5) return handles;
      await closeAll(handles);
    }
  }

  async #openFile(name: string): Promise<FileHandle | undefined> {
    try {
      return await open(path.join(this.#folder, name), 'r');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new SiemFailure(
        code === 'EACCES' || code === 'EPERM' ? 'refused' : 'unreachable',
        `${path.join(this.#folder, name)} cannot be read: ${message}. Give the account that runs detproof the right to read it.`,
        { cause: error },
      );
    }
  }

  #missing(): SiemFailure {
    return new SiemFailure(
      'unreachable',
      `there is no ${this.#name} in ${this.#folder}. Start the SIEM (for the lab: detproof lab up), or set siems.path to the folder that holds it.`,
    );
  }

  async #recognise(name: string, handle: FileHandle): Promise<KnownFile<T>> {
    const { dev, ino, size } = await handle.stat();
    const known = this.#known.find((file) => file.identity.startsWith(`${dev}:${ino}:`));
    if (known !== undefined && size >= known.end && (await headOf(handle, known)) === known.identity) {
      known.name = name;
      return known;
    }
    const from = await startOf(handle, size, this.#maxBytes);
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await handle.read(head, 0, headBytes, 0);
    const identity = `${dev}:${ino}:${head.subarray(0, bytesRead).toString('base64')}`;
    return { identity, name, from, hash: createHash('sha256'), end: from, lines: 0, items: [], problems: [] };
  }

  async #readOn(file: KnownFile<T>, handle: FileHandle, signal: AbortSignal): Promise<void> {
    let rest = Buffer.alloc(0);
    const chunk = Buffer.allocUnsafe(chunkBytes);
    for (let offset = file.end; ;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const whole = bytes.lastIndexOf(10) + 1;
      this.#parse(file, bytes.subarray(0, whole));
      file.hash.update(bytes.subarray(0, whole));
      rest = Buffer.from(bytes.subarray(whole));
    }
  }

  #parse(file: KnownFile<T>, bytes: Buffer): void {
    for (let from = 0, end = bytes.indexOf(10); end !== -1; from = end + 1, end = bytes.indexOf(10, from)) {
      file.lines += 1;
      const at: LineAt = { file, offset: file.end, length: end - from };
      const line = bytes.subarray(from, end);
      file.end += line.length + 1;
      if (line.length === 0) continue;
      const item = this.#parseLine(line, at);
      if ('problem' in item && typeof item.problem === 'string') note(file, item.problem);
      else file.items.push(item as T);
    }
  }

  #parseLine(line: Buffer, at: LineAt): T | { readonly problem: string } {
    let value: unknown;
    try {
      value = JSON.parse(line.toString('utf8'));
    } catch (error) {
      return { problem: (error as Error).message };
    }
    if (!isDocument(value)) return { problem: 'a value that is not an object' };
    if (isDeeperThan(value, deepestNesting)) return { problem: `nested more than ${deepestNesting} deep` };
    return this.#readLine(value, at);
  }
}

function note<T>(file: KnownFile<T>, problem: string): void {
  if (file.problems.length < mostProblems) file.problems.push(`${file.name}:${file.lines}: ${problem}`);
}

function snapshotOf<T>(files: readonly KnownFile<T>[], handles: ReadonlyMap<string, FileHandle>): Snapshot<T> {
  return {
    items: files.flatMap(({ items }) => items),
    problems: files.flatMap(({ problems }) => problems),
    read: files.map(({ name, from, end, hash }) => ({
      file: name,
      from,
      bytes: end - from,
      sha256: hash.copy().digest('hex'),
    })),
    beginsLate: files.length > 1 || files.some(({ from }) => from > 0),
    bytes: async ({ file, offset, length }) => {
      const bytes = Buffer.alloc(length);
      await handles.get(file.name)?.read(bytes, 0, length, offset);
      return bytes;
    },
    [Symbol.asyncDispose]: () => closeAll(handles),
  };
}

async function closeAll(handles: ReadonlyMap<string, FileHandle>): Promise<void> {
  await Promise.all([...handles.values()].map((handle) => handle.close()));
}

/** The identity that this file has, read with as much of its beginning as was known. */
async function headOf(handle: FileHandle, known: KnownFile<unknown>): Promise<string> {
  const [dev, ino, head = ''] = known.identity.split(':');
  const length = Buffer.from(head, 'base64').length;
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, 0);
  return `${dev}:${ino}:${bytes.toString('base64')}`;
}

/** The first line that begins within the last `maxBytes` of the file. */
async function startOf(handle: FileHandle, size: number, maxBytes: number): Promise<number> {
  if (size <= maxBytes) return 0;
  const chunk = Buffer.alloc(chunkBytes);
  for (let offset = size - maxBytes; ;) {
    const { bytesRead } = await handle.read(chunk, 0, chunkBytes, offset);
    if (bytesRead === 0) return size;
    const lineFeed = chunk.subarray(0, bytesRead).indexOf(10);
    if (lineFeed !== -1) return offset + lineFeed + 1;
    offset += bytesRead;
  }
}
