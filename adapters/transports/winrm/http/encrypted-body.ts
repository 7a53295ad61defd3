import type { Sealed } from '../ntlm/seal.ts';

const protocol = 'application/HTTP-SPNEGO-session-encrypted';

/** The header that goes with {@link encodeEncrypted}. */
export const encryptedContentType = `multipart/encrypted;protocol="${protocol}";boundary="Encrypted Boundary"`;

const signatureBytes = 16;

/** An answer that is not the encrypted body it should be. */
export class BodyMalformed extends Error {
  override readonly name = 'BodyMalformed';
}

/** One sealed SOAP envelope as an HTTP body, [MS-WSMV] 2.2.9.1, in the very bytes that Windows sends and takes. */
export function encodeEncrypted({ signature, ciphertext }: Sealed): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, signature.length, true);
  return Buffer.concat([
    Buffer.from(
      `--Encrypted Boundary\r\n\tContent-Type: ${protocol}\r\n` +
        `\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=${ciphertext.length}\r\n` +
        '--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n',
    ),
    length,
    signature,
    ciphertext,
    Buffer.from('--Encrypted Boundary--\r\n'),
  ]);
}

export function isEncrypted(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*multipart\/encrypted\s*(?:;|$)/i.test(contentType);
}

/**
 * Cuts by lengths, never by looking for the boundary, which the ciphertext may contain. A blank in the boundary and any case
 * of header names are taken; lengths are not negotiable. Throws {@link BodyMalformed}.
 */
export function decodeEncrypted(body: Uint8Array): Sealed {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  const line = (): string => {
    const end = text.indexOf('\r\n', at);
    if (end < 0) throw new BodyMalformed('the encrypted body ends inside its headers');
    const found = text.toString('latin1', at, end);
    at = end + 2;
    return found.trim();
  };
  const expect = (what: RegExp, name: string): RegExpExecArray => {
    const found = what.exec(line());
    if (found === null) throw new BodyMalformed(`the encrypted body has no ${name} where one belongs`);
    return found;
  };
  expect(boundary, 'boundary');
  expect(/^content-type:\s*application\/http-spnego-session-encrypted$/i, 'SPNEGO part');
  const length = Number(expect(/^originalcontent:.*;\s*length=(\d{1,9})$/i, 'length')[1]);
  expect(boundary, 'second boundary');
  expect(/^content-type:\s*application\/octet-stream$/i, 'data part');
  const dataAt = at + 4 + signatureBytes;
  if (text.length < dataAt + length) throw new BodyMalformed('the encrypted body is shorter than it says');
  const signatureLength = text.readUInt32LE(at);
  if (signatureLength !== signatureBytes)
    throw new BodyMalformed(
      `the encrypted body has a signature of ${signatureLength} bytes where ${signatureBytes} are due`,
    );
  const rest = text.toString('latin1', dataAt + length);
  if (!lastBoundary.test(rest)) throw new BodyMalformed('the encrypted body does not end where its length says');
  return {
    signature: body.subarray(at + 4, dataAt),
    ciphertext: body.subarray(dataAt, dataAt + length),
  };
}

const boundary = /^-- ?encrypted boundary$/i;
const lastBoundary = /^-- ?encrypted boundary--(?:\r\n)?$/i;
