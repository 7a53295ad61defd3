import { X509Certificate } from 'node:crypto';
import http from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Machine } from '../machine/machine.ts';
import { channelBindingData } from '../../../../adapters/transports/winrm/http/certificate.ts';
import { channelBindingsHash } from '../../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import { answers } from './answers.ts';
import { Connection } from './connection.ts';
import type { AuthSettings } from './connection.ts';
import { WsmanFault, faultEnvelope } from './faults.ts';
import { readRequest } from './request.ts';
import { sealBody, sealedType, unsealBody } from './sealed-body.ts';
import type { ShellService } from './service.ts';

/** Where a listener is and whom it lets in. */
export type ListenerOptions = {
  readonly address: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly auth: AuthSettings;
  /** PEM texts; absent: plain HTTP. `ca` signs the client certificates that are accepted. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string };
  readonly maxEnvelopeBytes: number;
};

type Reply = {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
};

const plainHeaders = { 'Content-Type': 'application/soap+xml;charset=UTF-8' };

/** One WinRM listener. It answers as a real host was recorded to, down to its empty reason phrases. */
export class Listener {
  readonly #machine: Machine;
  readonly #service: ShellService;
  readonly #options: ListenerOptions;
  readonly #server: http.Server;
  readonly #connections = new WeakMap<Socket, Connection>();
  readonly #bindingHash: Uint8Array;

  constructor(machine: Machine, service: ShellService, options: ListenerOptions) {
    this.#machine = machine;
    this.#service = service;
    this.#options = options;
    const { tls, auth } = options;
    this.#bindingHash =
      tls === undefined ? new Uint8Array() : channelBindingsHash(channelBindingData(new X509Certificate(tls.cert).raw));
    const answer: RequestListener = (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        // A client that goes away in the middle of its request is no news.
        if (!response.destroyed) process.stderr.write(`${String((error as Error).stack)}\n`);
        response.destroy();
      });
    };
    const server =
      tls === undefined
        ? http.createServer(answer)
        : https.createServer({ ...tls, requestCert: auth.certificate, rejectUnauthorized: false }, answer);
    // A connection is its login: it must not be dropped between two requests.
    server.keepAliveTimeout = 120_000;
    server.requestTimeout = 0;
    this.#server = server;
  }

  /** Begins to listen; the port. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#options.port, this.#options.address, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body, headers = {} } = await this.#reply(request, response);
    // Nobody reads what a closed connection says.
    if (response.destroyed) return;
    const all = { ...headers, Server: 'Microsoft-HTTPAPI/2.0', 'Content-Length': Buffer.byteLength(body) };
    for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
    response.writeHead(status, '').end(body);
  }

  async #reply(request: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const body = await this.#bodyOf(request);
    if (!/^\/wsman\/?(?:\?.*)?$/i.test(request.url ?? '')) return { status: 404, body: '' };
    if (request.method !== 'POST') return { status: 405, body: '' };
    if (request.headers.wsmanidentify?.toString().toLowerCase() === 'unauthenticated')
      return { status: 200, body: answers.identify(), headers: plainHeaders };
    const connection = this.#connectionOf(request.socket);
    const admission = connection.admit(request.headers.authorization);
    if (admission.kind === 'challenge')
      return { status: 401, body: '', headers: { 'WWW-Authenticate': admission.token } };
    if (admission.kind === 'refused') return this.#refusal(connection);
    // The last leg of a login comes without a body.
    if (body?.length === 0) return { status: 200, body: '' };
    const isSealed = request.headers['content-type']?.toLowerCase().startsWith('multipart/encrypted') ?? false;
    if (!isSealed && !connection.isEncrypted && !this.#options.auth.allowUnencrypted) return this.#refusal(connection);
    if (body === undefined) return this.#envelope(connection, new WsmanFault('envelope-size'), '', isSealed);
    const plain = !isSealed ? body : connection.sealing && unsealBody(connection.sealing, body);
    if (plain === undefined) return this.#refusal(connection);
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    let messageId = '';
    try {
      const wanted = readRequest(plain);
      messageId = wanted.messageId;
      const answer = await this.#service.answer(wanted, admission.caller, gone.signal);
      return this.#envelope(connection, answer, messageId, isSealed);
    } catch (error) {
      if (!(error instanceof WsmanFault)) throw error;
      return this.#envelope(connection, error, error.details.messageId ?? messageId, isSealed);
    }
  }

  /** Sealed at the last moment: sequence numbers go by the order on the wire. */
  #envelope(connection: Connection, said: string | WsmanFault, messageId: string, isSealed: boolean): Reply {
    const status = typeof said === 'string' ? 200 : 500;
    const text = typeof said === 'string' ? said : faultEnvelope(said, messageId, this.#machine.name);
    if (!isSealed || connection.sealing === undefined) return { status, body: text, headers: plainHeaders };
    return { status, body: sealBody(connection.sealing, Buffer.from(text)), headers: { 'Content-Type': sealedType } };
  }

  /** The same for every reason, and the connection ends with it. */
  #refusal(connection: Connection): Reply {
    const { negotiate, basic, allowUnencrypted } = this.#options.auth;
    const offersBasic = basic && (connection.isEncrypted || allowUnencrypted);
    const offers = [...(negotiate ? ['Negotiate'] : []), ...(offersBasic ? ['Basic realm="WSMAN"'] : [])];
    return { status: 401, body: '', headers: { 'WWW-Authenticate': offers, Connection: 'close' } };
  }

  #connectionOf(socket: Socket): Connection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const peer = { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const tls = !(socket instanceof TLSSocket) ? undefined : { socket, bindingHash: this.#bindingHash };
    const made = new Connection(this.#machine, this.#options.auth, peer, tls);
    this.#connections.set(socket, made);
    return made;
  }

  /** Undefined: larger than the service takes, sealing included. */
  async #bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request) {
      size += (chunk as Buffer).length;
      if (size <= this.#options.maxEnvelopeBytes + 1024) chunks.push(chunk as Buffer);
    }
    return size > this.#options.maxEnvelopeBytes + 1024 ? undefined : Buffer.concat(chunks);
  }
}
