import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runtimeFiles } from '../../range/layout.ts';
import { isRunning, waitUntil } from '../../range/processes.ts';
import type { StandIn, StandInContext } from '../stand-in.ts';
import { loadAuditRules } from './audit-rules.ts';
import { macFiles, macHost, macLogs } from './host.ts';
import { machinePython, writeRuntimeFiles } from './runtime-files.ts';

const { name, account, uid, gid, port } = macHost;
const SETUP_SCRIPT = path.join(import.meta.dirname, 'setup.sh');
const SENSOR = path.join(import.meta.dirname, 'sensor/main.ts');

/** The macOS stand-in: Debian's zsh, Python and sshd under a Mac's paths, with launchd and the sensors of a Mac; see docs/lab.md. */
const macos: StandIn = {
  name,
  platform: 'macos',
  ports: [port],
  accounts: [{ name: account, role: 'standard' }],
  packages: ['zsh', 'curl', 'python3', 'openssh-server'],
  ids: { first: uid, count: 1 },
  // Endpoint Security first: its forks tell the parents of osquery's rows, which are written later.
  logs: [
    { via: 'file', file: macLogs.endpointSecurity, format: 'endpointsecurity' },
    { via: 'file', file: macLogs.osquery, format: 'osquery' },
    { via: 'file', file: macLogs.unifiedLog, format: 'unifiedlog' },
    { via: 'file', file: macLogs.systemLog, format: 'macos-syslog' },
  ],
  async start(context) {
    await writeRuntimeFiles(context);
    await loadAuditRules(context.folders.runtime);
    await startSensor(context);
    const setup = [SETUP_SCRIPT, context.folders.runtime, account, String(uid), String(gid), machinePython()];
    const door = await context.open(['/bin/sh', ...setup]);
    // Its program comes by standard input, so that its command line is a Mac's.
    const program = 'PYTHONHOME=/usr exec /sbin/launchd < /private/var/db/launchd.py';
    const launchd = await context.start('launchd', ['/bin/sh', '-c', program], { door });
    const socket = `/proc/${door.pid}/root/run/launchd.sock`;
    if (!(await waitUntil(() => !isRunning(launchd) || existsSync(socket), 20_000)) || !isRunning(launchd))
      throw new Error(`the launchd of ${name} did not start; see ${name}.launchd.log`);
    const sshd = await context.start('sshd', ['/usr/sbin/sshd', '-D'], { door });
    await context.listening(port, sshd);
  },
};

export const standIns: readonly StandIn[] = [macos];

/** Before the daemons, so that it knows them when they start others. */
async function startSensor(context: StandInContext): Promise<void> {
  const { folders } = context;
  const { sensorConfig, syslogSocket } = macFiles(folders.runtime);
  const config = {
    host: name,
    auditLog: path.join(runtimeFiles.auditLogs, 'audit.log'),
    logs: folders.logs,
    syslogSocket,
  };
  writeFileSync(sensorConfig, JSON.stringify(config, undefined, 2) + '\n', { mode: 0o600 });
  const sensor = await context.start('sensor', [process.execPath, SENSOR, '--config', sensorConfig]);
  if (!(await waitUntil(() => !isRunning(sensor) || existsSync(syslogSocket), 20_000)) || !isRunning(sensor))
    throw new Error(`the sensor of ${name} did not start; see ${name}.sensor.log`);
}
