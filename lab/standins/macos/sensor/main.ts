import { closeSync, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { uptime } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { AuditJoiner } from '../../../siem/audit-join.ts';
import { parseAuditRecord } from '../../../siem/audit-record.ts';
import { LogFollower } from '../../../siem/log-follower.ts';
import type { LogPosition } from '../../../siem/log-follower.ts';
import { SyslogReceiver } from '../../../siem/syslog-receiver.ts';
import type { SyslogDatagram } from '../../../siem/syslog-normalise.ts';
import { macLogs } from '../host.ts';
import { factsOf } from './audit-facts.ts';
import { EndpointSecurityLog } from './endpoint-security.ts';
import { MacProcesses } from './mac-processes.ts';
import { messageOf, systemLogLine, unifiedLine } from './message-logs.ts';
import { intervalMs, resultLine, rowOf } from './osquery.ts';
import type { OsqueryRow } from './osquery.ts';

const pollMs = 100;

const configSchema = z.strictObject({
  host: z.string(),
  auditLog: z.string(),
  logs: z.string(),
  /** Where the programs of the host send their messages. */
  syslogSocket: z.string(),
});

/** What sensors and log daemons of a Mac would write, from what the kernel recorded of the stand-in and its programs said. */
class MacSensor {
  readonly #host: string;
  readonly #follower: LogFollower;
  readonly #joiner = new AuditJoiner<LogPosition>();
  readonly #processes = new MacProcesses();
  readonly #endpointSecurity = new EndpointSecurityLog(this.#processes);
  readonly #files: Readonly<Record<keyof typeof macLogs, number>>;
  #rows: { readonly row: OsqueryRow; readonly sinceMs: number }[] = [];

  constructor({ host, auditLog, logs }: z.infer<typeof configSchema>) {
    this.#host = host;
    this.#follower = new LogFollower(auditLog, 'end');
    const open = (name: keyof typeof macLogs): number => openSync(path.join(logs, macLogs[name]), 'a', 0o600);
    this.#files = {
      endpointSecurity: open('endpointSecurity'),
      osquery: open('osquery'),
      unifiedLog: open('unifiedLog'),
      systemLog: open('systemLog'),
    };
  }

  /** Reads what has come and writes it on. Rows of osquery come an interval later, as its scheduled queries do. */
  tick(nowMs: number): void {
    const events = [...this.#joiner.overdue(nowMs)];
    for (const { text, start } of this.#follower.read()) {
      const record = parseAuditRecord(text);
      const complete = record && this.#joiner.add(record, start, nowMs);
      if (complete !== undefined) events.push(complete);
    }
    for (const fact of events.flatMap(factsOf)) {
      const line = this.#endpointSecurity.line(fact);
      if (line !== undefined) this.#write('endpointSecurity', line);
      const row = rowOf(fact, Math.floor(uptime()));
      if (row !== undefined) this.#rows.push({ row, sinceMs: nowMs });
    }
    const due = this.#rows.filter(({ sinceMs }) => nowMs - sinceMs >= intervalMs);
    this.#rows = this.#rows.filter(({ sinceMs }) => nowMs - sinceMs < intervalMs);
    for (const { row } of due) this.#write('osquery', resultLine(row, this.#host, nowMs));
  }

  message(datagram: SyslogDatagram): void {
    const message = messageOf(datagram, datagram.pid === undefined ? undefined : this.#executableOf(datagram.pid));
    const unified = unifiedLine(message);
    if (unified !== undefined) this.#write('unifiedLog', unified);
    const system = systemLogLine(message, this.#host);
    if (system !== undefined) this.#write('systemLog', system);
  }

  close(): void {
    this.#follower.close();
    for (const fd of Object.values(this.#files)) closeSync(fd);
  }

  /** The sender is there as a rule; when it is not, what the kernel recorded of it stands. */
  #executableOf(pid: number): string | undefined {
    try {
      return readlinkSync(`/proc/${pid}/exe`);
    } catch {
      return this.#processes.imageOf(pid);
    }
  }

  #write(name: keyof typeof macLogs, line: string): void {
    writeSync(this.#files[name], `${line}\n`);
  }
}

/** `node sensor/main.ts --config FILE`, until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const { config: file } = parseArgs({ options: { config: { type: 'string' } } }).values;
  if (file === undefined) throw new Error('usage: node main.ts --config FILE');
  const config = configSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const sensor = new MacSensor(config);
  const log = (message: string): void => void process.stderr.write(`${new Date().toISOString()} ${message}\n`);
  const socket = { host: config.host, path: config.syslogSocket };
  const receiver = new SyslogReceiver(
    [socket],
    (datagram) => {
      sensor.message(datagram);
    },
    log,
  );
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      stop.abort();
    });
  // Its socket tells the stand-in that the sensor reads the audit log.
  await receiver.open();
  while (!stop.signal.aborted) {
    sensor.tick(Date.now());
    await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await receiver.close();
  sensor.close();
}

await main();
