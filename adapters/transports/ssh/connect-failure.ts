import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import { describeCredential } from './credentials.ts';
import type { Progress } from './login-method.ts';
import { LoginRefused } from '../../shared/refusals.ts';
import { unreachableBecause } from '../../shared/unreachable.ts';
import type { Hop } from './route.ts';

/** `banner`: what the server had to say before the login ended, such as that the account is locked. */
export type Breakdown = Progress & {
  readonly error: Error & { readonly level?: unknown; readonly code?: unknown };
  readonly banner: string;
};

/** What ssh2 says of a connection that did not come about, as what, where and what next. */
export function connectFailure(hop: Hop, breakdown: Breakdown): TransportFailure {
  const { error, offered, taken, partial, givenUp } = breakdown;
  const where = `${hop.name} (${hop.address}:${hop.port})`;
  const login = `${hop.account} with ${describeCredential(hop.login)}`;
  const rest = `${said(breakdown.banner)}${hop.taken}`;
  const failure = (failureClass: TransportFailureClass, message: string): TransportFailure =>
    new TransportFailure(failureClass, `${message}${rest}`, { cause: error });
  const refused = (message: string): TransportFailure => new LoginRefused(`${message}${rest}`, { cause: error });
  if (givenUp !== undefined)
    return (givenUp.refused ? refused : failure.bind(undefined, 'login'))(
      `no login to ${where} as ${login}: ${givenUp.because}${givenUp.refused || taken.length === 0 ? '' : `; it would take: ${taken.join(', ')}`}`,
    );
  switch (error.level) {
    case 'client-socket':
      return failure('unreachable', `${where} cannot be reached: ${socketError(error)}`);
    case 'client-timeout':
      return failure(
        'unreachable',
        `${where} did not come to the end of a login within ${hop.connectTimeout}. Is the host up, and is a firewall in between?`,
      );
    case 'client-authentication':
      return refused(
        partial
          ? `${where} took ${describeCredential(hop.login)} of ${hop.account} and asks for one more factor (${taken.join(', ')}), which is not given here. Use an account with one factor`
          : `${where} refused the login as ${login}${taken.length > 0 ? `; it would take: ${taken.join(', ')}` : ''}. ` +
              (hop.login.password === undefined
                ? "Is the public key in the account's authorized_keys, and may the account log in?"
                : 'Is the password right and not expired, and may the account log in? It was tried once, since many hosts lock an account after a few'),
      );
    case 'agent':
      return failure(
        'login',
        `no login to ${where} as ${login}: ${error.message}. Is the agent running, and does ssh-add -l list a key?`,
      );
    case 'handshake':
      return failure(
        'protocol',
        `${where} and this client have no algorithms in common: ${error.message}. Old ones, such as those that rest on SHA-1, are offered only when the target's algorithms name them`,
      );
    default:
      // A server that has had enough of wrong keys says so and hangs up, without refusing the last one.
      return offered && typeof error.code === 'number'
        ? refused(`${where} broke off the login as ${login}: ${error.message}`)
        : failure(
            'unreachable',
            offered
              ? `${where} broke the connection off during the login as ${login}: ${error.message}. Whether it took the credential is not known`
              : `${where} broke the connection off: ${error.message}. Is that an SSH server, and is it limiting new connections (MaxStartups)?`,
          );
  }
}

function said(banner: string): string {
  const text = banner.replace(/\s+/g, ' ').trim().slice(-300);
  return text === '' ? '' : `. The server says: ${JSON.stringify(text)}`;
}

function socketError(error: Breakdown['error']): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused. Is sshd running there, on that port?';
    case 'ECONNRESET':
      return 'connection reset. Is the server limiting new connections (MaxStartups)?';
    default:
      return unreachableBecause(error.code) ?? error.message;
  }
}
