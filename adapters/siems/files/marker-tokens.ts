import type { Marker } from '../../../runner/domain/execution.ts';
import { valuesOf } from './json-fields.ts';
import type { Document } from './json-fields.ts';

/** What an event is about: a marker here is that of the process or message itself. */
export const ownMarkerFields = ['process.args', 'process.command_line', 'message'];

/**
 * Where a marker is looked for besides. The parent's command line shows that a child was started by a marked process; a
 * title may be that of the program which the process ran before.
 */
export const otherMarkerFields = [
  'process.title',
  'event.original',
  'process.parent.args',
  'process.parent.command_line',
];

/** auditd writes texts that hold NUL, spaces or quotes as upper-case hex: PROCTITLE, and arguments with a blank (telemetry-fields.md, 5). */
const hexRun = /(?<![0-9A-Za-z])[0-9A-F]{40,}(?![0-9A-Za-z])/g;
/** The marker's pattern (runner/domain/execution.ts) as a word of a longer text. */
const markerWord = /(?<![0-9A-Za-z])[a-z][a-z0-9]{19,31}(?![0-9A-Za-z])/g;

/**
 * Everything in these fields that could be a marker, with the first field that holds it: a run of letters and digits that
 * nothing alphanumeric touches, so no part of a longer word is ever one.
 */
export function markerTokens(document: Document, fields: readonly string[]): ReadonlyMap<Marker, string> {
  const found = new Map<Marker, string>();
  for (const field of fields)
    for (const value of valuesOf(document, field))
      for (const token of tokensOf(value)) if (!found.has(token)) found.set(token, field);
  return found;
}

function tokensOf(text: string): readonly string[] {
  const decoded = (text.match(hexRun) ?? []).map((run) => Buffer.from(run, 'hex').toString('latin1'));
  return [text, ...decoded].flatMap((one) => one.match(markerWord) ?? []);
}
