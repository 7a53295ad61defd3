import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AuthorizedTarget } from '../../../runner/domain/authorize.ts';
import { epochMs, parseDuration } from '../../../runner/domain/time.ts';
import {
  type PluginDeps,
  type Session,
  type Transport,
  TransportFailure,
  type TransportPlugin,
} from '../../../runner/ports.ts';
import { describeReference } from '../../shared/describe-reference.ts';
import { passableLookup } from '../../shared/passable-lookup.ts';
import { Refusals } from '../../shared/refusals.ts';
import { openConnection } from './http/connection.ts';
import type { ConnectionOptions, Login, TlsOptions } from './http/options.ts';
import { type WinrmAccount, winrmAccount, type WinrmSettings, winrmSettings } from './settings.ts';
import { WinrmSession } from './shell/session.ts';

class WinrmTransport implements Transport {
  readonly #deps: PluginDeps;
  readonly #refusals = new Refusals();

  constructor(deps: PluginDeps) {
    this.#deps = deps;
  }

  async connect(authorized: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    const { target, account } = authorized;
    if (signal.aborted) throw new TransportFailure('aborted', `stopped before connecting to ${target.id}`);
    const settings = winrmSettings.parse(target.transport.settings);
    const accountSettings = winrmAccount.parse(account.settings);
    const { login, credential } = this.#login(target.id, account.name, settings, accountSettings);
    const port = settings.port ?? (settings.tls ? 5986 : 5985);
    const endpoint = { target: target.id, host: target.address, port, tls: settings.tls, path: settings.path };
    const options: ConnectionOptions = {
      endpoint,
      lookup: passableLookup(authorized),
      login,
      tls: await this.#tls(target.id, account.name, credential, settings, accountSettings),
      channelBinding: settings.channelBinding,
      connectTimeoutMs: parseDuration(settings.connectTimeout) ?? 0,
      workstation: 'DETPROOF',
      random: randomBytes,
      now: () => epochMs(this.#deps.clock.now()),
    };
    return WinrmSession.open(
      {
        target: target.id,
        url: `${settings.tls ? 'https' : 'http'}://${target.address.includes(':') ? `[${target.address}]` : target.address}:${port}${settings.path}`,
        operationTimeoutMs: parseDuration(settings.operationTimeout) ?? 0,
        parallel: target.parallel,
        clock: this.#deps.clock,
        credential,
        refusals: this.#refusals,
        remarks: remarks(target.id, settings),
        open: (until) => openConnection(options, until),
      },
      signal,
    );
  }

  /** `credential`: its name, by which a refused one is known again; its value is read at each login and kept nowhere. */
  #login(
    target: string,
    user: string,
    { auth, servicePrincipal }: WinrmSettings,
    { password, key }: WinrmAccount,
  ): { readonly login: Login; readonly credential: string } {
    switch (auth) {
      case 'negotiate':
      case 'basic': {
        if (password === undefined) throw incomplete(target, user, `auth ${auth} needs a password (a reference to it)`);
        const credential = `password ${describeReference(password)} as ${user}`;
        const read = async (): Promise<Uint8Array> =>
          withoutLineEnd(await this.#secret(target, user, password, credential));
        return { login: { kind: auth, user, password: read }, credential };
      }
      case 'certificate':
        if (key === undefined) throw incomplete(target, user, 'auth certificate needs a certificate and its key');
        return { login: { kind: auth }, credential: `key ${describeReference(key)} as ${user}` };
      case 'kerberos':
        return { login: { kind: auth, service: servicePrincipal }, credential: `the Kerberos ticket as ${user}` };
    }
  }

  async #tls(
    target: string,
    user: string,
    credential: string,
    settings: WinrmSettings,
    { certificate, key }: WinrmAccount,
  ): Promise<TlsOptions> {
    const { ca, fingerprint, insecureCertificate, tlsMaxVersion } = settings;
    return {
      ...(ca === undefined ? {} : { ca: await this.#file(target, ca) }),
      ...(fingerprint === undefined ? {} : { fingerprint256: fingerprint }),
      ...(insecureCertificate === undefined ? {} : { insecure: insecureCertificate }),
      ...(tlsMaxVersion === undefined ? {} : { maxVersion: tlsMaxVersion }),
      ...(certificate === undefined ? {} : { clientCertificate: await this.#file(target, certificate) }),
      ...(key === undefined ? {} : { clientKey: () => this.#secret(target, user, key, credential) }),
    };
  }

  /** Connections log in again by themselves, so here is the last place to keep a refused credential from being tried. */
  async #secret(target: string, user: string, reference: string, credential: string): Promise<Uint8Array> {
    this.#refusals.check(credential, target);
    try {
      return await this.#deps.secrets.read(reference);
    } catch (cause) {
      // By contract the error names the reference and never the value.
      throw incomplete(
        target,
        user,
        cause instanceof Error ? cause.message : `${describeReference(reference)} cannot be read`,
        cause,
      );
    }
  }

  async #file(target: string, path: string): Promise<Uint8Array> {
    const file = this.#deps.resolve(path);
    try {
      return await readFile(file);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TransportFailure('host-key', `no connection to ${target}: ${file} cannot be read (${why})`, { cause });
    }
  }
}

/** What was given up by settings, for the report. */
function remarks(target: string, { tls, insecureCertificate, channelBinding, auth }: WinrmSettings): readonly string[] {
  return [
    ...(insecureCertificate === true
      ? [
          `INSECURE: the certificate of ${target} was not checked (insecureCertificate). Who stood in between could read the login, and read and change everything that was sent`,
        ]
      : []),
    ...(tls && !channelBinding && auth === 'negotiate'
      ? [`the login to ${target} was not tied to its certificate (channelBinding: false)`]
      : []),
  ];
}

/** Editors end files with one. A copy, so that whoever uses it can wipe it. */
function withoutLineEnd(secret: Uint8Array): Uint8Array {
  const end = secret.at(-1) !== 0x0a ? 0 : secret.at(-2) === 0x0d ? 2 : 1;
  return Uint8Array.prototype.slice.call(secret, 0, secret.length - end);
}

function incomplete(target: string, user: string, why: string, cause?: unknown): TransportFailure {
  return new TransportFailure('login', `no login to ${target} as ${user}: ${why}`, { cause });
}

const plugin: TransportPlugin<WinrmSettings, WinrmAccount> = {
  kind: 'winrm',
  summary: 'WinRM (WS-Management) to a Windows host, by NTLM, Basic, certificate or Kerberos; sealed over http',
  settings: winrmSettings,
  account: winrmAccount,
  channels: ['winrm'],
  open: (deps) => new WinrmTransport(deps),
};

export default plugin;
