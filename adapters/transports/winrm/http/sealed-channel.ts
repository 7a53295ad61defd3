import { SealBroken, SealedDirection } from '../ntlm/seal.ts';
import { type Channel, endsConversation } from './channel.ts';
import {
  BodyMalformed,
  decodeEncrypted,
  encodeEncrypted,
  encryptedContentType,
  isEncrypted,
} from './encrypted-body.ts';
import type { RawAnswer } from './exchange.ts';

/** SOAP sealed with the keys of an NTLM login, for plain http. Lives and ends with the socket of that login. */
export class SealedChannel implements Channel {
  readonly sealed = true;
  readonly #where: string;
  readonly #sending: SealedDirection;
  readonly #receiving: SealedDirection;

  constructor(sessionKey: Uint8Array, where: string) {
    this.#where = where;
    this.#sending = new SealedDirection(sessionKey, 'client-to-server');
    this.#receiving = new SealedDirection(sessionKey, 'server-to-client');
  }

  wrap(soap: Uint8Array): ReturnType<Channel['wrap']> {
    return { headers: { 'content-type': encryptedContentType }, body: encodeEncrypted(this.#sending.seal(soap)) };
  }

  unwrap({ status, contentType, body }: RawAnswer): Uint8Array {
    if (!isEncrypted(contentType))
      throw endsConversation(
        this.#where,
        `answered ${status} in plain text after a login that seals every message; whoever wrote it, it is not read`,
      );
    try {
      return this.#receiving.unseal(decodeEncrypted(body));
    } catch (error) {
      if (error instanceof BodyMalformed) throw endsConversation(this.#where, error.message, error);
      if (error instanceof SealBroken)
        throw endsConversation(
          this.#where,
          `an answer was changed, repeated or lost on its way (${error.message})`,
          error,
        );
      throw error;
    }
  }
}
