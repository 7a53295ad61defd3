import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import type { Client, ConnectConfig } from 'ssh2';
import { parseDuration } from '../../../runner/domain/time.ts';
import { TransportFailure } from '../../../runner/ports.ts';
import { type Negotiated, oldOnes, ssh2Algorithms } from './algorithms.ts';
import { connectFailure } from './connect-failure.ts';
import type { Credential } from './credentials.ts';
import {
  checkHostKey,
  type HostKeyVerdict,
  type KnownHosts,
  knownHostsName,
  orderHostKeyAlgorithms,
} from './known-hosts.ts';
import { LoginMethod } from './login-method.ts';
import type { Hop } from './route.ts';

/** A connection that is logged in. `old`: the algorithms that it uses and would not by itself. */
export type Connected = { readonly client: Client; readonly old: readonly string[] };

export type Ways = {
  readonly credential: Credential;
  readonly known: KnownHosts;
  /** How a name becomes the addresses to connect to, without a jump host. */
  readonly lookup: LookupFunction;
  /** The jump host to go through. */
  readonly through?: Client | undefined;
};

/** One connection, logged in, to a host whose key is known. One attempt; throws {@link TransportFailure}. */
export async function connectClient(hop: Hop, ways: Ways, signal: AbortSignal): Promise<Connected> {
  const { default: ssh2 } = await import('ssh2');
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  // Whoever waits for something else first is not to be ended by this one.
  promise.catch(() => undefined);
  const stop = (): void => {
    reject(new Error('stopped'));
  };
  const method = new LoginMethod(hop.account, ways.credential, () => {
    reject(new Error('the login was given up'));
  });
  let socket: Socket | undefined;
  let verdict: HostKeyVerdict | undefined;
  let banner = '';
  let old: readonly string[] = [];
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
  client.on('banner', (text: string) => {
    banner = `${banner}${text}`.slice(-2_000);
  });
  client.once('handshake', (agreed: Negotiated) => {
    old = oldOnes(agreed);
  });
  client.on('change password', (prompt: string) => {
    method.passwordChange(prompt);
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) throw new Error('stopped');
    const sock =
      ways.through === undefined ? (socket = open(hop, ways.lookup)) : await forward(ways.through, hop, promise);
    client.connect({
      sock,
      host: hop.address,
      port: hop.port,
      username: hop.account,
      readyTimeout: parseDuration(hop.connectTimeout) ?? 0,
      keepaliveInterval: parseDuration(hop.keepalive) ?? 0,
      algorithms: ssh2Algorithms(
        hop.offer,
        orderHostKeyAlgorithms(ways.known, knownHostsName(hop.address, hop.port), hop.offer.hostKeyAlgorithms),
      ),
      hostVerifier: (key: Buffer) => {
        verdict = checkHostKey(ways.known, hop.address, hop.port, key);
        return verdict.is === 'known';
      },
      authHandler: (methods, partial, next) => {
        // False is ssh2's word for the end, whatever its types say.
        next(method.next(methods, partial) ?? (false as never));
      },
    });
    await promise;
    return { client, old };
  } catch (error) {
    client.destroy();
    socket?.destroy();
    if (error instanceof TransportFailure) throw error;
    if (signal.aborted) throw new TransportFailure('aborted', `stopped while connecting to ${hop.name}`);
    if (verdict !== undefined && verdict.is !== 'known')
      throw new TransportFailure('host-key', `${hop.name}: ${verdict.message}${hop.taken}`);
    throw connectFailure(hop, { error: error as Error, ...method.progress, banner });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function open(hop: Hop, lookup: LookupFunction): Socket {
  const socket = connectTcp({ host: hop.address, port: hop.port, lookup });
  // The client listens too, once it has taken the socket.
  socket.on('error', () => undefined);
  // As the client does with a socket that it makes: each channel may listen to it.
  return socket.setMaxListeners(0);
}

/** A stream to the next host, opened by the jump host; the wait for it ends as the connection's does. */
async function forward(
  through: Client,
  hop: Hop,
  over: Promise<undefined>,
): Promise<NonNullable<ConnectConfig['sock']>> {
  const { promise, resolve, reject } = Promise.withResolvers<NonNullable<ConnectConfig['sock']>>();
  const fail = (why: string, cause?: unknown): void => {
    reject(
      new TransportFailure(
        'unreachable',
        `${hop.name} (${hop.address}:${hop.port}) cannot be reached through its jump host: ${why}. Is sshd running there, and does the jump host allow forwarding to it (AllowTcpForwarding, PermitOpen)?${hop.taken}`,
        { cause },
      ),
    );
  };
  const closed = (): void => {
    fail('the connection to the jump host was closed');
  };
  over.catch(reject);
  through.on('close', closed);
  const timer = setTimeout(
    () => {
      fail(`no answer within ${hop.connectTimeout}`);
    },
    parseDuration(hop.connectTimeout) ?? 0,
  );
  try {
    through.forwardOut('127.0.0.1', 0, hop.address, hop.port, (error, channel) => {
      if (error === undefined) resolve(channel);
      else fail(error.message, error);
    });
    return await promise;
  } catch (error) {
    if (error instanceof TransportFailure || !(error instanceof Error) || error.message !== 'Not connected')
      throw error;
    closed();
    return await promise;
  } finally {
    clearTimeout(timer);
    through.off('close', closed);
  }
}
