import { execa } from 'execa';
import { writeFileSync } from 'node:fs';
import { LAB_HOSTS, runtimeFiles } from './layout.ts';
import { LabRefused } from './refused.ts';
import { processRef, waitUntil } from './processes.ts';

/** The kernel's audit settings that the lab may change, named as in auditctl(8), `-s`. */
export interface AuditSettings {
  readonly enabled: number;
  readonly failure: number;
  readonly rate_limit: number;
  readonly backlog_limit: number;
  readonly backlog_wait_time: number;
}

/** The kernel's audit state. `pid` is the registered audit daemon's, 0 for none. */
export interface AuditStatus extends AuditSettings {
  readonly pid: number;
  /** Records lost since boot. */
  readonly lost: number;
}

/** How each setting is set; auditctl(8). */
const OPTION: Readonly<Record<keyof AuditSettings, string>> = {
  enabled: '-e',
  failure: '-f',
  rate_limit: '-r',
  backlog_limit: '-b',
  backlog_wait_time: '--backlog_wait_time',
};

const SETTINGS = Object.keys(OPTION) as (keyof AuditSettings)[];

/** What the lab needs while it runs: room for a burst, and never a panic or a rate limit, which would lose records. */
const LAB_SETTINGS = { failure: 1, rate_limit: 0, backlog_limit: 8192 } as const;

/** Every rule of the lab carries a key that starts so, and no other rule on the machine does. */
const KEY_PREFIX = 'detproof-';

/** The system calls that make a process, where they exist on this architecture. */
const FORKS = process.arch === 'x64' ? 'fork,vfork,clone,clone3' : 'clone,clone3';

/** Asks the kernel. Throws {@link LabRefused} when it has no audit system or does not let us ask. */
export async function readAuditStatus(): Promise<AuditStatus> {
  const { stdout } = await auditctl('-s');
  const values = new Map(stdout.split('\n').map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
  const value = (name: string): number => {
    const found = values.get(name);
    if (found === undefined || Number.isNaN(found)) {
      throw new LabRefused('audit-unavailable', `auditctl -s does not tell ${name}; it said: ${stdout}`);
    }
    return found;
  };
  return {
    enabled: value('enabled'),
    failure: value('failure'),
    rate_limit: value('rate_limit'),
    backlog_limit: value('backlog_limit'),
    backlog_wait_time: value('backlog_wait_time'),
    pid: value('pid'),
    lost: value('lost'),
  };
}

/** The part of a status that {@link restoreAuditSettings} can put back. */
export function settingsOf(status: AuditStatus): AuditSettings {
  const { enabled, failure, rate_limit, backlog_limit, backlog_wait_time } = status;
  return { enabled, failure, rate_limit, backlog_limit, backlog_wait_time };
}

/** Throws {@link LabRefused} when the lab may not or cannot use the kernel's audit system; changes nothing. */
export async function assertAuditFree(): Promise<AuditStatus> {
  const status = await readAuditStatus();
  if (status.enabled === 2) {
    throw new LabRefused(
      'audit-locked',
      'The audit rules are locked until the next boot (auditctl -s: enabled 2), so the lab cannot add its own.',
    );
  }
  if (status.pid !== 0 && processRef(status.pid) !== undefined) {
    throw new LabRefused(
      'audit-in-use',
      `An audit daemon runs already (pid ${status.pid}). The lab would take its records away, so it does not start. Use a machine without auditd, or stop it first.`,
    );
  }
  const never = (await listRules()).find((rule) => rule.startsWith('-a never,task'));
  if (never !== undefined) {
    throw new LabRefused(
      'audit-in-use',
      `The audit rule "${never}" keeps every process from being audited, and the lab does not change rules that are not its own.`,
    );
  }
  return status;
}

/** Throws {@link LabRefused} when accounts of the lab could not get an audit login id of their own. */
export async function assertLoginIdFree(ownLoginId: number): Promise<void> {
  const { stdout } = await auditctl('-s');
  if (/^loginuid_immutable 1/m.test(stdout) && ownLoginId !== UNSET_LOGIN_ID) {
    throw new LabRefused(
      'login-id-fixed',
      'Audit login ids cannot be changed on this machine (loginuid_immutable 1) and this shell has one already. Start the lab from a service instead of a login.',
    );
  }
}

/** The audit login id of a process that never logged in. */
const UNSET_LOGIN_ID = 4294967295;

/** Gives the kernel the lab's rules. Rules that are there already stay. The daemons' copies must exist: rules on an executable name a file. */
export async function loadLabRules(): Promise<void> {
  writeFileSync(runtimeFiles.auditRules, labRules().join('\n') + '\n', { mode: 0o600 });
  await auditctl('-R', runtimeFiles.auditRules);
}

/** Turns audit on for the lab. An audit daemon must be registered, or the kernel prints every record to the console. */
export async function switchAuditOn(before: AuditSettings): Promise<void> {
  await applySettings({ ...LAB_SETTINGS, backlog_limit: Math.max(before.backlog_limit, LAB_SETTINGS.backlog_limit) });
  await applySettings({ enabled: 1 });
}

/** Turns audit off, whatever it was before; for the time between two audit daemons. */
export async function switchAuditOff(): Promise<void> {
  await applySettings({ enabled: 0 });
}

/** Puts the settings back that differ from `before`. */
export async function restoreAuditSettings(before: AuditSettings): Promise<void> {
  const now = await readAuditStatus();
  for (const name of SETTINGS.filter((setting) => now[setting] !== before[setting])) {
    await applySettings({ [name]: before[name] });
  }
}

/**
 * Makes the kernel forget an audit daemon that was killed: it finds out only by the next record that it cannot hand over
 * (kernel/audit.c, auditd_reset), and with audit off there is none. Leaves `enabled` as it was.
 */
export async function forgetDeadDaemon(): Promise<void> {
  const { pid, enabled } = await readAuditStatus();
  if (pid === 0 || processRef(pid) !== undefined || enabled !== 0) return;
  // Each change of the setting is a record.
  await applySettings({ enabled: 1 });
  await applySettings({ enabled: 0 });
  await waitUntil(async () => (await readAuditStatus()).pid === 0, 2000);
}

/** Deletes the lab's rules, and no others. */
export async function deleteLabRules(): Promise<void> {
  for (const key of new Set((await listLabRules()).map(keyOf))) {
    if (key !== undefined) await auditctl('-D', '-k', key);
  }
}

/** The lab's rules that the kernel holds now, as auditctl(8) prints them. */
export async function listLabRules(): Promise<readonly string[]> {
  return (await listRules()).filter((rule) => keyOf(rule)?.startsWith(KEY_PREFIX));
}

/**
 * The lab's audit rules. Executions, connections and new files of the lab's accounts, by uid and (for what runs set-uid) by login id;
 * and every process made by them or by the lab's own daemons, so that a record's ppid can be tied to the parent's executable.
 * The daemons are matched by their copies in /run (`exe` compares inodes), so a machine's own sshd and cron leave no records.
 */
function labRules(): readonly string[] {
  const rules: string[] = [];
  const add = (calls: string, filter: string, key: string, arches: readonly string[]): void => {
    for (const arch of arches)
      rules.push(`-a always,exit -F arch=${arch} -S ${calls} ${filter} -k ${KEY_PREFIX}${key}`);
  };
  const all = process.arch === 'x64' ? ['b64', 'b32'] : ['b64'];
  for (const { uid } of LAB_HOSTS) {
    add('execve,execveat', `-F uid=${uid}`, 'exec', all);
    add('execve,execveat', `-F auid=${uid}`, 'exec', all);
    for (const family of [2, 10]) add('connect', `-F uid=${uid} -F saddr_fam=${family}`, 'connect', all);
    add(FORKS, `-F uid=${uid} -F success=1`, 'fork', ['b64']);
    // O_CREAT (fcntl.h) in the flags of openat(2), which is what every libc's open() calls.
    add('openat', `-F uid=${uid} -F a2&64 -F success=1`, 'file', ['b64']);
  }
  for (const daemon of [runtimeFiles.sshd, runtimeFiles.cron]) {
    add('execve', `-F exe=${daemon}`, 'daemon', ['b64']);
    add(FORKS, `-F exe=${daemon} -F success=1`, 'daemon', ['b64']);
  }
  return rules;
}

async function listRules(): Promise<readonly string[]> {
  const { stdout } = await auditctl('-l');
  return stdout.split('\n').filter((line) => line.startsWith('-'));
}

function keyOf(rule: string): string | undefined {
  return / -F key=(\S+)| -k (\S+)/.exec(rule)?.slice(1).find(Boolean);
}

async function applySettings(settings: Partial<AuditSettings>): Promise<void> {
  for (const name of SETTINGS) {
    const value = settings[name];
    if (value !== undefined) await auditctl(OPTION[name], String(value));
  }
}

async function auditctl(...args: readonly string[]): Promise<{ stdout: string }> {
  const result = await execa('auditctl', args, {
    reject: false,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    extendEnv: false,
  });
  if (result.exitCode === 0) return { stdout: result.stdout };
  const said = (result.stderr || result.stdout || result.shortMessage || '').trim();
  throw new LabRefused(
    'audit-unavailable',
    `The kernel's audit system cannot be used: auditctl ${args.join(' ')}: ${said}`,
  );
}
