import { createConnection, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'to-server' | 'to-client';

/** What is done to the bytes of one direction, until the next change. */
type Fault =
  | { readonly kind: 'none' }
  /** Sends `left` more bytes, then resets the connection. */
  | { readonly kind: 'drop'; left: number }
  /** Sends `left` more bytes as they are, one that is changed, then all others as they are. */
  | { readonly kind: 'corrupt'; left: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Takes bytes and keeps them. */
  | { readonly kind: 'hang' };

const tickMs = 20;

/** One direction of one connection. */
class Pump {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #reset: () => void;
  #fault: Fault;
  #kept: Buffer = Buffer.alloc(0);
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, fault: Fault, reset: () => void) {
    this.#from = from;
    this.#to = to;
    this.#fault = { ...fault };
    this.#reset = reset;
    from.on('data', (chunk: Buffer) => {
      this.#kept = Buffer.concat([this.#kept, chunk]);
      this.#move();
    });
    from.on('end', () => {
      this.#ended = true;
      this.#move();
    });
    to.on('drain', () => {
      from.resume();
    });
    to.on('close', () => {
      clearTimeout(this.#timer);
    });
  }

  set(fault: Fault): void {
    this.#fault = { ...fault };
    this.#move();
  }

  #move(): void {
    const fault = this.#fault;
    switch (fault.kind) {
      case 'hang':
        return;
      case 'slow':
        this.#drip(fault.bytesPerSecond);
        return;
      case 'drop': {
        const sent = Math.min(fault.left, this.#kept.length);
        fault.left -= sent;
        if (fault.left > 0) break;
        // What was promised to pass has to leave before the reset, which would overtake it.
        this.#to.write(this.#take(sent), this.#reset);
        return;
      }
      case 'corrupt':
        if (fault.left < this.#kept.length) {
          this.#kept[fault.left] = (this.#kept[fault.left] ?? 0) ^ 0x55;
          this.#fault = { kind: 'none' };
        } else fault.left -= this.#kept.length;
        break;
      case 'none':
        break;
    }
    this.#send(this.#kept.length);
  }

  #drip(bytesPerSecond: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#send(Math.max(1, Math.round((bytesPerSecond * tickMs) / 1_000)));
      if (this.#kept.length > 0) this.#move();
    }, tickMs);
    // A slow link pushes back on whoever sends.
    if (this.#kept.length > bytesPerSecond) this.#from.pause();
  }

  #send(bytes: number): void {
    const part = this.#take(bytes);
    if (part.length > 0 && !this.#to.write(part)) this.#from.pause();
    else if (this.#from.isPaused() && this.#kept.length === 0) this.#from.resume();
    if (this.#ended && this.#kept.length === 0) this.#to.end();
  }

  #take(bytes: number): Buffer {
    const part = this.#kept.subarray(0, bytes);
    this.#kept = Buffer.from(this.#kept.subarray(bytes));
    return part;
  }
}

/**
 * A TCP proxy on loopback that does to connections what networks and hosts do. A fault holds for the connections that are
 * open and for new ones, until `heal`; byte counts start when it is set, and for a new connection at its first byte.
 */
export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  /** Connections that were accepted so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pumps: Record<Direction, Set<Pump>> = { 'to-server': new Set(), 'to-client': new Set() };
  readonly #faults: Record<Direction, Fault> = { 'to-server': { kind: 'none' }, 'to-client': { kind: 'none' } };
  readonly #passed: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 };
  #refusing = false;
  #to: { readonly host?: string; readonly port: number };

  private constructor(server: Server, port: number, to: { readonly host?: string; readonly port: number }) {
    this.#server = server;
    this.port = port;
    this.#to = to;
    server.on('connection', (client) => {
      this.#connect(client, this.#to);
    });
  }

  static async start(to: { readonly host?: string; readonly port: number }): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    return new FaultProxy(server, address.port, to);
  }

  /** Bytes that came for this direction so far, over all connections. */
  passed(direction: Direction): number {
    return this.#passed[direction];
  }

  /** Resets all open connections now; new ones are let through. */
  drop(): void {
    for (const socket of this.#sockets) cut(socket);
  }

  /** Resets a connection after `bytes` more in this direction. `of`: only those that are open now; new ones have no fault. */
  dropAfter(bytes: number, direction: Direction = 'to-client', of: 'open' | 'all' = 'all'): void {
    this.#set(direction, { kind: 'drop', left: bytes }, of);
  }

  /** Changes one byte, after `bytes` more in this direction. */
  corruptAfter(bytes: number, direction: Direction = 'to-client', of: 'open' | 'all' = 'all'): void {
    this.#set(direction, { kind: 'corrupt', left: bytes }, of);
  }

  slow(bytesPerSecond: number): void {
    for (const direction of ['to-server', 'to-client'] as const) this.#set(direction, { kind: 'slow', bytesPerSecond });
  }

  /** Connections stay open and nothing passes; what came meanwhile passes after `heal`. */
  hang(directions: readonly Direction[] = ['to-server', 'to-client']): void {
    for (const direction of directions) this.#set(direction, { kind: 'hang' });
  }

  /** New connections end at another server: somebody is in between. */
  leadTo(port: number): void {
    this.#to = { port };
  }

  /** Resets new connections at once. */
  refuse(): void {
    this.#refusing = true;
  }

  heal(): void {
    this.#refusing = false;
    for (const direction of ['to-server', 'to-client'] as const) this.#set(direction, { kind: 'none' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #set(direction: Direction, fault: Fault, of: 'open' | 'all' = 'all'): void {
    this.#faults[direction] = of === 'all' ? fault : { kind: 'none' };
    for (const pump of this.#pumps[direction]) pump.set(fault);
  }

  #connect(client: Socket, to: { readonly host?: string; readonly port: number }): void {
    this.connections += 1;
    if (this.#refusing) {
      cut(client);
      return;
    }
    const server = createConnection({ host: to.host ?? '127.0.0.1', port: to.port, allowHalfOpen: true });
    const both = [client, server];
    const reset = (): void => {
      for (const socket of both) cut(socket);
    };
    for (const socket of both) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', reset);
      socket.on('close', (failed) => {
        this.#sockets.delete(socket);
        if (failed) reset();
      });
    }
    for (const [direction, from, goal] of [
      ['to-server', client, server],
      ['to-client', server, client],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        this.#passed[direction] += chunk.length;
      });
      const pump = new Pump(from, goal, this.#faults[direction], reset);
      this.#pumps[direction].add(pump);
      goal.on('close', () => {
        this.#pumps[direction].delete(pump);
      });
    }
  }
}

/** A reset, where one is still possible: a socket that is not connected yet, or has said its end, has none to give. */
function cut(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
