import { setTimeout as sleep } from 'node:timers/promises';
import type { ResultPromise } from 'execa';

/** How long ssh and what it started have to act on SIGTERM. */
const graceMs = 1_000;
/** How long to wait for last words after ssh has ended: what it started may hold the pipes open for ever. */
const drainMs = 300;

const options = { reject: false, buffer: false, stdin: 'pipe', detached: true } as const;
type Child = ResultPromise<typeof options>;

/** No code: it could not be started, or was ended by a signal. */
export type SshEnd = { readonly code?: number; readonly why: string };

/** Process groups to end when this process does. */
const running = new Set<number>();

function endAll(): void {
  for (const group of running) signalGroup(group, 'SIGKILL');
}

/**
 * A call of ssh(1) in a process group of its own: what it starts in turn (ProxyCommand, Match exec) is ended with it, and Ctrl-C
 * in a terminal is not for it.
 */
export class SshProcess {
  readonly #child: Child;
  readonly #exited: Promise<SshEnd>;
  /** When it has ended and its output was read to the end: never, while something that it started holds the other ends. */
  readonly ended: Promise<SshEnd>;
  /** When it has ended itself and had the time for its last words. */
  readonly gone: Promise<SshEnd>;

  private constructor(child: Child) {
    this.#child = child;
    const { pid } = child;
    if (pid !== undefined) {
      if (running.size === 0) process.once('exit', endAll);
      running.add(pid);
    }
    const { promise, resolve } = Promise.withResolvers<SshEnd>();
    child.once('exit', (code, signal) => {
      resolve(code === null ? { why: `ended by ${signal ?? 'a signal'}` } : { code, why: '' });
    });
    this.ended = child.then(({ exitCode, message = '' }) =>
      exitCode === undefined ? { why: message } : { code: exitCode, why: '' },
    );
    void this.ended.then(resolve);
    this.#exited = promise;
    this.gone = promise.then((end) => Promise.race([this.ended, sleep(drainMs, end, { ref: false })]));
  }

  static async start(program: string, args: readonly string[]): Promise<SshProcess> {
    const { execa } = await import('execa');
    return new SshProcess(execa(program, args, options));
  }

  get stdin(): Child['stdin'] {
    return this.#child.stdin;
  }

  get stdout(): Child['stdout'] {
    return this.#child.stdout;
  }

  get stderr(): Child['stderr'] {
    return this.#child.stderr;
  }

  /** Ends it and all that it started, and lets go of its pipes. */
  async end(): Promise<void> {
    const { pid } = this.#child;
    if (pid !== undefined) {
      signalGroup(pid, 'SIGTERM');
      await Promise.race([this.#exited, sleep(graceMs, undefined, { ref: false })]);
      // Also when ssh itself has ended: others of the group may not have.
      signalGroup(pid, 'SIGKILL');
      running.delete(pid);
      if (running.size === 0) process.off('exit', endAll);
    }
    await this.#exited;
    for (const pipe of [this.stdin, this.stdout, this.stderr]) pipe.destroy();
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody of it is left.
  }
}
