import {
  closeSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/** How much is kept waiting while the disk is full; what comes beyond is dropped and counted. */
const maxWaitingBytes = 8 * 1024 * 1024;

/**
 * One append-only file of JSON lines. Lines are complete when they can be seen: a write that fails half-way is taken back.
 * When the file is longer than `maxBytes` it becomes FILE.1, in place of an older one, and a new file begins; there is a
 * file under the name at every moment.
 */
export class JsonLines {
  readonly file: string;
  readonly #maxBytes: number;
  #fd: number;
  #size: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #trouble: string | undefined;

  constructor(file: string, maxBytes: number) {
    this.file = file;
    this.#maxBytes = maxBytes;
    this.#fd = openSync(file, 'a+', 0o600);
    this.#size = dropTornLine(this.#fd);
  }

  /** Why the last write failed; undefined when it did not. Includes how many lines were given up. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Appends in one write, along with what waits from before. It never throws: see {@link trouble}. */
  append(values: readonly unknown[]): void {
    for (const value of values) this.#enqueue(Buffer.from(`${JSON.stringify(value)}\n`));
    if (this.#waiting.length === 0) return;
    try {
      this.#write(Buffer.concat(this.#waiting));
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#trouble = undefined;
      if (this.#size > this.#maxBytes) this.#rotate();
    } catch (error) {
      this.#trouble = `${path.basename(this.file)} cannot be written: ${(error as Error).message}; ${this.#waiting.length} lines wait, ${this.#dropped} were given up`;
    }
  }

  /** The end of the file, from the first whole line on. */
  tail(maxBytes: number): string {
    const start = Math.max(0, this.#size - maxBytes);
    const bytes = Buffer.alloc(this.#size - start);
    readSync(this.#fd, bytes, 0, bytes.length, start);
    const text = bytes.toString('utf8');
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #enqueue(line: Buffer): void {
    if (this.#waitingBytes + line.length > maxWaitingBytes) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }

  #write(bytes: Buffer): void {
    try {
      // A disk that is nearly full takes a part and says why only when it is asked to take the rest.
      for (let written = 0; written < bytes.length;) written += writeSync(this.#fd, bytes, written);
    } catch (error) {
      ftruncateSync(this.#fd, this.#size);
      throw error;
    }
    this.#size += bytes.length;
  }

  #rotate(): void {
    const [next, old] = [`${this.file}.next`, `${this.file}.1`];
    rmSync(next, { force: true });
    const fd = openSync(next, 'ax+', 0o600);
    rmSync(`${old}.next`, { force: true });
    linkSync(this.file, `${old}.next`);
    renameSync(`${old}.next`, old);
    renameSync(next, this.file);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#size = 0;
  }
}

/** The store of a SIEM: a folder with events, alerts, rule health and a heartbeat. */
export class Store {
  readonly events: JsonLines;
  readonly alerts: JsonLines;
  readonly rules: JsonLines;
  readonly #heartbeat: string;
  #heartbeatTrouble: string | undefined;

  constructor(folder: string, maxBytes: { events?: number; alerts?: number; rules?: number } = {}) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.events = new JsonLines(path.join(folder, 'events.ndjson'), maxBytes.events ?? 256 * 1024 * 1024);
    this.alerts = new JsonLines(path.join(folder, 'alerts.ndjson'), maxBytes.alerts ?? 64 * 1024 * 1024);
    this.rules = new JsonLines(path.join(folder, 'rules.ndjson'), maxBytes.rules ?? 64 * 1024 * 1024);
    this.#heartbeat = path.join(folder, 'heartbeat.json');
  }

  /** What cannot be written now, and why. */
  get troubles(): readonly string[] {
    return [this.events.trouble, this.alerts.trouble, this.rules.trouble, this.#heartbeatTrouble].filter(
      (trouble) => trouble !== undefined,
    );
  }

  /** Replaces the heartbeat as a whole. */
  beat(heartbeat: object): void {
    try {
      writeFileSync(`${this.#heartbeat}.next`, JSON.stringify(heartbeat) + '\n', { mode: 0o600 });
      renameSync(`${this.#heartbeat}.next`, this.#heartbeat);
      this.#heartbeatTrouble = undefined;
    } catch (error) {
      this.#heartbeatTrouble = `heartbeat.json cannot be written: ${(error as Error).message}`;
    }
  }

  close(): void {
    for (const file of [this.events, this.alerts, this.rules]) file.close();
  }
}

/** A process that was killed while it wrote may have left half a line. Returns the size without it. */
function dropTornLine(fd: number): number {
  const { size } = fstatSync(fd);
  const block = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; end -= block.length) {
    const start = Math.max(0, end - block.length);
    const read = readSync(fd, block, 0, end - start, start);
    const lineFeed = block.subarray(0, read).lastIndexOf(10);
    if (lineFeed === -1) continue;
    const whole = start + lineFeed + 1;
    if (whole < size) ftruncateSync(fd, whole);
    return whole;
  }
  if (size > 0) ftruncateSync(fd, 0);
  return 0;
}
