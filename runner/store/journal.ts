import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import type { RecordBody, RecordLine } from '../domain/record.ts';
import type { Clock, Journal } from '../ports.ts';

const zeros = '0'.repeat(64);
const hashKeys: ReadonlySet<string> = new Set(['prev', 'sha256', 'planSha256']);
const hash = /^[0-9a-f]{64}$/;

export type ReadJournal = {
  readonly records: readonly RecordLine[];
  /** Hash of the last whole line. */
  readonly head: { readonly lines: number; readonly headSha256: string };
  /** Bytes after the last line feed: a line that was being written when the process died. */
  readonly torn: Uint8Array;
};

/** A journal whose chain does not hold: says which line. Nothing may be concluded from it. */
class JournalBroken extends Error {
  override readonly name = 'JournalBroken';
}

/**
 * Reads and verifies a journal: every line is JSON, numbered without gaps, and carries the hash of the line before. A torn last
 * line is returned apart. Throws {@link JournalBroken}.
 */
export async function readJournal(path: string): Promise<ReadJournal> {
  const bytes = await readFile(path);
  const end = bytes.lastIndexOf(0x0a) + 1;
  const records: RecordLine[] = [];
  let previous = zeros;
  let start = 0;
  while (start < end) {
    const stop = bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, stop);
    const record = parse(line, `${path}:${records.length + 1}`);
    if (record.seq !== records.length)
      throw new JournalBroken(
        `${path}:${records.length + 1}  line says it is number ${record.seq}: a line was added, removed or moved`,
      );
    if (record.prev !== previous)
      throw new JournalBroken(
        `${path}:${records.length + 1}  does not carry the hash of the line before: one of the two was changed`,
      );
    previous = createHash('sha256').update(line).digest('hex');
    records.push(record);
    start = stop + 1;
  }
  return { records, head: { lines: records.length, headSha256: previous }, torn: bytes.subarray(end) };
}

function parse(line: Uint8Array, where: string): RecordLine {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
    if (typeof value === 'object' && value !== null && 'seq' in value && 'prev' in value && 'type' in value)
      return value as RecordLine;
  } catch {
    // Said below, with the place.
  }
  throw new JournalBroken(`${where}  is not a whole record`);
}

/**
 * Takes the torn last line of a journal out of it and into `journal.torn-N` beside it, so that the chain can go on. Returns the
 * name of that file, or undefined when nothing was torn.
 */
export async function setTornAside(path: string): Promise<string | undefined> {
  const { head, torn } = await readJournal(path);
  if (torn.byteLength === 0) return undefined;
  const aside = `${path.replace(/\.jsonl$/, '')}.torn-${head.lines}`;
  await writeFile(aside, torn, { mode: 0o600, flush: true });
  const whole = (await readFile(path)).subarray(0, -torn.byteLength);
  await writeFile(`${path}.new`, whole, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  return aside;
}

/** A journal open for appending. Lines are written and synced one after the other, in the order of asking. */
export class JournalFile implements Journal, AsyncDisposable {
  readonly #file: FileHandle;
  readonly #clock: Clock;
  readonly #redact: (text: string) => string;
  #next: { seq: number; prev: string };
  #turn: Promise<unknown> = Promise.resolve();
  #failed: Error | undefined;

  private constructor(
    file: FileHandle,
    clock: Clock,
    redact: (text: string) => string,
    next: { seq: number; prev: string },
  ) {
    this.#file = file;
    this.#clock = clock;
    this.#redact = redact;
    this.#next = next;
  }

  /** Throws when the file cannot be opened for writing, or, for an existing one, when its chain does not hold. */
  static async open(
    path: string,
    { clock, redact, mode }: { clock: Clock; redact: (text: string) => string; mode: 'new' | 'append' },
  ): Promise<JournalFile> {
    if (mode === 'new') return new JournalFile(await open(path, 'ax', 0o600), clock, redact, { seq: 0, prev: zeros });
    const { head } = await readJournal(path);
    return new JournalFile(await open(path, 'a', 0o600), clock, redact, { seq: head.lines, prev: head.headSha256 });
  }

  append(record: RecordBody): Promise<RecordLine> {
    const mine = this.#turn.then(() => this.#write(record));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #write(record: RecordBody): Promise<RecordLine> {
    // After a failed write the file may end in half a line; anything behind it would break the chain.
    if (this.#failed !== undefined) throw this.#failed;
    const { seq, prev } = this.#next;
    const line = { seq, time: this.#clock.now(), ...record, prev };
    const text = JSON.stringify(line, (key, value: unknown) => this.#clean(key, value));
    const bytes = Buffer.from(`${text}\n`);
    try {
      for (let written = 0; written < bytes.byteLength;)
        written += (await this.#file.write(bytes, written)).bytesWritten;
      await this.#file.datasync();
    } catch (error) {
      this.#failed = new Error(`the journal cannot be written: ${(error as Error).message}`, { cause: error });
      throw this.#failed;
    }
    this.#next = { seq: seq + 1, prev: createHash('sha256').update(bytes.subarray(0, -1)).digest('hex') };
    return JSON.parse(text) as RecordLine;
  }

  /** Hosts and SIEMs can say a secret in any text. Hashes are left alone, or a secret of digits could break the chain. */
  #clean(key: string, value: unknown): unknown {
    if (typeof value !== 'string' || (hashKeys.has(key) && hash.test(value))) return value;
    return this.#redact(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn.catch(() => undefined);
    await this.#file.close();
  }
}
