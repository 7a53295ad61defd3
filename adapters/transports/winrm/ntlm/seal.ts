import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type Direction, directionKeys } from './keys.ts';
import { Rc4 } from './rc4.ts';

/** `signature`: 16 bytes, [MS-NLMP] 2.2.2.9.2. The ciphertext is as long as the plain text. */
export type Sealed = { readonly signature: Uint8Array; readonly ciphertext: Uint8Array };

/** A message that was changed, lost, repeated or not made with the session's keys. Nothing may be read after it. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

/**
 * One direction of a sealed conversation, [MS-NLMP] 3.4: extended session security, 128 bit, key exchange. One RC4 stream
 * for all its messages and a sequence number from 0; a message counts whether or not it ever arrives.
 */
export class SealedDirection {
  /** Made once: making it costs more than using it. */
  readonly #sign: KeyObject;
  readonly #stream: Rc4;
  #sequence = 0;

  constructor(sessionKey: Uint8Array, direction: Direction) {
    const { sign, seal } = directionKeys(sessionKey, direction);
    this.#sign = createSecretKey(sign);
    this.#stream = new Rc4(seal);
  }

  seal(plaintext: Uint8Array): Sealed {
    const ciphertext = this.#stream.apply(plaintext);
    return { signature: this.#signature(plaintext), ciphertext };
  }

  /** Throws {@link SealBroken}; after that the direction is of no more use. */
  unseal({ signature, ciphertext }: Sealed): Uint8Array {
    if (signature.length !== 16) throw new SealBroken(`a signature has 16 bytes, not ${signature.length}`);
    const expected = this.#sequence;
    const given = new DataView(signature.buffer, signature.byteOffset).getUint32(12, true);
    if (given !== expected)
      throw new SealBroken(`the message carries sequence number ${given} where ${expected} was due`);
    const plaintext = this.#stream.apply(ciphertext);
    if (!timingSafeEqual(this.#signature(plaintext), signature)) throw new SealBroken('the signature is wrong');
    return plaintext;
  }

  /** Takes eight bytes of the stream, after the message's own. */
  #signature(plaintext: Uint8Array): Uint8Array {
    const signature = new Uint8Array(16);
    const view = new DataView(signature.buffer);
    view.setUint32(0, 1, true);
    view.setUint32(12, this.#sequence, true);
    const hmac = createHmac('md5', this.#sign).update(signature.subarray(12)).update(plaintext).digest();
    signature.set(this.#stream.apply(hmac.subarray(0, 8)), 4);
    this.#sequence = (this.#sequence + 1) >>> 0;
    return signature;
  }
}
