import { posixCommandLine, posixQuote } from '../domain/posix-quote.ts';
import { type Instant, instant } from '../domain/time.ts';
import type { Invocation } from './invocation.ts';

/** Vixie cron cuts a command off at its MAX_COMMAND of 1000 bytes. */
const longestCommand = 990;
const utf8 = new TextEncoder();
/** Cron looks at its tables once a minute: so long may it take from writing an entry to its minute. */
export const cronWaitMs = 70_000;

export type CronEntry = {
  readonly line: string;
  /** On our clock. */
  readonly fireAt: Instant;
};

/**
 * One line for the account's crontab, dated to one minute of one day and guarded by the year, so that it can fire once only.
 * `told`: what the host answered to `cronTime`. Undefined when the host did not say what time it is; throws RangeError for a
 * command that no crontab can hold.
 */
export function cronEntry(told: string, { argv, cwd }: Invocation, hostOffsetMs: number): CronEntry | undefined {
  const [words = '', seconds = ''] = told.split('\n');
  const match = /^(\d\d) (\d\d) (\d\d) (\d\d) (\d{12})$/.exec(words);
  if (match === null || !/^\d{1,12}$/.test(seconds)) return undefined;
  const [, minute, hour, day, month, guard] = match as unknown as [string, string, string, string, string, string];
  const go = `${cwd === undefined ? '' : `cd ${posixQuote(cwd)} && `}exec ${posixCommandLine(argv)}`;
  // In a crontab `%` means a new line unless it is escaped (crontab(5)).
  const command = `[ "$(date +%Y%m%d%H%M)" = ${guard} ] && ${go} >/dev/null 2>&1`.replaceAll('%', '\\%');
  const line = `${minute} ${hour} ${day} ${month} * ${command}`;
  if (/[\n\r\0]/.test(line)) throw new RangeError('a crontab entry is one line, and this command has several');
  if (utf8.encode(command).length > longestCommand)
    throw new RangeError(`cron cuts off a command of more than ${longestCommand} bytes, and this one is longer`);
  return { line, fireAt: instant(Number(seconds) * 1_000 - hostOffsetMs) };
}
