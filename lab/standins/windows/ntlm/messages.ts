import { avId, findAvPair, parseAvPairs, writeAvPairs } from '../../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import type { AvPair } from '../../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import { flag } from '../../../../adapters/transports/winrm/ntlm/flags.ts';
import { utf16le } from '../../../../adapters/transports/winrm/ntlm/keys.ts';

/** The target is a server and no domain (MS-NLMP 2.2.2.5). */
const targetTypeServer = 0x20000;

const signature = Buffer.from('NTLMSSP\0', 'latin1');
/** Windows 10.0.20348, revision 15 (MS-NLMP 2.2.2.10). */
const version = Buffer.from([10, 0, 0x7c, 0x4f, 0, 0, 0, 15]);
/** Of these the server grants what the client asks for. */
const optional = flag.sign | flag.seal | flag.key128 | flag.keyExchange | flag.key56;
const always =
  flag.unicode |
  flag.requestTarget |
  flag.ntlm |
  flag.alwaysSign |
  targetTypeServer |
  flag.extendedSessionSecurity |
  flag.targetInfo |
  flag.version;

/** Which of the three messages a token is; undefined when it is none. */
export function messageType(token: Uint8Array): number | undefined {
  const bytes = Buffer.from(token.buffer, token.byteOffset, token.byteLength);
  return bytes.length >= 12 && bytes.subarray(0, 8).equals(signature) ? bytes.readUInt32LE(8) : undefined;
}

/** CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2) of a host that is in no domain. */
export function challengeMessage(of: {
  computer: string;
  asked: number;
  serverChallenge: Buffer;
  nowMs: number;
}): Buffer {
  const name = utf16le(of.computer);
  const info = writeAvPairs([
    { id: avId.domainName, value: name },
    { id: avId.computerName, value: name },
    { id: avId.dnsDomainName, value: name },
    { id: avId.dnsComputerName, value: name },
    { id: avId.timestamp, value: fileTime(of.nowMs) },
  ]);
  const head = Buffer.alloc(56);
  signature.copy(head);
  head.writeUInt32LE(2, 8);
  writeField(head, 12, name.length, 56);
  head.writeUInt32LE((always | (of.asked & optional)) >>> 0, 20);
  of.serverChallenge.copy(head, 24);
  writeField(head, 40, info.length, 56 + name.length);
  version.copy(head, 48);
  return Buffer.concat([head, name, info]);
}

/** AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), parsed by its offsets. */
export type Authenticate = {
  readonly user: string;
  readonly domain: string;
  readonly workstation: string;
  readonly ntResponse: Buffer;
  readonly sessionKey: Buffer;
  readonly flags: number;
  /** The pairs that an NTLMv2 response carries; none in a response that is none. */
  readonly targetInfo: readonly AvPair[];
  /** Whether the client says, in its target info, that it sends a MIC. */
  readonly hasMic: boolean;
  readonly mic: Buffer;
  /** The message as it was when its MIC was made: with zeroes in the MIC's place. */
  readonly withoutMic: Buffer;
};

/** Undefined when the token is no such message or its fields lie outside of it. */
export function readAuthenticate(token: Buffer): Authenticate | undefined {
  if (messageType(token) !== 3 || token.length < 64) return undefined;
  const field = (at: number): Buffer | undefined => {
    const [length, offset] = [token.readUInt16LE(at), token.readUInt32LE(at + 4)];
    return offset + length <= token.length ? token.subarray(offset, offset + length) : undefined;
  };
  const [ntResponse, domain, user, workstation, sessionKey] = [20, 28, 36, 44, 52].map(field);
  if (!ntResponse || !domain || !user || !workstation || !sessionKey) return undefined;
  const flags = token.readUInt32LE(60);
  const text = (bytes: Buffer): string => bytes.toString((flags & flag.unicode) !== 0 ? 'utf16le' : 'latin1');
  const targetInfo = pairsOf(ntResponse);
  if (targetInfo === undefined) return undefined;
  const avFlags = findAvPair(targetInfo, avId.flags);
  const hasMic = avFlags?.length === 4 && ((avFlags[0] ?? 0) & 2) !== 0;
  if (hasMic && token.length < 88) return undefined;
  const withoutMic = Buffer.from(token);
  if (hasMic) withoutMic.fill(0, 72, 88);
  return {
    user: text(user),
    domain: text(domain),
    workstation: text(workstation),
    ntResponse,
    sessionKey,
    flags,
    targetInfo,
    hasMic,
    mic: token.subarray(72, 88),
    withoutMic,
  };
}

/** The pairs begin 28 bytes into `temp`, which follows the proof (MS-NLMP 2.2.2.7, 2.2.2.8). Undefined: the list is cut short. */
function pairsOf(ntResponse: Buffer): readonly AvPair[] | undefined {
  if (ntResponse.length < 44) return [];
  try {
    return parseAvPairs(ntResponse.subarray(44));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function writeField(head: Buffer, at: number, length: number, offset: number): void {
  head.writeUInt16LE(length, at);
  head.writeUInt16LE(length, at + 2);
  head.writeUInt32LE(offset, at + 4);
}

/** Hundreds of nanoseconds since 1601. */
function fileTime(ms: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE((BigInt(ms) + 11_644_473_600_000n) * 10_000n);
  return bytes;
}
