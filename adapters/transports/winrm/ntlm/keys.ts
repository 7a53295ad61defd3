import { createHash, createHmac } from 'node:crypto';
import { md4 } from './md4.ts';
import { Rc4 } from './rc4.ts';

export function utf16le(text: string): Uint8Array {
  return Buffer.from(text, 'utf16le');
}

export function md5(...parts: readonly Uint8Array[]): Uint8Array {
  return parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest();
}

export function hmacMd5(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return parts.reduce((hmac, part) => hmac.update(part), createHmac('md5', key)).digest();
}

/** Simple upper-casing, one code unit at a time: what would grow (ß → SS) stays as it is. */
export function upperCase(text: string): string {
  return Array.from({ length: text.length }, (_, index) => {
    const unit = text.charAt(index);
    const upper = unit.toUpperCase();
    return upper.length === 1 ? upper : unit;
  }).join('');
}

/** NTOWFv2, [MS-NLMP] 3.3.2: as good as the password for this account. `password` is UTF-16LE. The domain's case counts. */
export function responseKey(user: string, domain: string, password: Uint8Array): Uint8Array {
  const hash = md4(password);
  try {
    return hmacMd5(hash, utf16le(upperCase(user) + domain));
  } finally {
    hash.fill(0);
  }
}

/** `temp` of [MS-NLMP] 3.3.2. `time`: a FILETIME, as on the wire. */
export function clientBlob(time: Uint8Array, clientChallenge: Uint8Array, targetInfo: Uint8Array): Uint8Array {
  const blob = new Uint8Array(28 + targetInfo.length + 4);
  blob.set([1, 1]);
  blob.set(time, 8);
  blob.set(clientChallenge, 16);
  blob.set(targetInfo, 28);
  return blob;
}

export type Proof = {
  readonly ntProof: Uint8Array;
  readonly ntResponse: Uint8Array;
  readonly sessionBaseKey: Uint8Array;
};

export function proof(key: Uint8Array, serverChallenge: Uint8Array, blob: Uint8Array): Proof {
  const ntProof = hmacMd5(key, serverChallenge, blob);
  return { ntProof, ntResponse: Buffer.concat([ntProof, blob]), sessionBaseKey: hmacMd5(key, ntProof) };
}

export function lmResponse(key: Uint8Array, serverChallenge: Uint8Array, clientChallenge: Uint8Array): Uint8Array {
  return Buffer.concat([hmacMd5(key, serverChallenge, clientChallenge), clientChallenge]);
}

/** With key exchange: the session key that the client chose, sent under the key that the login proved. */
export function encryptSessionKey(sessionBaseKey: Uint8Array, sessionKey: Uint8Array): Uint8Array {
  return new Rc4(sessionBaseKey).apply(sessionKey);
}

export type Direction = 'client-to-server' | 'server-to-client';

/** SIGNKEY and SEALKEY, [MS-NLMP] 3.4.5.2 and 3.4.5.3, for 128 bit and extended session security. */
export function directionKeys(sessionKey: Uint8Array, direction: Direction): { sign: Uint8Array; seal: Uint8Array } {
  const magic = (purpose: string): Uint8Array =>
    Buffer.from(`session key to ${direction} ${purpose} key magic constant\0`, 'latin1');
  return { sign: md5(sessionKey, magic('signing')), seal: md5(sessionKey, magic('sealing')) };
}
