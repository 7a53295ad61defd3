import { execa } from 'execa';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isRunning, waitUntil } from '../../range/processes.ts';
import type { ProcessRef } from '../../range/processes.ts';
import type { StandIn, StandInContext } from '../stand-in.ts';
import { PORT, writeFiles } from './files.ts';

const SETUP_SCRIPT = path.join(import.meta.dirname, 'setup.sh');

/** The machine's ids for the host's 0 to 65535: its root has no power over the machine. Above what systemd-nspawn and adduser hand out. */
const ids = { first: 1_900_000_000, count: 65_536 } as const;

/** As Debian names its library folders. */
const TRIPLETS: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/**
 * ESXi 8, played by OpenSSH, BusyBox and Debian's Python in a root file system of their own, with logs in ESXi's form. Its root
 * is a user of no rights on the machine.
 */
const esxi: StandIn = {
  name: 'lab-esxi',
  platform: 'esxi',
  ports: [PORT],
  accounts: [
    { name: 'root', role: 'admin' },
    { name: 'ops', role: 'unlisted' },
    { name: 'svc-auto', role: 'automation' },
  ],
  packages: ['busybox', 'openssh-server', 'python3', 'perl-base'],
  ids,
  logs: [{ via: 'syslog', format: 'esxi' }],
  obstacle,
  start,
};

export const standIns: readonly StandIn[] = [esxi];

async function obstacle(): Promise<string | undefined> {
  if (TRIPLETS[process.arch] === undefined)
    return `it knows Debian's libraries on x86-64 and ARM64 only, and this is ${process.arch}`;
  const { failed, stderr } = await execa('unshare', ['--user', '/bin/true'], { reject: false });
  return failed ? `this kernel makes no user namespace: ${stderr}` : undefined;
}

async function start(context: StandInContext): Promise<void> {
  const { folders, syslog } = context;
  await writeFiles(context);
  const door = await context.open([
    '/bin/sh',
    SETUP_SCRIPT,
    folders.runtime,
    String(ids.first),
    TRIPLETS[process.arch] ?? '',
  ]);
  const inside = { door: await openUserNamespace(context, door), user: true };
  const relay = [syslog.address, String(syslog.port)];
  const python = ['/bin/python3', '-B', '-E', '-s', '-S'] as const;
  const log = await context.start('vmsyslogd', [...python, '/lib/lab/vmsyslogd.py', ...relay], inside);
  const socket = `/proc/${log.pid}/root/dev/log`;
  if (!(await waitUntil(() => !isRunning(log) || existsSync(socket), 20_000)) || !isRunning(log))
    throw new Error('vmsyslogd of lab-esxi does not listen; see its log');
  const sshd = await context.start('sshd', ['/bin/sh', '/lib/lab/start-sshd'], inside);
  await context.listening(PORT, sshd);
}

/** A process in a user namespace of its own, in which id 0 is {@link ids}.first on the machine. */
async function openUserNamespace(context: StandInContext, door: ProcessRef): Promise<ProcessRef> {
  const busybox = '/bin/busybox';
  const sleep = [busybox, 'sleep', '2147483647'] as const;
  const holder = await context.start('user namespace', [busybox, 'unshare', '-U', ...sleep], { door });
  const own = readlinkSync('/proc/self/ns/user');
  const isOpen = (): boolean => isRunning(holder) && readlinkSync(`/proc/${holder.pid}/ns/user`) !== own;
  if (!(await waitUntil(() => !isRunning(holder) || isOpen(), 20_000)) || !isOpen())
    throw new Error('the user namespace of lab-esxi could not be made; see its log');
  for (const map of ['gid_map', 'uid_map'])
    writeFileSync(`/proc/${holder.pid}/${map}`, `0 ${ids.first} ${ids.count}\n`);
  return holder;
}
