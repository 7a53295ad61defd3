import path from 'node:path';
import { z } from 'zod';
import { splitLine } from '../standins/windows/machine/command-line.ts';
import type { CollectedLine } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const schema = z.object({
  System: z.object({
    EventID: z.int(),
    EventRecordID: z.int(),
    Computer: z.string(),
    TimeCreated: z.object({ SystemTime: z.string() }),
  }),
  EventData: z.record(z.string(), scalar),
});

/** An event of a Windows log as a shipper passes it on. */
export type WindowsEvent = {
  readonly id: number;
  readonly computer: string;
  readonly time: string;
  readonly data: Readonly<Record<string, string>>;
};

/** Undefined for a line that is no such event. */
export function readWindowsEvent({ text }: CollectedLine): WindowsEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success || Number.isNaN(Date.parse(parsed.data.System.TimeCreated.SystemTime))) return undefined;
  const { System, EventData } = parsed.data;
  return {
    id: System.EventID,
    computer: System.Computer,
    time: new Date(System.TimeCreated.SystemTime).toISOString(),
    data: EventData,
  };
}

type What = Pick<CollectedEvent['event'], 'category' | 'type' | 'action' | 'outcome'>;
type Dataset = 'windows.sysmon_operational' | 'windows.security';

/** The part of an ECS event that all events of Windows have. */
export function windowsEvent(
  line: CollectedLine,
  of: WindowsEvent,
  dataset: Dataset,
  what: What,
  timeMs?: number,
): Pick<CollectedEvent, '@timestamp' | 'event' | 'host'> {
  return {
    '@timestamp': timeMs === undefined ? of.time : new Date(timeMs).toISOString(),
    event: {
      id: line.id,
      kind: 'event',
      module: 'windows',
      dataset,
      code: String(of.id),
      ...what,
      original: line.text,
    },
    host: { name: line.host, hostname: of.computer, os: { type: 'windows' } },
  };
}

/** A line that could not be read, or an event that nobody here knows: as much as can be said of it. */
export function otherEvent(line: CollectedLine, of: WindowsEvent | undefined, dataset: Dataset): CollectedEvent {
  const what = { category: [], type: ['info'], action: 'logged' };
  const event = { id: line.id, kind: 'event', module: 'windows', dataset, ...what, original: line.text } as const;
  return {
    '@timestamp': of?.time ?? new Date(line.receivedMs).toISOString(),
    ...(of !== undefined && { message: `Windows event ${of.id}` }),
    event: of === undefined ? event : { ...event, code: String(of.id) },
    host: { name: line.host, hostname: of?.computer ?? line.host, os: { type: 'windows' } },
  };
}

/** A value that the event does not leave out with a dash. */
export function told(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value === '-' ? undefined : value;
}

/** A decimal number, or a hexadecimal one with 0x, as Security events write process ids. */
export function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^(?:0x[\da-f]+|\d+)$/i.test(value) ? Number(value) : undefined;
}

/** `DOMAIN\name` in two. */
export function userOf(name: string | undefined, sid?: string): CollectedEvent['user'] {
  const text = told(name);
  if (text === undefined) return undefined;
  const at = text.lastIndexOf('\\');
  return present({ id: told(sid), name: text.slice(at + 1), domain: at === -1 ? undefined : text.slice(0, at) });
}

/** A program's path, its name, and its command line with the arguments that its C runtime reads out of it. */
export function imageOf(image: string | undefined, commandLine?: string) {
  const [executable, line] = [told(image), told(commandLine)];
  return present({
    executable,
    name: executable === undefined ? undefined : path.win32.basename(executable),
    command_line: line,
    args: line === undefined ? undefined : splitLine(line),
    args_count: line === undefined ? undefined : splitLine(line).length,
  });
}

/** The folder without the backslash that Windows puts at its end. */
export function folderOf(folder: string | undefined): string | undefined {
  const text = told(folder);
  return text !== undefined && text.length > 3 ? text.replace(/\\$/, '') : text;
}
