import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { RUNTIME_DIR } from '../../lab/range/layout.ts';
import { withLabLock } from '../../lab/range/lock.ts';
import { processesOfLabHosts } from '../../lab/range/processes.ts';

/** What the lab could leave changed on a machine; two of these are compared. */
export async function lookAtMachine(): Promise<Record<string, unknown>> {
  const { stdout: audit } = await execa('auditctl', ['-s']);
  const { stdout: rules } = await execa('auditctl', ['-l']);
  const { stdout: listening } = await execa('ss', ['-Hltn']);
  return {
    // These two only ever count up.
    audit: audit.split('\n').filter((line) => !/^(lost|backlog_wait_time_actual) /.test(line)),
    rules,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    run: readdirSync('/run').sort(),
    labPorts: listening.split('\n').filter((line) => /:222[12]\b/.test(line)),
    labProcesses: processesOfLabHosts(),
    accounts: ['passwd', 'group', 'shadow', 'gshadow', 'hostname', 'crontab'].map((file) => digest(`/etc/${file}`)),
    logins: ['wtmp', 'btmp', 'lastlog'].map((file) => digest(`/var/log/${file}`)),
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
