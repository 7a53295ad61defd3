import path from 'node:path';
import { z } from 'zod';
import type { CollectedLine, MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import { json, macEvent, macHostOf, unread } from './macos-event.ts';
import { macUserName, processesOf } from './macos-processes.ts';

const result = z.object({ name: z.string(), unixTime: z.number(), columns: z.record(z.string(), z.string()) });
type Columns = Readonly<Record<string, string>>;

/**
 * Lines of osqueryd.results.log in event format, for queries named after the event table that they read. The event's time is
 * the row's, in whole seconds: osquery has no finer one, and the line's own time is the query's, up to an interval later.
 */
export const normaliser: MakeNormaliser = () => (line) => {
  const parsed = result.safeParse(json(line.text));
  if (!parsed.success) return unread(line, 'macos.osquery');
  const { name, columns, unixTime } = parsed.data;
  const table = /(process|socket|file)_events$/.exec(name)?.[1];
  const read = table === 'process' ? execution : table === 'socket' ? connection : table === 'file' ? file : undefined;
  if (read === undefined) return unread(line, 'macos.osquery');
  const seconds = number(columns['time']) ?? unixTime;
  return { '@timestamp': new Date(seconds * 1000).toISOString(), host: macHostOf(line), ...read(line, columns) };
};

type Rest = Omit<CollectedEvent, '@timestamp' | 'host'>;

function execution(line: CollectedLine, columns: Columns): Rest {
  const [pid, ppid] = [number(columns['pid']), number(columns['parent'])];
  const what = { category: ['process'], type: ['start'], action: 'exec', outcome: 'success' } as const;
  return {
    event: macEvent(line, 'macos.osquery.process_events', what),
    user: userOf(columns, columns['uid']),
    process: present({
      pid,
      ppid,
      ...imageOf(columns['path']),
      // osquery joins the arguments with spaces: where one ends is not told.
      command_line: text(columns['cmdline']),
      working_directory: text(columns['cwd']),
      parent: ppid === undefined ? undefined : parentOf(line.host, ppid, columns),
    }),
  };
}

/** Rows name the parent by its pid; what it was is joined from the host's other source, when that has told. */
function parentOf(host: string, pid: number, columns: Columns): NonNullable<CollectedEvent['process']>['parent'] {
  const { executable, args } = processesOf(host).imageOf(pid, ((number(columns['time']) ?? 0) + 1) * 1000);
  return present({ pid, ...imageOf(executable), args, command_line: args?.join(' ') });
}

function connection(line: CollectedLine, columns: Columns): Rest {
  const [ip, port] = [text(columns['remote_address']), number(columns['remote_port'])];
  const { status } = columns;
  const outcome = status === 'succeeded' ? 'success' : status === 'failed' ? 'failure' : 'unknown';
  const what = { category: ['network'], type: ['connection', 'start'], action: 'connect', outcome } as const;
  return {
    event: macEvent(line, 'macos.osquery.socket_events', what),
    user: userOf(columns, columns['auid']),
    process: present({ pid: number(columns['pid']), ...imageOf(columns['path']) }),
    ...(ip !== undefined && { destination: present({ address: ip, ip, port }) }),
    network: { type: columns['family'] === '30' ? 'ipv6' : 'ipv4', direction: 'egress', initiated: true },
  };
}

/** Rows of file_events name the file and its owner, and neither the process nor who ran it. */
function file(line: CollectedLine, columns: Columns): Rest {
  const created = columns['action'] === 'CREATED';
  const what = { category: ['file'], type: [created ? 'creation' : 'change'], action: columns['action'] ?? '' };
  return {
    event: macEvent(line, 'macos.osquery.file_events', what),
    user: userOf(columns, columns['uid']),
    ...(text(columns['target_path']) !== undefined && { file: { path: columns['target_path'] ?? '' } }),
  };
}

function userOf({ auid }: Columns, uid: string | undefined): NonNullable<CollectedEvent['user']> {
  const id = number(uid);
  return present({
    id: id === undefined ? undefined : String(id),
    name: id === undefined ? undefined : macUserName(id),
    audit: text(auid) === undefined ? undefined : { id: auid ?? '' },
  });
}

function imageOf(executable: string | undefined): { readonly executable?: string; readonly name?: string } {
  return text(executable) === undefined
    ? {}
    : { executable: executable ?? '', name: path.posix.basename(executable ?? '') };
}

/** Columns that osquery does not fill are empty. */
function text(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function number(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d+$/.test(value) ? Number(value) : undefined;
}
