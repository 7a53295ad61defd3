import type { LookupFunction } from 'node:net';

/** Where a listener is. `host`: as in a URL without brackets; also the name that its certificate must carry. */
export type Endpoint = {
  /** The target's id, for messages. */
  readonly target: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** `/wsman` unless the listener was set up otherwise. */
  readonly path: string;
};

/** Asks for the password at each login, so that no connection holds it between logins. UTF-8; a final line end is not part of it. */
export type ReadPassword = () => Promise<Uint8Array>;

/** How to log in. `user`: `DOMAIN\user`, `user@dns.name`, `.\user` (an account of the host itself) or `user`. */
export type Login =
  | { readonly kind: 'negotiate'; readonly user: string; readonly password: ReadPassword }
  | { readonly kind: 'basic'; readonly user: string; readonly password: ReadPassword }
  /** The certificate itself is in {@link TlsOptions}. */
  | { readonly kind: 'certificate' }
  /** By the ticket cache of this process (KRB5CCNAME); `service` is the class of the service principal, mostly `HTTP`. */
  | { readonly kind: 'kerberos'; readonly service: string };

/** How the host proves who it is over https, and how we do. Exactly one of the certificate's issuer, its fingerprint, or nothing is asked. */
export type TlsOptions = {
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: Uint8Array;
  /** SHA-256 of the certificate as hex, with or without colons. It alone decides then: neither name nor issuer nor dates are asked. */
  readonly fingerprint256?: string;
  /** Take any certificate. Must be declared and shown in the report. */
  readonly insecure?: boolean;
  /** PEM. */
  readonly clientCertificate?: Uint8Array;
  readonly clientKey?: () => Promise<Uint8Array>;
  /** Client certificates over TLS 1.3 are troublesome on Windows. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
};

export type ConnectionOptions = {
  readonly endpoint: Endpoint;
  /** How the host's name becomes the addresses to connect to; Node's own when not said. */
  readonly lookup?: LookupFunction;
  readonly login: Login;
  readonly tls: TlsOptions;
  /** Tie an NTLM login to the TLS certificate (extended protection). False only where a proxy ends TLS; shown in the report. */
  readonly channelBinding: boolean;
  /** From the first packet to the end of the login, each time a connection is made. */
  readonly connectTimeoutMs: number;
  /** Our name in the host's logon event. */
  readonly workstation: string;
  /** Unpredictable bytes. */
  readonly random: (length: number) => Uint8Array;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};
