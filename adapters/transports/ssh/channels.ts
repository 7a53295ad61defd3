import type { Client, ClientChannel, PseudoTtyOptions, SFTPWrapper } from 'ssh2';
import { TransportFailure } from '../../../runner/ports.ts';
import { Lifeline } from '../../shared/lifeline.ts';
import type { Pipes, PipesEnd } from '../../shared/pipes.ts';

/** A terminal that adds nothing: no echo of what is typed, no translation of line ends, no cursor movements. */
const plainTerminal: PseudoTtyOptions = { term: 'dumb', rows: 24, cols: 80, modes: { ECHO: 0, OPOST: 0 } };

/** sshd frees the place of a closed channel a little later, so the next one may be refused at first. Nothing was started then. */
const reopenPausesMs = [5, 20, 80, 320];

/** The channels of one connection, as promises that also end when the connection does. */
export class Channels {
  /** Breaks with {@link TransportFailure} `lost` when the connection does. */
  readonly lifeline = new Lifeline();
  readonly #client: Client;
  readonly #host: string;

  constructor(client: Client, host: string) {
    this.#client = client;
    this.#host = host;
    client.on('error', (error: Error) => {
      this.#lose(error.message);
    });
    client.once('close', () => {
      this.#lose('it was closed by the other side');
    });
  }

  /** Gives one line to the login shell, without a terminal. */
  async exec(line: string, signal: AbortSignal): Promise<Pipes> {
    return this.#open<ClientChannel, Pipes>(
      signal,
      (done) => this.#client.exec(line, done),
      (channel) => this.#pipes(channel),
      (pipes) => {
        pipes.release();
      },
    );
  }

  /** The login shell on a terminal. */
  async shell(signal: AbortSignal): Promise<Pipes> {
    return this.#open<ClientChannel, Pipes>(
      signal,
      (done) => this.#client.shell(plainTerminal, done),
      (channel) => this.#pipes(channel),
      (pipes) => {
        pipes.release();
      },
    );
  }

  /** `closed` is called when the server closes it. */
  async sftp(signal: AbortSignal, closed: () => void): Promise<SFTPWrapper> {
    return this.#open<SFTPWrapper, SFTPWrapper>(
      signal,
      (done) => this.#client.sftp(done),
      (sftp) => sftp.on('error', closed).on('close', closed),
      (sftp) => {
        sftp.end();
      },
    );
  }

  async close(): Promise<void> {
    if (this.lifeline.broken !== undefined) return;
    this.lifeline.break(new TransportFailure('aborted', `the session with ${this.#host} is closed`));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#client.destroy();
      }, 2_000);
      this.#client.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#client.end();
    });
  }

  /**
   * `wrap` is called at once, before the next packet is read, since the channel's events may be in the same one.
   * `discard` is for a channel that opens when nobody waits for it any more, and would stay open unseen.
   */
  async #open<Channel, Wrapped>(
    signal: AbortSignal,
    request: (done: (error: Error | undefined, channel: Channel) => void) => unknown,
    wrap: (channel: Channel) => Wrapped,
    discard: (late: Wrapped) => void,
  ): Promise<Wrapped> {
    const stop = {
      signal,
      stopped: () => new TransportFailure('aborted', `stopped before ${this.#host} had opened a channel`),
    };
    for (const pauseMs of [...reopenPausesMs, undefined]) {
      let waiting = true;
      try {
        return await this.lifeline.wait<Wrapped>((resolve, reject) => {
          request((error, channel) => {
            if (error !== undefined) {
              reject(error);
              return;
            }
            const wrapped = wrap(channel);
            if (waiting) resolve(wrapped);
            else discard(wrapped);
          });
        }, stop);
      } catch (error) {
        if (error instanceof TransportFailure) throw error;
        const failure = error as Error & { readonly reason?: unknown };
        if (pauseMs === undefined || failure.reason === undefined) throw this.#refused(failure);
        await this.lifeline.wait<undefined>((resolve) => setTimeout(resolve, pauseMs, undefined), stop);
      } finally {
        waiting = false;
      }
    }
    throw new RangeError('the last attempt has no pause after it');
  }

  #pipes(channel: ClientChannel): Pipes {
    const ended = this.lifeline.wait<PipesEnd>((resolve, reject) => {
      let exit: PipesEnd | undefined;
      channel.once('exit', (code: number | null, signal?: string) => {
        exit = code === null ? { kind: 'signal', signal: signal ?? 'unknown' } : { kind: 'code', code };
      });
      channel.once('close', () => {
        if (exit !== undefined) resolve(exit);
        else reject(new TransportFailure('lost', `${this.#host} closed the channel without saying how it ended`));
      });
    });
    // Whoever released the pipes does not listen to how it ended.
    ended.catch(() => undefined);
    return {
      stdin: channel.stdin,
      stdout: channel.stdout,
      stderr: channel.stderr,
      ended,
      release() {
        channel.stdout.resume();
        channel.stderr.resume();
        channel.close();
      },
    };
  }

  #lose(why: string): void {
    this.lifeline.break(
      new TransportFailure(
        'lost',
        `the connection to ${this.#host} was lost: ${why}. A command that was under way may have run, or may still be running there: how it went is unknown`,
      ),
    );
  }

  /** `reason`: the code of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254, section 5.1); without it the channel's use was refused. */
  #refused(cause: Error & { readonly reason?: unknown }): TransportFailure {
    return new TransportFailure(
      'not-started',
      cause.reason === undefined
        ? `${this.#host} refused what the channel was opened for: ${cause.message}`
        : `${this.#host} did not open a channel: ${cause.message}. Is the target's parallel higher than its MaxSessions allows?`,
      { cause },
    );
  }
}
