import type { AuditFact } from './audit-facts.ts';
import type { Identity, MacProcess, MacProcesses } from './mac-processes.ts';

/** Numbers of ES_EVENT_TYPE_NOTIFY_EXEC and _FORK as eslogger(1) writes them. */
const eventTypes = { exec: 9, fork: 11 } as const;

/** (uid_t) -1: an id that is not set (bsm/audit.h, AU_DEFAUDITID). */
const nobody = 4_294_967_295;

/**
 * Lines as `eslogger exec fork` of macOS 15 writes them. Left out is what no audit record tells: signatures and hashes of the
 * code, environment, open files, process groups. Times have milliseconds, because the kernel's records have no more.
 */
export class EndpointSecurityLog {
  readonly #processes: MacProcesses;
  readonly #counts = new Map<string, number>();
  #all = -1;

  constructor(processes: MacProcesses) {
    this.#processes = processes;
  }

  /** Undefined for facts that are no event of these two types. */
  line(fact: AuditFact): string | undefined {
    if (fact.is === 'exec') {
      const { before, after } = this.#processes.executed(fact);
      const target = {
        ...processOf(after),
        ...(fact.file && { executable: executableOf(after.executable, fact.file) }),
      };
      return this.#message('exec', fact.timeMs, before, {
        target,
        args: fact.args,
        cwd: { path: fact.cwd, path_truncated: false },
        script: fact.script === undefined ? null : { path: fact.script, path_truncated: false },
      });
    }
    if (fact.is !== 'fork') return undefined;
    const { parent, child } = this.#processes.forked(fact);
    return this.#message('fork', fact.timeMs, parent, { child: processOf(child) });
  }

  #message(type: keyof typeof eventTypes, timeMs: number, actor: MacProcess, event: object): string {
    const count = this.#counts.get(type) ?? 0;
    this.#counts.set(type, count + 1);
    this.#all += 1;
    return JSON.stringify({
      schema_version: 1,
      version: 9,
      event_type: eventTypes[type],
      action_type: 1,
      action: { result: { result_type: 0, result: { auth: 0 } } },
      time: timeOf(timeMs),
      seq_num: count,
      global_seq_num: this.#all,
      process: processOf(actor),
      event: { [type]: event },
    });
  }
}

function processOf(process: MacProcess): Record<string, unknown> {
  return {
    audit_token: tokenOf(process),
    ppid: process.ppid,
    original_ppid: process.ppid,
    parent_audit_token: process.parent === undefined ? unknownToken(process.ppid) : tokenOf(process.parent),
    executable: executableOf(process.executable),
    start_time: timeOf(process.startMs),
    tty: process.tty === undefined ? null : { path: process.tty, path_truncated: false },
    team_id: null,
    is_platform_binary: false,
    is_es_client: false,
  };
}

/** The fields of macOS 15; macOS 26 writes an array of the same eight numbers. */
function tokenOf({ auid, uid, euid, gid, egid, session, pid, pidVersion }: Identity): object {
  return { auid: auid ?? nobody, euid, egid, ruid: uid, rgid: gid, pid, asid: session, pidversion: pidVersion };
}

/** Of a parent that no record told of, only its pid is known. */
function unknownToken(pid: number): object {
  return tokenOf({ uid: nobody, euid: nobody, gid: nobody, egid: nobody, session: 0, pid, pidVersion: 0 });
}

function executableOf(path: string, file?: { readonly mode: number; readonly inode: number }): object {
  return { path, path_truncated: false, ...(file && { stat: { st_mode: file.mode, st_ino: file.inode } }) };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000000Z');
}
