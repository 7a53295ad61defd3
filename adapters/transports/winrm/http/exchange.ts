import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client, type Dispatcher } from 'undici';
import type { Endpoint } from './options.ts';

export type RawAnswer = {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly authenticate: string | readonly string[] | undefined;
  readonly body: Uint8Array;
};

/** No answer of WinRM comes near it: envelopes are asked for with at most 150 KB. */
const longestAnswer = 8 * 1024 * 1024;

/** Windows closes an idle connection after two minutes; going first means never writing into a connection that is closing. */
const idleMs = 90_000;

/** The socket had closed before anything of a request was written to it. */
export class NothingSent extends Error {
  override readonly name = 'NothingSent';
}

/**
 * HTTP over one given socket and never another: undici would quietly open a new one, on which nobody has logged in and for
 * which no sealing key holds, so its connector gives this socket once and then fails.
 */
export class Exchange {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #path: string;

  constructor(socket: Socket, endpoint: Endpoint) {
    this.#socket = socket;
    this.#path = endpoint.path;
    let given = false;
    this.#client = new Client(origin(endpoint), {
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      maxResponseSize: longestAnswer,
      connect: (_, callback) => {
        const gone = given || socket.destroyed;
        given = true;
        // Never within the call: undici would not notice that it is connected.
        queueMicrotask(() => {
          if (gone) callback(new NothingSent('the connection has gone'), null);
          else callback(null, socket);
        });
      },
    });
  }

  /** May the next request use it? Looks after the event loop had a turn, so that an end that has arrived is known. */
  async usable(): Promise<boolean> {
    await nextTurn();
    return !this.#socket.destroyed && !this.#socket.readableEnded && this.#socket.writable;
  }

  /** Throws {@link NothingSent}, the signal's reason, or what broke the connection. */
  async post(
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<RawAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
    const chunks: Buffer[] = [];
    let request: Dispatcher.DispatchController | undefined;
    let head: Omit<RawAnswer, 'body'> | undefined;
    const stop = (): void => request?.abort(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    // Answers are short and read whole: a stream for each, as undici's request() makes it, costs as much as all the rest.
    this.#client.dispatch(
      {
        method: 'POST',
        path: this.#path,
        headers: { 'user-agent': 'detproof', ...headers },
        body: body ?? null,
      },
      {
        onRequestStart(controller) {
          request = controller;
          if (signal.aborted) stop();
        },
        onResponseStart(_, status, answered) {
          const type = answered['content-type'];
          head = {
            status,
            contentType: typeof type === 'string' ? type : type?.[0],
            authenticate: answered['www-authenticate'],
          };
        },
        onResponseData(_, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          if (head !== undefined) resolve({ ...head, body: Buffer.concat(chunks) });
        },
        onResponseError(_, error) {
          reject(error);
        },
      },
    );
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  destroy(): void {
    this.#socket.destroy();
    this.#client.destroy().catch(() => undefined);
  }
}

function origin({ host, port, tls }: Endpoint): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
