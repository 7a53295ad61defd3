/** Bits of the flags field (MS-NLMP 2.2.2.5). */
export const flag = {
  unicode: 0x1,
  requestTarget: 0x4,
  sign: 0x10,
  seal: 0x20,
  ntlm: 0x200,
  alwaysSign: 0x8000,
  targetTypeServer: 0x20000,
  extendedSessionSecurity: 0x80000,
  targetInfo: 0x800000,
  version: 0x2000000,
  bits128: 0x20000000,
  keyExchange: 0x40000000,
  bits56: 0x80000000,
} as const;

const signature = Buffer.from('NTLMSSP\0', 'latin1');
/** Windows 10.0.20348, revision 15 (MS-NLMP 2.2.2.10). */
const version = Buffer.from([10, 0, 0x7c, 0x4f, 0, 0, 0, 15]);
/** Of these the server grants what the client asks for. */
const optional = flag.sign | flag.seal | flag.bits128 | flag.keyExchange | flag.bits56;
const always =
  flag.unicode |
  flag.requestTarget |
  flag.ntlm |
  flag.alwaysSign |
  flag.targetTypeServer |
  flag.extendedSessionSecurity |
  flag.targetInfo |
  flag.version;

/** Attribute ids of a target info field (MS-NLMP 2.2.2.1). */
const attribute = {
  end: 0,
  computer: 1,
  domain: 2,
  dnsComputer: 3,
  dnsDomain: 4,
  flags: 6,
  timestamp: 7,
  channelBindings: 10,
} as const;

/** Which of the three messages a token is; undefined when it is none. */
export function messageType(token: Uint8Array): number | undefined {
  const bytes = Buffer.from(token.buffer, token.byteOffset, token.byteLength);
  return bytes.length >= 12 && bytes.subarray(0, 8).equals(signature) ? bytes.readUInt32LE(8) : undefined;
}

export const message = {
  /** CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2) of a host that is in no domain. */
  challenge(of: { computer: string; asked: number; serverChallenge: Buffer; nowMs: number }): Buffer {
    const name = Buffer.from(of.computer, 'utf16le');
    const pairs: readonly (readonly [number, Buffer])[] = [
      [attribute.domain, name],
      [attribute.computer, name],
      [attribute.dnsDomain, name],
      [attribute.dnsComputer, name],
      [attribute.timestamp, fileTime(of.nowMs)],
      [attribute.end, Buffer.alloc(0)],
    ];
    const info = Buffer.concat(pairs.flatMap(([id, value]) => [u16(id), u16(value.length), value]));
    const head = Buffer.alloc(56);
    signature.copy(head);
    head.writeUInt32LE(2, 8);
    writeField(head, 12, name.length, 56);
    head.writeUInt32LE((always | (of.asked & optional)) >>> 0, 20);
    of.serverChallenge.copy(head, 24);
    writeField(head, 40, info.length, 56 + name.length);
    version.copy(head, 48);
    return Buffer.concat([head, name, info]);
  },
};

/** AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), parsed by its offsets. */
export type Authenticate = {
  readonly user: string;
  readonly domain: string;
  readonly workstation: string;
  readonly ntResponse: Buffer;
  readonly sessionKey: Buffer;
  readonly flags: number;
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
  const avFlags = pairsOf(ntResponse.subarray(16)).get(attribute.flags);
  const hasMic = avFlags !== undefined && avFlags.length === 4 && (avFlags.readUInt32LE() & 2) !== 0;
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
    hasMic,
    mic: token.subarray(72, 88),
    withoutMic,
  };
}

/** The channel binding that an NTLMv2 response's `temp` carries. */
export function channelBindings(temp: Buffer): Uint8Array | undefined {
  return pairsOf(temp).get(attribute.channelBindings);
}

/** The attributes begin 28 bytes into `temp` (MS-NLMP 2.2.2.7). */
function pairsOf(temp: Buffer): ReadonlyMap<number, Buffer> {
  const pairs = new Map<number, Buffer>();
  for (let at = 28; at + 4 <= temp.length;) {
    const [id, length] = [temp.readUInt16LE(at), temp.readUInt16LE(at + 2)];
    if (id === attribute.end) break;
    pairs.set(id, temp.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return pairs;
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

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
