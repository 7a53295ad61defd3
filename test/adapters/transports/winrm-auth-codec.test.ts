import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import {
  channelBindingData,
  endPointHash,
  plainFingerprint,
  printedFingerprint,
} from '../../../adapters/transports/winrm/http/certificate.ts';
import {
  describeChallenges,
  findChallenge,
  parseChallenges,
} from '../../../adapters/transports/winrm/http/challenges.ts';
import {
  BodyMalformed,
  decodeEncrypted,
  encodeEncrypted,
  isEncrypted,
} from '../../../adapters/transports/winrm/http/encrypted-body.ts';
import { unwrapNegotiation } from '../../../adapters/transports/winrm/http/spnego.ts';
import { Certificate } from './winrm-peers/peer.ts';

const signature = Uint8Array.from({ length: 16 }, (_, index) => index);
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A body as servers write it; `blank` and `lower` are what some write instead. */
function body(
  ciphertext: Uint8Array,
  { dashes = '--', lower = false, end = '\r\n', signatureLength = 16 } = {},
): Buffer {
  const head = `${dashes}Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=${ciphertext.length}\r\n${dashes}Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n`;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(signatureLength);
  return Buffer.concat([
    bytes(lower ? head.toLowerCase() : head),
    length,
    signature,
    ciphertext,
    bytes(`${dashes}Encrypted Boundary--${end}`),
  ]);
}

t.test('encrypted body: what is written is the published form, and is read back', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (ciphertext) => {
      const encoded = Buffer.from(encodeEncrypted({ signature, ciphertext }));
      const decoded = decodeEncrypted(encoded);
      return (
        encoded.equals(body(ciphertext)) &&
        Buffer.from(decoded.ciphertext).equals(ciphertext) &&
        Buffer.from(decoded.signature).equals(signature)
      );
    }),
  );
  t.pass('300 bodies');
  t.end();
});

t.test('encrypted body: a blank in the boundary, lower case and a missing last line end are taken', (t) => {
  const ciphertext = bytes('cipher');
  for (const form of [{ dashes: '-- ' }, { lower: true }, { end: '' }, { dashes: '-- ', lower: true, end: '' }])
    t.same(Buffer.from(decodeEncrypted(body(ciphertext, form)).ciphertext), ciphertext, JSON.stringify(form));
  t.end();
});

t.test('encrypted body: a ciphertext that contains boundaries and headers is cut by its length', (t) => {
  const ciphertext = Buffer.concat([
    bytes('--Encrypted Boundary--\r\n'),
    body(bytes('inner')),
    bytes('--Encrypted Boundary\r\n'),
  ]);
  t.same(Buffer.from(decodeEncrypted(body(ciphertext)).ciphertext), ciphertext);
  t.end();
});

t.test('encrypted body: cut anywhere, longer than it says or with another signature, it is malformed', (t) => {
  const whole = body(bytes('cipher'));
  // Without its last line end it is still whole, so the cuts end before that.
  for (let length = 0; length < whole.length - 2; length += 1)
    t.throws(() => decodeEncrypted(whole.subarray(0, length)), BodyMalformed, `cut to ${length}`);
  t.throws(() => decodeEncrypted(Buffer.concat([whole, bytes('x')])), BodyMalformed);
  t.throws(() => decodeEncrypted(body(bytes('cipher'), { signatureLength: 60 })), BodyMalformed);
  const text = whole.toString('latin1');
  for (const [from, to] of [
    ['Length=6', 'Length=5'],
    ['Length=6', 'Length=7'],
    ['Length=6', 'Length=-6'],
    ['Length=6', 'Length=99999999999999999999'],
    ['OriginalContent', 'Original'],
    ['SPNEGO-session', 'CredSSP-session'],
    ['octet-stream', 'soap+xml'],
  ] as const)
    t.throws(() => decodeEncrypted(bytes(text.replace(from, to))), BodyMalformed, to);
  t.end();
});

t.test('encrypted body: no input makes the decoder fail otherwise', (t) => {
  const whole = body(bytes('cipher'));
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, noise) => {
      const changed = Buffer.from(whole);
      changed.set(noise.subarray(0, whole.length - at), at);
      try {
        decodeEncrypted(changed);
        return true;
      } catch (error) {
        return error instanceof BodyMalformed;
      }
    }),
    { numRuns: 2000 },
  );
  t.pass('2000 bodies');
  t.end();
});

t.test('encrypted body: told from plain SOAP by its type', (t) => {
  t.ok(isEncrypted('multipart/encrypted;protocol="x"'));
  t.ok(isEncrypted('Multipart/Encrypted'));
  for (const type of [
    '',
    'application/soap+xml',
    'multipart/mixed',
    'multipart/encrypted-not',
    'x multipart/encrypted',
  ])
    t.notOk(isEncrypted(type), type);
  t.notOk(isEncrypted(undefined));
  t.end();
});

t.test('challenges: several lines, one list, parameters with commas and tokens are told apart', (t) => {
  t.same(parseChallenges(undefined), []);
  t.same(parseChallenges('Negotiate'), [{ scheme: 'Negotiate' }]);
  t.same(parseChallenges(['Negotiate TlRMTVNTUAAC+/==', 'Kerberos']), [
    { scheme: 'Negotiate', token: 'TlRMTVNTUAAC+/==' },
    { scheme: 'Kerberos' },
  ]);
  const list = parseChallenges('Negotiate abc=, Basic realm="a, Kerberos \\", x", charset="UTF-8", CredSSP');
  t.same(
    list.map(({ scheme }) => scheme),
    ['Negotiate', 'Basic', 'CredSSP'],
  );
  t.equal(findChallenge(list, 'negotiate')?.token, 'abc=');
  t.equal(findChallenge(parseChallenges(['Negotiate', 'Negotiate abc=']), 'Negotiate')?.token, 'abc=');
  t.equal(findChallenge(list, 'Kerberos'), undefined);
  t.equal(describeChallenges(list), 'Negotiate, Basic, CredSSP');
  t.equal(describeChallenges([]), 'nothing');
  t.end();
});

t.test('SPNEGO: token and refusal are read out of what a server wraps, cut short it is an error', (t) => {
  const raw = bytes('NTLMSSP\0...');
  t.same(unwrapNegotiation(raw), { token: raw, rejected: false });
  const accept = Buffer.from('a1153013a0030a0101a20c040a4e544c4d5353500002ff', 'hex');
  t.same(Buffer.from(unwrapNegotiation(accept).token ?? []).toString('hex'), '4e544c4d5353500002ff');
  t.same(unwrapNegotiation(Buffer.from('a1073005a0030a0102', 'hex')), { rejected: true });
  for (let length = 2; length < accept.length; length += 1)
    t.throws(() => unwrapNegotiation(accept.subarray(0, length)), RangeError, `cut to ${length}`);
  t.end();
});

t.test('certificate: the hash of tls-server-end-point follows the signature, whatever made it', async (t) => {
  const pss = ['-sigopt', 'rsa_padding_mode:pss'];
  const kinds: readonly (readonly [string, string, readonly string[]])[] = [
    ['sha256', 'ec', ['-sha256']],
    ['sha384', 'ec', ['-sha384']],
    ['sha512', 'ec', ['-sha512']],
    ['sha224', 'ec', ['-sha224']],
    ['sha256', 'ec', ['-sha1']],
    ['sha256', 'rsa:2048', ['-sha1']],
    ['sha256', 'rsa:2048', ['-sha256']],
    ['sha384', 'rsa:2048', ['-sha384']],
    ['sha512', 'rsa:2048', ['-sha512']],
    ['sha256', 'rsa:2048', ['-sha256', ...pss]],
    ['sha384', 'rsa:2048', ['-sha384', ...pss]],
    ['sha512', 'rsa:2048', ['-sha512', ...pss]],
    ['sha256', 'ed25519', []],
  ];
  for (const [hash, key, signed] of kinds) {
    await using made = await Certificate.make({ key, signed });
    const der = new X509Certificate(made.pem).raw;
    t.equal(endPointHash(der), hash, `${key} ${signed.join(' ')}`);
    const size = Number(hash.slice(3)) / 8;
    t.equal(channelBindingData(der).length, 'tls-server-end-point:'.length + size);
    t.throws(() => endPointHash(der.subarray(0, 40)), RangeError);
  }
});

t.test('certificate: fingerprints are compared without colons and case, and printed with both', (t) => {
  t.equal(plainFingerprint('AB:cd:01'), 'abcd01');
  t.equal(printedFingerprint('abcd01'), 'AB:CD:01');
  t.end();
});
