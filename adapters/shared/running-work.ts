/** What a session has under way. Disposing of it ends all of that, and waits until it has ended. */
export class RunningWork implements AsyncDisposable {
  readonly #disposed = new AbortController();
  readonly #work = new Set<Promise<unknown>>();

  /** Aborted when the session is disposed of. */
  get disposed(): AbortSignal {
    return this.#disposed.signal;
  }

  /** Aborted with the caller's signal, and when the session is disposed of. */
  until(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#disposed.signal]);
  }

  /** Counts this as under way until it ends. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    await Promise.allSettled(this.#work);
  }
}
