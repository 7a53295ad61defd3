declare const instantBrand: unique symbol;
declare const durationBrand: unique symbol;

/** A moment in UTC, written as ISO 8601 with milliseconds (`2026-11-24T02:00:00.000Z`); sorts as text. */
export type Instant = string & { readonly [instantBrand]: true };

/** A length of time in milliseconds. */
export type DurationMs = number & { readonly [durationBrand]: true };

/** Milliseconds since the epoch → {@link Instant}. Throws RangeError for a number that is no date. */
export function instant(epochMs: number): Instant {
  return new Date(epochMs).toISOString() as Instant;
}

const year10000Ms = Date.UTC(10_000, 0);

/**
 * Any text that `Date` reads → {@link Instant}, or undefined. A date without a zone is not accepted: it would mean local time. Nor is a
 * year before 1970 or of more than four digits: it would not sort as text, and clocks' offsets could move it to where no date is.
 */
export function parseInstant(text: string): Instant | undefined {
  if (!/(?:Z|[+-]\d\d:?\d\d)$/.test(text)) return undefined;
  const epochMs = Date.parse(text);
  return epochMs >= 0 && epochMs < year10000Ms ? instant(epochMs) : undefined;
}

/** {@link Instant} → milliseconds since the epoch. */
export function epochMs(at: Instant): number {
  return Date.parse(at);
}

/** `at` moved by `ms` milliseconds (negative moves back). */
export function shift(at: Instant, ms: number): Instant {
  return instant(epochMs(at) + ms);
}

/** `to - from` in milliseconds; negative when `to` is earlier. */
export function elapsed(from: Instant, to: Instant): DurationMs {
  return (epochMs(to) - epochMs(from)) as DurationMs;
}

export function earlier(a: Instant, b: Instant): Instant {
  return a <= b ? a : b;
}

export function later(a: Instant, b: Instant): Instant {
  return a >= b ? a : b;
}

/** Milliseconds → {@link DurationMs}. */
export function duration(ms: number): DurationMs {
  return ms as DurationMs;
}

/** `1.5s`, `90s`, `5m`, `2h`, `250ms` → {@link DurationMs}, or undefined. */
export function parseDuration(text: string): DurationMs | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd'];
  return duration(Math.round(Number(match[1]) * unit));
}

/** For people: `380 ms`, `4.2 s`, `3 min 5 s`, `2 h 4 min`. */
export function formatDuration(ms: DurationMs | number): string {
  const sign = ms < 0 ? '-' : '';
  const abs = Math.abs(ms);
  if (abs < 1_000) return `${sign}${Math.round(abs)} ms`;
  if (abs < 59_950) return `${sign}${(abs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(abs / 1_000);
  if (seconds < 3_600) return `${sign}${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${sign}${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/**
 * How far another clock is from detproof's: `offsetMs` = theirs − ours, known to ±`uncertaintyMs`
 * (half of the round trip in which it was read).
 */
export type ClockOffset = { readonly offsetMs: number; readonly uncertaintyMs: number };

/** A moment told by a clock that is `offset` away, on detproof's clock. */
export function onOurClock(theirs: Instant, offset: ClockOffset | undefined): Instant {
  return offset === undefined ? theirs : shift(theirs, -offset.offsetMs);
}
