import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import type { Login } from './connect.ts';
import { LoginRefused } from './refusals.ts';
import type { SshSettings } from './settings.ts';

/** `offered`: the login had begun. `taken`: the methods that the server would (still) take. */
export type Breakdown = {
  readonly error: Error & { readonly level?: unknown; readonly code?: unknown };
  readonly offered: boolean;
  readonly taken: readonly string[];
};

/** What ssh2 says of a connection that did not come about, as what, where and what next. */
export function connectFailure(login: Login, settings: SshSettings, breakdown: Breakdown): TransportFailure {
  const { error, offered, taken } = breakdown;
  const where = `${login.target} (${login.address}:${settings.port})`;
  const failure = (failureClass: TransportFailureClass, message: string): TransportFailure =>
    new TransportFailure(failureClass, message, { cause: error });
  switch (error.level) {
    case 'client-socket':
      return failure('unreachable', `${where} cannot be reached: ${socketError(error)}`);
    case 'client-timeout':
      return failure(
        'unreachable',
        `${where} did not come to the end of a login within ${settings.connectTimeout}. Is the host up, and is a firewall in between?`,
      );
    case 'client-authentication':
      return new LoginRefused(
        `${where} refused the login as ${login.account} with ${login.with}${taken.length > 0 ? `; it would take: ${taken.join(', ')}` : ''}. ` +
          "Is the public key in the account's authorized_keys, and may the account log in?",
        { cause: error },
      );
    case 'agent':
      return failure(
        'login',
        `no login to ${where} as ${login.account} with ${login.with}: ${error.message}. Is the agent running, and does ssh-add -l list a key?`,
      );
    case 'handshake':
      return failure(
        'protocol',
        `${where} and this client have no algorithms in common: ${error.message}. Those that rest on SHA-1 are not offered`,
      );
    default:
      // A server that has had enough of wrong keys says so and hangs up, without refusing the last one.
      return offered && typeof error.code === 'number'
        ? new LoginRefused(`${where} broke off the login as ${login.account} with ${login.with}: ${error.message}`, {
            cause: error,
          })
        : failure(
            'unreachable',
            `${where} broke the connection off: ${error.message}. Is that an SSH server, and is it limiting new connections (MaxStartups)?`,
          );
  }
}

function socketError(error: Breakdown['error']): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused. Is sshd running there, on that port?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name cannot be resolved. Is it spelled right, and does DNS answer?';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return 'no route or no answer. Is the host up, and is a firewall in between?';
    case 'ECONNRESET':
      return 'connection reset. Is the server limiting new connections (MaxStartups)?';
    default:
      return error.message;
  }
}
