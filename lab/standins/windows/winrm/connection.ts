import { isUtf8 } from 'node:buffer';
import type { TLSSocket } from 'node:tls';
import { NtlmAcceptor } from '../ntlm/acceptor.ts';
import type { ChannelBindingRule } from '../ntlm/acceptor.ts';
import { messageType } from '../ntlm/messages.ts';
import type { AcceptorSealing } from '../ntlm/sealing.ts';
import type { Machine } from '../machine/machine.ts';
import type { Caller } from './service.ts';

/** How a listener lets callers in; the names are those of `winrm/config/service`. */
export type AuthSettings = {
  readonly basic: boolean;
  readonly negotiate: boolean;
  readonly certificate: boolean;
  readonly allowUnencrypted: boolean;
  readonly cbtHardeningLevel: 'none' | 'relaxed' | 'strict';
};

/** What a request's `Authorization` header, or its absence, comes to. */
export type Admission =
  | { readonly kind: 'in'; readonly caller: Caller }
  | { readonly kind: 'challenge'; readonly token: string }
  | { readonly kind: 'refused' };

const certificateScheme = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';

/** What is known of one TCP connection: NTLM authenticates it, and not a request. */
export class Connection {
  readonly #machine: Machine;
  readonly #auth: AuthSettings;
  readonly #binding: ChannelBindingRule | undefined;
  readonly #peer: { readonly ip: string; readonly port: number };
  readonly #tls: TLSSocket | undefined;
  #acceptor: NtlmAcceptor | undefined;
  #caller: Caller | undefined;
  #sealing: AcceptorSealing | undefined;

  /** @param tls with its server's channel binding; undefined for plain HTTP. */
  constructor(
    machine: Machine,
    auth: AuthSettings,
    peer: { ip: string; port: number },
    tls: { socket: TLSSocket; bindingHash: Uint8Array } | undefined,
  ) {
    this.#machine = machine;
    this.#auth = auth;
    this.#peer = peer;
    this.#tls = tls?.socket;
    this.#binding = tls && { level: auth.cbtHardeningLevel, expected: tls.bindingHash };
  }

  /** The keys of this connection's NTLM session. */
  get sealing(): AcceptorSealing | undefined {
    return this.#sealing;
  }

  get isEncrypted(): boolean {
    return this.#tls !== undefined;
  }

  admit(authorization: string | undefined): Admission {
    if (authorization === undefined)
      return this.#caller === undefined ? { kind: 'refused' } : { kind: 'in', caller: this.#caller };
    const [scheme = '', value = ''] = authorization.trim().split(/\s+/, 2);
    switch (scheme.toLowerCase()) {
      case 'negotiate':
        return this.#auth.negotiate ? this.#ntlm(Buffer.from(value, 'base64')) : { kind: 'refused' };
      case 'basic':
        return this.#basic(value);
      case certificateScheme:
        return this.#certificate();
      default:
        return { kind: 'refused' };
    }
  }

  #ntlm(token: Buffer): Admission {
    const { name, accounts } = this.#machine;
    this.#caller = undefined;
    this.#sealing = undefined;
    const type = messageType(token);
    if (type === 1) {
      const passwordOf = (user: string): string | undefined => accounts.find(user)?.password;
      this.#acceptor = new NtlmAcceptor({ computer: name, passwordOf }, token);
      return { kind: 'challenge', token: `Negotiate ${this.#acceptor.challenge.toString('base64')}` };
    }
    const acceptor = this.#acceptor;
    // One answer to a challenge.
    this.#acceptor = undefined;
    if (type !== 3 || acceptor === undefined) return { kind: 'refused' };
    const result = acceptor.authenticate(token, this.#binding);
    if (!result.ok) return this.#refuse(result.user);
    this.#sealing = result.sealing;
    return this.#let(result.user, 3, 'NTLM', result.workstation);
  }

  #basic(value: string): Admission {
    if (!this.#auth.basic || (!this.isEncrypted && !this.#auth.allowUnencrypted)) return { kind: 'refused' };
    const text = basicText(Buffer.from(value, 'base64'));
    const [user, password] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
    const name = user.replace(/^(?:\.|[^\\]*)\\/, '');
    const account = this.#machine.accounts.find(name);
    if (account?.password === undefined || account.password !== password) return this.#refuse(user);
    return this.#let(name, 8, 'Basic', '');
  }

  /** A client certificate is mapped to a local account by its subject's common name, which the listener's CA vouches for. */
  #certificate(): Admission {
    const certificate = this.#tls?.authorized === true ? this.#tls.getPeerCertificate() : undefined;
    const name = certificate?.subject.CN;
    if (!this.#auth.certificate || typeof name !== 'string') return { kind: 'refused' };
    return this.#machine.accounts.find(name) === undefined ? this.#refuse(name) : this.#let(name, 3, 'certificate', '');
  }

  #let(user: string, logonType: number, method: 'NTLM' | 'Basic' | 'certificate', workstation: string): Admission {
    const account = this.#machine.accounts.find(user);
    if (account === undefined) return { kind: 'refused' };
    if (method !== 'certificate' && this.#machine.accounts.hasExpiredPassword(account))
      return this.#refuse(user, 'expired-password');
    if (this.#caller?.account === account) return { kind: 'in', caller: this.#caller };
    const logon = this.#machine.accounts.logon(account, logonType);
    this.#machine.events.loggedOn(logon, { ...this.#peer, workstation, method });
    this.#caller = { account, logon, ip: this.#peer.ip };
    return { kind: 'in', caller: this.#caller };
  }

  #refuse(user: string, why?: 'expired-password'): Admission {
    this.#machine.events.refused(user, this.#peer, why);
    return { kind: 'refused' };
  }
}

/** Clients send UTF-8 (RFC 7617) or, older ones, Latin-1. */
function basicText(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
}
