/** An RC4 key stream, which goes on from call to call: NTLM seals all messages of a direction with one. */
export class Rc4 {
  readonly #s = Uint8Array.from({ length: 256 }, (_, index) => index);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    if (key.length === 0) throw new RangeError('an RC4 key has at least one byte');
    let j = 0;
    for (let i = 0; i < 256; i += 1) {
      j = (j + this.#at(i) + (key[i % key.length] ?? 0)) & 0xff;
      this.#swap(i, j);
    }
  }

  /** Encrypts or decrypts: the same thing. */
  apply(bytes: Uint8Array): Uint8Array {
    const s = this.#s;
    const out = new Uint8Array(bytes.length);
    let [i, j] = [this.#i, this.#j];
    // Every message goes through here byte by byte: fields and calls would cost more than the cipher.
    for (let at = 0; at < bytes.length; at += 1) {
      i = (i + 1) & 0xff;
      const a = s[i] ?? 0;
      j = (j + a) & 0xff;
      const b = s[j] ?? 0;
      s[i] = b;
      s[j] = a;
      out[at] = (bytes[at] ?? 0) ^ (s[(a + b) & 0xff] ?? 0);
    }
    this.#i = i;
    this.#j = j;
    return out;
  }

  #at(index: number): number {
    return this.#s[index] ?? 0;
  }

  #swap(a: number, b: number): void {
    const kept = this.#at(a);
    this.#s[a] = this.#at(b);
    this.#s[b] = kept;
  }
}
