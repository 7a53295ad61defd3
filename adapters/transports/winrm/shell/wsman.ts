import { randomUUID } from 'node:crypto';
import { TransportFailure } from '../../../../runner/ports.ts';
import type { Answer } from '../http/connection.ts';
import { child, type Element, parseXml } from './element.ts';
import { envelope, type Request } from './envelope.ts';
import { readFault, WsmanFault } from './fault.ts';
import { ns } from './namespaces.ts';

/** What a request may take beyond the time that the host is given for it. */
const slackMs = 10_000;

export type Endpoint = {
  /** The target's id, for messages. */
  readonly target: string;
  readonly url: string;
  /** How long the host may think about one request; a Receive without output ends after it, and is asked again. */
  readonly operationTimeoutMs: number;
};

export type Post = (
  soap: string,
  limit: { readonly timeoutMs: number; readonly signal: AbortSignal },
) => Promise<Answer>;

/** Requests and answers of WS-Management: what goes out is addressed, what comes back is what belongs to it, or thrown. */
export class Wsman {
  readonly target: string;
  readonly #endpoint: Endpoint;
  readonly #post: Post;

  constructor(endpoint: Endpoint, post: Post) {
    this.target = endpoint.target;
    this.#endpoint = endpoint;
    this.#post = post;
  }

  /** Returns the body of the answer. Throws {@link WsmanFault}, or what the connection throws. */
  async request(request: Request, signal: AbortSignal): Promise<Element> {
    const messageId = `uuid:${randomUUID().toUpperCase()}`;
    const { url, operationTimeoutMs } = this.#endpoint;
    const soap = envelope(request, { to: url, messageId, operationTimeoutMs });
    const answer = await this.#post(soap, { timeoutMs: operationTimeoutMs + slackMs, signal });
    return this.#read(request, messageId, answer);
  }

  #read({ action }: Request, messageId: string, answer: Answer): Element {
    const root = this.#parse(answer);
    const relatesTo = child(child(root, ns.soap, 'Header'), ns.addressing, 'RelatesTo')?.text;
    // Not every fault says what it is about.
    if (relatesTo !== undefined && relatesTo.toUpperCase() !== messageId.toUpperCase())
      throw new TransportFailure(
        'protocol',
        `${this.target} answered another request than ${action} (RelatesTo ${relatesTo.slice(0, 100)})`,
      );
    const fault = readFault(root);
    if (fault !== undefined) throw new WsmanFault(action, this.target, fault);
    const body = child(root, ns.soap, 'Body');
    if (body === undefined || answer.status !== 200)
      throw new TransportFailure(
        'protocol',
        `${this.target} answered ${action} with HTTP status ${answer.status} and no fault`,
      );
    return body;
  }

  #parse({ status, body }: Answer): Element {
    const what = `${this.target} is not (only) a WinRM listener at ${this.#endpoint.url}: HTTP status ${status}`;
    if (body.length === 0) throw new TransportFailure('protocol', `${what} with nothing in it${advice(status)}`);
    try {
      const root = parseXml(body);
      if (root.ns === ns.soap && root.name === 'Envelope') return root;
      throw new TransportFailure('protocol', `it is <${root.name}>`);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TransportFailure('protocol', `${what}, and no SOAP: ${why}${advice(status)}`, { cause });
    }
  }
}

function advice(status: number): string {
  return status === 404 || status === 503
    ? '. Is WinRM listening (winrm enumerate winrm/config/listener), and at this path?'
    : '. Is a proxy or another service in between?';
}
