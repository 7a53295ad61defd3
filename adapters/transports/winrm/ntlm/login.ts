import { transcode } from 'node:buffer';
import { accountOf } from './account.ts';
import { avId, type AvPair, findAvPair, writeAvPairs } from './av-pairs.ts';
import { agreedFlags, lacking } from './flags.ts';
import { clientBlob, encryptSessionKey, hmacMd5, lmResponse, proof, responseKey, utf16le } from './keys.ts';
import { authenticateMessage, parseChallenge, setMic } from './messages.ts';

/** MsvAvFlags: the message carries a MIC. */
const micProvided = 2;

/** Milliseconds from 1601, where a FILETIME begins, to 1970. */
const filetimeEpochMs = 11_644_473_600_000;

export type NtlmCredential = {
  /** {@link accountOf} says in which forms. */
  readonly user: string;
  /** UTF-8. */
  readonly password: Uint8Array;
};

export type NtlmContext = {
  readonly workstation: string;
  /** The service principal asked for, such as `HTTP/host`; goes into the proof. */
  readonly targetName?: string;
  /** The value of MsvAvChannelBindings. */
  readonly channelBindings?: Uint8Array;
  readonly random: (length: number) => Uint8Array;
  /** Milliseconds since the epoch; used only where the CHALLENGE tells no time. */
  readonly now: () => number;
  /** For comparison with published messages. */
  readonly version?: Uint8Array;
};

/** The server's flags lack what this client insists on. */
export class NtlmTooWeak extends Error {
  override readonly name = 'NtlmTooWeak';
}

export type Authenticated = { readonly message: Uint8Array; readonly sessionKey: Uint8Array };

/**
 * NTLMv2's answer to a CHALLENGE, [MS-NLMP] 3.1.5.1.2, with key exchange, and with MIC where the CHALLENGE tells the time.
 * `negotiate` and `challenge` are the messages as they went over the wire. Throws NtlmMalformed, {@link NtlmTooWeak}.
 */
export function authenticate(
  negotiate: Uint8Array,
  challenge: Uint8Array,
  credential: NtlmCredential,
  context: NtlmContext,
): Authenticated {
  const { flags, serverChallenge, targetInfo } = parseChallenge(challenge);
  const missing = lacking(flags);
  if (missing.length > 0) throw new NtlmTooWeak(`the server does not offer ${missing.join(', ')}`);
  const { domain, user } = accountOf(credential.user, targetInfo);
  const timestamp = findAvPair(targetInfo, avId.timestamp);
  const mic = timestamp !== undefined;
  const clientChallenge = context.random(8);
  const key = withUtf16(credential.password, (password) => responseKey(user, domain, password));
  const blob = clientBlob(
    timestamp ?? filetime(context.now()),
    clientChallenge,
    writeAvPairs(answerInfo(targetInfo, mic, context)),
  );
  const { ntResponse, sessionBaseKey } = proof(key, serverChallenge, blob);
  const sessionKey = context.random(16);
  const message = authenticateMessage({
    flags: agreedFlags(flags),
    domain,
    user,
    workstation: context.workstation,
    lmResponse: mic ? new Uint8Array(24) : lmResponse(key, serverChallenge, clientChallenge),
    ntResponse,
    encryptedSessionKey: encryptSessionKey(sessionBaseKey, sessionKey),
    mic,
    ...(context.version === undefined ? {} : { version: context.version }),
  });
  if (mic) setMic(message, hmacMd5(sessionKey, negotiate, challenge, message));
  key.fill(0);
  return { message, sessionKey };
}

/** The server's pairs, which the proof binds, and ours. */
function answerInfo(targetInfo: readonly AvPair[], mic: boolean, context: NtlmContext): readonly AvPair[] {
  const ours: AvPair[] = [];
  const flags = findAvPair(targetInfo, avId.flags);
  if (mic) ours.push({ id: avId.flags, value: withBit(flags, micProvided) });
  else if (flags !== undefined) ours.push({ id: avId.flags, value: flags });
  if (context.channelBindings !== undefined) ours.push({ id: avId.channelBindings, value: context.channelBindings });
  if (context.targetName !== undefined) ours.push({ id: avId.targetName, value: utf16le(context.targetName) });
  const replaced: readonly number[] = [avId.flags, avId.channelBindings, avId.targetName];
  return [...targetInfo.filter(({ id }) => !replaced.includes(id)), ...ours];
}

function withBit(flags: Uint8Array | undefined, bit: number): Uint8Array {
  const value = new Uint8Array(4);
  if (flags?.length === 4) value.set(flags);
  value[0] = (value[0] ?? 0) | bit;
  return value;
}

function filetime(epochMs: number): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(epochMs + filetimeEpochMs) * 10_000n, true);
  return time;
}

/** The password in NTLM's encoding, for the time of the call; never as a string, which nobody could wipe. */
function withUtf16<T>(utf8: Uint8Array, use: (utf16: Uint8Array) => T): T {
  const utf16 = transcode(Buffer.from(utf8.buffer, utf8.byteOffset, utf8.byteLength), 'utf8', 'utf16le');
  try {
    return use(utf16);
  } finally {
    utf16.fill(0);
  }
}
