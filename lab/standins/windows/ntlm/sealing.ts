import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Rc4 } from './rc4.ts';

type Direction = 'client-to-server' | 'server-to-client';

/** One direction of a sealed NTLM connection: 128-bit keys, extended session security, key exchange (MS-NLMP 3.4.4.2, 3.4.5). */
class SealedDirection {
  readonly #signKey: Buffer;
  readonly #stream: Rc4;
  #sequence = 0;

  constructor(sessionKey: Uint8Array, direction: Direction) {
    this.#signKey = derivedKey(sessionKey, direction, 'signing');
    this.#stream = new Rc4(derivedKey(sessionKey, direction, 'sealing'));
  }

  seal(message: Uint8Array): { signature: Buffer; sealed: Buffer } {
    const sealed = this.#stream.update(message);
    return { signature: this.#signatureOf(message), sealed };
  }

  /** Undefined: the signature is wrong or the sequence number is not the next one. */
  unseal(signature: Uint8Array, sealed: Uint8Array): Buffer | undefined {
    const message = this.#stream.update(sealed);
    const expected = this.#signatureOf(message);
    return signature.length === expected.length && timingSafeEqual(signature, expected) ? message : undefined;
  }

  #signatureOf(message: Uint8Array): Buffer {
    const sequence = Buffer.alloc(4);
    sequence.writeUInt32LE(this.#sequence);
    this.#sequence += 1;
    const digest = createHmac('md5', this.#signKey).update(sequence).update(message).digest().subarray(0, 8);
    return Buffer.concat([Buffer.from([1, 0, 0, 0]), this.#stream.update(digest), sequence]);
  }
}

/** The acceptor's side of a sealed connection. */
export class AcceptorSealing {
  readonly #incoming: SealedDirection;
  readonly #outgoing: SealedDirection;

  constructor(sessionKey: Uint8Array) {
    this.#incoming = new SealedDirection(sessionKey, 'client-to-server');
    this.#outgoing = new SealedDirection(sessionKey, 'server-to-client');
  }

  seal(message: Uint8Array): { signature: Buffer; sealed: Buffer } {
    return this.#outgoing.seal(message);
  }

  unseal(signature: Uint8Array, sealed: Uint8Array): Buffer | undefined {
    return this.#incoming.unseal(signature, sealed);
  }
}

function derivedKey(sessionKey: Uint8Array, direction: Direction, purpose: 'signing' | 'sealing'): Buffer {
  const constant = `session key to ${direction} ${purpose} key magic constant\0`;
  return createHash('md5').update(sessionKey).update(constant, 'latin1').digest();
}
