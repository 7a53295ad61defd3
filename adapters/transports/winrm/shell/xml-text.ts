import { TransportFailure } from '../../../../runner/ports.ts';

/** What XML 1.0 cannot hold even as a reference (section 2.2, Char): most control characters, U+FFFE, U+FFFF. */
const forbidden = /(?![\t\n\r\x7f-\x9f])[\p{Cc}\ufffe\uffff]/u;

/** Why a text cannot be part of an XML 1.0 document, or undefined. */
function xmlFault(text: string): string | undefined {
  if (!text.isWellFormed()) return 'half of a surrogate pair';
  const found = forbidden.exec(text)?.[0];
  if (found === undefined) return undefined;
  return found === '\0'
    ? 'a NUL'
    : `the character U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/**
 * Text as the content of an element or of an attribute in double quotes. Throws {@link TransportFailure} `not-started` for
 * what XML 1.0 cannot hold.
 */
export function xmlText(text: string): string {
  const fault = xmlFault(text);
  if (fault !== undefined)
    throw new TransportFailure(
      'not-started',
      `${JSON.stringify(text.slice(0, 200))} cannot be sent over WinRM: it holds ${fault}`,
    );
  // A parser makes spaces and line feeds of white space that is written bare (XML 1.0, sections 2.11 and 3.3.3).
  return text.replace(/[&<>"\t\n\r]/g, (character) => entities[character] ?? character);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};
