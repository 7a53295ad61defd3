import type { ConnectionOptions } from './options.ts';

/** What a report must be able to say about a connection. */
export type Security = {
  readonly scheme: 'negotiate' | 'basic' | 'certificate' | 'kerberos';
  /** SOAP is sealed by the login's own keys (plain http). */
  readonly sealed: boolean;
  /** Absent over http. */
  readonly tls?: {
    readonly version: string;
    readonly fingerprint256: string;
    readonly trusted: 'authority' | 'fingerprint' | 'nothing';
    readonly channelBinding: boolean;
  };
};

export type Answer = {
  readonly status: number;
  /** Plain SOAP, or whatever a wrong server says; unsealed and verified where `sealed`. */
  readonly body: Uint8Array;
  readonly sealed: boolean;
};

/**
 * One logged-in HTTP connection to one listener; one request at a time (a Receive holds it, so a Signal beside it takes a
 * second connection). The login belongs to one socket. When the socket has gone, the next {@link post} makes a new one and
 * logs in again before anything else is sent; nothing that was sent once is ever sent again.
 */
export interface WinrmConnection {
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
  post(soap: string | Uint8Array, limit: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<Answer>;
  /** Destroys the socket. Never throws; a post under way fails as `lost`. */
  close(): Promise<void>;
}

/**
 * Connects, checks the host's certificate and logs in (Basic and certificates are only seen by the host with the first
 * post). One try. Throws TransportFailure `unreachable`, `host-key`, `login`, `protocol`, `aborted`.
 */
export function openConnection(options: ConnectionOptions, signal: AbortSignal): Promise<WinrmConnection> {
  return Promise.reject(new Error(`not yet: ${options.endpoint.target}, ${String(signal.aborted)}`));
}
