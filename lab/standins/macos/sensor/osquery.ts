import type { AuditFact } from './audit-facts.ts';

/** How long a row waits for the scheduled query that delivers it: the shortest interval that osqueryd has. */
export const intervalMs = 1000;

/** AF_INET and AF_INET6 as a Mac numbers them (sys/socket.h). */
const families = { inet: 2, inet6: 30 } as const;

/** A row of one of osquery's event tables. */
export type OsqueryRow = { readonly table: string; readonly columns: Readonly<Record<string, string>> };

/**
 * The row of an event table (osquery's specs/posix) for a fact; undefined for what osquery has no event of. Columns that no
 * audit record tells are empty, as osquery leaves them.
 */
export function rowOf(fact: AuditFact, uptimeSeconds: number): OsqueryRow | undefined {
  const seconds = Math.floor(fact.timeMs / 1000);
  const common = {
    auid: String(fact.auid ?? 4_294_967_295),
    pid: String(fact.pid),
    time: String(seconds),
    uptime: String(uptimeSeconds),
  };
  switch (fact.is) {
    case 'exec':
      return {
        table: 'process_events',
        columns: {
          ...common,
          path: fact.executable,
          mode: fact.file === undefined ? '' : octal(fact.file.mode),
          cmdline: fact.args.join(' '),
          cwd: fact.cwd,
          uid: String(fact.uid),
          euid: String(fact.euid),
          gid: String(fact.gid),
          egid: String(fact.egid),
          owner_uid: fact.file === undefined ? '' : String(fact.file.uid),
          owner_gid: fact.file === undefined ? '' : String(fact.file.gid),
          parent: String(fact.ppid),
          status: '0',
        },
      };
    case 'connect':
      return {
        table: 'socket_events',
        columns: {
          ...common,
          action: 'connect',
          path: fact.executable,
          fd: Number.isNaN(fact.fd) ? '' : String(fact.fd),
          status: fact.status,
          family: String(families[fact.to.family]),
          local_address: '',
          local_port: '0',
          remote_address: fact.to.ip,
          remote_port: String(fact.to.port),
        },
      };
    case 'create':
      // The site watches for scripts only: a category of its file_paths.
      if (!fact.path.endsWith('.py')) return undefined;
      return {
        table: 'file_events',
        columns: {
          target_path: fact.path,
          category: 'python_scripts',
          action: 'CREATED',
          transaction_id: '0',
          inode: fact.file === undefined ? '' : String(fact.file.inode),
          uid: fact.file === undefined ? '' : String(fact.file.uid),
          gid: fact.file === undefined ? '' : String(fact.file.gid),
          mode: fact.file === undefined ? '' : octal(fact.file.mode),
          hashed: '0',
          time: String(seconds),
        },
      };
    case 'fork':
      return undefined;
  }
}

/** A line of osqueryd.results.log in event format, as the scheduled query of that table delivers it. */
export function resultLine(row: OsqueryRow, host: string, nowMs: number): string {
  return JSON.stringify({
    name: `pack_python_${row.table}`,
    hostIdentifier: host,
    calendarTime: calendarTime(nowMs),
    unixTime: Math.floor(nowMs / 1000),
    epoch: 0,
    counter: 0,
    numerics: false,
    columns: row.columns,
    action: 'added',
  });
}

/** `Tue Nov 24 08:00:00 2026 UTC` */
function calendarTime(ms: number): string {
  const [, weekday, day, month, year, time] =
    /^(\w+), (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(ms).toUTCString()) ?? [];
  return `${weekday} ${month} ${day?.replace(/^0/, ' ')} ${time} ${year} UTC`;
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}
