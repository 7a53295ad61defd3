import { TransportFailure } from '../../../runner/ports.ts';

type State =
  | { readonly is: 'trying'; readonly over: Promise<void> }
  | { readonly is: 'accepted' }
  | { readonly is: 'refused'; readonly at: string };

/**
 * Remembers for a whole run which credentials were refused, so that none is tried a second time: directories lock an
 * account after a few failures. While nobody knows yet whether a credential is good, one host tries it and the others wait.
 */
export class Refusals {
  readonly #states = new Map<string, State>();

  /**
   * Runs `login` unless `credential` (a name, never its value) was refused before. A `login` failure counts as a refusal;
   * any other failure says nothing about the credential. Throws what `login` throws, or {@link TransportFailure} `login`.
   */
  async guard<T>(credential: string, host: string, signal: AbortSignal, login: () => Promise<T>): Promise<T> {
    for (let state = this.#states.get(credential); state?.is === 'trying'; state = this.#states.get(credential)) {
      await Promise.race([state.over, aborted(signal)]);
      if (signal.aborted) throw new TransportFailure('aborted', `stopped before the login to ${host}`);
    }
    const state = this.#states.get(credential);
    if (state?.is === 'refused')
      throw new TransportFailure(
        'login',
        `not tried on ${host}: ${credential} was refused before, by ${state.at}, and is not tried again in this run`,
      );
    const { promise, resolve } = Promise.withResolvers<undefined>();
    if (state === undefined) this.#states.set(credential, { is: 'trying', over: promise });
    let outcome: State | undefined = state;
    try {
      const result = await login();
      outcome = { is: 'accepted' };
      return result;
    } catch (error) {
      if (error instanceof TransportFailure && error.class === 'login') outcome = { is: 'refused', at: host };
      throw error;
    } finally {
      if (outcome === undefined) this.#states.delete(credential);
      else if (this.#states.get(credential)?.is !== 'refused') this.#states.set(credential, outcome);
      resolve(undefined);
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
