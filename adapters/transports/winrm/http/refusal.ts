import { TransportFailure } from '../../../../runner/ports.ts';
import { describeChallenges, parseChallenges } from './challenges.ts';
import type { RawAnswer } from './exchange.ts';
import { LoginRefused } from './login-refused.ts';
import type { Endpoint, Login } from './options.ts';

/** What a message may say of a login; nothing secret. */
export type LoginFacts = {
  readonly where: string;
  readonly endpoint: Endpoint;
  readonly login: Login;
  /** Over https: whether the login was tied to the certificate. */
  readonly bound: boolean;
};

const clocks = 'the clocks of the two machines are apart';

/** A 401 says nothing of its reason: here are those that Windows is known to have, most likely first. */
export function refused({ where, endpoint, login, bound }: LoginFacts, answer: string): LoginRefused {
  const { with: how, causes } = reasons(login, endpoint.tls, bound);
  return new LoginRefused(
    `${where} refused the login ${how} (${answer}). Possible causes: ${causes.join('; ')}. ` +
      'It was tried once and is not tried again, so that no account gets locked',
  );
}

function reasons(login: Login, tls: boolean, bound: boolean): { with: string; causes: readonly string[] } {
  switch (login.kind) {
    case 'negotiate':
      return {
        with: `as ${login.user} with NTLM`,
        causes: [
          'wrong user name or password (an account of the host itself is written .\\user or HOST\\user)',
          'the account is locked, disabled or expired, or its password is',
          ...(tls
            ? [
                bound
                  ? 'a proxy in between ends TLS, so that the channel binding does not fit'
                  : 'the host insists on channel binding (CbtHardeningLevel Strict) and it is switched off here',
              ]
            : []),
          'NTLM is switched off by policy (Kerberos or a certificate is wanted)',
          clocks,
        ],
      };
    case 'basic':
      return {
        with: `as ${login.user} with Basic`,
        causes: [
          'wrong user name or password',
          'Basic is off on the host, as it is by default (Auth/Basic)',
          'the account is not one of the host itself, as Basic demands',
          'the account is locked, disabled or expired, or its password is',
        ],
      };
    case 'certificate':
      return {
        with: 'with a client certificate',
        causes: [
          'Certificate is off on the host, as it is by default (Auth/Certificate)',
          'no account is mapped to the certificate (winrm/config/service/certmapping)',
          'the host does not trust its issuer, or it has expired',
          'it was not asked for over TLS 1.3: allow TLS 1.2 at most',
        ],
      };
    case 'kerberos':
      return {
        with: 'with Kerberos',
        causes: [
          'the ticket is for another name or service (SPN)',
          clocks,
          'the account may not log in to this host',
          'the account is locked, disabled or expired',
        ],
      };
  }
}

/** The host answered, but not as WinRM answers somebody who logs in by `scheme`; no credential was shown yet. */
export function notOffered(where: string, scheme: string, answer: RawAnswer): TransportFailure {
  if (answer.status !== 401)
    return new TransportFailure(
      'protocol',
      `${where} answered ${answer.status} where a login was due. Is that a listener of WinRM, and is its path right?`,
    );
  return new TransportFailure(
    'login',
    `${where} does not take a login by ${scheme}; it offers ${describeChallenges(parseChallenges(answer.authenticate))}`,
  );
}
