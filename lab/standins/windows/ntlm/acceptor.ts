import { randomBytes, timingSafeEqual } from 'node:crypto';
import { avId, findAvPair } from '../../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import { lacking } from '../../../../adapters/transports/winrm/ntlm/flags.ts';
import { hmacMd5, proof, responseKey, utf16le } from '../../../../adapters/transports/winrm/ntlm/keys.ts';
import { Rc4 } from '../../../../adapters/transports/winrm/ntlm/rc4.ts';
import { challengeMessage, readAuthenticate } from './messages.ts';
import { AcceptorSealing } from './sealing.ts';

/** What the acceptor must know of the host it speaks for. */
export type NtlmHost = {
  readonly computer: string;
  /** The password of a local account, by its name in any case; undefined: no such account. */
  readonly passwordOf: (user: string) => string | undefined;
};

/** What a TLS listener asks of the client's channel binding (`CbtHardeningLevel`); `expected` is the hash of AvPair 10. */
export type ChannelBindingRule = { readonly level: 'none' | 'relaxed' | 'strict'; readonly expected: Uint8Array };

/** Why a login was refused; a client is never told. */
export type NtlmRefusal =
  'malformed' | 'not-ntlmv2' | 'unknown-user' | 'wrong-password' | 'bad-mic' | 'channel-binding' | 'weak-options';

export type NtlmResult =
  | { readonly ok: true; readonly user: string; readonly workstation: string; readonly sealing: AcceptorSealing }
  | { readonly ok: false; readonly user: string; readonly why: NtlmRefusal };

/** One NTLM login, seen from the server: NEGOTIATE in, CHALLENGE out, AUTHENTICATE in (MS-NLMP 3.2.5). NTLMv2 only. */
export class NtlmAcceptor {
  readonly #host: NtlmHost;
  readonly #serverChallenge = randomBytes(8);
  readonly #negotiate: Buffer;
  readonly challenge: Buffer;

  constructor(host: NtlmHost, negotiate: Buffer) {
    this.#host = host;
    this.#negotiate = negotiate;
    this.challenge = challengeMessage({
      computer: host.computer,
      asked: negotiate.length >= 16 ? negotiate.readUInt32LE(12) : 0,
      serverChallenge: this.#serverChallenge,
      nowMs: Date.now(),
    });
  }

  authenticate(token: Buffer, binding?: ChannelBindingRule): NtlmResult {
    const fields = readAuthenticate(token);
    if (fields === undefined) return { ok: false, user: '', why: 'malformed' };
    const refuse = (why: NtlmRefusal): NtlmResult => ({ ok: false, user: fields.user, why });
    if (fields.ntResponse.length < 44) return refuse('not-ntlmv2');
    const password = isOfThisHost(fields.domain, this.#host.computer) ? this.#host.passwordOf(fields.user) : undefined;
    if (password === undefined) return refuse('unknown-user');
    const key = responseKey(fields.user, fields.domain, utf16le(password));
    const { ntResponse, sessionBaseKey } = proof(key, this.#serverChallenge, fields.ntResponse.subarray(16));
    if (!same(fields.ntResponse, ntResponse)) return refuse('wrong-password');
    if (lacking(fields.flags).length > 0) return refuse('weak-options');
    const exported = new Rc4(sessionBaseKey).apply(fields.sessionKey);
    if (exported.length !== 16) return refuse('malformed');
    if (fields.hasMic && !same(fields.mic, hmacMd5(exported, this.#negotiate, this.challenge, fields.withoutMic)))
      return refuse('bad-mic');
    if (binding !== undefined && !bindingHolds(binding, findAvPair(fields.targetInfo, avId.channelBindings)))
      return refuse('channel-binding');
    return { ok: true, user: fields.user, workstation: fields.workstation, sealing: new AcceptorSealing(exported) };
  }
}

/** Without a binding, or with one of zeroes, a client has none to offer. */
function bindingHolds({ level, expected }: ChannelBindingRule, offered: Uint8Array | undefined): boolean {
  if (level === 'none') return true;
  if (offered === undefined || offered.every((byte) => byte === 0)) return level === 'relaxed';
  return same(offered, expected);
}

function isOfThisHost(domain: string, computer: string): boolean {
  return ['', '.', computer.toUpperCase()].includes(domain.toUpperCase());
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
