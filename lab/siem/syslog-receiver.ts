import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { SyslogDatagram } from './syslog-normalise.ts';

const program = path.resolve(import.meta.dirname, 'syslog-sockets.py');
const interpreter = '/usr/bin/python3';
const restartAfterMs = 1000;

const lineSchema = z.union([
  z.strictObject({ ready: z.literal(true) }),
  z.strictObject({
    host: z.string(),
    timeMs: z.number(),
    pid: z.int().optional(),
    uid: z.int().optional(),
    data: z.base64(),
  }),
]);

/**
 * Takes syslog datagrams off a unix socket per host. Node has no unix datagram sockets, so a few lines of Python, which the
 * lab needs anyway, listen and hand each datagram over as a line. When that process ends by itself it is started again.
 */
export class SyslogReceiver {
  readonly #sockets: readonly { readonly host: string; readonly path: string }[];
  readonly #take: (datagram: SyslogDatagram) => void;
  readonly #log: (message: string) => void;
  #child: ChildProcess | undefined;
  #closing = false;

  constructor(
    sockets: readonly { readonly host: string; readonly path: string }[],
    take: (datagram: SyslogDatagram) => void,
    log: (message: string) => void,
  ) {
    this.#sockets = sockets;
    this.#take = take;
    this.#log = log;
  }

  /** Returns when all sockets are there. Throws when they cannot be made. */
  async open(): Promise<void> {
    const args = this.#sockets.flatMap(({ host, path: socket }) => [host, socket]);
    const child = spawn(interpreter, ['-I', '-S', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    let wasReady = false;
    await new Promise<void>((ready, failed) => {
      createInterface({ input: child.stdout }).on('line', (text) => {
        this.#line(text, () => {
          wasReady = true;
          ready();
        });
      });
      child.once('error', failed);
      child.once('exit', (code, signal) => {
        const how = signal ?? `code ${String(code)}`;
        if (wasReady) this.#restart(how);
        else failed(new Error(`the syslog listener ended at once (${how})`));
      });
    });
  }

  /** Returns when the listener has handed over what it had, and its sockets are gone. */
  async close(): Promise<void> {
    this.#closing = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.stdin?.end();
    await closed;
  }

  #line(text: string, ready: () => void): void {
    const line = lineSchema.parse(JSON.parse(text));
    if ('ready' in line) {
      ready();
      return;
    }
    const { data, pid, uid, ...rest } = line;
    this.#take({
      ...rest,
      ...(pid !== undefined && { pid }),
      ...(uid !== undefined && { uid }),
      bytes: Buffer.from(data, 'base64'),
    });
  }

  #restart(how: string): void {
    if (this.#closing) return;
    this.#log(`the syslog listener is not there (${how}); starting it again`);
    setTimeout(() => {
      if (this.#closing) return;
      this.open().catch((error: unknown) => {
        this.#restart(String(error));
      });
    }, restartAfterMs);
  }
}
