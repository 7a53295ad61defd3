import { SealBroken, SealedDirection } from '../../../../adapters/transports/winrm/ntlm/seal.ts';
import type { Sealed } from '../../../../adapters/transports/winrm/ntlm/seal.ts';

/** The acceptor's side of a sealed connection: what a client seals in one direction comes in here, and the other way round. */
export class AcceptorSealing {
  readonly #incoming: SealedDirection;
  readonly #outgoing: SealedDirection;

  constructor(sessionKey: Uint8Array) {
    this.#incoming = new SealedDirection(sessionKey, 'client-to-server');
    this.#outgoing = new SealedDirection(sessionKey, 'server-to-client');
  }

  seal(message: Uint8Array): Sealed {
    return this.#outgoing.seal(message);
  }

  /** Undefined: the signature is wrong or the sequence number is not the next one. */
  unseal(sealed: Sealed): Buffer | undefined {
    try {
      return Buffer.from(this.#incoming.unseal(sealed));
    } catch (error) {
      if (error instanceof SealBroken) return undefined;
      throw error;
    }
  }
}
