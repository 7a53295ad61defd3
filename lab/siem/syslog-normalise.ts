import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import type { LabHosts } from './lab-hosts.ts';

/** A datagram of a host's /dev/log. */
export type SyslogDatagram = {
  readonly host: string;
  /** When it was taken off the socket, by the host's clock. */
  readonly timeMs: number;
  /** Who sent it, as the kernel tells; absent when it does not. */
  readonly pid?: number;
  readonly uid?: number;
  readonly bytes: Buffer;
};

type SyslogMessage = {
  readonly priority: number;
  readonly appname?: string;
  readonly procid?: string;
  readonly message: string;
};

/** RFC 3164 as glibc's syslog(3) writes it to /dev/log (no host name), or with a host name; the date is optional (Python writes none). */
const rfc3164 =
  /^<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(?:(?![^\s:[]+[:[])\S+ (?=[^\s:[]+(?:\[[^\]]*\])?: ))?(?:([^\s:[\]]{1,48})(?:\[([^\]]{0,128})\])?: )?/;
/** RFC 5424, 6: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG`. */
const rfc5424 = /^<(\d{1,3})>1 \S+ \S+ (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?(?:\uFEFF)?/;
/** user.notice, for a message without a priority (RFC 3164, 4.3.3). */
const defaultPriority = 13;

/** Reads one message, whatever its form; text that has none is a message as it is. */
export function parseSyslog(text: string): SyslogMessage {
  const modern = rfc5424.exec(text);
  const match = modern ?? rfc3164.exec(text);
  if (match === null) return { priority: defaultPriority, message: text };
  const [whole, priority, appname, procid] = match;
  return {
    priority: Number(priority) <= 191 ? Number(priority) : defaultPriority,
    ...(appname !== undefined && appname !== '-' && { appname }),
    ...(procid !== undefined && procid !== '-' && { procid }),
    message: text.slice(whole.length),
  };
}

/**
 * A datagram → an event. Its time is when it was received, as rsyslog does for /dev/log: what programs write there has whole
 * seconds, no year and no zone. Its pid and user are what the kernel says of the sender, not what the text says;
 * what program that pid runs is not told, because the sender may run another by the time it could be looked up.
 */
export function normaliseSyslog(datagram: SyslogDatagram, sequence: number, hosts: LabHosts): CollectedEvent {
  // Programs may end the text with NUL or a line feed (RFC 3164 has neither).
  const text = datagram.bytes.toString('utf8').replace(/[\0\n]+$/, '');
  const { priority, appname, procid, message } = parseSyslog(text);
  const { host, pid, uid } = datagram;
  return {
    '@timestamp': new Date(datagram.timeMs).toISOString(),
    message,
    event: {
      id: `${host}-syslog-${datagram.timeMs}-${sequence}`,
      kind: 'event',
      module: 'syslog',
      dataset: 'syslog',
      category: ['host'],
      type: ['info'],
      action: 'logged',
      original: text,
    },
    host: { name: host, hostname: host, os: { type: 'linux' } },
    ...(uid !== undefined && { user: present({ id: String(uid), name: hosts.userName(uid) }) }),
    process: present({ pid, name: appname }),
    log: {
      syslog: present({
        priority,
        facility: { code: priority >> 3 },
        severity: { code: priority & 7 },
        appname,
        procid,
      }),
    },
  };
}
