/** NegotiateFlags, [MS-NLMP] 2.2.2.5; those that a client asks for. */
export const flag = {
  unicode: 0x00000001,
  oem: 0x00000002,
  requestTarget: 0x00000004,
  sign: 0x00000010,
  seal: 0x00000020,
  ntlm: 0x00000200,
  alwaysSign: 0x00008000,
  extendedSessionSecurity: 0x00080000,
  targetInfo: 0x00800000,
  version: 0x02000000,
  key128: 0x20000000,
  keyExchange: 0x40000000,
  key56: 0x80000000,
} as const;

const { oem, requestTarget, ...rest } = flag;

/** What is asked for in NEGOTIATE. */
export const askedFlags = Object.values({ oem, requestTarget, ...rest }).reduce((sum, bit) => (sum | bit) >>> 0, 0);

const needed = {
  'Unicode text': flag.unicode,
  'extended session security': flag.extendedSessionSecurity,
  signing: flag.sign,
  'message encryption': flag.seal,
  '128 bit keys': flag.key128,
  'key exchange': flag.keyExchange,
} as const;

/** What the server's flags lack of what this client insists on; empty when they will do. */
export function lacking(serverFlags: number): readonly string[] {
  return Object.entries(needed).flatMap(([name, bit]) => ((serverFlags & bit) === 0 ? [name] : []));
}

/** The flags of AUTHENTICATE: what both sides want. OEM text is out once Unicode was agreed on. */
export function agreedFlags(serverFlags: number): number {
  return ((askedFlags & serverFlags & ~flag.oem) | flag.requestTarget) >>> 0;
}
