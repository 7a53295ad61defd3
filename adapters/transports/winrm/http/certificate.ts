import { createHash } from 'node:crypto';

/** Signature algorithm OIDs, as their DER bytes in hex → the hash that tls-server-end-point uses where it is not SHA-256. */
const hashBySignature: Readonly<Record<string, string>> = {
  '2a864886f70d01010c': 'sha384', // sha384WithRSAEncryption, RFC 4055
  '2a864886f70d01010d': 'sha512', // sha512WithRSAEncryption
  '2a864886f70d01010e': 'sha224', // sha224WithRSAEncryption
  '2a8648ce3d040301': 'sha224', // ecdsa-with-SHA224, RFC 5758
  '2a8648ce3d040303': 'sha384', // ecdsa-with-SHA384
  '2a8648ce3d040304': 'sha512', // ecdsa-with-SHA512
};

const rsaPss = '2a864886f70d01010a';

/** Hash algorithm OIDs that RSASSA-PSS names in its parameters. */
const hashByOid: Readonly<Record<string, string>> = {
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
};

/**
 * The hash that RFC 5929, 4.1 takes for a certificate: that of its signature, SHA-256 in place of MD5 and SHA-1. Where the
 * signature has none of its own (Ed25519) the RFC says nothing and SHA-256 is taken, as others do. Node tells no signature
 * algorithm, so it is read from the DER.
 */
export function endPointHash(der: Uint8Array): string {
  const certificate = element(der, 0);
  const signed = element(der, certificate.start);
  const algorithm = element(der, signed.end);
  const oid = element(der, algorithm.start);
  const name = hex(der, oid);
  if (name !== rsaPss) return hashBySignature[name] ?? 'sha256';
  // RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm DEFAULT sha1, … }
  const parameters = element(der, oid.end);
  if (parameters.start === parameters.end) return 'sha256';
  const hash = element(der, parameters.start);
  if (hash.tag !== 0xa0) return 'sha256';
  return hashByOid[hex(der, element(der, element(der, hash.start).start))] ?? 'sha256';
}

/** What an NTLM or Kerberos login is tied to over TLS: `tls-server-end-point:` and the certificate's hash. */
export function channelBindingData(der: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from('tls-server-end-point:', 'latin1'),
    createHash(endPointHash(der)).update(der).digest(),
  ]);
}

/** Lower-case hex without colons. */
export function plainFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

/** As openssl and most administrators' tools print it. */
export function printedFingerprint(fingerprint: string): string {
  return plainFingerprint(fingerprint)
    .toUpperCase()
    .replaceAll(/(..)(?=.)/g, '$1:');
}

type Element = { readonly tag: number; readonly start: number; readonly end: number };

/** One DER element: where its content is. Throws RangeError when it does not lie within the bytes. */
function element(der: Uint8Array, at: number): Element {
  const tag = der[at];
  const first = der[at + 1];
  if (tag === undefined || first === undefined) throw new RangeError('the certificate is cut short');
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const size = first & 0x7f;
    length = 0;
    for (const byte of der.subarray(start, start + size)) length = length * 256 + byte;
    start += size;
  }
  if (start + length > der.length) throw new RangeError('the certificate is cut short');
  return { tag, start, end: start + length };
}

function hex(der: Uint8Array, { start, end }: Element): string {
  return Buffer.from(der.subarray(start, end)).toString('hex');
}
