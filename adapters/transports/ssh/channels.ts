import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import { TransportFailure } from '../../../runner/ports.ts';
import type { Pipes, PipesEnd } from '../../shared/pipes.ts';

/** The channels of one connection, as promises that also end when the connection does. */
export class Channels {
  readonly #client: Client;
  readonly #host: string;
  readonly #lost = Promise.withResolvers<never>();
  #loss: TransportFailure | undefined;

  constructor(client: Client, host: string) {
    this.#client = client;
    this.#host = host;
    // Without a run in progress nobody listens, and that is no error.
    this.#lost.promise.catch(() => undefined);
    client.on('error', (error: Error) => {
      this.#lose(error.message);
    });
    client.once('close', () => {
      this.#lose('closed by the other side');
    });
  }

  /** Rejects with {@link TransportFailure} `lost` when the connection is gone. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Gives one line to the login shell, without a terminal. */
  async exec(line: string, signal: AbortSignal): Promise<Pipes> {
    const channel = await this.#open<ClientChannel>(
      signal,
      (done) => this.#client.exec(line, done),
      (late) => {
        late.close();
      },
    );
    return this.#pipes(channel);
  }

  async sftp(signal: AbortSignal): Promise<SFTPWrapper> {
    return this.#open<SFTPWrapper>(
      signal,
      (done) => this.#client.sftp(done),
      (late) => {
        late.end();
      },
    );
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#client.once('close', () => {
        resolve();
      });
    });
    if (this.#loss !== undefined) return;
    this.#lose('closed by detproof');
    this.#client.end();
    const timer = setTimeout(() => {
      this.#client.destroy();
    }, 2_000);
    await closed;
    clearTimeout(timer);
  }

  async #open<T>(
    signal: AbortSignal,
    request: (done: (error: Error | undefined, channel: T) => void) => unknown,
    discard: (late: T) => void,
  ): Promise<T> {
    if (this.#loss !== undefined) throw this.#loss;
    if (signal.aborted) throw this.#aborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stop = (): void => {
      reject(this.#aborted());
    };
    signal.addEventListener('abort', stop, { once: true });
    let wanted = true;
    try {
      request((error, channel) => {
        // A channel that opens after nobody waits for it any more would stay open unseen.
        if (error !== undefined) reject(this.#refused(error));
        else if (wanted) resolve(channel);
        else discard(channel);
      });
      return await Promise.race([promise, this.lost]);
    } finally {
      wanted = false;
      signal.removeEventListener('abort', stop);
    }
  }

  #pipes(channel: ClientChannel): Pipes {
    const ended = new Promise<PipesEnd>((resolve, reject) => {
      let exit: PipesEnd | undefined;
      channel.once('exit', (code: number | null, signal?: string) => {
        exit = code === null ? { kind: 'signal', signal: signal ?? 'unknown' } : { kind: 'code', code };
      });
      channel.once('close', () => {
        if (exit !== undefined) resolve(exit);
        else
          reject(this.#loss ?? new TransportFailure('lost', `${this.#host} closed the channel without an exit status`));
      });
    });
    const settled = Promise.race([ended, this.lost]);
    settled.catch(() => undefined);
    return {
      stdin: channel.stdin,
      stdout: channel.stdout,
      stderr: channel.stderr,
      ended: settled,
      release() {
        channel.stdout.resume();
        channel.stderr.resume();
        channel.close();
      },
    };
  }

  #lose(why: string): void {
    if (this.#loss !== undefined) return;
    this.#loss = new TransportFailure(
      'lost',
      `the connection to ${this.#host} was lost: ${why}. What was running there may still be running`,
    );
    this.#lost.reject(this.#loss);
  }

  #refused(error: Error): TransportFailure {
    return (
      this.#loss ??
      new TransportFailure(
        'not-started',
        `${this.#host} did not open a channel: ${error.message}. Is the target's parallel higher than its MaxSessions allows?`,
        { cause: error },
      )
    );
  }

  #aborted(): TransportFailure {
    return new TransportFailure('aborted', `stopped before a channel to ${this.#host} was open`);
  }
}
