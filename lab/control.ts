import { Exit, exitCodes, type LabControl } from '../runner/cli/app.ts';
import { packExecutable } from './packer.ts';
import type { DownReport } from './range/down.ts';
import { down, status, up } from './range/lab.ts';
import { LabRefused } from './range/refused.ts';
import type { LabStatus } from './range/status.ts';

/** The lab as the command line's `lab up | down | status` sees it. */
export const labControl: LabControl = {
  async up(stateDir, log) {
    const now = await refusing(() => up({ stateDir, log }));
    await packExecutable(stateDir, log);
    return { lines: statusLines(now), json: now };
  },
  async down(stateDir) {
    const report = await refusing(() => down({ stateDir }));
    return { lines: downLines(report), json: report, restored: report.leftBehind.length === 0 };
  },
  async status(stateDir) {
    const now = await refusing(() => status({ stateDir }));
    return { lines: statusLines(now), json: now };
  },
};

/** A refusal of the lab as an end of the command line: exit code 4, and what to do. */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LabRefused) throw new Exit(exitCodes.refused, `The lab refuses: ${error.message}`);
    throw error;
  }
}

export function downLines({ wasUp, leftBehind, installed }: DownReport): readonly string[] {
  return [
    wasUp ? 'The lab is down.' : 'There was no lab.',
    leftBehind.length === 0
      ? 'Audit rules, audit state, accounts, mounts and processes are as they were before.'
      : 'Left behind, to be put right by hand:',
    ...leftBehind.map((line) => `  ${line}`),
    ...(installed.length === 0 ? [] : [`Debian packages that the lab installed, which stay: ${installed.join(', ')}`]),
  ];
}

export function statusLines(status: LabStatus): readonly string[] {
  if (status.is === 'down') return ['The lab is down.'];
  const running = (pid: number | undefined): string => (pid === undefined ? 'not running' : `pid ${pid}`);
  return [
    `The lab is ${status.is === 'whole' ? 'up' : 'partly up'}${status.since === undefined ? '' : ` since ${status.since}`}.`,
    ...status.hosts.map(
      ({ name, account, address, port, sshd, cron }) =>
        `  ${name}  ${account}@${address}:${port}  sshd ${running(sshd)}, cron ${running(cron)}`,
    ),
    ...status.standIns.map(
      ({ name, platform, accounts, address, ports, processes, missing }) =>
        `  ${name}  stand-in for ${platform}, ` +
        (missing === undefined
          ? `${accounts.join(', ')} at ${address}, port ${ports.join(', ')}  ${processes.map(({ what, pid }) => `${what} ${running(pid)}`).join(', ')}`
          : `left out: ${missing}`),
    ),
    `  auditd ${running(status.auditd)}, ${status.audit.rules} audit rules of the lab`,
    `  SIEM ${running(status.siem)}`,
    ...(status.installed.length === 0 ? [] : [`  packages installed, which stay: ${status.installed.join(', ')}`]),
  ];
}
