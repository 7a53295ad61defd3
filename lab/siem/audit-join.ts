import type { AuditRecord } from './audit-record.ts';

/** All records of one event, in the order in which they were written. */
export type AuditEvent = {
  readonly serial: number;
  readonly timeMs: number;
  readonly records: readonly AuditRecord[];
};

/** Where a line stands, to read again from there. */
type Pending<Position> = { readonly records: AuditRecord[]; readonly start: Position; bytes: number; seenMs: number };

/** auditd leaves EOE out of its log; the kernel writes PROCTITLE last before it (kernel/auditsc.c, audit_log_exit). */
const lastOfCall = new Set(['PROCTITLE', 'EOE']);

/**
 * Joins the records of each event by serial and time. Events may be interleaved. An event ends with its last record, or
 * `patienceMs` after its latest one when that is missing. At most `maxPending` events of `maxBytes` each are held.
 */
export class AuditJoiner<Position> {
  readonly #pending = new Map<string, Pending<Position>>();
  readonly #patienceMs: number;
  readonly #maxPending: number;
  readonly #maxBytes: number;

  constructor(limits: { patienceMs?: number; maxPending?: number; maxBytes?: number } = {}) {
    this.#patienceMs = limits.patienceMs ?? 400;
    this.#maxPending = limits.maxPending ?? 4096;
    this.#maxBytes = limits.maxBytes ?? 4 * 1024 * 1024;
  }

  /** Takes one record that was read at `nowMs` and begins at `start`; returns the event that it completes, or that has to make room. */
  add(record: AuditRecord, start: Position, nowMs: number): AuditEvent | undefined {
    const key = `${record.timeMs}:${record.serial}`;
    const known = this.#pending.get(key);
    // Only system calls are joined; and a late record of one that was already given out has nothing to be joined to.
    if (known === undefined && record.type !== 'SYSCALL') return undefined;
    const pending = known ?? { records: [], start, bytes: 0, seenMs: nowMs };
    this.#pending.set(key, pending);
    pending.seenMs = nowMs;
    pending.bytes += record.line.length;
    if (pending.bytes <= this.#maxBytes && record.type !== 'EOE') pending.records.push(record);
    if (lastOfCall.has(record.type)) return this.#take(key);
    const [oldest] = this.#pending.keys();
    return this.#pending.size > this.#maxPending && oldest !== undefined ? this.#take(oldest) : undefined;
  }

  /** The events that waited long enough for records that do not come. */
  overdue(nowMs: number): readonly AuditEvent[] {
    return [...this.#pending]
      .filter(([, { seenMs }]) => nowMs - seenMs >= this.#patienceMs)
      .flatMap(([key]) => this.#take(key) ?? []);
  }

  /** Gives out everything, complete or not. */
  flush(): readonly AuditEvent[] {
    return [...this.#pending.keys()].flatMap((key) => this.#take(key) ?? []);
  }

  /** Where the oldest event begins that was not given out yet. */
  get oldestStart(): Position | undefined {
    return this.#pending.values().next().value?.start;
  }

  #take(key: string): AuditEvent | undefined {
    const records = this.#pending.get(key)?.records;
    this.#pending.delete(key);
    const [first] = records ?? [];
    return first === undefined || records === undefined
      ? undefined
      : { serial: first.serial, timeMs: first.timeMs, records };
  }
}
