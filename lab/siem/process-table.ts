import { readFileSync, readlinkSync } from 'node:fs';

/** What is known of a process's image. Fields that are not known are absent, never guessed. */
export type ProcessImage = {
  readonly executable?: string;
  readonly args?: readonly string[];
  /** The working directory in which it was started. */
  readonly cwd?: string;
};

type Entry = ProcessImage & { readonly ppid?: number; readonly atMs: number };

/** How a process is looked up in /proc; a test brings its own. Undefined when it is gone or may not be looked at. */
export type ProcReader = (pid: number) => (ProcessImage & { readonly startedMs: number }) | undefined;

/**
 * Which image each process had when it was last heard of, so that a parent can be named. Filled from exec and fork records;
 * what those do not tell is read from /proc at event time, as osquery and auditbeat do. Holds at most `limit` processes,
 * the ones heard of longest ago go first.
 */
export class ProcessTable {
  readonly #entries = new Map<number, Entry>();
  readonly #limit: number;
  readonly #proc: ProcReader;

  constructor(limit = 16_384, proc: ProcReader = readProc) {
    this.#limit = limit;
    this.#proc = proc;
  }

  /** The process has become this program. */
  executed(pid: number, ppid: number | undefined, image: ProcessImage, atMs: number): void {
    this.#put(pid, { ...image, ...(ppid !== undefined && { ppid }), atMs });
  }

  /**
   * The parent has made a child, which has the parent's image until it executes another. The record of a fork may come
   * after that of the child's exec, because it is written when the system call returns; the child's own word stands.
   */
  forked(parent: number, image: ProcessImage, child: number, atMs: number): void {
    const known = this.#entries.get(parent);
    const sameImage = (known?.executable ?? image.executable) === image.executable;
    const inherited = sameImage ? { ...image, ...imageOnly(known ?? {}) } : image;
    if (known === undefined) this.#put(parent, { ...inherited, atMs });
    const own = this.#entries.get(child);
    if (own === undefined || own.atMs < atMs) this.#put(child, { ...inherited, ppid: parent, atMs });
  }

  /** The image of a process at the time of an event. An entry whose pid now belongs to a later process is not used. */
  imageOf(pid: number, atMs: number): ProcessImage {
    const entry = this.#entries.get(pid);
    const alive = this.#proc(pid);
    // A process that began after the event cannot be the one that is asked for (clock ticks are 10 ms).
    const running = alive !== undefined && alive.startedMs <= atMs + clockTickMs ? alive : undefined;
    const reused = entry !== undefined && running !== undefined && running.startedMs > entry.atMs + 2 * clockTickMs;
    if (entry === undefined || reused) return running === undefined ? {} : imageOnly(running);
    const sameImage = running !== undefined && (entry.executable ?? running.executable) === running.executable;
    return imageOnly(sameImage ? { ...running, ...entry } : entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  #put(pid: number, entry: Entry): void {
    this.#entries.delete(pid);
    this.#entries.set(pid, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#limit && oldest !== undefined) this.#entries.delete(oldest);
  }
}

const clockTickMs = 10;

/** Field 22 of /proc/PID/stat counts clock ticks since boot (proc(5)); Linux gives user space 100 a second everywhere. */
function readProc(pid: number): (ProcessImage & { readonly startedMs: number }) | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const uptimeMs = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1000;
    const executable = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    const args = readFileSync(`/proc/${pid}/cmdline`).toString('utf8').replace(/\0+$/, '').split('\0');
    return { startedMs: Date.now() - uptimeMs + startTicks * clockTickMs, executable, args };
  } catch {
    return undefined;
  }
}

function imageOnly({ executable, args, cwd }: ProcessImage): ProcessImage {
  return {
    ...(executable !== undefined && { executable }),
    ...(args !== undefined && { args }),
    ...(cwd !== undefined && { cwd }),
  };
}
