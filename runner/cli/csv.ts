const formula = '[=+\\-@|%\\uff1d\\uff0b\\uff0d\\uff20]';
const atStart = new RegExp(`^(?:\\s*${formula}|[\\t\\r])`, 'u');
const atLine = new RegExp(`([\\r\\n])([^\\S\\r\\n]*${formula})`, 'gu');

/**
 * Rows as CSV (RFC 4180): every text quoted, lines ended by CRLF. What a spreadsheet would take for a formula, at the start of a cell
 * or of a line in it, gets an apostrophe in front (OWASP, "CSV Injection"): host output is hostile.
 */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

export function csvCell(text: string): string {
  const lines = text.replace(atLine, "$1'$2");
  return `"${(atStart.test(text) ? `'${lines}` : lines).replaceAll('"', '""')}"`;
}
