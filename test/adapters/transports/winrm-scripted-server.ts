import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { child, type Element, parseXml } from '../../../adapters/transports/winrm/shell/element.ts';
import { ns } from '../../../adapters/transports/winrm/shell/namespaces.ts';
import type { Answer, WinrmConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import { TransportFailure } from '../../../runner/ports.ts';

/** A request as the server got it. `connection`: number of the TCP connection, from 1. */
export type Seen = {
  readonly action: string;
  readonly messageId: string;
  readonly shellId: string | undefined;
  readonly body: Element;
  readonly connection: number;
  readonly at: number;
};

export type Reply =
  | {
      readonly body: string;
      readonly status?: number;
      /** Cut at these bytes into several TCP writes. */ readonly cuts?: readonly number[];
    }
  /** Closes the connection instead of answering, or in the middle of an answer. */
  | { readonly close: 'silently' | 'halfway' };

export type Answering = (seen: Seen) => Reply | Promise<Reply>;

const shellId = '4283CBDC-3706-415B-88BD-B385F3E51A53';
export const commandId = 'CF84C20A-0A35-43FA-AF78-0B4711DA5F30';

/**
 * A WinRM listener over plain TCP that answers as it is told: for each action the answers that were queued, in that order,
 * and when there are none left the usual one. `RelatesTo` of an answer is made to fit the request.
 */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  readonly #queues = new Map<string, Answering[]>();
  readonly #server: Server;
  readonly #sockets = new Map<Socket, number>();
  #shells = 0;

  private constructor() {
    this.#server = createServer((incoming, response) => {
      void this.#handle(incoming, response);
    });
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on('connection', (socket) => {
      this.#sockets.set(socket, this.#sockets.size + 1);
      socket.on('error', () => undefined);
    });
  }

  static async start(): Promise<ScriptedServer> {
    const scripted = new ScriptedServer();
    scripted.#server.listen(0, '127.0.0.1');
    await once(scripted.#server, 'listening');
    return scripted;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/wsman`;
  }

  /** Connections that were made so far. */
  get connections(): number {
    return this.#sockets.size;
  }

  queue(action: string, ...answers: readonly (Reply | Answering)[]): void {
    const functions = answers.map((answer) => (typeof answer === 'function' ? answer : () => answer));
    this.#queues.set(action, [...(this.#queues.get(action) ?? []), ...functions]);
  }

  /** Actions of the requests so far, in order. */
  actions(): readonly string[] {
    return this.seen.map(({ action }) => action);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const root = parseXml(Buffer.concat(parts));
    const header = child(root, ns.soap, 'Header');
    const seen: Seen = {
      action: child(header, ns.addressing, 'Action')?.text.split('/').at(-1) ?? '',
      messageId: child(header, ns.addressing, 'MessageID')?.text ?? '',
      shellId: child(child(header, ns.wsman, 'SelectorSet'), ns.wsman, 'Selector')?.text,
      body: child(root, ns.soap, 'Body') ?? root,
      connection: this.#sockets.get(incoming.socket) ?? 0,
      at: performance.now(),
    };
    this.seen.push(seen);
    const answer = this.#queues.get(seen.action)?.shift() ?? (() => this.#usual(seen));
    const reply = await answer(seen);
    if (response.destroyed) return;
    if ('close' in reply) {
      if (reply.close === 'halfway') {
        response.writeHead(200, { 'Content-Length': '10000' });
        response.write('<s:Envelope');
      }
      setImmediate(() => incoming.socket.destroy());
      return;
    }
    const bytes = Buffer.from(reply.body.replace(/RelatesTo>[^<]*</, `RelatesTo>${seen.messageId}<`));
    response.writeHead(reply.status ?? (reply.body.includes(':Fault>') ? 500 : 200), '', {
      'Content-Type': 'application/soap+xml;charset=UTF-8',
      'Content-Length': String(bytes.length),
    });
    let from = 0;
    for (const cut of [...(reply.cuts ?? []), bytes.length]) {
      response.write(bytes.subarray(from, cut));
      from = cut;
      await new Promise(setImmediate);
    }
    response.end();
  }

  #usual({ action }: Seen): Reply {
    switch (action) {
      case 'Create':
        this.#shells += 1;
        return created(`${shellId.slice(0, -1)}${this.#shells.toString(16).toUpperCase()}`);
      case 'Command':
        return accepted(commandId);
      case 'Receive':
        return received([['stdout', 'hi\r\n']], 0);
      default:
        return soap(action === 'Delete' ? '' : `<rsp:${action}Response/>`);
    }
  }
}

/** The answers below are written as Windows writes them. */
function soap(body: string): Reply {
  return {
    body:
      `<s:Envelope xml:lang="en-US" xmlns:s="${ns.soap}" xmlns:a="${ns.addressing}" xmlns:x="${ns.transfer}" xmlns:w="${ns.wsman}" xmlns:rsp="${ns.shell}" xmlns:p="${ns.microsoft}">` +
      `<s:Header><a:RelatesTo>uuid:0</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  };
}

export function created(id: string): Reply {
  return soap(
    `<x:ResourceCreated><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">${id}</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`,
  );
}

export function accepted(id: string): Reply {
  return soap(`<rsp:CommandResponse><rsp:CommandId>${id}</rsp:CommandId></rsp:CommandResponse>`);
}

/** `exitCode` undefined: still running; null: done, without one. */
export function received(
  output: readonly (readonly ['stdout' | 'stderr', string | Uint8Array])[],
  exitCode?: number | string | null,
): Reply {
  const streams = output.map(
    ([name, data]) =>
      `<rsp:Stream Name="${name}" CommandId="${commandId}">${Buffer.from(data).toString('base64')}</rsp:Stream>`,
  );
  const code = exitCode === undefined || exitCode === null ? '' : `<rsp:ExitCode>${exitCode}</rsp:ExitCode>`;
  const state = `<rsp:CommandState CommandId="${commandId}" State="${ns.shell}/CommandState/${exitCode === undefined ? 'Running' : 'Done'}">${code}</rsp:CommandState>`;
  return soap(`<rsp:ReceiveResponse>${streams.join('')}${state}</rsp:ReceiveResponse>`);
}

export function fault(code: number, text = 'The host says no. '): Reply {
  return soap(
    `<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>${text}</s:Text></s:Reason><s:Detail>` +
      `<f:WSManFault xmlns:f="${ns.fault}" Code="${code}" Machine="h"><f:Message>${text}</f:Message></f:WSManFault></s:Detail></s:Fault>`,
  );
}

/** A connection without a login, in all else as the contract of {@link WinrmConnection} says. */
export function plainConnection(url: string): WinrmConnection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    security: { scheme: 'negotiate', sealed: false },
    post: (text, { timeoutMs, signal }) =>
      new Promise<Answer>((resolve, reject) => {
        const fail = (failureClass: 'lost' | 'unreachable' | 'aborted', why: string): void => {
          outgoing.destroy();
          reject(new TransportFailure(failureClass, `the connection to the host: ${why}`));
        };
        const outgoing = request(url, { method: 'POST', agent, timeout: timeoutMs }, (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', (error) => {
            fail('lost', error.message);
          });
          response.on('end', () => {
            signal.removeEventListener('abort', stop);
            if (response.statusCode === 401) reject(new TransportFailure('login', 'the host forgot the login'));
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts), sealed: false });
          });
        });
        const stop = (): void => {
          fail('aborted', 'stopped');
        };
        if (signal.aborted) stop();
        signal.addEventListener('abort', stop, { once: true });
        outgoing.on('timeout', () => {
          fail('lost', `no answer within ${timeoutMs} ms`);
        });
        outgoing.on('error', (error: NodeJS.ErrnoException) => {
          fail(error.code === 'ECONNREFUSED' ? 'unreachable' : 'lost', error.message);
        });
        outgoing.end(text);
      }),
    close: () => {
      agent.destroy();
      return Promise.resolve();
    },
  };
}
