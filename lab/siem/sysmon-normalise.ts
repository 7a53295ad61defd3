import type { CollectedLine, MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import {
  folderOf,
  imageOf,
  numberOf,
  otherEvent,
  readWindowsEvent,
  told,
  userOf,
  windowsEvent,
} from './windows-event.ts';
import type { WindowsEvent } from './windows-event.ts';

const dataset = 'windows.sysmon_operational';

/** Events of Sysmon's log: process creation (1), network connection (3), file creation (11). */
export const normaliser: MakeNormaliser = () => (line) => {
  const event = readWindowsEvent(line);
  if (event?.id === 1) return processCreation(line, event);
  if (event?.id === 3) return connection(line, event);
  if (event?.id === 11) return fileCreation(line, event);
  return otherEvent(line, event, dataset);
};

function processCreation(line: CollectedLine, event: WindowsEvent): CollectedEvent {
  const { data } = event;
  const what = { category: ['process'], type: ['start'], action: 'process-creation', outcome: 'success' } as const;
  const [parentUser, originalName] = [userOf(data['ParentUser']), told(data['OriginalFileName'])];
  return {
    ...windowsEvent(line, event, dataset, what, utcTime(data)),
    ...userField(data),
    process: present({
      ...processOf(data),
      ppid: numberOf(data['ParentProcessId']),
      ...imageOf(data['Image'], data['CommandLine']),
      working_directory: folderOf(data['CurrentDirectory']),
      hash: hashes(data['Hashes']),
      pe: originalName === undefined ? undefined : { original_file_name: originalName },
      parent: present({
        pid: numberOf(data['ParentProcessId']),
        entity_id: told(data['ParentProcessGuid']),
        ...imageOf(data['ParentImage'], data['ParentCommandLine']),
        user: parentUser === undefined ? undefined : present({ name: parentUser.name, domain: parentUser.domain }),
      }),
    }),
    winlog: { event_data: kept(data, ['IntegrityLevel', 'Hashes', 'Description', 'Product', 'Company', 'LogonId']) },
  };
}

function connection(line: CollectedLine, event: WindowsEvent): CollectedEvent {
  const { data } = event;
  const what = { category: ['network'], type: ['connection', 'start'], action: 'network-connection' } as const;
  const [to, from] = [told(data['DestinationIp']), told(data['SourceIp'])];
  const [toPort, fromPort] = [numberOf(data['DestinationPort']), numberOf(data['SourcePort'])];
  const isInitiated = data['Initiated'] === 'true';
  return {
    ...windowsEvent(line, event, dataset, what, utcTime(data)),
    ...userField(data),
    process: present({ ...processOf(data), ...imageOf(data['Image']) }),
    ...(from !== undefined && { source: present({ ip: from, port: fromPort }) }),
    ...(to !== undefined && { destination: present({ address: to, ip: to, port: toPort }) }),
    ...(isInitiated && {
      network: {
        type: data['DestinationIsIpv6'] === 'true' ? 'ipv6' : 'ipv4',
        transport: data['Protocol'] ?? '',
        direction: 'egress',
        initiated: true,
      } as const,
    }),
  };
}

function fileCreation(line: CollectedLine, event: WindowsEvent): CollectedEvent {
  const { data } = event;
  const what = { category: ['file'], type: ['creation'], action: 'file-creation' } as const;
  const file = told(data['TargetFilename']);
  return {
    ...windowsEvent(line, event, dataset, what, utcTime(data)),
    ...userField(data),
    process: present({ ...processOf(data), ...imageOf(data['Image']) }),
    ...(file !== undefined && { file: { path: file } }),
  };
}

type Data = WindowsEvent['data'];

function processOf(data: Data) {
  return present({ pid: numberOf(data['ProcessId']), entity_id: told(data['ProcessGuid']) });
}

function userField(data: Data): Pick<CollectedEvent, 'user'> {
  const user = userOf(data['User']);
  return user === undefined ? {} : { user };
}

/** When it happened; the event's own time is when Sysmon wrote it down. */
function utcTime(data: Data): number | undefined {
  const ms = Date.parse(`${(data['UtcTime'] ?? '').replace(' ', 'T')}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** `SHA256=…,MD5=…`, in lower case as ECS has them. */
function hashes(text: string | undefined): { readonly sha256?: string; readonly md5?: string } | undefined {
  const of = (name: string): string | undefined =>
    new RegExp(`(?:^|,)${name}=([0-9A-F]+)`, 'i').exec(text ?? '')?.[1]?.toLowerCase();
  const found = present({ sha256: of('SHA256'), md5: of('MD5') });
  return Object.keys(found).length === 0 ? undefined : found;
}

function kept(data: Data, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => (told(data[name]) === undefined ? [] : [[name, data[name] ?? '']])),
  );
}
