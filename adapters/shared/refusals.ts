import { TransportFailure } from '../../runner/ports.ts';
import { Lifeline } from './lifeline.ts';

/** The host saw the credential and did not take it; a login that failed before that is no refusal. */
export class LoginRefused extends TransportFailure {
  constructor(message: string, options?: ErrorOptions) {
    super('login', message, options);
  }
}

type State =
  | { readonly is: 'trying'; readonly over: Promise<undefined> }
  | { readonly is: 'accepted' }
  | { readonly is: 'refused'; readonly by: string };

/**
 * Remembers for a whole run which credentials were refused, so that none is tried a second time: directories lock an
 * account after a few failures. While nobody knows yet whether a credential is good, one host tries it and the others wait.
 */
export class Refusals {
  readonly #states = new Map<string, State>();

  /**
   * Makes a login unless `credential` (a name, never its value) was refused before. Only {@link LoginRefused} counts as a
   * refusal. Throws what `login` throws, or {@link TransportFailure} `login`, `aborted`.
   */
  async guard<T>(credential: string, host: string, signal: AbortSignal, login: () => Promise<T>): Promise<T> {
    let state = this.#states.get(credential);
    while (state?.is === 'trying') {
      const { over } = state;
      await new Lifeline().wait<undefined>((resolve) => void over.then(resolve), {
        signal,
        stopped: () => new TransportFailure('aborted', `stopped before the login to ${host}`),
      });
      state = this.#states.get(credential);
    }
    this.check(credential, host);
    return state === undefined ? this.#first(credential, host, login) : this.watch(credential, host, login);
  }

  /** Throws {@link TransportFailure} `login` when `credential` was refused before. */
  check(credential: string, host: string): void {
    const state = this.#states.get(credential);
    if (state?.is === 'refused')
      throw new TransportFailure(
        'login',
        `no login to ${host}: ${credential} was refused before, by ${state.by}, and is not tried again in this run`,
      );
  }

  /** Does what needs no login, but may turn out to: a refusal is remembered, one that was before does not matter. */
  async watch<T>(credential: string, host: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof LoginRefused) this.#states.set(credential, { is: 'refused', by: host });
      throw error;
    }
  }

  async #first<T>(credential: string, host: string, login: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#states.set(credential, { is: 'trying', over: promise });
    try {
      const result = await this.watch(credential, host, login);
      this.#states.set(credential, { is: 'accepted' });
      return result;
    } finally {
      if (this.#states.get(credential)?.is === 'trying') this.#states.delete(credential);
      resolve(undefined);
    }
  }
}
