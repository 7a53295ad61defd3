import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

/** A burst of this size waits in the kernel while the SIEM is busy. */
const receiveBufferBytes = 4 * 1024 * 1024;

/** A UDP port of loopback that takes what stand-ins send by syslog. */
export class SyslogPort {
  readonly #at: { readonly address: string; readonly port: number };
  readonly #socket: Socket;

  constructor(
    at: { readonly address: string; readonly port: number },
    take: (datagram: Buffer) => void,
    log: (message: string) => void,
  ) {
    this.#at = at;
    this.#socket = createSocket('udp4');
    this.#socket.on('message', take);
    this.#socket.on('error', (error) => {
      log(`the syslog port ${at.address}:${at.port}: ${error.message}`);
    });
  }

  /** Returns when it listens. Throws when the port cannot be had. */
  async open(): Promise<void> {
    await new Promise<void>((ready, failed) => {
      this.#socket.once('error', failed);
      this.#socket.bind({ ...this.#at, exclusive: true }, () => {
        this.#socket.off('error', failed);
        try {
          this.#socket.setRecvBufferSize(receiveBufferBytes);
        } catch {
          // The kernel's limit is lower; then it is what the kernel gives.
        }
        ready();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((closed) => {
      this.#socket.close(closed);
    });
  }
}
