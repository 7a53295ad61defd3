import type { Client, ConnectConfig } from 'ssh2';
import { parseDuration } from '../../../runner/domain/time.ts';
import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import type { Credential } from './credentials.ts';
import {
  checkHostKey,
  type HostKeyVerdict,
  type KnownHosts,
  knownHostsName,
  orderHostKeyAlgorithms,
} from './known-hosts.ts';
import type { SshSettings } from './settings.ts';

/** What ssh2 supports, without anything that rests on SHA-1 (RFC 9142, RFC 8332), in the order of OpenSSH 9. */
const hostKeyAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} satisfies ConnectConfig['algorithms'];

export type Endpoint = { readonly id: string; readonly address: string; readonly account: string };

/** One connection, logged in, to a host whose key is known. One attempt; throws {@link TransportFailure}. */
export async function connectClient(
  endpoint: Endpoint,
  settings: SshSettings,
  known: KnownHosts,
  credential: Credential,
  signal: AbortSignal,
): Promise<Client> {
  const { default: ssh2 } = await import('ssh2');
  const name = knownHostsName(endpoint.address, settings.port);
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let verdict: HostKeyVerdict | undefined;
  let offered = false;
  const stop = (): void => {
    reject(signal.reason as Error);
  };
  // Every step of the protocol is a small packet that the other side waits for.
  client.once('connect', () => {
    client.setNoDelay(true);
  });
  client.once('ready', () => {
    resolve(undefined);
  });
  client.on('error', reject);
  client.once('close', () => {
    reject(new Error('the connection was closed'));
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (!signal.aborted)
      client.connect({
        host: endpoint.address,
        port: settings.port,
        username: endpoint.account,
        readyTimeout: parseDuration(settings.connectTimeout) ?? 0,
        keepaliveInterval: parseDuration(settings.keepalive) ?? 0,
        algorithms: {
          ...algorithms,
          serverHostKey: [...orderHostKeyAlgorithms(known, name, hostKeyAlgorithms)] as ServerHostKeys,
        },
        hostVerifier: (key: Buffer) => {
          verdict = checkHostKey(known, endpoint.address, settings.port, key);
          return verdict.is === 'known';
        },
        // Asks for the one method that was given, without the customary question for all methods, and never for another.
        authHandler: (_left, _partial, next) => {
          next(offered ? (false as never) : credential.method);
          offered = true;
        },
      });
    await promise;
    client.removeListener('error', reject);
    return client;
  } catch (error) {
    client.on('error', () => undefined);
    client.destroy();
    if (signal.aborted) throw new TransportFailure('aborted', `stopped while connecting to ${endpoint.id}`);
    if (verdict !== undefined && verdict.is !== 'known')
      throw new TransportFailure('host-key', `${endpoint.id}: ${verdict.message}`);
    throw connectFailure(endpoint, settings, credential, error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

type ServerHostKeys = NonNullable<NonNullable<ConnectConfig['algorithms']>['serverHostKey']>;

function connectFailure(
  endpoint: Endpoint,
  settings: SshSettings,
  credential: Credential,
  cause: unknown,
): TransportFailure {
  const error = cause as Error & { readonly level?: unknown; readonly code?: unknown };
  const where = `${endpoint.id} (${endpoint.address}:${settings.port})`;
  const failure = (failureClass: TransportFailureClass, message: string): TransportFailure =>
    new TransportFailure(failureClass, message, { cause });
  switch (error.level) {
    case 'client-socket':
      return failure('unreachable', `${where} cannot be reached: ${socketError(error.code, error.message)}`);
    case 'client-timeout':
      return failure(
        'unreachable',
        `${where} did not complete connection and login within ${settings.connectTimeout}. Is the host up, and is a firewall in between?`,
      );
    case 'client-authentication':
      return failure(
        'login',
        `${where} refused the login as ${endpoint.account} with ${credential.what}. Is its public key in the account's authorized_keys, and may the account log in?`,
      );
    case 'agent':
      return failure(
        'login',
        `the ${credential.what} does not answer (${error.message}). Is it running, and does ssh-add -l list a key?`,
      );
    case 'handshake':
      return failure(
        'protocol',
        `${where} and detproof found no common ground: ${error.message}. SHA-1 and older algorithms are not offered`,
      );
    default:
      return failure(
        error.level === 'protocol' || error.level === undefined ? 'unreachable' : 'protocol',
        `${where} broke the connection off before the login was done: ${error.message}. Is this an SSH server, and is it limiting new connections (MaxStartups)?`,
      );
  }
}

function socketError(code: unknown, message: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused. Is sshd running there, on that port?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name cannot be resolved. Is it spelled right, and is DNS reachable?';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return 'no route or no answer. Is the host up, and is a firewall in between?';
    case 'ECONNRESET':
      return 'connection reset. Is it limiting new connections (MaxStartups)?';
    default:
      return message;
  }
}
