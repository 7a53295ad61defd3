import type { LogSourceRef } from './attack.ts';

/**
 * Processes of which one runs where a log source is written: that it does shows that the source can be there, not that its events
 * arrive. Names as the products' documentation has them, without case.
 */
const processesOf: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^auditd:/, ['auditd', 'auditbeat', 'laurel']],
  [/^linux:(?:syslog|cron)/, ['rsyslogd', 'syslog-ng', 'systemd-journal', 'systemd-journald', 'syslogd', 'busybox']],
  [/^(?:linux|macos):osquery/, ['osqueryd']],
  [/^linux:Sysmon/, ['sysmon']],
  [/^WinEventLog:Sysmon/, ['Sysmon64.exe', 'Sysmon.exe', 'Sysmon64a.exe']],
  [/^esxi:/, ['vmsyslogd']],
];

/** The processes that write a log source; none when the platform itself does, or nothing is known of it. */
export function processesOfSource(source: LogSourceRef): readonly string[] {
  return processesOf.find(([pattern]) => pattern.test(source))?.[1] ?? [];
}
