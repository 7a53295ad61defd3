import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import type { WinProcess } from './process.ts';

/** A program that somebody has asked for and has not yet come to start. */
type Ordered = {
  readonly image: string;
  readonly commandLine: string;
  readonly cwd: string;
  readonly env: Environment;
  readonly parent: WinProcess;
};

/** Starts what an SSH session asks for. */
export type SshDoor = (
  opening: { account: string; ip: string; port: number; command: string },
  streams: Pick<WinProcess, 'stdin' | 'stdout' | 'stderr'>,
) => WinProcess | undefined;

const maxOpeningBytes = 256 * 1024;

/**
 * The way into a stand-in from other processes of this machine: a Unix socket where a program that was asked for before is
 * started with the caller's streams (bridge.py says how they are framed), and where sshd's sessions come in.
 */
export class Door {
  readonly socket: string;
  /** What an SSH session must know; in a file that only its accounts' processes can read. */
  readonly sshSecret = randomBytes(24).toString('hex');
  readonly #machine: Machine;
  readonly #ssh: SshDoor;
  readonly #server: Server;
  readonly #ordered = new Map<string, Ordered>();
  readonly #codes = new Map<string, PromiseWithResolvers<number>>();
  readonly #open = new Set<Socket>();

  constructor(machine: Machine, socket: string, ssh: SshDoor) {
    this.#machine = machine;
    this.socket = socket;
    this.#ssh = ssh;
    this.#server = createServer((connection) => {
      this.#admit(connection);
    });
  }

  async listen(): Promise<void> {
    rmSync(this.socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.socket, resolve);
    });
    // Who may come in is told by tickets and secrets.
    chmodSync(this.socket, 0o666);
  }

  /** A ticket for whoever is to start this program. Given to the process that asks for it. */
  issue(ordered: Ordered): string {
    const ticket = randomBytes(16).toString('hex');
    this.#ordered.set(ticket, ordered);
    this.#codes.set(ticket, Promise.withResolvers<number>());
    return ticket;
  }

  /** The whole exit code of what a ticket started; an operating system's process can hand on 8 bits of it only. */
  async code(ticket: string): Promise<number> {
    const code = await (this.#codes.get(ticket)?.promise ?? Promise.resolve(1));
    this.#codes.delete(ticket);
    return code;
  }

  async close(): Promise<void> {
    for (const connection of this.#open) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #admit(connection: Socket): void {
    this.#open.add(connection);
    let pending = Buffer.alloc(0);
    connection.on('error', () => undefined);
    connection.once('close', () => this.#open.delete(connection));
    const first = (chunk: Buffer): void => {
      pending = Buffer.concat([pending, chunk]);
      const end = pending.indexOf(10);
      if (end === -1) {
        if (pending.length > maxOpeningBytes) connection.destroy();
        return;
      }
      connection.off('data', first);
      const stdin = new PassThrough();
      const frames = new Frames(stdin, connection);
      frames.take(pending.subarray(end + 1));
      connection.on('data', (more: Buffer) => {
        frames.take(more);
      });
      this.#begin(connection, pending.toString('utf8', 0, end), stdin);
    };
    connection.on('data', first);
  }

  #begin(connection: Socket, opening: string, stdin: PassThrough): void {
    const sink = (kind: 'O' | 'E') => ({
      write: (bytes: Uint8Array): void | Promise<void> => {
        if (connection.destroyed || connection.write(frame(kind, bytes))) return;
        return new Promise((resolve) => {
          const go = (): void => {
            connection.off('drain', go).off('close', go);
            resolve();
          };
          connection.on('drain', go).on('close', go);
        });
      },
    });
    const streams = { stdin, stdout: sink('O'), stderr: sink('E') };
    const [kind = '', secret = '', account = '', ip = '', port = '', command = ''] = opening.split(' ');
    let started: WinProcess | undefined;
    if (kind === 'ticket') {
      const ordered = this.#ordered.get(secret);
      this.#ordered.delete(secret);
      const codes = this.#codes.get(secret);
      started = ordered && this.#machine.start({ ...ordered, logon: ordered.parent.logon, ...streams });
      void started?.exited.then((code) => codes?.resolve(code));
    } else if (kind === 'ssh' && secret === this.sshSecret) {
      const text = command === '-' ? '' : Buffer.from(command, 'hex').toString('utf8');
      started = this.#ssh({ account, ip, port: Number(port), command: text }, streams);
    }
    if (started === undefined) {
      connection.end(frame('X', exitCode(1)));
      return;
    }
    const process = started;
    connection.once('close', () => {
      process.kill(1);
    });
    void process.exited.then((code) => {
      connection.end(frame('X', exitCode(code)));
    });
  }
}

/** Puts the bytes that come in together to frames of input. */
class Frames {
  readonly #stdin: PassThrough;
  readonly #connection: Socket;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stdin: PassThrough, connection: Socket) {
    this.#stdin = stdin;
    this.#connection = connection;
    stdin.on('drain', () => connection.resume());
  }

  take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const length = this.#rest.readUInt32LE(1);
      if (this.#rest.length < 5 + length) return;
      const data = this.#rest.subarray(5, 5 + length);
      if (this.#rest[0] === 0x5a) this.#stdin.end();
      else if (!this.#stdin.writableEnded && !this.#stdin.write(Buffer.from(data))) this.#connection.pause();
      this.#rest = this.#rest.subarray(5 + length);
    }
  }
}

function frame(kind: 'O' | 'E' | 'X', bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 'latin1');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function exitCode(code: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(code >>> 0);
  return bytes;
}
