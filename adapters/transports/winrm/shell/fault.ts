import { TransportFailure, type TransportFailureClass } from '../../../../runner/ports.ts';
import { child, type Element } from './element.ts';
import { adviceFor } from './fault-codes.ts';
import { type Action, ns } from './namespaces.ts';

/** A SOAP fault, as one of the three shapes that Windows uses says it. */
export type Fault = {
  /** Unsigned 32 bits; undefined where the host gives none (a header that it does not understand). */
  readonly code: number | undefined;
  /** The host's own text, for people. Decisions go by the code. */
  readonly text: string;
};

/** Reads the fault of a body, or undefined when it holds none. */
export function readFault(envelope: Element): Fault | undefined {
  const fault = child(child(envelope, ns.soap, 'Body'), ns.soap, 'Fault');
  if (fault === undefined) return undefined;
  const detail = child(fault, ns.soap, 'Detail');
  const reason = child(child(fault, ns.soap, 'Reason'), ns.soap, 'Text')?.text ?? '';
  const wsman = child(detail, ns.fault, 'WSManFault');
  if (wsman !== undefined)
    return { code: unsigned(wsman.attributes.get('Code')), text: innermost(wsman).text || reason };
  const wmi = child(detail, undefined, 'MSFT_WmiError');
  if (wmi !== undefined)
    return {
      code:
        unsigned(child(wmi, undefined, 'error_Code')?.text) ??
        unsigned(/^HRESULT (0x[\da-f]+)$/i.exec(child(wmi, undefined, 'MessageID')?.text ?? '')?.[1]),
      text: child(wmi, undefined, 'Message')?.text || reason,
    };
  const code = child(fault, ns.soap, 'Code');
  const value = child(child(code, ns.soap, 'Subcode'), ns.soap, 'Value') ?? child(code, ns.soap, 'Value');
  const name = child(child(envelope, ns.soap, 'Header'), ns.soap, 'NotUnderstood')?.attributes.get('qname');
  return {
    code: undefined,
    text: [value?.text, name === undefined ? undefined : `header ${name}`, reason].filter(Boolean).join(': '),
  };
}

/** Deepest text: a provider's fault inside the service's says more than the service. An extended status has a `Description`. */
function innermost(element: Element, depth = 0): { readonly depth: number; readonly text: string } {
  if (element.name === '__ExtendedStatus')
    return { depth, text: child(element, undefined, 'Description')?.text ?? element.text };
  return element.children
    .map((one) => innermost(one, depth + 1))
    .reduce((best, one) => (one.text !== '' && (best.text === '' || one.depth > best.depth) ? one : best), {
      depth,
      text: element.text,
    });
}

/** Decimal, also negative, or hex → unsigned 32 bits. */
function unsigned(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:-?\d{1,10}|0x[\da-f]{1,8})$/i.test(text)) return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 32 ? value >>> 0 : undefined;
}

/** The host answered with a fault: it did not do what this request asked for. */
export class WsmanFault extends TransportFailure {
  readonly action: Action;
  readonly code: number | undefined;

  constructor(action: Action, host: string, fault: Fault) {
    const number =
      fault.code === undefined ? '' : ` ${fault.code} (0x${fault.code.toString(16).toUpperCase().padStart(8, '0')})`;
    const advice = adviceFor(fault.code);
    super(
      failureClass(action, fault.code),
      `${host} answered ${action} with fault${number}: ${fault.text || 'no text'}${advice === undefined ? '' : ` ${ended(fault.text) ? '' : '– '}${advice}`}`,
    );
    this.action = action;
    this.code = fault.code;
  }
}

function ended(text: string): boolean {
  return /[.!?]$/.test(text);
}

function failureClass(action: Action, code: number | undefined): TransportFailureClass {
  if (code === 5) return 'login';
  return action === 'Create' || action === 'Command' ? 'not-started' : 'lost';
}
