import { parseSyslog } from '../../../siem/syslog-normalise.ts';
import type { SyslogDatagram } from '../../../siem/syslog-normalise.ts';

/** Levels of syslog(3). */
const [error, notice, info] = [3, 5, 6] as const;
/** Facilities of syslog(3) for logins. */
const loginFacilities = [4, 10];

/** A message of a program of the stand-in, with what a Mac's log daemon knows of its sender. */
export type SentMessage = {
  readonly timeMs: number;
  readonly level: number;
  readonly facility: number;
  readonly sender: string;
  readonly text: string;
  readonly pid?: number;
  readonly uid?: number;
  readonly executable?: string;
};

/** What a program wrote to /dev/log. */
export function messageOf(datagram: SyslogDatagram, executable: string | undefined): SentMessage {
  const { priority, appname, message } = parseSyslog(datagram.bytes.toString('utf8').replace(/[\0\n]+$/, ''));
  const { timeMs, pid, uid } = datagram;
  return {
    timeMs,
    level: priority & 7,
    facility: priority >> 3,
    sender: appname ?? 'unknown',
    text: message,
    ...(pid !== undefined && { pid }),
    ...(uid !== undefined && { uid }),
    ...(executable !== undefined && { executable }),
  };
}

/**
 * A line as `log stream --info --style ndjson` writes it; undefined for debug messages, which it leaves out. That syslog(3)
 * reaches the unified log on a Mac, and with these types, is taken from experience, not from a document.
 */
export function unifiedLine(message: SentMessage): string | undefined {
  const { level, executable = '', pid = 0, uid = 0 } = message;
  if (level > info) return undefined;
  return JSON.stringify({
    timestamp: new Date(message.timeMs).toISOString().replace('T', ' ').replace('Z', '000+0000'),
    timezoneName: '',
    eventType: 'logEvent',
    messageType: level <= error ? 'Error' : level === info ? 'Info' : 'Default',
    eventMessage: message.text,
    subsystem: '',
    category: '',
    processImagePath: executable,
    senderImagePath: executable,
    processID: pid,
    userID: uid,
  });
}

/** A line of /var/log/system.log; undefined for what /etc/asl.conf of a Mac does not put there: below notice, or below info of logins. */
export function systemLogLine(message: SentMessage, host: string): string | undefined {
  const { level, facility, sender, pid, text } = message;
  if (level > (loginFacilities.includes(facility) ? info : notice)) return undefined;
  const at = /^\w+ (\w+) (\d+) .*?([\d:]{8})/.exec(new Date(message.timeMs).toString());
  const [, month = '', day = '', time = ''] = at ?? [];
  const when = `${month} ${day.replace(/^0/, ' ')} ${time}`;
  return `${when} ${host} ${sender}${pid === undefined ? '' : `[${pid}]`}: ${text.replace(/[\r\n]+/g, ' ')}`;
}
