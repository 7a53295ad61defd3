import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { accountOf } from '../../../adapters/transports/winrm/ntlm/account.ts';
import {
  avId,
  channelBindingsHash,
  parseAvPairs,
  writeAvPairs,
} from '../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import { agreedFlags, askedFlags, lacking } from '../../../adapters/transports/winrm/ntlm/flags.ts';
import {
  clientBlob,
  type Direction,
  directionKeys,
  encryptSessionKey,
  hmacMd5,
  lmResponse,
  proof,
  responseKey,
  upperCase,
  utf16le,
} from '../../../adapters/transports/winrm/ntlm/keys.ts';
import { authenticate, NtlmTooWeak } from '../../../adapters/transports/winrm/ntlm/login.ts';
import { md4 } from '../../../adapters/transports/winrm/ntlm/md4.ts';
import { negotiateMessage, NtlmMalformed, parseChallenge } from '../../../adapters/transports/winrm/ntlm/messages.ts';
import { Rc4 } from '../../../adapters/transports/winrm/ntlm/rc4.ts';
import { SealBroken, SealedDirection } from '../../../adapters/transports/winrm/ntlm/seal.ts';
import { requirement } from '../../require.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Buffer => Buffer.from(text, 'hex');
const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');

t.test('MD4: the digests of RFC 1320 come out', (t) => {
  const digests: Record<string, string> = {
    '': '31d6cfe0d16ae931b73c59d7e0c089c0',
    a: 'bde52cb31de33e46245e05fbdbd6fb24',
    abc: 'a448017aaf21d8525fc10ae87aa6729d',
    'message digest': 'd9130a8164549fe818874806e1c7014b',
    abcdefghijklmnopqrstuvwxyz: 'd79e1c308aa5bbcdeea8ed63df412da9',
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: '043f8582f241db351ce627e153e7f0e4',
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890':
      'e33b4ddc9c38f2199c3e7b164fcc0536',
  };
  for (const [text, digest] of Object.entries(digests)) t.equal(hex(md4(ascii(text))), digest, `"${text}"`);
  t.end();
});

t.test('RC4: the key streams of RFC 6229 come out, in pieces of any size', (t) => {
  const stream = new Rc4(unhex('0102030405060708090a0b0c0d0e0f10'));
  const pieces = [1, 7, 8, 0, 16].map((length) => stream.apply(new Uint8Array(length)));
  t.equal(hex(Buffer.concat(pieces)), '9ac7cc9a609d1ef7b2932899cde41b975248c4959014126a6e8a84f11d1a9e1c');
  t.throws(() => new Rc4(new Uint8Array(0)), RangeError);
  t.end();
});

const file = new URL('../../../../shared/oracles/winrm/nlmp-vectors.json', import.meta.url);

type Wrapped = { readonly plaintext_hex: string; readonly sealed_hex: string; readonly signature_hex: string };
type Vectors = {
  readonly ms_nlmp_4_2_1_common: Record<string, string>;
  readonly ms_nlmp_4_2_2_ntlmv1: Record<string, string>;
  readonly ms_nlmp_4_2_4_ntlmv2: Record<string, string> & {
    readonly gss_wrap: Wrapped & { readonly checksum_hex: string };
  };
  readonly seal_keys_by_strength: Record<string, string>;
  readonly channel_bindings: Record<string, string>;
  readonly derived_multi_seal_client_to_server: {
    readonly session_key_hex: string;
    readonly messages: readonly Wrapped[];
  };
  readonly derived_multi_seal_server_to_client: {
    readonly session_key_hex: string;
    readonly messages: readonly Wrapped[];
  };
};

t.test('the examples of MS-NLMP 4.2', (t) => {
  if (!requirement(t, 'nlmp-vectors.json', existsSync(file) ? undefined : 'not beside this checkout')) return t.end();
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
  const { ms_nlmp_4_2_1_common: common, ms_nlmp_4_2_4_ntlmv2: v2 } = vectors;
  const get = (from: Record<string, unknown>, name: string): Buffer => unhex(String(from[name]));
  const password = utf16le(common.password ?? '');
  const key = responseKey('User', 'Domain', password);
  const clientChallenge = get(common, 'client_challenge_hex');
  const serverChallenge = get(common, 'server_challenge_hex');
  const sessionKey = get(common, 'random_session_key_hex');

  t.test('keys: NT hash, response key, blob, proof, responses and session keys come out', (t) => {
    t.equal(hex(md4(password)), vectors.ms_nlmp_4_2_2_ntlmv1.ResponseKeyNT);
    t.equal(hex(key), v2.NTOWFv2_ResponseKeyNT);
    const blob = clientBlob(get(common, 'time_hex'), clientChallenge, get(v2, 'target_info_hex'));
    t.equal(hex(blob), v2.temp_hex);
    const { ntProof, ntResponse, sessionBaseKey } = proof(key, serverChallenge, blob);
    t.equal(hex(ntProof), v2.NTProofStr);
    t.equal(hex(ntResponse), v2.NtChallengeResponse);
    t.equal(hex(sessionBaseKey), v2.SessionBaseKey);
    t.equal(hex(lmResponse(key, serverChallenge, clientChallenge)), v2.LMv2Response);
    t.equal(hex(encryptSessionKey(sessionBaseKey, sessionKey)), v2.EncryptedSessionKey);
    t.end();
  });

  t.test('keys: signing and sealing keys of both directions come out', (t) => {
    const client = directionKeys(sessionKey, 'client-to-server');
    const server = directionKeys(sessionKey, 'server-to-client');
    t.equal(hex(client.sign), v2.client_sign_key);
    t.equal(hex(client.seal), v2.client_seal_key_128);
    t.equal(hex(client.seal), vectors.seal_keys_by_strength.client_128);
    t.equal(hex(server.seal), vectors.seal_keys_by_strength.server_128);
    t.equal(hex(server.sign), vectors.seal_keys_by_strength.server_sign);
    t.end();
  });

  t.test('messages: the AUTHENTICATE of 4.2.4.3 comes out, byte for byte', (t) => {
    const given = [clientChallenge, sessionKey];
    const { message, sessionKey: chosen } = authenticate(
      negotiateMessage(),
      get(v2, 'ChallengeMessage'),
      { user: 'Domain\\User', password: ascii('Password') },
      {
        workstation: 'COMPUTER',
        random: () => given.shift() ?? t.fail('asked for too much'),
        now: () => -11_644_473_600_000,
        version: unhex('0501280a0000000f'),
      } as Parameters<typeof authenticate>[3],
    );
    t.equal(hex(message), v2.AuthenticateMessage);
    t.equal(hex(chosen), hex(sessionKey));
    t.end();
  });

  t.test('seal: the wrapped message of 4.2.4.4 comes out, and is read again', (t) => {
    const { signature, ciphertext } = new SealedDirection(sessionKey, 'client-to-server').seal(
      unhex(v2.gss_wrap.plaintext_hex),
    );
    t.equal(hex(ciphertext), v2.gss_wrap.sealed_hex);
    t.equal(hex(signature), v2.gss_wrap.signature_hex);
    t.equal(hex(signature.subarray(4, 12)), v2.gss_wrap.checksum_hex);
    t.end();
  });

  for (const direction of ['client-to-server', 'server-to-client'] as const satisfies readonly Direction[])
    t.test(`seal: several messages ${direction} come out of one stream, sealed and unsealed`, (t) => {
      const name =
        direction === 'client-to-server'
          ? 'derived_multi_seal_client_to_server'
          : 'derived_multi_seal_server_to_client';
      const { session_key_hex, messages } = vectors[name];
      const sealing = new SealedDirection(unhex(session_key_hex), direction);
      const unsealing = new SealedDirection(unhex(session_key_hex), direction);
      t.ok(messages.length > 1);
      for (const { plaintext_hex, sealed_hex, signature_hex } of messages) {
        const { signature, ciphertext } = sealing.seal(unhex(plaintext_hex));
        t.equal(hex(ciphertext), sealed_hex);
        t.equal(hex(signature), signature_hex);
        t.equal(
          hex(unsealing.unseal({ signature: unhex(signature_hex), ciphertext: unhex(sealed_hex) })),
          plaintext_hex,
        );
      }
      t.end();
    });

  t.test('channel bindings: both published hashes come out', (t) => {
    for (const name of ['example', 'example2']) {
      const bindings = vectors.channel_bindings;
      const data = Buffer.concat([ascii('tls-server-end-point:'), get(bindings, `${name}_cert_sha256_hex`)]);
      t.equal(hex(channelBindingsHash(data)), bindings[`${name}_md5_hex`]);
    }
    t.end();
  });
  t.end();
});

/** A CHALLENGE with these AvPairs, made here so that what the published one lacks can be looked at. */
function challengeOf(pairs: readonly { id: number; value: Uint8Array }[], flags = 0xe28a8233): Buffer {
  const info = writeAvPairs(pairs);
  const message = Buffer.alloc(56 + info.length);
  message.write('NTLMSSP\0', 'latin1');
  message.writeUInt32LE(2, 8);
  message.writeUInt32LE(flags, 20);
  message.set(unhex('0123456789abcdef'), 24);
  message.writeUInt16LE(info.length, 40);
  message.writeUInt16LE(info.length, 42);
  message.writeUInt32LE(56, 44);
  message.set(info, 56);
  return message;
}

const context = {
  workstation: 'RUNNER',
  random: (length: number) => new Uint8Array(length).fill(0x11),
  now: () => 0,
};
const credential = { user: 'dana', password: ascii('not-a-secret') };

t.test('login: a CHALLENGE that tells the time gets its time back, a MIC, flags, bindings and no LM response', (t) => {
  const time = unhex('0102030405060708');
  const challenge = challengeOf([
    { id: avId.flags, value: unhex('01000000') },
    { id: avId.timestamp, value: time },
  ]);
  const negotiate = negotiateMessage();
  const { message, sessionKey } = authenticate(negotiate, challenge, credential, {
    ...context,
    channelBindings: new Uint8Array(16).fill(7),
    targetName: 'HTTP/host.example',
  });
  const view = Buffer.from(message);
  const field = (at: number): Buffer =>
    view.subarray(view.readUInt32LE(at + 4), view.readUInt32LE(at + 4) + view.readUInt16LE(at));
  const nt = field(20);
  t.equal(hex(field(12)), '00'.repeat(24), 'LM response');
  t.equal(hex(nt.subarray(24, 32)), hex(time));
  t.equal(view.readUInt32LE(28 + 4), 88, 'the payload begins behind the MIC');
  const pairs = parseAvPairs(nt.subarray(44));
  t.same(
    pairs.map(({ id, value }) => [id, hex(value)]),
    [
      [avId.timestamp, hex(time)],
      [avId.flags, '03000000'],
      [avId.channelBindings, '07'.repeat(16)],
      [avId.targetName, hex(utf16le('HTTP/host.example'))],
    ],
  );
  const mic = hex(view.subarray(72, 88));
  view.fill(0, 72, 88);
  t.equal(hex(hmacMd5(sessionKey, negotiate, challenge, view)), mic);
  t.end();
});

t.test('login: a server that lacks what sealing needs is refused, whichever it is', (t) => {
  for (const bit of [1, 0x10, 0x20, 0x80000, 0x20000000, 0x40000000]) {
    const challenge = challengeOf([], (0xe28a8233 & ~bit) >>> 0);
    t.throws(() => authenticate(negotiateMessage(), challenge, credential, context), NtlmTooWeak, bit.toString(16));
  }
  t.throws(() => authenticate(negotiateMessage(), challengeOf([], 0xe28a8213), credential, context), {
    message: 'the server does not offer message encryption',
  });
  t.end();
});

t.test('flags: what MS-NLMP 4.2.4 prints is what is agreed on', (t) => {
  t.equal(agreedFlags(0xe28a8233).toString(16), 'e2888235');
  t.equal(lacking(askedFlags).length, 0);
  t.end();
});

t.test('messages: a CHALLENGE that is none, is cut short or points outside itself is malformed', (t) => {
  const good = challengeOf([{ id: 1, value: utf16le('HOST') }]);
  t.equal(parseChallenge(good).targetInfo.length, 1);
  t.throws(() => parseChallenge(negotiateMessage()), NtlmMalformed);
  t.throws(() => parseChallenge(ascii('<html>')), NtlmMalformed);
  for (let length = 48; length < good.length; length += 1)
    t.throws(() => parseChallenge(good.subarray(0, length)), NtlmMalformed, `cut to ${length}`);
  const endless = Buffer.from(good);
  endless.writeUInt16LE(0xffff, 56 + 2);
  t.throws(() => parseChallenge(endless), NtlmMalformed, 'a pair longer than the list');
  const open = Buffer.from(good);
  open.writeUInt16LE(12, 40);
  t.throws(() => parseChallenge(open), NtlmMalformed, 'a list without its end mark');
  t.equal(parseChallenge(good.subarray(0, 32)).targetInfo.length, 0, 'an old server sends no target info');
  t.end();
});

t.test('account: each form of a user name becomes domain and user', (t) => {
  const info = [{ id: avId.computerName, value: utf16le('SRV1') }];
  t.same(accountOf('CORP\\dana', info), { domain: 'CORP', user: 'dana' });
  t.same(accountOf('.\\dana', info), { domain: 'SRV1', user: 'dana' });
  t.same(accountOf('.\\dana', []), { domain: '', user: 'dana' });
  t.same(accountOf('dana@corp.example', info), { domain: '', user: 'dana@corp.example' });
  t.same(accountOf('dana', info), { domain: '', user: 'dana' });
  t.end();
});

t.test('keys: upper-casing keeps the length, so ß stays and é becomes É', (t) => {
  t.equal(upperCase('straße-é-я-x'), 'STRAßE-É-Я-X');
  t.end();
});

t.test('seal: a changed, repeated, skipped or foreign message breaks the seal', (t) => {
  const key = new Uint8Array(16).fill(9);
  const messages = ['one', 'two'].map(
    (
      (sealing) => (text: string) =>
        sealing.seal(ascii(text))
    )(new SealedDirection(key, 'server-to-client')),
  );
  const [one, two] = messages;
  if (one === undefined || two === undefined) throw new Error('two messages were sealed');
  const fresh = (): SealedDirection => new SealedDirection(key, 'server-to-client');
  for (let bit = 0; bit < 16 * 8; bit += 1) {
    const signature = Uint8Array.from(one.signature);
    signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.throws(() => fresh().unseal({ ...one, signature }), SealBroken, `bit ${bit} of the signature`);
  }
  for (let bit = 0; bit < one.ciphertext.length * 8; bit += 1) {
    const ciphertext = Uint8Array.from(one.ciphertext);
    ciphertext[bit >> 3] = (ciphertext[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.throws(() => fresh().unseal({ ...one, ciphertext }), SealBroken, `bit ${bit} of the ciphertext`);
  }
  const repeated = fresh();
  repeated.unseal(one);
  t.throws(() => repeated.unseal(one), { message: 'the message carries sequence number 0 where 1 was due' });
  t.throws(() => fresh().unseal(two), { message: 'the message carries sequence number 1 where 0 was due' });
  t.throws(() => new SealedDirection(key, 'client-to-server').unseal(one), SealBroken);
  t.throws(() => fresh().unseal({ ...one, signature: one.signature.subarray(1) }), SealBroken);
  t.end();
});
