/**
 * Works through `items` in order, `most` at a time. After the first error nothing further begins; it is thrown when the work that
 * has begun has ended.
 */
export async function limited<T>(most: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await allEnded(Array.from({ length: Math.max(1, most) }, worker));
}

/** Like `Promise.all`, but the first error is thrown only when all of them have ended: nothing goes on behind one's back. */
export async function allEnded<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Makes a lock: one piece of work at a time, in the order of asking. */
export function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
