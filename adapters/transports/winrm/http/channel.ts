import { TransportFailure } from '../../../../runner/ports.ts';
import type { RawAnswer } from './exchange.ts';

export const soapType = 'application/soap+xml;charset=UTF-8';

/** How SOAP goes over one logged-in socket. */
export interface Channel {
  readonly sealed: boolean;
  wrap(soap: Uint8Array): { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array };
  /** Throws TransportFailure `protocol` for what must not be believed. */
  unwrap(answer: RawAnswer): Uint8Array;
}

/** SOAP as it is, inside TLS. `headers`: what the scheme wants with every request. */
export function plainChannel(headers: Readonly<Record<string, string>> = {}): Channel {
  return {
    sealed: false,
    wrap: (soap) => ({ headers: { 'content-type': soapType, ...headers }, body: soap }),
    unwrap: ({ body }) => body,
  };
}

/** For what breaks the rules of the conversation: it is not continued. */
export function endsConversation(where: string, what: string, cause?: unknown): TransportFailure {
  return new TransportFailure('protocol', `${where}: ${what}. The connection was ended`, { cause });
}
