import path from 'node:path';

/** One lab host: what it is called, its one unprivileged account, and the loopback port of its sshd. */
export interface LabHost {
  readonly name: 'lab-alpha' | 'lab-beta';
  readonly account: string;
  /** Also the id of the account's own primary group. */
  readonly uid: number;
  readonly port: number;
}

/** The name of one of the two lab hosts. */
export type LabHostName = LabHost['name'];

/** The two lab hosts. Their uids lie in a range that adduser never hands out (UID_MAX 60000 in login.defs). */
export const LAB_HOSTS: readonly LabHost[] = [
  { name: 'lab-alpha', account: 'alice', uid: 60101, port: 2221 },
  { name: 'lab-beta', account: 'bob', uid: 60102, port: 2222 },
];

/** The only address the lab listens on. */
export const LAB_ADDRESS = '127.0.0.1';

/** Where the SIEM listens for the syslog datagrams of stand-ins (UDP, on {@link LAB_ADDRESS}). */
export const SYSLOG_PORT = 2230;

/** What the lab needs at run time and what its accounts must be able to reach. Exists exactly while the lab is up; removed by `down`. */
export const RUNTIME_DIR = '/run/detproof-lab';

/** Source of every tmpfs that a lab host mounts: tells a lab host's mount namespace from any other, even after its state file is gone. */
export const MOUNT_MARK = 'detproof-lab';

/** Files of the lab in {@link RUNTIME_DIR}. */
export const runtimeFiles = {
  /** A copy of the state file, so that any checkout can undo the lab and so that a reboot forgets it. */
  state: path.join(RUNTIME_DIR, 'state.json'),
  bin: path.join(RUNTIME_DIR, 'bin'),
  /** Own copies of the daemons, so that an audit rule on the executable matches the lab's daemons and no others. */
  sshd: path.join(RUNTIME_DIR, 'bin/sshd'),
  cron: path.join(RUNTIME_DIR, 'bin/cron'),
  /** The process that keeps a host's namespaces open; a link to sleep(1). */
  holder: path.join(RUNTIME_DIR, 'bin/holder'),
  auditdConfig: path.join(RUNTIME_DIR, 'auditd'),
  /** A link to the log folder: auditd.conf(5) cannot express a path with a space in it. */
  auditLogs: path.join(RUNTIME_DIR, 'audit'),
  auditRules: path.join(RUNTIME_DIR, 'auditd/detproof.rules'),
  siemConfig: path.join(RUNTIME_DIR, 'siem.json'),
} as const;

/** Files of one lab host in {@link RUNTIME_DIR}. */
export function hostFiles(host: LabHostName) {
  const root = path.join(RUNTIME_DIR, host);
  return {
    root,
    /** Each entry is laid over the entry of the same name in the host's /etc. */
    etc: path.join(root, 'etc'),
    sshdConfig: path.join(root, 'etc/ssh/sshd_config'),
    /** The folder, not the socket, is mounted into the host, so that the collector may go and come back. */
    syslogDir: path.join(root, 'syslog'),
    /** Where the collector listens; /dev/log of the host leads here. */
    syslogSocket: path.join(root, 'syslog/dev-log'),
  } as const;
}

/** Folders of one stand-in; see lab/standins/stand-in.ts. */
export function standInFolders(stateDir: string, name: string) {
  return {
    runtime: path.join(RUNTIME_DIR, name),
    secrets: path.join(stateDir, name),
    logs: path.join(stateFiles(stateDir).logs, name),
  } as const;
}

/** Files of the lab under the caller's state folder. */
export function stateFiles(stateDir: string) {
  return {
    state: path.join(stateDir, 'state.json'),
    clientKey: path.join(stateDir, 'id_ed25519'),
    knownHosts: path.join(stateDir, 'known_hosts'),
    auditDir: path.join(stateDir, 'audit'),
    auditLog: path.join(stateDir, 'audit/audit.log'),
    logs: path.join(stateDir, 'logs'),
    siemStore: path.join(stateDir, 'siem'),
    siemFaults: path.join(stateDir, 'siem-faults.json'),
  } as const;
}

/** The lab host of that name. */
export function labHost(name: LabHostName): LabHost {
  const host = LAB_HOSTS.find((candidate) => candidate.name === name);
  if (host === undefined) throw new Error(`there is no lab host ${name}`);
  return host;
}
