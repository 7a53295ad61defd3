import type { AnyAuthMethod, Client } from 'ssh2';
import { parseDuration } from '../../../runner/domain/time.ts';
import { TransportFailure } from '../../../runner/ports.ts';
import { hostKeyAlgorithms, otherAlgorithms } from './algorithms.ts';
import { connectFailure } from './connect-failure.ts';
import {
  checkHostKey,
  type HostKeyVerdict,
  type KnownHosts,
  knownHostsName,
  orderHostKeyAlgorithms,
} from './known-hosts.ts';
import type { SshSettings } from './settings.ts';

/** One login to make. `with`: the credential's name, for messages; its value is in `method` only. */
export type Login = {
  readonly target: string;
  readonly address: string;
  readonly account: string;
  readonly with: string;
  readonly method: AnyAuthMethod;
};

/** One connection, logged in, to a host whose key is known. One attempt; throws {@link TransportFailure}. */
export async function connectClient(
  login: Login,
  settings: SshSettings,
  known: KnownHosts,
  signal: AbortSignal,
): Promise<Client> {
  const { default: ssh2 } = await import('ssh2');
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let verdict: HostKeyVerdict | undefined;
  let offers = 0;
  let taken: readonly string[] = [];
  const stop = (): void => {
    reject(new Error('stopped'));
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
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) throw new Error('stopped');
    client.connect({
      host: login.address,
      port: settings.port,
      username: login.account,
      readyTimeout: parseDuration(settings.connectTimeout) ?? 0,
      keepaliveInterval: parseDuration(settings.keepalive) ?? 0,
      algorithms: {
        ...otherAlgorithms,
        serverHostKey: orderHostKeyAlgorithms(known, knownHostsName(login.address, settings.port), hostKeyAlgorithms),
      },
      hostVerifier: (key: Buffer) => {
        verdict = checkHostKey(known, login.address, settings.port, key);
        return verdict.is === 'known';
      },
      // Goes straight to the one method that was given, once, and never on to another.
      authHandler: (methods, _partial, next) => {
        offers += 1;
        // Before the server's first answer ssh2 has no list, whatever its types say; and false is its word for the end.
        if (offers > 1) taken = methods;
        next(offers === 1 ? login.method : (false as never));
      },
    });
    await promise;
    return client;
  } catch (error) {
    client.destroy();
    if (signal.aborted) throw new TransportFailure('aborted', `stopped while connecting to ${login.target}`);
    if (verdict !== undefined && verdict.is !== 'known')
      throw new TransportFailure('host-key', `${login.target}: ${verdict.message}`);
    throw connectFailure(login, settings, { error: error as Error, offered: offers > 0, taken });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
