/** RC4 with its state kept between calls, as NTLM's sealing wants it; OpenSSL 3 no longer offers it. */
export class Rc4 {
  readonly #state = Uint8Array.from({ length: 256 }, (_, i) => i);
  #i = 0;
  #j = 0;

  constructor(key: Uint8Array) {
    for (let i = 0, j = 0; i < 256; i += 1) {
      j = (j + this.#at(i) + (key[i % key.length] ?? 0)) & 255;
      this.#swap(i, j);
    }
  }

  /** Encrypts, or decrypts, and moves the key stream on by as many bytes. */
  update(bytes: Uint8Array): Buffer {
    const result = Buffer.alloc(bytes.length);
    for (let at = 0; at < bytes.length; at += 1) {
      this.#i = (this.#i + 1) & 255;
      this.#j = (this.#j + this.#at(this.#i)) & 255;
      this.#swap(this.#i, this.#j);
      result[at] = (bytes[at] ?? 0) ^ this.#at((this.#at(this.#i) + this.#at(this.#j)) & 255);
    }
    return result;
  }

  #at(index: number): number {
    return this.#state[index] ?? 0;
  }

  #swap(i: number, j: number): void {
    const kept = this.#at(i);
    this.#state[i] = this.#at(j);
    this.#state[j] = kept;
  }
}
