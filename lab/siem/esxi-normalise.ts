import { isIP } from 'node:net';
import type { MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import { meaningOf } from './esxi-meaning.ts';

type Header = {
  readonly time: string;
  readonly priority?: number;
  readonly program?: string;
  readonly pid?: string;
  readonly message: string;
};

/** `<14>TIME HOST PROGRAM[PID]: …`, as ESXi sends lines to a syslog server. */
const relayed = /^<(\d{1,3})>(\S+) \S+ (?:([^\s:[\]]+)(?:\[(\d+)\])?: +)?/;
/** `TIME In(14) PROGRAM[PID]: …`, as its files have them; before ESXi 8 without the severity, vobd's lines before 8 without a program. */
const written = /^(\d{4}-\S+?Z):? (?:[A-Z][a-z]\((\d{1,3})\) )?(?:([^\s:[\]]+)(?:\[(\d+)\])?: +)?/;

/** A line of ESXi's logs in either form; undefined for other text. */
export function parseEsxiLine(text: string): Header | undefined {
  const relay = relayed.exec(text);
  const match = relay ?? written.exec(text);
  if (match === null) return undefined;
  const [whole, one = '', two = '', program, pid] = match;
  const [priority, time] = relay === null ? [two, one] : [one, two];
  return {
    time,
    ...(priority !== '' && Number(priority) <= 191 && { priority: Number(priority) }),
    ...(program !== undefined && { program }),
    ...(pid !== undefined && { pid }),
    message: text.slice(whole.length),
  };
}

/** The log that a program's lines go to. From 8.0U3 on, sshd's sessions are a program of their own. */
const datasets = new Map<string | undefined, CollectedEvent['event']['dataset']>([
  ['sshd', 'esxi.auth'],
  ['sshd-session', 'esxi.auth'],
  ['shell', 'esxi.shell'],
  ['ESXShell', 'esxi.shell'],
  ['Hostd', 'esxi.hostd'],
  ['hostd', 'esxi.hostd'],
  ['vobd', 'esxi.vobd'],
]);

/** Before ESXi 8, vobd's own lines do not name it; their text does. */
function datasetOf({ program, message }: Header): CollectedEvent['event']['dataset'] | undefined {
  return program === undefined && /^\[\w+Correlator\] /.test(message) ? 'esxi.vobd' : datasets.get(program);
}

/** Lines of auth.log, shell.log, hostd.log and vobd.log; those of other logs are not forwarded. */
export const normaliser: MakeNormaliser =
  () =>
  ({ host, id, text, receivedMs }) => {
    const header = parseEsxiLine(text);
    const dataset = header && datasetOf(header);
    if (header === undefined || dataset === undefined) return undefined;
    const { priority, program, pid, message } = header;
    const { user, commandLine, source, ...event } = meaningOf(dataset, message);
    const timeMs = Date.parse(header.time);
    return {
      '@timestamp': new Date(Number.isNaN(timeMs) ? receivedMs : timeMs).toISOString(),
      message,
      event: { id, kind: 'event', module: 'esxi', dataset, ...event, original: text },
      host: { name: host, hostname: host, os: { platform: 'esxi' } },
      ...(user !== undefined && { user: { name: user } }),
      ...(commandLine !== undefined && { process: { command_line: commandLine } }),
      ...(source !== undefined && isIP(source.ip) !== 0 && { source }),
      log: {
        syslog: present({
          priority,
          facility: priority === undefined ? undefined : { code: priority >> 3 },
          severity: priority === undefined ? undefined : { code: priority & 7 },
          appname: program,
          procid: pid,
        }),
      },
    };
  };
