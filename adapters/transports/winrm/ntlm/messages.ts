import { type AvPair, parseAvPairs } from './av-pairs.ts';
import { askedFlags } from './flags.ts';
import { utf16le } from './keys.ts';

const signature = Buffer.from('NTLMSSP\0', 'latin1');

/** [MS-NLMP] 2.2.2.10: for debugging only. Version 10.0, revision 15 of NTLM. */
const version = Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 15);

/** Where the parts of AUTHENTICATE begin: without MIC and with it, [MS-NLMP] 2.2.1.3. */
const payloadAt = { withoutMic: 72, withMic: 88 } as const;
const micAt = 72;

/** A message that is no NTLM message, or not the one that was due. */
export class NtlmMalformed extends Error {
  override readonly name = 'NtlmMalformed';
}

export function negotiateMessage(): Uint8Array {
  const message = new Uint8Array(40);
  message.set(signature);
  const view = new DataView(message.buffer);
  view.setUint32(8, 1, true);
  view.setUint32(12, askedFlags, true);
  // No domain and no workstation; both fields still say where they would be.
  view.setUint32(20, message.length, true);
  view.setUint32(28, message.length, true);
  message.set(version, 32);
  return message;
}

export type Challenge = {
  readonly flags: number;
  readonly serverChallenge: Uint8Array;
  readonly targetInfo: readonly AvPair[];
};

/** Reads by the offsets that the message gives. Throws {@link NtlmMalformed}. */
export function parseChallenge(message: Uint8Array): Challenge {
  if (message.length < 32 || !signature.equals(message.subarray(0, 8)))
    throw new NtlmMalformed('the answer is not an NTLM message');
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const type = view.getUint32(8, true);
  if (type !== 2) throw new NtlmMalformed(`the answer is NTLM message ${type} where a CHALLENGE (2) was due`);
  return {
    flags: view.getUint32(20, true),
    serverChallenge: message.slice(24, 32),
    targetInfo: message.length < 48 ? [] : targetInfo(message, view.getUint16(40, true), view.getUint32(44, true)),
  };
}

function targetInfo(message: Uint8Array, length: number, offset: number): readonly AvPair[] {
  if (length === 0) return [];
  if (offset + length > message.length) throw new NtlmMalformed('the target info of the CHALLENGE lies outside it');
  try {
    return parseAvPairs(message.subarray(offset, offset + length));
  } catch (cause) {
    throw new NtlmMalformed('the target info of the CHALLENGE is cut short', { cause });
  }
}

export type AuthenticateFields = {
  readonly flags: number;
  readonly domain: string;
  readonly user: string;
  readonly workstation: string;
  readonly lmResponse: Uint8Array;
  readonly ntResponse: Uint8Array;
  readonly encryptedSessionKey: Uint8Array;
  /** As on the wire; {@link version} unless given. */
  readonly version?: Uint8Array;
  /** Leaves room for the MIC, all zero until {@link setMic}. */
  readonly mic: boolean;
};

export function authenticateMessage(fields: AuthenticateFields): Uint8Array {
  // In the order of the example in [MS-NLMP] 4.2.4.3; `at` is where the field that points to the part is.
  const parts = [
    { at: 28, bytes: utf16le(fields.domain) },
    { at: 36, bytes: utf16le(fields.user) },
    { at: 44, bytes: utf16le(fields.workstation) },
    { at: 12, bytes: fields.lmResponse },
    { at: 20, bytes: fields.ntResponse },
    { at: 52, bytes: fields.encryptedSessionKey },
  ];
  const start = fields.mic ? payloadAt.withMic : payloadAt.withoutMic;
  const message = new Uint8Array(parts.reduce<number>((sum, { bytes }) => sum + bytes.length, start));
  const view = new DataView(message.buffer);
  message.set(signature);
  view.setUint32(8, 3, true);
  view.setUint32(60, fields.flags, true);
  message.set(fields.version ?? version, 64);
  let offset: number = start;
  for (const { at, bytes } of parts) {
    view.setUint16(at, bytes.length, true);
    view.setUint16(at + 2, bytes.length, true);
    view.setUint32(at + 4, offset, true);
    message.set(bytes, offset);
    offset += bytes.length;
  }
  return message;
}

export function setMic(message: Uint8Array, mic: Uint8Array): void {
  message.set(mic, micAt);
}
