import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { LAB_HOSTS, RUNTIME_DIR } from '../../lab/range/layout.ts';
import { withLabLock } from '../../lab/range/lock.ts';
import { processesOfLabHosts } from '../../lab/range/processes.ts';

/** Where a lab host mounts something. */
const LAB_MOUNTS = /detproof| \/(dev|etc|home|run|srv|usr\/bin|usr\/sbin|var\/log|var\/spool)[ /]/;

/** What the lab could leave changed on a machine; two of these are compared. */
async function lookAtMachine(): Promise<Record<string, unknown>> {
  const { stdout: audit } = await execa('auditctl', ['-s']);
  const { stdout: rules } = await execa('auditctl', ['-l']);
  const { stdout: listening } = await execa('ss', ['-Hltun']);
  return {
    // These two only ever count up.
    audit: audit.split('\n').filter((line) => !/^(lost|backlog_wait_time_actual) /.test(line)),
    rules,
    // Others on this machine may mount things of their own meanwhile, elsewhere.
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => LAB_MOUNTS.test(line)),
    run: readdirSync('/run').filter((name) => /detproof|audit|sshd|cron/.test(name)),
    labPorts: listening.split('\n').filter((line) => /:22(2\d|30)\b/.test(line)),
    labProcesses: processesOfLabHosts(),
    accounts: ['passwd', 'group', 'shadow', 'gshadow', 'hostname', 'crontab'].map((file) => digest(`/etc/${file}`)),
    // Not the whole files: others may log in meanwhile, and run an sshd of their own.
    logins: LAB_HOSTS.map(({ account, uid }) => [occurrences('/var/log/wtmp', account), lastLogin(uid)]),
    crontabs: readdirSync('/var/spool/cron/crontabs'),
    homes: readdirSync('/home'),
    served: readdirSync('/srv'),
  };
}

/** Looks while no lab is up on this machine, whoever's, and while none can come up. */
export async function lookWhileNoLabIsUp(): Promise<Record<string, unknown>> {
  for (;;) {
    const seen = await withLabLock('a test looks at the machine', 600_000, async () =>
      existsSync(RUNTIME_DIR) ? undefined : lookAtMachine(),
    );
    if (seen !== undefined) return seen;
    await sleep(500);
  }
}

function digest(file: string): string {
  return existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : 'absent';
}

function occurrences(file: string, text: string): number {
  return existsSync(file) ? readFileSync(file, 'latin1').split(text).length - 1 : 0;
}

/** The account's entry in /var/log/lastlog, where entries of 292 bytes are found by uid (lastlog.h); "" for none. */
function lastLogin(uid: number): string {
  const file = '/var/log/lastlog';
  return existsSync(file)
    ? readFileSync(file)
        .subarray(uid * 292, (uid + 1) * 292)
        .toString('latin1')
        .replaceAll('\0', '')
    : '';
}
