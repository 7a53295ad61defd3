import { TransportFailure } from '../../../../runner/ports.ts';
import { basic, certificate } from './simple-schemes.ts';
import type { Channel } from './channel.ts';
import { Exchange } from './exchange.ts';
import { isParserError, textOf, unreachable, whereIs } from './failures.ts';
import { kerberos } from './kerberos.ts';
import { negotiate } from './negotiate.ts';
import type { ConnectionOptions } from './options.ts';
import type { LoginFacts } from './refusal.ts';
import { openSocket, type TlsFacts } from './socket.ts';

/** One socket and what the login on it gave; both end together. */
export type Session = {
  readonly exchange: Exchange;
  readonly channel: Channel;
  readonly facts: LoginFacts;
  readonly security: {
    readonly scheme: ConnectionOptions['login']['kind'];
    /** SOAP is sealed by the login's own keys (plain http). */
    readonly sealed: boolean;
    /** Absent over http. */
    readonly tls?: {
      /** As `TLSv1.3`. */
      readonly version: string;
      /** Upper-case hex with colons. */
      readonly fingerprint256: string;
      /** What the host's certificate was judged by; `nothing` when any would have done. */
      readonly trusted: TlsFacts['trusted'];
      /** The login was tied to the certificate. */
      readonly channelBinding: boolean;
    };
  };
};

/** A new socket, and a login on it, within `connectTimeoutMs`. Throws TransportFailure. */
export async function openSession(options: ConnectionOptions, signal: AbortSignal): Promise<Session> {
  const where = whereIs(options.endpoint);
  const { endpoint, login } = options;
  if (!endpoint.tls && login.kind !== 'negotiate')
    throw new TransportFailure(
      'login',
      `${where}: ${login.kind} over plain http is refused, since nothing would protect the login or the commands. Use https, or negotiate`,
    );
  const timeout = AbortSignal.timeout(options.connectTimeoutMs);
  const either = AbortSignal.any([signal, timeout]);
  let exchange: Exchange | undefined;
  try {
    if (signal.aborted) throw new Error('stopped');
    const { socket, tls } = await openSocket(options, where, either);
    exchange = new Exchange(socket, endpoint);
    const bindingData = options.channelBinding ? tls?.bindingData : undefined;
    const bound = login.kind === 'negotiate' && bindingData !== undefined;
    const facts = { where, endpoint, login, bound };
    const channel = await logIn(exchange, options, { ...facts, bindingData }, either);
    return {
      exchange,
      channel,
      facts,
      security: {
        scheme: login.kind,
        sealed: channel.sealed,
        ...(tls === undefined
          ? {}
          : {
              tls: {
                version: tls.version,
                fingerprint256: tls.fingerprint256,
                trusted: tls.trusted,
                channelBinding: bound,
              },
            }),
      },
    };
  } catch (error) {
    exchange?.destroy();
    if (signal.aborted) throw new TransportFailure('aborted', `stopped while connecting to ${where}`);
    if (error instanceof TransportFailure) throw error;
    if (timeout.aborted)
      throw new TransportFailure(
        'unreachable',
        `${where} did not come to the end of a login within ${options.connectTimeoutMs} ms. Is the host up, and is a firewall in between?`,
      );
    if (isParserError(error))
      throw new TransportFailure(
        'protocol',
        `${where} does not speak HTTP (${textOf(error)}). Is that a listener of WinRM?`,
        {
          cause: error,
        },
      );
    throw unreachable(where, endpoint.tls, error);
  }
}

function logIn(
  exchange: Exchange,
  options: ConnectionOptions,
  facts: LoginFacts & { readonly bindingData: Uint8Array | undefined },
  signal: AbortSignal,
): Promise<Channel> {
  const { login } = options;
  switch (login.kind) {
    case 'negotiate':
      return negotiate(exchange, login, options, facts, signal);
    case 'basic':
      return basic(login);
    case 'certificate':
      return Promise.resolve(certificate());
    case 'kerberos':
      return kerberos(exchange, login, facts, signal);
  }
}
