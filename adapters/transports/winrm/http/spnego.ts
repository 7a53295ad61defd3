/** `token`: what the mechanism gets; absent where the answer carries none. `rejected`: negState 2, RFC 4178, 4.2.2. */
export type NegotiationAnswer = { readonly token?: Uint8Array; readonly rejected: boolean };

/**
 * What a server's Negotiate token holds. Windows answers a raw NTLM message with a raw one; a server that wraps its answer
 * (NegTokenResp, `a1`, RFC 4178) is understood too. Throws RangeError for a wrapping that is cut short.
 */
export function unwrapNegotiation(token: Uint8Array): NegotiationAnswer {
  if (token[0] !== 0xa1) return { token, rejected: false };
  const outer = content(token, 0);
  const fields = content(token, outer.start);
  let answer: NegotiationAnswer = { rejected: false };
  for (let at = fields.start; at < fields.end;) {
    const field = content(token, at);
    const value = content(token, field.start);
    if (token[at] === 0xa0) answer = { ...answer, rejected: token[value.start] === 2 };
    if (token[at] === 0xa2) answer = { ...answer, token: token.subarray(value.start, value.end) };
    at = field.end;
  }
  return answer;
}

function content(der: Uint8Array, at: number): { readonly start: number; readonly end: number } {
  const first = der[at + 1] ?? 0;
  const size = first >= 0x80 ? first & 0x7f : 0;
  const start = at + 2 + size;
  const length = size === 0 ? first : der.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, 0);
  if (start + length > der.length) throw new RangeError('the SPNEGO token is cut short');
  return { start, end: start + length };
}
