import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { avId, writeAvPairs } from '../../../../adapters/transports/winrm/ntlm/av-pairs.ts';
import { encodeEncrypted, encryptedContentType } from '../../../../adapters/transports/winrm/http/encrypted-body.ts';
import { askedFlags } from '../../../../adapters/transports/winrm/ntlm/flags.ts';
import { encryptSessionKey, hmacMd5, responseKey, utf16le } from '../../../../adapters/transports/winrm/ntlm/keys.ts';
import { type Sealed, SealedDirection } from '../../../../adapters/transports/winrm/ntlm/seal.ts';
import { account } from './peer.ts';

export type Request = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer };

/**
 * One connection, with a WinRM host's side of it in the test's hands down to the byte. Its NTLM is this project's own code:
 * the interop tests are what holds that; here it is what happens beside the right course that counts.
 */
export class Conversation {
  readonly socket: Socket;
  readonly requests: Request[] = [];
  #received = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #over = false;
  #sending: SealedDirection | undefined;
  #receiving: SealedDirection | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('close', () => {
      this.#over = true;
      this.#wake();
    });
  }

  /** The next request, whole. Throws when the client has gone. */
  async request(): Promise<Request> {
    for (;;) {
      const request = this.#take();
      if (request !== undefined) return request;
      if (this.#over) throw new Error('the client has gone');
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => {
        resolve(undefined);
      };
      await promise;
    }
  }

  respond(status: number, headers: Readonly<Record<string, string>> = {}, body: Uint8Array | string = ''): void {
    this.socket.write(response(status, headers, body));
  }

  /** Both legs of a login, as Windows answers them. */
  async logIn(): Promise<void> {
    await this.challenge();
    this.#accept(token((await this.request()).headers.authorization));
    this.respond(200);
  }

  /** The first leg. `change`: the CHALLENGE → what is sent instead. */
  async challenge(change: (message: Buffer) => Uint8Array = (message) => message): Promise<void> {
    await this.request();
    const message = Buffer.from(change(challengeMessage()));
    this.respond(401, { 'WWW-Authenticate': `Negotiate ${message.toString('base64')}` });
  }

  unseal({ body }: Request): string {
    const length = Number(/Length=(\d+)/.exec(body.toString('latin1'))?.[1]);
    const at = body.indexOf('octet-stream\r\n') + 'octet-stream\r\n'.length + 4;
    const sealed = { signature: body.subarray(at, at + 16), ciphertext: body.subarray(at + 16, at + 16 + length) };
    return Buffer.from(this.#keys(this.#receiving).unseal(sealed)).toString();
  }

  seal(text: string): Sealed {
    return this.#keys(this.#sending).seal(Buffer.from(text));
  }

  respondSealed(text: string, status = 200): void {
    this.respond(status, { 'Content-Type': encryptedContentType }, encodeEncrypted(this.seal(text)));
  }

  /** Logs in, and answers every envelope with itself until the client goes. */
  async echo(): Promise<void> {
    await this.logIn();
    for (;;) this.respondSealed(this.unseal(await this.request()));
  }

  #keys(direction: SealedDirection | undefined): SealedDirection {
    if (direction === undefined) throw new Error('nobody has logged in on this connection');
    return direction;
  }

  #accept(message: Buffer): void {
    const field = (at: number): Buffer => {
      const offset = message.readUInt32LE(at + 4);
      return message.subarray(offset, offset + message.readUInt16LE(at));
    };
    const key = responseKey(account.user, account.domain, utf16le(account.password));
    const sessionKey = encryptSessionKey(hmacMd5(key, field(20).subarray(0, 16)), field(52));
    this.#receiving = new SealedDirection(sessionKey, 'client-to-server');
    this.#sending = new SealedDirection(sessionKey, 'server-to-client');
  }

  #take(): Request | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [, ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const bodyEnd = end + 4 + Number(headers['content-length'] ?? 0);
    if (this.#received.length < bodyEnd) return undefined;
    const request = { headers, body: this.#received.subarray(end + 4, bodyEnd) };
    this.#received = this.#received.subarray(bodyEnd);
    this.requests.push(request);
    return request;
  }
}

export function response(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array | string): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ 'Content-Length': bytes.length, ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  // No reason phrase, as Windows.
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} \r\n${lines.join('')}\r\n`), bytes]);
}

export function token(authorization: string | undefined): Buffer {
  return Buffer.from(authorization?.split(' ')[1] ?? '', 'base64');
}

/** What Windows sends, as far as this client looks at it. */
function challengeMessage(): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigUInt64LE(BigInt(Date.now() + 11_644_473_600_000) * 10_000n);
  const info = writeAvPairs([
    { id: avId.computerName, value: utf16le('PEER') },
    { id: avId.timestamp, value: time },
  ]);
  const message = Buffer.alloc(56 + info.length);
  message.write('NTLMSSP\0', 'latin1');
  message.writeUInt32LE(2, 8);
  message.writeUInt32LE(askedFlags, 20);
  message.set(crypto.getRandomValues(new Uint8Array(8)), 24);
  message.writeUInt16LE(info.length, 40);
  message.writeUInt16LE(info.length, 42);
  message.writeUInt32LE(56, 44);
  message.set(info, 56);
  return message;
}

/** Follows one script per connection, in the order in which they come; the last script serves all that follow. */
export class ScriptedServer implements AsyncDisposable {
  readonly port: number;
  readonly conversations: Conversation[];
  readonly #server: Server;

  private constructor(server: Server, conversations: Conversation[]) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.conversations = conversations;
  }

  static async start(...scripts: readonly ((conversation: Conversation) => Promise<void>)[]): Promise<ScriptedServer> {
    const conversations: Conversation[] = [];
    const server = createServer((socket) => {
      const conversation = new Conversation(socket);
      conversations.push(conversation);
      const script = scripts[Math.min(conversations.length, scripts.length) - 1];
      // A script ends with the client, or with what it was to do; a test sees what it did.
      script?.(conversation).catch(() => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedServer(server, conversations);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.conversations) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
