import type { CollectedEvent } from './ecs-event.ts';

type Event = Pick<CollectedEvent['event'], 'category' | 'type' | 'action' | 'outcome'>;

/** What a line says. The process that wrote the line is not the one that the line is about, so its id is not among this. */
type Meaning = Event & {
  readonly user?: string;
  readonly commandLine?: string;
  readonly source?: { readonly ip: string; readonly port?: number };
};

type Pattern = { readonly text: RegExp; readonly event: Event };

const process: Omit<Event, 'action'> = { category: ['process'], type: ['start'] };
const session = (action: string, type: 'start' | 'end'): Event => ({ category: ['session'], type: [type], action });
const login = (outcome: 'success' | 'failure'): Event => ({
  category: ['authentication'],
  type: [outcome === 'success' ? 'start' : 'info'],
  action: 'login',
  outcome,
});

/** Named groups are what they are called. The command of an exec line may be cut by the host, and so has no end to rely on. */
const patterns: Partial<Record<CollectedEvent['event']['dataset'], readonly Pattern[]>> = {
  'esxi.auth': [
    {
      text: /^User '(?<user>[^']+)' running command '(?<command>.*?)'?$/s,
      event: { ...process, action: 'ssh-command' },
    },
    {
      text: /^Accepted \S+ for (?<user>\S+) from (?<ip>\S+) port (?<port>\d+)/,
      event: login('success'),
    },
    {
      text: /^Failed \S+ for (?:invalid user )?(?<user>\S+) from (?<ip>\S+) port (?<port>\d+)/,
      event: login('failure'),
    },
    {
      text: /^error: PAM: Authentication failure for (?:illegal user )?(?<user>\S+) from (?<ip>\S+)/,
      event: login('failure'),
    },
    { text: /^Session opened for '(?<user>[^']+)' on /, event: session('ssh-session-opened', 'start') },
    { text: /^Session closed for '(?<user>[^']+)' on /, event: session('ssh-session-closed', 'end') },
    {
      text: /^pam_unix\(sshd:session\): session opened for user (?<user>[^\s(]+)/,
      event: session('pam-session-opened', 'start'),
    },
    {
      text: /^pam_unix\(sshd:session\): session closed for user (?<user>[^\s(]+)/,
      event: session('pam-session-closed', 'end'),
    },
  ],
  'esxi.shell': [
    { text: /^\[(?<user>[^\]]+)\]: (?<command>.+)$/s, event: { ...process, action: 'shell-command' } },
    { text: /^ESXi Shell (?:un)?available/, event: { category: ['host'], type: ['info'], action: 'shell-service' } },
  ],
  'esxi.hostd': [
    {
      text: /\] Event \d+ : SSH for the host \S+ has been enabled/,
      event: { category: ['configuration'], type: ['change'], action: 'ssh-enabled' },
    },
    {
      text: /\] Event \d+ : SSH for the host \S+ has been disabled/,
      event: { category: ['configuration'], type: ['change'], action: 'ssh-disabled' },
    },
    { text: /\] Accepted \S+ for user (?<user>\S+) from (?<ip>\S+)/, event: login('success') },
    { text: /\] Task Created : /, event: { category: ['host'], type: ['info'], action: 'task-created' } },
    { text: /\] Task Completed : /, event: { category: ['host'], type: ['info'], action: 'task-completed' } },
  ],
  'esxi.vobd': [
    {
      text: /\[vob\.user\.ssh\.session\.opened\] SSH session was opened for '(?<user>[^'@]+)@(?<ip>[^']+)'/,
      event: session('vob.user.ssh.session.opened', 'start'),
    },
  ],
};

/** hostd names the user of an operation in its bracketed prefix, vpxd's with the session's own name behind it (`user=vpxuser:VSPHERE…`). */
const hostdUser = /^\[Originator@\S+ [^\]]*\buser=(?<user>[^\s\]:]+)/;

/** What the text of a line of this dataset says; of text that no pattern knows, only that it was logged. */
export function meaningOf(dataset: CollectedEvent['event']['dataset'], message: string): Meaning {
  const found = patterns[dataset]?.find(({ text }) => text.test(message));
  const { user, command, ip, port } = found?.text.exec(message)?.groups ?? {};
  const actor = user ?? (dataset === 'esxi.hostd' ? hostdUser.exec(message)?.groups?.['user'] : undefined);
  return {
    ...(found?.event ?? { category: ['host'], type: ['info'], action: vobId(message) ?? 'logged' }),
    ...(actor !== undefined && { user: actor }),
    ...(command !== undefined && { commandLine: command }),
    ...(ip !== undefined && { source: { ip, ...(port !== undefined && { port: Number(port) }) } }),
  };
}

/** What vobd calls an observation. */
function vobId(message: string): string | undefined {
  return /^\[\w+Correlator\] \d+us: +\[([\w.]+)\]/.exec(message)?.[1];
}
