import type { CollectedLine, MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent } from './ecs-event.ts';
import { imageOf, numberOf, otherEvent, readWindowsEvent, told, userOf, windowsEvent } from './windows-event.ts';
import type { WindowsEvent } from './windows-event.ts';

const dataset = 'windows.security';

/** Events of the Security log: process creation (4688), logons (4624) and refused ones (4625). */
export const normaliser: MakeNormaliser = () => (line) => {
  const event = readWindowsEvent(line);
  if (event?.id === 4688) return processCreation(line, event);
  if (event?.id === 4624 || event?.id === 4625) return logon(line, event);
  return otherEvent(line, event, dataset);
};

/** Who it runs as: the target, where another account has started it; the subject otherwise. */
function processCreation(line: CollectedLine, event: WindowsEvent): CollectedEvent {
  const { data } = event;
  const what = { category: ['process'], type: ['start'], action: 'created-process', outcome: 'success' } as const;
  const whose = told(data['TargetUserName']) === undefined ? 'Subject' : 'Target';
  const ppid = numberOf(data['ProcessId']);
  const label = told(data['MandatoryLabel']);
  return {
    ...windowsEvent(line, event, dataset, what),
    ...account(data, whose),
    process: present({
      pid: numberOf(data['NewProcessId']),
      ppid,
      ...imageOf(data['NewProcessName'], data['CommandLine']),
      // The parent's command line is not in this event.
      parent: present({ pid: ppid, ...imageOf(data['ParentProcessName']) }),
    }),
    ...(label !== undefined && { winlog: { event_data: { MandatoryLabel: label } } }),
  };
}

function logon(line: CollectedLine, event: WindowsEvent): CollectedEvent {
  const { data, id } = event;
  const isIn = id === 4624;
  const what = {
    category: ['authentication'],
    type: ['start'],
    action: isIn ? 'logged-in' : 'logon-failed',
    outcome: isIn ? 'success' : 'failure',
  } as const;
  const [ip, port] = [told(data['IpAddress']), numberOf(data['IpPort'])];
  return {
    ...windowsEvent(line, event, dataset, what),
    ...account(data, 'Target'),
    ...(ip !== undefined && { source: present({ ip, port }) }),
    ...(data['LogonType'] !== undefined && { winlog: { event_data: { LogonType: data['LogonType'] } } }),
  };
}

function account(data: WindowsEvent['data'], whose: 'Subject' | 'Target'): Pick<CollectedEvent, 'user'> {
  const [name, domain] = [told(data[`${whose}UserName`]), told(data[`${whose}DomainName`])];
  if (name === undefined) return {};
  const user = userOf(domain === undefined ? name : `${domain}\\${name}`, data[`${whose}UserSid`]);
  return user === undefined ? {} : { user };
}
