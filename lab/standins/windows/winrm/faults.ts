import { randomUUID } from 'node:crypto';
import { anonymous, ns } from './namespaces.ts';
import { escapeXml } from './xml.ts';

/** Where in a fault its code stands: as Windows has been seen to do it for each. */
type Shape = 'wsman' | 'provider' | 'wmi';

type Kind = {
  readonly code: number;
  readonly role: 'Sender' | 'Receiver';
  readonly subcode: string;
  readonly shape: Shape;
  readonly detail?: string;
  readonly text: string;
};

const wsmanFault = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault';
const faultDetail = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail';

/** The faults of the service; codes from wsmerror.h, the texts of the recorded ones verbatim, with their spaces. */
const kinds = {
  'timed-out': {
    code: 2_150_858_793,
    role: 'Receiver',
    subcode: 'w:TimedOut',
    shape: 'wsman',
    text: 'The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ',
  },
  'unknown-shell': {
    code: 2_150_858_843,
    role: 'Sender',
    subcode: 'w:InvalidSelectors',
    shape: 'provider',
    detail: `${faultDetail}/UnexpectedSelectors`,
    text: 'The WS-Management service cannot process the request because the request contained invalid selectors for the resource. ',
  },
  'shell-quota': {
    code: 2_150_859_173,
    role: 'Sender',
    subcode: 'w:QuotaLimit',
    shape: 'wmi',
    text: 'The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. ',
  },
  'operation-quota': {
    code: 2_150_859_174,
    role: 'Sender',
    subcode: 'w:QuotaLimit',
    shape: 'wsman',
    text: 'The WS-Management service cannot process the request. This user is allowed a maximum number of {limit} concurrent operations, which has been exceeded. Close existing operations for this user, or raise the quota for this user. ',
  },
  'access-denied': {
    code: 5,
    role: 'Sender',
    subcode: 'w:AccessDenied',
    shape: 'wsman',
    text: 'Access is denied. ',
  },
  'working-directory': {
    code: 2_147_942_667,
    role: 'Receiver',
    subcode: 'w:InternalError',
    shape: 'provider',
    text: 'The directory name is invalid. ',
  },
  'command-too-long': {
    code: 2_147_942_606,
    role: 'Receiver',
    subcode: 'w:InternalError',
    shape: 'provider',
    text: 'The filename or extension is too long. ',
  },
  'unknown-resource': {
    code: 2_150_858_811,
    role: 'Sender',
    subcode: 'a:DestinationUnreachable',
    shape: 'wsman',
    detail: `${faultDetail}/InvalidResourceURI`,
    text: 'The WS-Management service cannot process the request. The resource URI is missing or it has an incorrect format. Check the documentation or use the following command for information on how to construct a resource URI: "winrm help uris". ',
  },
  'unknown-action': {
    code: 2_150_858_752,
    role: 'Sender',
    subcode: 'a:ActionNotSupported',
    shape: 'wsman',
    text: 'The WS-Management service cannot process the request. The action is not supported by the resource. ',
  },
  'no-command-id': {
    code: 87,
    role: 'Sender',
    subcode: 'w:InvalidParameter',
    shape: 'provider',
    text: 'The parameter is incorrect. ',
  },
  'bad-streams': {
    code: 2_150_859_149,
    role: 'Sender',
    subcode: 'w:SchemaValidationError',
    shape: 'provider',
    text: 'The Windows Remote Shell received a request with an invalid desired stream. ',
  },
  'bad-input-stream': {
    code: 2_150_859_147,
    role: 'Sender',
    subcode: 'w:SchemaValidationError',
    shape: 'provider',
    text: 'The Windows Remote Shell received a request with an invalid input stream. ',
  },
  'envelope-size': {
    code: 2_150_858_825,
    role: 'Sender',
    subcode: 'w:EncodingLimit',
    shape: 'wsman',
    detail: `${faultDetail}/ServiceEnvelopeLimit`,
    text: 'The WS-Management service cannot process the request because the request is larger than the maximum envelope size of the service. ',
  },
  'invalid-timeout': {
    code: 2_150_858_881,
    role: 'Sender',
    subcode: 'w:InvalidOptions',
    shape: 'wsman',
    text: 'The WS-Management service cannot process the request because the OperationTimeout header is not valid. ',
  },
  schema: {
    code: 2_150_858_817,
    role: 'Sender',
    subcode: 'w:SchemaValidationError',
    shape: 'wsman',
    text: 'The WS-Management service cannot process the request. The XML is not valid against the schema. ',
  },
  'invalid-xml': {
    code: 2_150_858_819,
    role: 'Sender',
    subcode: 'w:SchemaValidationError',
    shape: 'wsman',
    text: 'The WS-Management service cannot process the request because it contains invalid XML. ',
  },
} as const satisfies Record<string, Kind>;

export type FaultKind = keyof typeof kinds | 'must-understand';

type FaultDetails = {
  readonly messageId?: string;
  readonly limit?: number;
  readonly notUnderstood?: { readonly uri: string; readonly local: string };
};

/** What the service answers a request with that it does not carry out. */
export class WsmanFault extends Error {
  readonly kind: FaultKind;
  readonly details: FaultDetails;

  constructor(kind: FaultKind, details: FaultDetails = {}) {
    super(kind);
    this.kind = kind;
    this.details = details;
  }
}

/** The envelope of a fault, in the shape in which real hosts were seen to send it. */
export function faultEnvelope(fault: WsmanFault, relatesTo: string, machine: string): string {
  const { limit, notUnderstood } = fault.details;
  if (fault.kind === 'must-understand') {
    const qname = escapeXml(notUnderstood?.local ?? '');
    const header = `<s:NotUnderstood qname="q:${qname}" xmlns:q="${escapeXml(notUnderstood?.uri ?? '')}" />`;
    const text =
      'The WS-Management service cannot process a SOAP header in the request that is marked as mustUnderstand. ';
    const body = `<s:Fault><s:Code><s:Value>s:MustUnderstand</s:Value></s:Code><s:Reason><s:Text xml:lang="">${text}</s:Text></s:Reason></s:Fault>`;
    return envelope(`${ns.a}/fault`, relatesTo, header, body);
  }
  const kind: Kind = kinds[fault.kind];
  const text = escapeXml(kind.text.replace('{limit}', String(limit ?? '')));
  const code = `<s:Code><s:Value>s:${kind.role}</s:Value><s:Subcode><s:Value>${kind.subcode}</s:Value></s:Subcode></s:Code>`;
  const said = kind.shape === 'wmi' ? wmiReason : text;
  const reason = `<s:Reason><s:Text xml:lang="en-US">${said}</s:Text></s:Reason>`;
  const detail = kind.detail === undefined ? '' : `<w:FaultDetail>${kind.detail}</w:FaultDetail>`;
  const body = `<s:Fault>${code}${reason}<s:Detail>${detail}${detailOf(kind, text, escapeXml(machine))}</s:Detail></s:Fault>`;
  // The quota faults of 2012 and later carry no RelatesTo.
  return envelope(wsmanFault, kind.shape === 'wmi' ? undefined : relatesTo, '', body);
}

const wmiReason =
  'The WS-Management service cannot process the request. The maximum number of concurrent shells for this user has been exceeded. Close existing shells or raise the quota for this user. ';

function detailOf({ code, shape }: Kind, text: string, machine: string): string {
  const inner = (content: string): string =>
    `<f:WSManFault xmlns:f="${ns.f}" Code="${code}" Machine="${machine}"><f:Message>${content}</f:Message></f:WSManFault>`;
  if (shape === 'wsman') return inner(text);
  if (shape === 'provider')
    return inner(
      `<f:ProviderFault provider="Shell provider" path="%systemroot%\\system32\\WsmSvc.dll">${inner(text)}</f:ProviderFault>`,
    );
  const nil = (name: string): string => `<p:${name} xsi:nil="true" xsi:type="cim:cimString"/>`;
  const value = (name: string, type: string, content: string | number): string =>
    `<p:${name} xsi:type="cim:cim${type}">${content}</p:${name}>`;
  const cim = 'http://schemas.dmtf.org/wbem/wscim/1';
  return (
    `<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:cim="${cim}/common" xmlns:p="${cim}/cim-schema/2/MSFT_WmiError" xsi:type="p:MSFT_WmiError_Type" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
    value('CIMStatusCode', 'UnsignedInt', 27) +
    nil('CIMStatusCodeDescription') +
    nil('ErrorSource') +
    value('ErrorSourceFormat', 'UnsignedShort', 0) +
    value('ErrorType', 'UnsignedShort', 0) +
    value('Message', 'String', text) +
    value('MessageID', 'String', `HRESULT 0x${code.toString(16)}`) +
    nil('OtherErrorSourceFormat') +
    nil('OtherErrorType') +
    nil('OwningEntity') +
    value('PerceivedSeverity', 'UnsignedShort', 0) +
    value('ProbableCause', 'UnsignedShort', 0) +
    nil('ProbableCauseDescription') +
    value('error_Category', 'UnsignedInt', 30) +
    value('error_Code', 'UnsignedInt', code) +
    value('error_Type', 'String', 'HRESULT') +
    value('error_WindowsErrorMessage', 'String', text) +
    '</p:MSFT_WmiError>'
  );
}

function envelope(action: string, relatesTo: string | undefined, header: string, body: string): string {
  const bound = (['s', 'a', 'x', 'e', 'n', 'w', 'p'] as const).map((prefix) => `xmlns:${prefix}="${ns[prefix]}"`);
  return (
    `<s:Envelope xml:lang="en-US" ${bound.join(' ')}><s:Header><a:Action>${action}</a:Action>` +
    `<a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID><a:To>${anonymous}</a:To>` +
    (relatesTo === undefined ? '' : `<a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo>`) +
    `${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  );
}
