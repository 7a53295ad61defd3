/**
 * Something long-lived, such as a connection, on which many short waits hang: when it breaks, all of them fail with the
 * reason. Unlike `Promise.race` with one promise for the whole life, it forgets each wait that is over.
 */
export class Lifeline {
  readonly #waits = new Set<(reason: Error) => void>();
  #broken: Error | undefined;

  /** Why it broke; undefined while it holds. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** Only the first reason counts. */
  break(reason: Error): void {
    if (this.#broken !== undefined) return;
    this.#broken = reason;
    for (const fail of [...this.#waits]) fail(reason);
  }

  /** As `new Promise(start)`, but also rejects when the lifeline breaks, or with `stopped()` when the signal fires. */
  async wait<T>(
    start: (resolve: (value: T) => void, reject: (reason: Error) => void) => void,
    stop?: { readonly signal: AbortSignal; readonly stopped: () => Error },
  ): Promise<T> {
    if (this.#broken !== undefined) throw this.#broken;
    if (stop?.signal.aborted === true) throw stop.stopped();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const abort = (): void => {
      reject(stop?.stopped());
    };
    this.#waits.add(reject);
    stop?.signal.addEventListener('abort', abort, { once: true });
    try {
      start(resolve, reject);
      return await promise;
    } finally {
      this.#waits.delete(reject);
      stop?.signal.removeEventListener('abort', abort);
    }
  }
}
