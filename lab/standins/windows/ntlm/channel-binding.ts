import { createHash } from 'node:crypto';

/** Signature algorithms whose hash is not SHA-256 (RFC 5929, section 4.1: MD5 and SHA-1 are replaced by SHA-256). */
const hashOfSignature: Readonly<Record<string, string>> = {
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};

/** The channel binding hash for this server certificate: AvPair 10 of NTLM (`tls-server-end-point`, RFC 5929, with no addresses, RFC 4121 4.1.1.2). */
export function channelBindingHash(certificate: Uint8Array): Buffer {
  const hash = createHash(hashOfSignature[signatureAlgorithm(Buffer.from(certificate))] ?? 'sha256');
  const data = Buffer.concat([Buffer.from('tls-server-end-point:'), hash.update(certificate).digest()]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length);
  return createHash('md5').update(Buffer.alloc(16)).update(length).update(data).digest();
}

/** The object identifier, in hex, of the certificate's outer signature algorithm (RFC 5280, section 4.1). */
function signatureAlgorithm(der: Buffer): string {
  const certificate = element(der, 0);
  const toBeSigned = element(der, certificate.start);
  const algorithm = element(der, toBeSigned.end);
  const identifier = element(der, algorithm.start);
  return der.toString('hex', identifier.start, identifier.end);
}

/** Where the content of the DER element at `at` begins and ends. */
function element(der: Buffer, at: number): { start: number; end: number } {
  const first = der.readUInt8(at + 1);
  if (first < 0x80) return { start: at + 2, end: at + 2 + first };
  const size = first & 0x7f;
  const start = at + 2 + size;
  return { start, end: start + der.readUIntBE(at + 2, size) };
}
