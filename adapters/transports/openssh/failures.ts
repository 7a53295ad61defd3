import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import { LoginRefused } from '../../shared/refusals.ts';

/** What ssh(1) says when it cannot connect, and what it means; the first that matches counts. */
const meanings: readonly (readonly [RegExp, TransportFailureClass | 'refused', string])[] = [
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known|is marked as revoked/i,
    'host-key',
    'The host key is not the known one, or none is known. Compare its fingerprint with what the owner of the host tells you out of band',
  ],
  [
    /UNPROTECTED PRIVATE KEY FILE|bad permissions|Load key .*(?:No such file|error in libcrypto|invalid format)|incorrect passphrase/i,
    'login',
    'ssh does not read this key. Is it there, its own user’s alone (mode 600), and without a passphrase, or in the agent?',
  ],
  [
    /sign_and_send_pubkey: signing failed|agent refused operation|device not found|Certificate invalid: expired/i,
    'login',
    'The key could not sign. Is the security key plugged in and touched, and the certificate still valid?',
  ],
  [
    /Permission denied|Too many authentication failures|Received disconnect .*authentication/i,
    'refused',
    'Is the certificate signed by an authority that the host trusts, valid now, and for this account; or the public key in authorized_keys?',
  ],
  [/Could not resolve hostname/i, 'unreachable', 'Is the name spelled right, and does DNS answer?'],
  [/Connection refused/i, 'unreachable', 'Is sshd running there, on that port?'],
  [
    /No route to host|Network is unreachable|timed out/i,
    'unreachable',
    'Is the host up, and is a firewall in between?',
  ],
  [
    /no matching (?:\w+ )+found|Unable to negotiate/i,
    'protocol',
    'The host offers old algorithms only; name them in the config of the target',
  ],
  [
    /Bad configuration option|unsupported option|terminating, \d+ bad|Can't open user config/i,
    'protocol',
    'Is the config of the target right, and is this OpenSSH’s ssh?',
  ],
  [
    /Connection (?:reset|closed)|kex_exchange_identification|banner/i,
    'unreachable',
    'Is that an SSH server, and is it limiting new connections (MaxStartups)?',
  ],
];

/** What an exit code of 255 means where nothing shows that the command has started; `said`: what came on standard error. */
export function sessionFailure(host: string, said: string): TransportFailure {
  const text = JSON.stringify(said.replace(/\s+/g, ' ').trim().slice(0, 300));
  return /^(?:mux_client_|kex_exchange_identification)/.test(said)
    ? new TransportFailure(
        'not-started',
        `the command was not started, since ${host} opened no channel for it; ssh says: ${text}. Does its sshd allow several sessions per connection (MaxSessions)?`,
      )
    : new TransportFailure(
        'lost',
        `a command on ${host} ended with exit code 255, which ssh gives for failures of its own too: whether it ran, and how it went, is unknown. On standard error came ${text}`,
      );
}

/** What ssh said, as what, where and what next. */
export function connectFailure(where: string, login: string, said: string): TransportFailure {
  const text = said.replace(/\s+/g, ' ').trim().slice(0, 600);
  const [, meaning, hint] = meanings.find(([pattern]) => pattern.test(said)) ?? [undefined, 'protocol', ''];
  const message = `${where} was not logged in to ${login}; ssh says: ${JSON.stringify(text)}${hint === '' ? '' : `. ${hint}`}`;
  return meaning === 'refused' ? new LoginRefused(message) : new TransportFailure(meaning, message);
}
