import type { SFTPWrapper } from 'ssh2';
import { type TransportFailureClass, TransportFailure } from '../../../runner/ports.ts';
import type { Lifeline } from '../../shared/lifeline.ts';
import { sha256 } from '../../shared/sha256.ts';
import type { FileStore } from '../../shared/file-store.ts';

/** Every server must take packets of 34,000 bytes (draft-ietf-secsh-filexfer-02, section 3). */
const blockBytes = 32 * 1024;

/** SSH_FX_ codes (draft-ietf-secsh-filexfer-02, section 7). */
const status = { eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const;

/** How files of a host are named over SFTP, and what else its family means for them. */
export type SftpTraits = {
  readonly path: (path: string) => string;
  /** Files have a mode. */
  readonly modes: boolean;
  /** Says more of a file that permission was denied for, where the host knows more than SFTP can say. */
  readonly denied?: (path: string, use: 'read' | 'write') => Promise<string | undefined>;
};

export const posixSftp: SftpTraits = { path: (path) => path, modes: true };

/** `C:\\dir\\file` is `/C:/dir/file` for Win32-OpenSSH; a mode means nothing there. */
export const windowsSftp: SftpTraits = {
  path: (path) => path.replaceAll('\\', '/').replace(/^(?=[A-Za-z]:)/, '/'),
  modes: false,
};

/** Over SFTP version 3, as OpenSSH's sftp-server speaks it. */
export class SftpFiles implements FileStore {
  readonly #sftp: SFTPWrapper;
  readonly #host: string;
  readonly #lifeline: Lifeline;
  readonly #traits: SftpTraits;

  constructor(sftp: SFTPWrapper, host: string, lifeline: Lifeline, traits: SftpTraits = posixSftp) {
    this.#traits = traits;
    this.#sftp = sftp;
    this.#host = host;
    this.#lifeline = lifeline;
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    const { path, mode } = file;
    const content = Buffer.from(file.bytes);
    const handle = await this.#create(path, mode, signal);
    try {
      for (let at = 0; at < content.length; at += blockBytes) {
        const length = Math.min(blockBytes, content.length - at);
        await this.#do(signal, (done) => {
          this.#sftp.write(handle, content, at, length, at, done);
        });
      }
      // The mode of the open request passed the server's umask; this one does not.
      if (this.#traits.modes)
        await this.#do(signal, (done) => {
          this.#sftp.fchmod(handle, mode, done);
        });
      await this.#do(signal, (done) => {
        this.#sftp.close(handle, done);
      });
      const there = await this.get(path, { maxBytes: content.length, signal });
      if (sha256(there) !== sha256(content))
        throw this.#failure('file', path, 'what is there after the upload is not what was sent (SHA-256 differs)');
    } catch (error) {
      // On its own time: a signal that ended the upload must not keep half a file there.
      await this.#do(AbortSignal.timeout(5_000), (done) => {
        this.#sftp.unlink(this.#traits.path(path), done);
      }).catch(() => undefined);
      throw (await this.#full(path, error)) ?? (await this.#explain(path, error, 'write'));
    }
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    try {
      const handle = await this.#ask<Buffer>(limit.signal, (done) => {
        this.#sftp.open(this.#traits.path(path), 'r', done);
      });
      try {
        return await this.#readAll(handle, path, limit.maxBytes, limit.signal);
      } finally {
        await this.#do(AbortSignal.timeout(5_000), (done) => {
          this.#sftp.close(handle, done);
        }).catch(() => undefined);
      }
    } catch (error) {
      throw await this.#explain(path, error, 'read');
    }
  }

  async #create(path: string, mode: number, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#ask<Buffer>(signal, (done) => {
        this.#sftp.open(this.#traits.path(path), 'wx', { mode: mode & 0o700 }, done);
      });
    } catch (error) {
      // Version 3 has no code of its own for this.
      if (statusOf(error) === status.failure && (await this.#exists(path, signal)))
        throw this.#failure('file', path, 'it exists already, and nothing is overwritten', error);
      throw (await this.#full(path, error)) ?? (await this.#explain(path, error, 'write'));
    }
  }

  /** Asks for one byte more than allowed, since only that tells a file of exactly `maxBytes` from a longer one. */
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
      return await this.#ask<Buffer>(signal, (done) => {
        const block = Buffer.alloc(length);
        this.#sftp.read(handle, block, 0, length, at, (error, count) => {
          done(error, block.subarray(0, count));
        });
      });
    } catch (error) {
      if (statusOf(error) === status.eof) return Buffer.alloc(0);
      throw error;
    }
  }

  async #exists(path: string, signal: AbortSignal): Promise<boolean> {
    return this.#do(signal, (done) => {
      this.#sftp.lstat(this.#traits.path(path), done);
    }).then(
      () => true,
      () => false,
    );
  }

  /** A request whose answer is only: done. */
  async #do(signal: AbortSignal, request: (done: (error?: Error | null) => void) => void): Promise<void> {
    await this.#ask<undefined>(signal, (done) => {
      request((error) => {
        done(error, undefined);
      });
    });
  }

  async #ask<T>(
    signal: AbortSignal,
    request: (done: (error: Error | null | undefined, value: T) => void) => void,
  ): Promise<T> {
    return this.#lifeline.wait<T>(
      (resolve, reject) => {
        request((error, value) => {
          // ssh2 says null or undefined for no error.
          if (error) reject(error);
          else resolve(value);
        });
      },
      {
        signal,
        stopped: () => new TransportFailure('aborted', `stopped during a file transfer with ${this.#host}`),
      },
    );
  }

  /** Version 3 has no code for a full disk either, but OpenSSH's server can be asked (statvfs@openssh.com). */
  async #full(path: string, error: unknown): Promise<TransportFailure | undefined> {
    if (error instanceof TransportFailure || statusOf(error) !== status.failure || !this.#traits.modes)
      return undefined;
    const free = await this.#ask<{ readonly f_bavail: number; readonly f_favail: number }>(
      AbortSignal.timeout(5_000),
      (done) => {
        this.#sftp.ext_openssh_statvfs(this.#traits.path(path).replace(/[^/]*$/, '') || '.', done as never);
      },
    ).catch(() => undefined);
    if (free === undefined || (free.f_bavail > 0 && free.f_favail !== 0)) return undefined;
    return this.#failure('file', path, 'no space is left on the disk there. Free some, or use another folder', error);
  }

  async #explain(path: string, error: unknown, use: 'read' | 'write'): Promise<TransportFailure> {
    if (error instanceof TransportFailure) return error;
    switch (statusOf(error)) {
      case status.noSuchFile:
        return this.#failure('not-found', path, 'there is no such file or folder', error);
      case status.permissionDenied:
        return this.#failure('file', path, (await this.#traits.denied?.(path, use)) ?? 'permission denied', error);
      default:
        return this.#failure('file', path, error instanceof Error ? error.message : String(error), error);
    }
  }

  #failure(failureClass: TransportFailureClass, path: string, why: string, cause?: unknown): TransportFailure {
    return new TransportFailure(failureClass, `${path} on ${this.#host}: ${why}`, { cause });
  }
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
