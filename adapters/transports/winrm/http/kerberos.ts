import { TransportFailure } from '../../../../runner/ports.ts';
import { type Channel, endsConversation, plainChannel, soapType } from './channel.ts';
import { findChallenge, parseChallenges } from './challenges.ts';
import type { Exchange } from './exchange.ts';
import { textOf } from './failures.ts';
import type { Login } from './options.ts';
import { type LoginFacts, notOffered, refused } from './refusal.ts';

/** What is used of the optional package `kerberos` (7.x). */
type KerberosPackage = {
  readonly GSS_MECH_OID_SPNEGO: number;
  initializeClient(service: string, options: { readonly mechOID: number }): Promise<KerberosClient>;
};
type KerberosClient = {
  readonly contextComplete: boolean;
  /** Base64 in, base64 out; rejects when the server's token does not prove that it is the server. */
  step(challenge: string): Promise<string | null>;
};

/** Legs of a conversation with a server that never ends it. */
const mostLegs = 4;

/**
 * Kerberos under `Negotiate`, over https, with the ticket cache of this process. The host proves itself by its last token,
 * which is checked. Throws TransportFailure; `login` when the optional package is not installed.
 */
export async function kerberos(
  exchange: Exchange,
  login: Extract<Login, { kind: 'kerberos' }>,
  facts: LoginFacts,
  signal: AbortSignal,
): Promise<Channel> {
  const { where, endpoint } = facts;
  const library = await load(where);
  const service = `${login.service}@${endpoint.host}`;
  const client = await unlessStopped(
    library.initializeClient(service, { mechOID: library.GSS_MECH_OID_SPNEGO }),
    signal,
  ).catch((error: unknown) => {
    throw signal.aborted ? error : noTicket(where, service, error);
  });
  let challenge = '';
  for (let leg = 0; leg < mostLegs; leg += 1) {
    const token = await unlessStopped(client.step(challenge), signal).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw leg === 0 ? noTicket(where, service, error) : notProved(where, error);
    });
    if (token === null || token === '') throw notProved(where, 'no token is left to send');
    const answer = await exchange.post(
      { 'content-type': soapType, authorization: `Negotiate ${token}` },
      undefined,
      signal,
    );
    const { token: server } = findChallenge(parseChallenges(answer.authenticate), 'Negotiate') ?? {};
    if (answer.status === 200) return finish(client, server, where);
    if (answer.status !== 401) throw notOffered(where, 'Kerberos', answer);
    if (server === undefined)
      throw leg === 0 && !offersNegotiate(answer.authenticate)
        ? notOffered(where, 'Kerberos', answer)
        : refused(facts, 'HTTP 401; no body was sent yet');
    challenge = server;
  }
  throw endsConversation(where, `a Kerberos login came to no end within ${mostLegs} rounds`);
}

async function finish(client: KerberosClient, server: string | undefined, where: string): Promise<Channel> {
  if (server !== undefined)
    await client.step(server).catch((error: unknown) => {
      throw notProved(where, error);
    });
  if (!client.contextComplete) throw notProved(where, 'its last token is missing');
  return plainChannel();
}

/** The library asks the KDC on a thread of its own, which nothing can stop; its answer is then not waited for. */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => {
    reject(new Error('stopped'));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

function offersNegotiate(header: Parameters<typeof parseChallenges>[0]): boolean {
  return findChallenge(parseChallenges(header), 'Negotiate') !== undefined;
}

async function load(where: string): Promise<KerberosPackage> {
  // Not a dependency: it is native code that few need. As a variable, so that nothing looks for it before it is wanted.
  const name = 'kerberos';
  try {
    const loaded = (await import(name)) as KerberosPackage & { readonly default?: KerberosPackage };
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new TransportFailure(
      'login',
      `no login to ${where}: Kerberos needs the npm package kerberos, which is not installed or cannot be loaded (${textOf(cause)}). ` +
        'Install it beside detproof (npm install kerberos), or log in with negotiate',
      { cause },
    );
  }
}

function noTicket(where: string, service: string, cause: unknown): TransportFailure {
  return new TransportFailure(
    'login',
    `no login to ${where}: no Kerberos ticket for ${service} could be had (${textOf(cause)}). ` +
      'Does klist show a valid ticket, does krb5.conf know the realm, and is the host given by its DNS name?',
    { cause },
  );
}

function notProved(where: string, cause: unknown): TransportFailure {
  return endsConversation(where, `did not prove by Kerberos that it is the host asked for (${textOf(cause)})`, cause);
}
