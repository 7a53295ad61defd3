const header = '#< CLIXML';

/**
 * What Windows PowerShell writes to a standard error that is no console (`#< CLIXML` and objects as XML), as the text that
 * a console would show; progress is left out, and text outside such documents stays as it is. Keep the bytes as evidence:
 * this is for people.
 */
export function decodeClixml(stderr: string): string {
  return stderr
    .split(header)
    .map((part, index) => (index === 0 ? part : decodeDocument(part)))
    .join('');
}

/** Of one or more documents in a row, with whatever native programs wrote after them. */
function decodeDocument(part: string): string {
  const end = part.lastIndexOf('</Objs>');
  if (end < 0) return header + part;
  const documents = part.slice(0, end).replace(/<Obj S="progress"[\s\S]*?<\/Obj>/g, '');
  const lines = [...documents.matchAll(/<S S="(?:Error|Warning|Verbose|Debug|Information)">([\s\S]*?)<\/S>/g)];
  return (
    lines.map(([, text = '']) => unescape(text)).join('') + part.slice(end + '</Objs>'.length).replace(/^\r?\n/, '')
  );
}

/** XML's references first, then PowerShell's own `_xHHHH_` (a UTF-16 unit), which also stands for an underscore before `x`. */
function unescape(text: string): string {
  return text
    .replace(/&(?:lt|gt|quot|apos|amp|#(\d{1,7})|#x([\da-f]{1,6}));/gi, (reference, decimal?: string, hex?: string) => {
      const code = decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal);
      if (Number.isNaN(code)) return named[reference.toLowerCase()] ?? reference;
      return code <= 0x10ffff ? String.fromCodePoint(code) : reference;
    })
    .replace(/_x([\da-f]{4})_/gi, (_, unit: string) => String.fromCharCode(parseInt(unit, 16)));
}

const named: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
};
