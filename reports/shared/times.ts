import { type ClockOffset, formatDuration, type Instant } from '../../runner/domain/time.ts';

/** `2026-11-24 02:00:20.120 UTC` */
export function utc(at: Instant): string {
  return at.replace('T', ' ').replace(/Z$/, ' UTC');
}

/** `2026-11-24 02:00:20 UTC` */
export function utcSeconds(at: Instant): string {
  return utc(at).replace(/\.\d+ /, ' ');
}

/** `3 ms ahead of detproof's clock, ± 12 ms` */
export function clockWords(clock: ClockOffset | undefined): string {
  if (clock === undefined) return 'not known';
  const { offsetMs, uncertaintyMs } = clock;
  if (offsetMs === 0) return `as detproof's clock, ± ${formatDuration(uncertaintyMs)}`;
  const side = offsetMs < 0 ? 'behind' : 'ahead of';
  return `${formatDuration(Math.abs(offsetMs))} ${side} detproof's clock, ± ${formatDuration(uncertaintyMs)}`;
}
