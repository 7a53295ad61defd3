import { constants, open, unlink, chmod } from 'node:fs/promises';
import { z } from 'zod';
import type { Pipes, PipesEnd } from '../shared/pipes.ts';
import { runExec } from '../shared/run-line.ts';
import { sha256 } from '../shared/sha256.ts';
import {
  type Clock,
  type Command,
  type CommandOutcome,
  type Session,
  type TransportFailureClass,
  TransportFailure,
  type TransportPlugin,
} from '../../runner/ports.ts';
import type { DurationMs } from '../../runner/domain/time.ts';

const blockBytes = 64 * 1024;

/** Runs on this machine, as the user that runs detproof. */
class LocalSession implements Session {
  readonly #clock: Clock;
  readonly #disposed = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async run(command: Command, limit: { timeout: DurationMs; signal: AbortSignal }): Promise<CommandOutcome> {
    if (command.channel === 'shell')
      throw new TransportFailure(
        'not-started',
        'the local transport has no interactive shell, since there is no terminal; use the channel exec, or ssh to this machine',
      );
    const signal = AbortSignal.any([limit.signal, this.#disposed.signal]);
    const work = runExec({ start: startLine, startAside: startLine, clock: this.#clock }, command, {
      timeout: limit.timeout,
      signal,
    });
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  async put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void> {
    throwIfStopped(signal);
    await explained(file.path, async () => {
      await using handle = await open(file.path, 'wx', file.mode & 0o700);
      try {
        await handle.writeFile(file.bytes, { signal });
        await handle.sync();
        // The mode of open passes the umask; this one does not.
        await chmod(file.path, file.mode);
        if (sha256(await this.get(file.path, { maxBytes: file.bytes.length, signal })) !== sha256(file.bytes))
          throw new TransportFailure('file', `${file.path}: what is there is not what was written (SHA-256 differs)`);
      } catch (error) {
        await unlink(file.path).catch(() => undefined);
        throw error;
      }
    });
  }

  async get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array> {
    throwIfStopped(limit.signal);
    return explained(path, async () => {
      // Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
      await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const blocks: Buffer[] = [];
      for (let length = 0; ;) {
        throwIfStopped(limit.signal);
        // One byte more than allowed tells a file of exactly `maxBytes` from a longer one.
        const block = Buffer.alloc(Math.min(blockBytes, limit.maxBytes + 1 - length));
        const { bytesRead } = await handle.read(block, 0, block.length, length);
        if (bytesRead === 0) return new Uint8Array(Buffer.concat(blocks));
        blocks.push(block.subarray(0, bytesRead));
        length += bytesRead;
        if (length > limit.maxBytes)
          throw new TransportFailure(
            'cut-short',
            `${path} is longer than the ${limit.maxBytes} bytes that were asked for`,
          );
      }
    });
  }

  /** Ends what is still running. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(new TransportFailure('aborted', 'the session was closed'));
    await Promise.allSettled(this.#running);
  }
}

async function startLine(line: string, signal: AbortSignal): Promise<Pipes> {
  throwIfStopped(signal);
  const { execa } = await import('execa');
  // A session of its own, as sshd gives each command: then session and process group tell what belongs to it.
  const child = execa('/bin/sh', ['-c', line], {
    detached: true,
    reject: false,
    buffer: false,
    stdin: 'pipe',
    cleanup: false,
  });
  const ended = child.then((result): PipesEnd => {
    if (result.signal !== undefined) return { kind: 'signal', signal: result.signal };
    if (result.exitCode !== undefined) return { kind: 'code', code: result.exitCode };
    throw new TransportFailure('not-started', `/bin/sh could not be started: ${result.message ?? ''}`, {
      cause: result.cause,
    });
  });
  ended.catch(() => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended,
    release() {
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
      child.unref();
    },
  };
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TransportFailure) throw cause;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const [failureClass, why]: [TransportFailureClass, string] =
      code === 'ENOENT'
        ? ['not-found', 'there is no such file or folder']
        : code === 'EEXIST'
          ? ['file', 'it exists already, and nothing is overwritten']
          : code === 'EACCES' || code === 'EPERM'
            ? ['file', 'permission denied']
            : code === 'ABORT_ERR'
              ? ['aborted', 'stopped during the transfer']
              : ['file', cause instanceof Error ? cause.message : String(cause)];
    throw new TransportFailure(failureClass, `${path}: ${why}`, { cause });
  }
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new TransportFailure('aborted', 'stopped before it began');
}

const settings = z.strictObject({});

const plugin: TransportPlugin<z.output<typeof settings>, z.output<typeof settings>> = {
  kind: 'local',
  summary: 'this machine, as the user that runs detproof',
  settings,
  account: settings,
  channels: ['exec'],
  open: ({ clock }) => ({
    connect: async (_target, signal) => {
      throwIfStopped(signal);
      return Promise.resolve(new LocalSession(clock));
    },
  }),
};

export default plugin;
