import type { AcceptorSealing } from '../ntlm/sealing.ts';

/** The content type of a sealed body, as clients send it and Windows answers it. */
export const sealedType =
  'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"';

const boundary = '--Encrypted Boundary';
const plainType = 'application/soap+xml;charset=UTF-8';
const headPattern =
  /^-- ?Encrypted Boundary\r\n\s*Content-Type: *application\/HTTP-(?:SPNEGO|Kerberos)-session-encrypted\r\n\s*OriginalContent: *type=[^;]+;charset=UTF-8;Length=(\d+)\r\n-- ?Encrypted Boundary\r\n\s*Content-Type: *application\/octet-stream\r\n/i;
const tailPattern = /^-- ?Encrypted Boundary--\r\n$/i;

/** Wraps and seals a message: no blank lines, header lines that begin with a tab, nothing between data and last boundary. */
export function sealBody(sealing: AcceptorSealing, message: Uint8Array): Buffer {
  const { signature, ciphertext } = sealing.seal(message);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(signature.length);
  const head =
    `${boundary}\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n` +
    `\tOriginalContent: type=${plainType};Length=${message.length}\r\n` +
    `${boundary}\r\n\tContent-Type: application/octet-stream\r\n`;
  return Buffer.concat([Buffer.from(head), length, signature, ciphertext, Buffer.from(`${boundary}--\r\n`)]);
}

/** Undefined: not a sealed body, or one whose lengths, signature or sequence number are wrong. */
export function unsealBody(sealing: AcceptorSealing, body: Buffer): Buffer | undefined {
  const head = headPattern.exec(body.toString('latin1', 0, 400));
  if (head === null || body.length < head[0].length + 20) return undefined;
  const start = head[0].length;
  const dataAt = start + 20;
  const end = dataAt + Number(head[1]);
  if (body.readUInt32LE(start) !== 16 || end > body.length) return undefined;
  if (!tailPattern.test(body.toString('latin1', end))) return undefined;
  return sealing.unseal({ signature: body.subarray(start + 4, dataAt), ciphertext: body.subarray(dataAt, end) });
}
