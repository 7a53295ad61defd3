import type { MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import { macEvent, macHostOf, unread } from './macos-event.ts';

/** `Nov 24 08:00:00 lab-macos sshd[123]: message`: the lines of /var/log/system.log have no priority, no year and no zone. */
const bsd = /^([A-Z][a-z]{2} [ \d]\d) (\d\d:\d\d:\d\d) \S+ ([^\s:[\]]+)(?:\[(\d+)\])?: (.*)$/s;
/** A line that is read within so much of its second is new, and the time of reading is the better one. */
const freshMs = 5000;

/** Lines of a Mac's /var/log/system.log. */
export const normaliser: MakeNormaliser = () => (line) => {
  const [whole, day = '', time = '', sender = '', pid, message = ''] = bsd.exec(line.text) ?? [];
  if (whole === undefined) return unread(line, 'macos.syslog');
  return {
    '@timestamp': new Date(timeOf(`${day} ${time}`, line.receivedMs)).toISOString(),
    message,
    event: macEvent(line, 'macos.syslog', { category: ['host'], type: ['info'], action: 'logged' }),
    host: macHostOf(line),
    process: present({ name: sender, pid: pid === undefined ? undefined : Number(pid) }),
    log: { syslog: present({ appname: sender, procid: pid }) },
  };
};

/** The year is the one that brings the time closest before the reading. */
function timeOf(text: string, receivedMs: number): number {
  const year = new Date(receivedMs).getFullYear();
  const [stamped = receivedMs] = [year, year - 1]
    .map((one) => Date.parse(`${text} ${one}`))
    .filter((ms) => ms <= receivedMs + 60_000);
  return receivedMs - stamped >= 0 && receivedMs - stamped < freshMs ? receivedMs : stamped;
}
