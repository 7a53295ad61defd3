const rounds: readonly { readonly k: readonly number[]; readonly shifts: readonly number[]; readonly add: number }[] = [
  { k: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19], add: 0 },
  { k: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13], add: 0x5a827999 },
  { k: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15], add: 0x6ed9eba1 },
];

const mix = [
  (x: number, y: number, z: number): number => (x & y) | (~x & z),
  (x: number, y: number, z: number): number => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number): number => x ^ y ^ z,
];

/** RFC 1320. NTLM's hash of a password; OpenSSL 3, and so Node, has it no more. Not a secure hash. */
export function md4(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n, true);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < padded.length; block += 64) addBlock(state, view, block);
  padded.fill(0);
  const digest = new Uint8Array(16);
  state.forEach((word, index) => {
    new DataView(digest.buffer).setUint32(index * 4, word, true);
  });
  return digest;
}

function addBlock(state: Uint32Array, view: DataView, block: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  rounds.forEach(({ k, shifts, add }, round) => {
    const f = mix[round] ?? mix[0];
    k.forEach((word, step) => {
      const sum = (a + (f?.(b, c, d) ?? 0) + view.getUint32(block + word * 4, true) + add) >>> 0;
      const shift = shifts[step % 4] ?? 0;
      [a, b, c, d] = [d, ((sum << shift) | (sum >>> (32 - shift))) >>> 0, b, c];
    });
  });
  state.set([a, b, c, d].map((word, index) => word + (state[index] ?? 0)));
}
