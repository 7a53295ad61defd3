import { createHash } from 'node:crypto';
import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type { RecordBody, RecordLine } from '../../runner/domain/record.ts';
import type { Clock, EvidenceStore, Journal } from '../../runner/ports.ts';

type Bodies = { readonly [R in RecordBody as R['type']]: R['data'] };

/** A journal in memory. `log` is told of every line, so that its order with other things can be asserted. */
export class MemoryJournal implements Journal {
  readonly records: RecordLine[] = [];
  /** Lines from this number on cannot be written, as on a full disk. */
  failsFrom = Number.POSITIVE_INFINITY;
  readonly #clock: Clock;
  readonly #log: (record: RecordLine) => void;

  constructor(clock: Clock, log: (record: RecordLine) => void = () => undefined) {
    this.#clock = clock;
    this.#log = log;
  }

  append(record: RecordBody): Promise<RecordLine> {
    if (this.records.length >= this.failsFrom)
      return Promise.reject(new Error('the journal cannot be written: ENOSPC'));
    const line = { seq: this.records.length, time: this.#clock.now(), prev: '0'.repeat(64), ...record };
    this.records.push(line);
    this.#log(line);
    return Promise.resolve(line);
  }

  /** The data of all records of one type. */
  of<T extends keyof Bodies>(type: T): readonly Bodies[T][] {
    return this.records.filter((record) => record.type === type).map(({ data }) => data as Bodies[T]);
  }
}

/** Evidence in memory, under its real hash. */
export class MemoryEvidence implements EvidenceStore {
  readonly kept = new Map<string, Uint8Array>();
  /** Nothing can be kept any more, as on a full disk. */
  full = false;

  put(bytes: Uint8Array, mediaType: string): Promise<EvidenceRef> {
    if (this.full) return Promise.reject(new Error('ENOSPC: no space left on device'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.kept.set(sha256, bytes);
    return Promise.resolve({ sha256, bytes: bytes.byteLength, mediaType });
  }

  get(ref: EvidenceRef): Promise<Uint8Array> {
    const bytes = this.kept.get(ref.sha256);
    return bytes === undefined ? Promise.reject(new Error('not kept')) : Promise.resolve(bytes);
  }
}
