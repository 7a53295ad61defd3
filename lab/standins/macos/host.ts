import path from 'node:path';

/** The one account of the macOS stand-in. On a Mac its ids would be 501 and 20; here they are ids that nobody else on the machine has. */
export const macHost = {
  name: 'lab-macos',
  account: 'carol',
  uid: 60104,
  gid: 60104,
  port: 2224,
} as const;

/** Every audit rule of the stand-in has a key that begins so; and with the lab's own prefix, by which `down` finds it. */
export const auditKeys = {
  exec: 'detproof-macos-exec',
  fork: 'detproof-macos-fork',
  connect: 'detproof-macos-connect',
  file: 'detproof-macos-file',
  daemon: 'detproof-macos-daemon',
} as const;

/** Files below the stand-in's runtime folder. */
export function macFiles(runtime: string) {
  return {
    root: path.join(runtime, 'root'),
    etc: path.join(runtime, 'etc'),
    /** Stubs for /bin and /usr/bin. */
    bin: path.join(runtime, 'bin'),
    usrBin: path.join(runtime, 'usr-bin'),
    /** Own copies, so that an audit rule on the executable matches this host's daemons and no others. */
    sshd: path.join(runtime, 'programs/sshd'),
    launchd: path.join(runtime, 'programs/launchd'),
    syslogDir: path.join(runtime, 'syslog'),
    /** /dev/log of the host leads here. */
    syslogSocket: path.join(runtime, 'syslog/dev-log'),
    /** A line for each time that the shim /usr/bin/python3 was called. */
    shimCalls: path.join(runtime, 'shim-calls'),
    sensorConfig: path.join(runtime, 'sensor.json'),
  } as const;
}

/** Files below the stand-in's log folder, as the sensors of a Mac would leave them. */
export const macLogs = {
  endpointSecurity: 'eslogger.ndjson',
  osquery: 'osqueryd.results.log',
  unifiedLog: 'unifiedlog.ndjson',
  systemLog: 'system.log',
} as const;
