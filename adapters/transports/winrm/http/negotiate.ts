import { channelBindingsHash } from '../ntlm/av-pairs.ts';
import { authenticate, NtlmTooWeak } from '../ntlm/login.ts';
import { negotiateMessage, NtlmMalformed } from '../ntlm/messages.ts';
import { type Channel, endsConversation, plainChannel, soapType } from './channel.ts';
import { findChallenge, parseChallenges } from './challenges.ts';
import type { Exchange, RawAnswer } from './exchange.ts';
import type { ConnectionOptions, Login } from './options.ts';
import { type LoginFacts, notOffered, refused } from './refusal.ts';
import { SealedChannel } from './sealed-channel.ts';
import { unwrapNegotiation } from './spnego.ts';

/**
 * NTLMv2 in raw messages under `Negotiate`, as Windows takes it: two requests without a body, then the socket is logged in
 * and no request carries an Authorization header any more. Over http everything after it is sealed. Throws TransportFailure.
 */
export async function negotiate(
  exchange: Exchange,
  login: Extract<Login, { kind: 'negotiate' }>,
  options: ConnectionOptions,
  facts: LoginFacts & { readonly bindingData: Uint8Array | undefined },
  signal: AbortSignal,
): Promise<Channel> {
  const { where } = facts;
  const leg = (token: Uint8Array): Promise<RawAnswer> =>
    exchange.post(
      { 'content-type': soapType, authorization: `Negotiate ${Buffer.from(token).toString('base64')}` },
      undefined,
      signal,
    );
  const first = negotiateMessage();
  const challenged = await leg(first);
  const challenge = challenged.status === 401 ? serverToken(challenged, where) : undefined;
  if (challenge === undefined) throw notOffered(where, 'Negotiate with NTLM', challenged);
  const { message, sessionKey } = await answer(first, challenge, login, options, facts);
  const done = await leg(message);
  if (done.status === 401) throw refused(facts, 'HTTP 401; no body was sent yet');
  if (done.status !== 200)
    throw endsConversation(where, `answered ${done.status} to the end of a login, where 200 or 401 is due`);
  // With raw NTLM nothing is left to say. A proof that cannot be checked is no proof.
  if (serverToken(done, where) !== undefined)
    throw endsConversation(where, 'sent one more login message after the last one');
  try {
    return options.endpoint.tls ? plainChannel() : new SealedChannel(sessionKey, where);
  } finally {
    sessionKey.fill(0);
  }
}

async function answer(
  first: Uint8Array,
  challenge: Uint8Array,
  login: Extract<Login, { kind: 'negotiate' }>,
  options: ConnectionOptions,
  { where, bindingData }: { readonly where: string; readonly bindingData: Uint8Array | undefined },
): Promise<ReturnType<typeof authenticate>> {
  const password = await login.password();
  try {
    return authenticate(
      first,
      challenge,
      { user: login.user, password },
      {
        workstation: options.workstation,
        targetName: `HTTP/${options.endpoint.host}`,
        random: options.random,
        now: options.now,
        ...(bindingData === undefined ? {} : { channelBindings: channelBindingsHash(bindingData) }),
      },
    );
  } catch (error) {
    if (error instanceof NtlmTooWeak || error instanceof NtlmMalformed)
      throw endsConversation(where, error.message, error);
    throw error;
  }
}

/** The server's half of the conversation, out of its SPNEGO wrapping where it has one. */
function serverToken(answer: RawAnswer, where: string): Uint8Array | undefined {
  const { token } = findChallenge(parseChallenges(answer.authenticate), 'Negotiate') ?? {};
  if (token === undefined) return undefined;
  try {
    const unwrapped = unwrapNegotiation(Buffer.from(token, 'base64'));
    return unwrapped.rejected ? undefined : unwrapped.token;
  } catch (error) {
    throw endsConversation(where, 'sent a login message that cannot be read', error);
  }
}
