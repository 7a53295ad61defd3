import { randomBytes } from 'node:crypto';
import { TransportFailure } from '../../../../runner/ports.ts';
import { NothingSent } from './exchange.ts';
import { isCertificateAlert, isOversized, isParserError, textOf, whereIs } from './failures.ts';
import type { ConnectionOptions } from './options.ts';
import { refused } from './refusal.ts';
import { openSession, type Session } from './session.ts';

/** What a report must be able to say about a connection. */
export type Security = Session['security'];

export type Answer = {
  readonly status: number;
  /** Plain SOAP, or whatever a wrong server says; unsealed and verified where `sealed`. */
  readonly body: Uint8Array;
  readonly sealed: boolean;
};

/** `timeoutMs`: from the beginning of sending to the end of the answer; connecting again has its own time. */
export type Limit = { readonly timeoutMs: number; readonly signal: AbortSignal };

/**
 * One logged-in HTTP connection to one listener; one request at a time (a Receive holds it, so a Signal beside it takes a
 * second connection). The login belongs to one socket. When the socket has gone, the next {@link post} makes a new one and
 * logs in again before anything else is sent; nothing that was sent once is ever sent again.
 */
export interface WinrmConnection {
  /** Of the socket in use, or the last one. */
  readonly security: Security;
  /**
   * Sends one SOAP envelope (UTF-8) and returns the answer, whatever its status (401 excepted).
   *
   * Throws TransportFailure:
   * - `unreachable`, `host-key`, `login` (LoginRefused when the host saw the credential) while connecting again: nothing of this envelope was sent;
   * - `lost`: the connection broke, or `timeoutMs` passed, after sending began: the host may have got it. The next post connects again;
   * - `aborted`: the signal fired; as `lost` in every other respect;
   * - `login`: a 401 on a connection that was logged in. The connection is ended for good;
   * - `protocol`: plain text after a sealed login, a bad signature, a sequence number out of order, a malformed or oversized
   *   answer. The connection is ended for good.
   */
  post(soap: string | Uint8Array, limit: Limit): Promise<Answer>;
  /** Destroys the socket. Never throws; a post under way fails as `lost`. */
  close(): Promise<void>;
}

/**
 * Connects, checks the host's certificate and logs in (Basic and certificates are only seen by the host with the first
 * post). One try. Throws TransportFailure `unreachable`, `host-key`, `login`, `protocol`, `aborted`.
 */
export async function openConnection(options: ConnectionOptions, signal: AbortSignal): Promise<WinrmConnection> {
  return new Connection(options, await openSession(options, signal));
}

class Connection implements WinrmConnection {
  readonly #options: ConnectionOptions;
  readonly #where: string;
  #session: Session;
  #busy = false;
  #ended: TransportFailure | undefined;

  constructor(options: ConnectionOptions, session: Session) {
    this.#options = options;
    this.#where = whereIs(options.endpoint);
    this.#session = session;
  }

  get security(): Security {
    return this.#session.security;
  }

  async post(soap: string | Uint8Array, limit: Limit): Promise<Answer> {
    if (this.#busy) throw new Error('a WinRM connection carries one request at a time');
    this.#busy = true;
    try {
      return await this.#post(typeof soap === 'string' ? Buffer.from(soap) : soap, limit);
    } catch (error) {
      this.#session.exchange.destroy();
      // What cannot be repeated without harm is said again, not done again.
      if (error instanceof TransportFailure && (error.class === 'login' || error.class === 'protocol'))
        this.#ended ??= error;
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  close(): Promise<void> {
    this.#ended ??= new TransportFailure('lost', `the connection to ${this.#where} was closed`);
    this.#session.exchange.destroy();
    return Promise.resolve();
  }

  async #post(soap: Uint8Array, limit: Limit): Promise<Answer> {
    this.#check(limit.signal);
    const usable = await this.#session.exchange.usable();
    this.#check(limit.signal);
    if (!usable) await this.#renew(limit.signal);
    try {
      return await this.#send(soap, limit);
    } catch (error) {
      if (!(error instanceof NothingSent)) throw error;
      // It went in the moment between looking and writing.
      await this.#renew(limit.signal);
      return await this.#send(soap, limit);
    }
  }

  #check(signal: AbortSignal): void {
    if (this.#ended !== undefined) throw this.#ended;
    if (signal.aborted) throw new TransportFailure('aborted', `stopped before a request to ${this.#where}`);
  }

  /** Another socket and another login, with a new state for both directions. */
  async #renew(signal: AbortSignal): Promise<void> {
    this.#session.exchange.destroy();
    const session = await openSession(this.#options, signal);
    if (this.#ended === undefined) {
      this.#session = session;
      return;
    }
    session.exchange.destroy();
    throw this.#ended;
  }

  async #send(soap: Uint8Array, { timeoutMs, signal }: Limit): Promise<Answer> {
    const { exchange, channel, facts } = this.#session;
    const { headers, body } = channel.wrap(soap);
    // Not AbortSignal.any() and timeout(): what they leave to the garbage collector is dear, request by request.
    const stop = new AbortController();
    let limit: 'aborted' | 'timeout' | undefined;
    const reach = (which: 'aborted' | 'timeout'): void => {
      limit ??= which;
      stop.abort();
    };
    const abort = (): void => {
      reach('aborted');
    };
    const timer = setTimeout(reach, timeoutMs, 'timeout');
    signal.addEventListener('abort', abort, { once: true });
    // Connecting again took a while.
    if (signal.aborted) abort();
    let answer;
    try {
      answer = await exchange.post(headers, body, stop.signal);
    } catch (error) {
      if (error instanceof NothingSent) throw error;
      if (facts.login.kind === 'certificate' && isCertificateAlert(error))
        throw refused(facts, `it ended TLS: ${textOf(error)}`);
      throw this.#broken(error, limit, timeoutMs);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
    if (answer.status === 401)
      throw refused(
        facts,
        `HTTP 401 on a connection that was logged in; the body was ${channel.sealed ? 'sealed' : 'not sealed, it went inside TLS'}`,
      );
    return { status: answer.status, body: channel.unwrap(answer), sealed: channel.sealed };
  }

  #broken(cause: unknown, limit: 'aborted' | 'timeout' | undefined, timeoutMs: number): TransportFailure {
    if (limit === 'aborted')
      return new TransportFailure('aborted', `stopped during a request to ${this.#where}; the host may have got it`);
    if (limit === 'timeout')
      return new TransportFailure(
        'lost',
        `${this.#where} did not answer within ${timeoutMs} ms; it may have got the request`,
      );
    if (isParserError(cause) || isOversized(cause))
      return new TransportFailure(
        'protocol',
        `${this.#where} sent ${isOversized(cause) ? 'an answer beyond all size' : 'what is not HTTP'}: ${textOf(cause)}. The connection was ended`,
        { cause },
      );
    return new TransportFailure(
      'lost',
      `the connection to ${this.#where} broke after a request was sent, which the host may have got: ${textOf(cause)}`,
      { cause },
    );
  }
}

/** What a caller outside tests wants of the outside world. */
export const outsideWorld = {
  random: (length: number): Uint8Array => randomBytes(length),
  now: (): number => Date.now(),
};
