import { randomBytes } from 'node:crypto';
import { TransportFailure } from '../../runner/ports.ts';
import type { Pipes, StartLine } from './pipes.ts';

const answerTimeoutMs = 10_000;

/** A shell that reads commands from a pipe, for several questions to a host without starting a shell for each. */
export class ShellTalk implements Disposable {
  readonly #pipes: Pipes;
  #output = Buffer.alloc(0);
  #arrived: () => void = () => undefined;
  #failure: Error | undefined;

  private constructor(pipes: Pipes) {
    this.#pipes = pipes;
    pipes.stdout.on('data', (chunk: Buffer) => {
      this.#output = Buffer.concat([this.#output, chunk]);
      this.#arrived();
    });
    pipes.stderr.resume();
    pipes.stdin.on('error', () => undefined);
    pipes.ended.then(
      () => {
        this.#fail(new TransportFailure('not-started', 'the shell that was to end the processes ended early'));
      },
      (error: unknown) => {
        this.#fail(error instanceof Error ? error : new TransportFailure('lost', String(error)));
      },
    );
  }

  static async open(start: StartLine): Promise<ShellTalk> {
    const talk = new ShellTalk(await start('exec sh', AbortSignal.timeout(answerTimeoutMs)));
    // What start-up files of the login shell print comes before the first answer, and must not be taken for one.
    await talk.ask(':');
    return talk;
  }

  /** Runs commands and returns what they printed. Throws {@link TransportFailure} when the shell gives no answer. */
  async ask(commands: string): Promise<string> {
    const end = randomBytes(8).toString('hex');
    this.#output = Buffer.alloc(0);
    this.#pipes.stdin.write(`${commands}\necho ${end}\n`);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (this.#output.includes(`${end}\n`)) resolve();
          else if (this.#failure !== undefined) reject(this.#failure);
        };
        this.#arrived = look;
        timer = setTimeout(() => {
          this.#fail(
            new TransportFailure('lost', `a shell on the host gave no answer within ${answerTimeoutMs / 1000} s`),
          );
        }, answerTimeoutMs);
        look();
      });
    } finally {
      clearTimeout(timer);
    }
    return this.#output.toString('latin1', 0, this.#output.indexOf(`${end}\n`));
  }

  [Symbol.dispose](): void {
    this.#pipes.stdin.end();
    this.#pipes.release();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#arrived();
  }
}
