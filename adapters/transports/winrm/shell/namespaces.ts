/** Namespaces of WS-Management and its shell (MS-WSMV, sections 2.2.1 and 2.2.4). */
export const ns = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  wsman: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  microsoft: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
  shell: 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell',
  transfer: 'http://schemas.xmlsoap.org/ws/2004/09/transfer',
  fault: 'http://schemas.microsoft.com/wbem/wsman/1/wsmanfault',
} as const;

export const resourceUri = `${ns.shell}/cmd`;

/** What a request can ask for. */
export type Action = 'Create' | 'Delete' | 'Command' | 'Receive' | 'Send' | 'Signal';

/** The URI of an action; its answer's is the same with `Response` after it. */
export function actionUri(action: Action): string {
  return action === 'Create' || action === 'Delete' ? `${ns.transfer}/${action}` : `${ns.shell}/${action}`;
}
