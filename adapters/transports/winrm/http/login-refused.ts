import { TransportFailure } from '../../../../runner/ports.ts';

/** The host saw the credential and did not take it; a login that failed before that is no refusal. */
export class LoginRefused extends TransportFailure {
  constructor(message: string, options?: ErrorOptions) {
    super('login', message, options);
  }
}
