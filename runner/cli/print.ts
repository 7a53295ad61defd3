import type { App } from './app.ts';

/** Results go to stdout, all else to stderr; secrets are taken out of both. */
export function say(app: App, text: string): void {
  app.stdout.write(`${app.redact(text)}\n`);
}

export function tell(app: App, text: string): void {
  app.stderr.write(`${app.redact(text)}\n`);
}

export function sayJson(app: App, value: unknown): void {
  say(app, JSON.stringify(value, null, 2));
}

/** Columns, aligned; the last one is not padded. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
