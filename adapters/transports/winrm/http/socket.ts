import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  type ConnectionOptions as ConnectionSettings,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { TransportFailure } from '../../../../runner/ports.ts';
import { channelBindingData, plainFingerprint, printedFingerprint } from './certificate.ts';
import { textOf, unreachable } from './failures.ts';
import type { ConnectionOptions, TlsOptions } from './options.ts';

/** What was seen of the host's certificate. */
export type TlsFacts = {
  readonly version: string;
  /** Upper-case hex with colons. */
  readonly fingerprint256: string;
  readonly trusted: 'authority' | 'fingerprint' | 'nothing';
  readonly bindingData: Uint8Array;
};

export type Opened = { readonly socket: Socket; readonly tls?: TlsFacts };

/** A TCP connection, and over https a TLS one whose certificate is what the options ask for. Throws TransportFailure. */
export async function openSocket(options: ConnectionOptions, where: string, signal: AbortSignal): Promise<Opened> {
  const { host, port, tls } = options.endpoint;
  const to = { host, port, ...(options.lookup === undefined ? {} : { lookup: options.lookup }) };
  const socket = tls ? connectTls({ ...to, ...(await tlsSettings(host, options.tls, where)) }) : connectTcp(to);
  // Every step is a small packet that the other side waits for.
  socket.setNoDelay(true);
  // Whoever waits for the socket gets the error too; between two waits nobody does.
  socket.on('error', () => undefined);
  try {
    await once(socket, tls ? 'secureConnect' : 'connect', { signal });
    return tls ? { socket, tls: checkCertificate(socket as TLSSocket, options.tls, where) } : { socket };
  } catch (error) {
    socket.destroy();
    if (signal.aborted || error instanceof TransportFailure) throw error;
    throw unreachable(where, tls, error);
  }
}

async function tlsSettings(host: string, wanted: TlsOptions, where: string): Promise<ConnectionSettings> {
  return {
    // A name only: RFC 6066 has no addresses here.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    secureContext: await secureContext(wanted, where),
    // Judged below, before anything is sent, with words that say what was presented.
    rejectUnauthorized: false,
  };
}

async function secureContext(wanted: TlsOptions, where: string): Promise<SecureContext> {
  const key = await wanted.clientKey?.();
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(wanted.maxVersion === undefined ? {} : { maxVersion: wanted.maxVersion }),
      ...(wanted.ca === undefined ? {} : { ca: Buffer.from(wanted.ca) }),
      ...(wanted.clientCertificate === undefined ? {} : { cert: Buffer.from(wanted.clientCertificate) }),
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
    });
  } catch (cause) {
    throw new TransportFailure(
      'login',
      `no login to ${where}: the certificate and the key given for it cannot be used (${textOf(cause)}). Are both PEM, and do they belong together?`,
      { cause },
    );
  }
}

function checkCertificate(socket: TLSSocket, wanted: TlsOptions, where: string): TlsFacts {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new TransportFailure('host-key', `${where} presented no certificate`);
  const presented = printedFingerprint(certificate.fingerprint256);
  const facts = {
    version: socket.getProtocol() ?? 'unknown',
    fingerprint256: presented,
    bindingData: channelBindingData(certificate.raw),
  };
  if (wanted.fingerprint256 !== undefined) {
    if (plainFingerprint(wanted.fingerprint256) === plainFingerprint(presented))
      return { ...facts, trusted: 'fingerprint' };
    throw new TransportFailure(
      'host-key',
      `${where}: expected the certificate with SHA-256 fingerprint ${printedFingerprint(wanted.fingerprint256)}, presented was ${presented}. ` +
        'Either the certificate was renewed (ask the owner of the host, then change the pinned fingerprint) or something is in between',
    );
  }
  if (wanted.insecure === true) return { ...facts, trusted: 'nothing' };
  if (socket.authorized) return { ...facts, trusted: 'authority' };
  throw new TransportFailure(
    'host-key',
    `${where}: expected a certificate for that name by a trusted authority, presented was one with SHA-256 fingerprint ${presented}: ` +
      `${authorizationText(socket)}. Name the authority's certificate, or pin this fingerprint after comparing it with what the owner of the host says`,
  );
}

/** Its type says Error; Node sets a code or a message. */
function authorizationText(socket: TLSSocket): string {
  const error: unknown = socket.authorizationError;
  const code = error instanceof Error ? error.message : String(error);
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'it is for another name';
    case 'CERT_HAS_EXPIRED':
      return 'it has expired';
    case 'CERT_NOT_YET_VALID':
      return 'it is not yet valid';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'it is self-signed';
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `its authority is not among the trusted ones (${code})`;
    default:
      return code;
  }
}
