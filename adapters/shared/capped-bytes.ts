/** Keeps the first `cap` bytes that are pushed; the rest is counted as dropped, not kept. */
export class CappedBytes {
  readonly #cap: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #truncated = false;

  constructor(cap: number) {
    this.#cap = cap;
  }

  push(chunk: Uint8Array): void {
    const room = this.#cap - this.#length;
    if (chunk.length > room) this.#truncated = true;
    if (room <= 0) return;
    // A copy of its own: a slice would hold on to the whole network buffer it came in.
    const kept = Uint8Array.prototype.slice.call(chunk, 0, room);
    this.#chunks.push(kept);
    this.#length += kept.length;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }
}
