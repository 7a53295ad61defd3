import { z } from 'zod';
import { type DurationMs, formatDuration, type Instant, parseDuration, parseInstant } from '../domain/time.ts';
import { isPrintable } from './problem.ts';

/** One printable line: titles, names, reasons. Messages of these schemas are instructions: they become the hint. */
export function line(maxLength: number) {
  return z
    .string()
    .min(1, 'write a text')
    .max(maxLength, `use at most ${maxLength} characters`)
    .refine(isPrintable, 'use one line without control characters')
    .refine((text) => text.trim() === text, 'remove the spaces around it');
}

/** Several printable lines. */
export function prose(maxLength: number) {
  return z
    .string()
    .min(1, 'write a text')
    .max(maxLength, `use at most ${maxLength} characters`)
    .refine((text) => isPrintable(text.replaceAll('\n', ' ')), 'remove the control characters')
    .transform((text) => text.trim());
}

/** Name of a thing in the inventory: it becomes part of execution ids and folder names. */
export const idText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'use letters, digits, . _ - (at most 64, the first a letter or digit)');

/** Host name as RFC 1123 allows it, whole name at most 253 characters. */
export const hostName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/, 'use a host name: letters, digits, . and -, the first a letter or digit');

/** The id of a rule in a SIEM: whatever the product uses, on one line. */
export const ruleId = line(300);

const durationPattern = /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/;

/** `30s`, `5m` → {@link DurationMs} within the bounds. */
export function durationText(min: string, max: string) {
  const [least, most] = [parseDuration(min), parseDuration(max)];
  if (least === undefined || most === undefined) throw new RangeError(`not a duration: ${min}, ${max}`);
  return z
    .string()
    .regex(durationPattern, { error: `write a duration such as 30s, 5m or 2h`, abort: true })
    .refine((text) => (parseDuration(text) ?? 0) >= least, `use at least ${formatDuration(least)}`)
    .refine((text) => (parseDuration(text) ?? Infinity) <= most, `use at most ${formatDuration(most)}`)
    .transform((text): DurationMs => parseDuration(text) ?? least);
}

const instantPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
const instantHint = 'write a moment with its zone, such as 2026-11-24T02:00:00Z';

/** ISO 8601 with a zone → {@link Instant}. */
export const instantText = z
  .string()
  .regex(instantPattern, { error: instantHint, abort: true })
  .transform((text, context): Instant => {
    const at = parseInstant(text);
    if (at !== undefined) return at;
    context.addIssue({ code: 'custom', message: instantHint });
    return z.NEVER;
  });

/** A day of the calendar, `YYYY-MM-DD`. */
export const dateText = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d$/, { error: 'write a date such as 2026-11-24', abort: true })
  .refine((text) => {
    const at = Date.parse(`${text}T00:00:00Z`);
    return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
  }, 'use a day that exists');
