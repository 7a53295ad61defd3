import { TransportFailure } from '../../../../runner/ports.ts';
import { unreachableBecause } from '../../../shared/unreachable.ts';
import type { Endpoint } from './options.ts';

/** The listener, for messages. */
export function whereIs({ target, host, port, tls, path }: Endpoint): string {
  return `${target} (${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${path})`;
}

/** A connection that did not come about, or broke before anything of a request was sent. */
export function unreachable(where: string, tls: boolean, cause: unknown): TransportFailure {
  return new TransportFailure('unreachable', `${where} cannot be reached: ${hint(codeOf(cause), tls, textOf(cause))}`, {
    cause,
  });
}

/** Whether the host speaks something other than HTTP. */
export function isParserError(error: unknown): boolean {
  return error instanceof Error && (error.name === 'HTTPParserError' || codeOf(error).startsWith('HPE_'));
}

export function isOversized(error: unknown): boolean {
  return codeOf(error) === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
}

/** TLS alerts by which a host says that it does not take our certificate. */
export function isCertificateAlert(error: unknown): boolean {
  return /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)|ALERT_NO_CERTIFICATE/.test(
    codeOf(error),
  );
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** undici's own error says only that the socket broke; its cause says how. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code } = error as Error & { readonly code?: unknown };
  if (code === 'UND_ERR_SOCKET' && error.cause !== undefined) return codeOf(error.cause);
  return typeof code === 'string' ? code : '';
}

function hint(code: string, tls: boolean, text: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused. Is WinRM enabled there (winrm quickconfig), with a listener on that port?';
    case 'ECONNRESET':
    case 'EPIPE':
      return `the connection was reset. Is that ${tls ? 'an https' : 'an http'} listener of WinRM?`;
    default:
      return tls && code.startsWith('ERR_SSL')
        ? `no TLS came about (${text}). Is that an https listener (5986), not http (5985)?`
        : (unreachableBecause(code) ?? text);
  }
}
