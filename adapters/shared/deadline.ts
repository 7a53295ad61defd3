/** Timers of Node are 32 bits wide; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Resolves to `reached` when the time is over or the signal fires; dispose to let go of timer and listener. */
export function deadline(ms: number, signal?: AbortSignal): Disposable & { readonly reached: Promise<'reached'> } {
  const { promise, resolve } = Promise.withResolvers<'reached'>();
  const reach = (): void => {
    resolve('reached');
  };
  const timer = setTimeout(reach, Math.min(ms, longestTimerMs));
  if (signal?.aborted === true) reach();
  signal?.addEventListener('abort', reach, { once: true });
  return {
    reached: promise,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', reach);
    },
  };
}
