import type { SFTPWrapper } from 'ssh2';
import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import { sha256 } from '../../shared/sha256.ts';

/** Files of one account over SFTP version 3 (draft-ietf-secsh-filexfer-02, as OpenSSH's sftp-server speaks it). */
export class SftpFiles {
  readonly #sftp: SFTPWrapper;
  readonly #host: string;
  readonly #lost: Promise<never>;

  constructor(sftp: SFTPWrapper, host: string, lost: Promise<never>) {
    this.#sftp = sftp;
    this.#host = host;
    this.#lost = lost;
  }

  /** Creates `path`, which must not exist, and reads it back. Takes it away again when that fails. */
  async put(path: string, bytes: Uint8Array, mode: number, signal: AbortSignal): Promise<void> {
    const content = Buffer.from(bytes);
    let handle: Buffer;
    try {
      handle = await this.#call<Buffer>(signal, (done) => {
        this.#sftp.open(path, 'wx', { mode: mode & 0o700 }, done);
      });
    } catch (error) {
      if (statusOf(error) === status.failure && (await this.#exists(path, signal)))
        throw this.#failure('file', path, 'it exists already, and detproof overwrites nothing', error);
      throw this.#explain(path, error);
    }
    try {
      for (let at = 0; at < content.length; at += blockBytes) {
        const length = Math.min(blockBytes, content.length - at);
        await this.#void(signal, (done) => {
          this.#sftp.write(handle, content, at, length, at, done);
        });
      }
      // The mode of an open request passes the server's umask; this one does not.
      await this.#void(signal, (done) => {
        this.#sftp.fchmod(handle, mode, done);
      });
      await this.#void(signal, (done) => {
        this.#sftp.close(handle, done);
      });
      const there = await this.get(path, content.length, signal);
      if (sha256(there) !== sha256(content))
        throw this.#failure('file', path, 'what is there after the upload is not what was sent (SHA-256 differs)');
    } catch (error) {
      await this.#void(signal, (done) => {
        this.#sftp.unlink(path, done);
      }).catch(() => undefined);
      throw this.#explain(path, error);
    }
  }

  async get(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    try {
      const handle = await this.#call<Buffer>(signal, (done) => {
        this.#sftp.open(path, 'r', done);
      });
      try {
        return await this.#readAll(handle, path, maxBytes, signal);
      } finally {
        await this.#void(signal, (done) => {
          this.#sftp.close(handle, done);
        }).catch(() => undefined);
      }
    } catch (error) {
      throw this.#explain(path, error);
    }
  }

  /** Reads one byte more than allowed, since only that tells a file of exactly `maxBytes` from a longer one. */
  async #readAll(handle: Buffer, path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const blocks: Buffer[] = [];
    for (let at = 0; ;) {
      const block = await this.#read(handle, at, Math.min(blockBytes, maxBytes + 1 - at), signal);
      if (block.length === 0) return new Uint8Array(Buffer.concat(blocks));
      blocks.push(block);
      at += block.length;
      if (at > maxBytes)
        throw this.#failure('cut-short', path, `it is longer than the ${maxBytes} bytes that were asked for`);
    }
  }

  async #read(handle: Buffer, at: number, length: number, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#call<Buffer>(signal, (done) => {
        this.#sftp.read(handle, Buffer.alloc(length), 0, length, at, (error, count, buffer) => {
          if (error === undefined || (error as Error | null) === null) done(undefined, buffer.subarray(0, count));
          else done(error, buffer);
        });
      });
    } catch (error) {
      if (statusOf(error) === status.eof) return Buffer.alloc(0);
      throw error;
    }
  }

  async #exists(path: string, signal: AbortSignal): Promise<boolean> {
    return this.#void(signal, (done) => {
      this.#sftp.lstat(path, done);
    }).then(
      () => true,
      () => false,
    );
  }

  async #void(signal: AbortSignal, request: (done: (error?: Error | null) => void) => void): Promise<void> {
    await this.#call<undefined>(signal, (done) => {
      request((error) => {
        done(error, undefined);
      });
    });
  }

  async #call<T>(
    signal: AbortSignal,
    request: (done: (error: Error | null | undefined, value: T) => void) => void,
  ): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      request((error, value) => {
        if (error === undefined || error === null) resolve(value);
        else reject(error);
      });
      return await Promise.race([promise, this.#lost]);
    } catch (error) {
      if (signal.aborted) throw new TransportFailure('aborted', `stopped during a file transfer with ${this.#host}`);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #explain(path: string, error: unknown): TransportFailure {
    if (error instanceof TransportFailure) return error;
    switch (statusOf(error)) {
      case status.noSuchFile:
        return this.#failure('not-found', path, 'there is no such file or folder', error);
      case status.permissionDenied:
        return this.#failure('file', path, 'permission denied', error);
      default:
        return this.#failure('file', path, error instanceof Error ? error.message : String(error), error);
    }
  }

  #failure(failureClass: TransportFailureClass, path: string, why: string, cause?: unknown): TransportFailure {
    return new TransportFailure(failureClass, `${path} on ${this.#host}: ${why}`, { cause });
  }
}

/** Every server must take packets of 34,000 bytes (filexfer draft, section 3). */
const blockBytes = 32 * 1024;

/** SSH_FX_ codes (filexfer draft, section 7). */
const status = { eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const;

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
