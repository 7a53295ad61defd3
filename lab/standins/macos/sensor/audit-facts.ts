import path from 'node:path';
import { execveArgs, socketAddress, systemCall } from '../../../siem/audit-decode.ts';
import type { SocketAddress, SystemCall } from '../../../siem/audit-decode.ts';
import type { AuditEvent } from '../../../siem/audit-join.ts';
import { decodeNumber, decodeText } from '../../../siem/audit-record.ts';
import type { AuditRecord } from '../../../siem/audit-record.ts';
import { auditKeys } from '../host.ts';

/** Who did it: what every record of a system call tells. */
export type Actor = {
  readonly timeMs: number;
  readonly pid: number;
  readonly ppid: number;
  readonly executable: string;
  /** Login id; absent for what never logged in. */
  readonly auid?: number;
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly egid: number;
  /** Audit session. */
  readonly session: number;
  /** `/dev/pts/0`; absent without a terminal. */
  readonly tty?: string;
};

/** A file as a PATH record has it. */
type AuditedFile = { readonly inode: number; readonly mode: number; readonly uid: number; readonly gid: number };

/** What the kernel recorded of the stand-in, and is a thing of its own on a Mac too. */
export type AuditFact =
  | (Actor & {
      readonly is: 'exec';
      readonly args: readonly string[];
      readonly cwd: string;
      /** The script whose first line named the executable. */
      readonly script?: string;
      readonly file?: AuditedFile;
    })
  | (Actor & { readonly is: 'fork'; readonly child: number })
  | (Actor & {
      readonly is: 'connect';
      readonly to: Extract<SocketAddress, { port: number }>;
      readonly status: 'succeeded' | 'failed' | 'in_progress';
      readonly fd: number;
    })
  | (Actor & { readonly is: 'create'; readonly path: string; readonly file?: AuditedFile });

/** (uid_t) -1 and (unsigned) -1: no login id, no session (audit_setloginuid(3)). */
const unset = 4_294_967_295;
/** errno of a connection that goes on in the background (errno.h). */
const inProgress = -115;
/** An open folder as the first argument of openat(2) and its kin; AT_FDCWD is ffffff9c, and calls without one have an address there. */
const folderNumber = /^[0-9a-f]{1,4}$/;
const forks: readonly SystemCall[] = ['fork', 'vfork', 'clone', 'clone3'];
/** `CLONE_THREAD` (sched.h): a thread is no process of its own. */
const cloneThread = 0x10000n;

/** The facts of one audit event; none for events of other hosts and for calls that failed and changed nothing. */
export function factsOf(event: AuditEvent): readonly AuditFact[] {
  const syscall = event.records.find(({ type }) => type === 'SYSCALL');
  const key = decodeText(syscall?.fields.get('key'));
  const actor = syscall && actorOf(syscall, event.timeMs);
  if (syscall === undefined || actor === undefined || !Object.values<unknown>(auditKeys).includes(key)) return [];
  const succeeded = syscall.fields.get('success') === 'yes';
  if (key === auditKeys.file) return succeeded ? createdFiles(event, syscall, actor) : [];
  const call = systemCall(syscall);
  if (call === undefined) return [];
  if (call === 'connect') return connection(event, syscall, actor);
  if (!succeeded) return [];
  return forks.includes(call) ? fork(call, syscall, actor) : [execution(event, actor)];
}

function actorOf({ fields }: AuditRecord, timeMs: number): Actor | undefined {
  const number = (name: string): number | undefined => decodeNumber(fields.get(name));
  const [pid, ppid, uid, gid] = [number('pid'), number('ppid'), number('uid'), number('gid')];
  const executable = decodeText(fields.get('exe'));
  if (pid === undefined || ppid === undefined || uid === undefined || gid === undefined || executable === undefined)
    return undefined;
  const [auid, session, tty] = [number('auid') ?? unset, number('ses') ?? unset, decodeText(fields.get('tty'))];
  return {
    timeMs,
    pid,
    ppid,
    executable,
    uid,
    gid,
    euid: number('euid') ?? uid,
    egid: number('egid') ?? gid,
    session: session === unset ? 0 : session,
    ...(auid !== unset && { auid }),
    ...(tty !== undefined && tty !== '(none)' && { tty: `/dev/${tty.replace(/^pts(?=\d)/, 'pts/')}` }),
  };
}

function execution(event: AuditEvent, actor: Actor): AuditFact {
  const args = execveArgs(event.records);
  const [file] = pathRecords(event);
  const named = decodeText(file?.fields.get('name'));
  return {
    is: 'exec',
    ...actor,
    args,
    cwd: cwdOf(event),
    // The kernel puts the script's name, as it was given, after the interpreter's (binfmt_script.c).
    ...(named !== undefined && args.length > 1 && scriptIn(args) === named && { script: absolute(named, event) }),
    ...optional('file', file && audited(file)),
  };
}

/** An interpreter line may add one argument of its own. */
function scriptIn(args: readonly string[]): string | undefined {
  return args[1]?.startsWith('-') === true ? args[2] : args[1];
}

function fork(call: SystemCall, { fields }: AuditRecord, actor: Actor): readonly AuditFact[] {
  const child = decodeNumber(fields.get('exit'));
  const flags = fields.get('a0') ?? '';
  const isThread = call === 'clone' && /^[0-9a-f]+$/.test(flags) && (BigInt(`0x${flags}`) & cloneThread) !== 0n;
  return child === undefined || child <= 0 || isThread ? [] : [{ is: 'fork', ...actor, child }];
}

function connection(event: AuditEvent, { fields }: AuditRecord, actor: Actor): readonly AuditFact[] {
  const to = socketAddress(event.records.find(({ type }) => type === 'SOCKADDR')?.fields.get('saddr'));
  if (to === undefined || !('port' in to)) return [];
  const succeeded = fields.get('success') === 'yes';
  const status = succeeded ? 'succeeded' : decodeNumber(fields.get('exit')) === inProgress ? 'in_progress' : 'failed';
  return [{ is: 'connect', ...actor, to, status, fd: Number.parseInt(fields.get('a0') ?? '', 16) }];
}

/** What a call made: a record of nametype CREATE each (audit(7)). */
function createdFiles(event: AuditEvent, syscall: AuditRecord, actor: Actor): readonly AuditFact[] {
  return pathRecords(event)
    .filter(({ fields }) => fields.get('nametype') === 'CREATE')
    .flatMap((record) => {
      const name = decodeText(record.fields.get('name'));
      // A name below an open folder, whose number is the first argument, cannot be told from the records.
      const isBelow = folderNumber.test(syscall.fields.get('a0') ?? '') && name?.startsWith('/') === false;
      if (name === undefined || isBelow) return [];
      return [{ is: 'create', ...actor, path: absolute(name, event), ...optional('file', audited(record)) } as const];
    });
}

function pathRecords({ records }: AuditEvent): readonly AuditRecord[] {
  return records.filter(({ type }) => type === 'PATH');
}

function cwdOf({ records }: AuditEvent): string {
  return decodeText(records.find(({ type }) => type === 'CWD')?.fields.get('cwd')) ?? '/';
}

/** A Mac's sensors tell the real path: /tmp, /var and /etc are links into /private. */
function absolute(name: string, event: AuditEvent): string {
  const full = path.posix.resolve(cwdOf(event), name);
  return /^\/(?:tmp|var|etc)(?:\/|$)/.test(full) ? `/private${full}` : full;
}

function audited({ fields }: AuditRecord): AuditedFile | undefined {
  const number = (name: string): number | undefined => decodeNumber(fields.get(name));
  const [inode, uid, gid] = [number('inode'), number('ouid'), number('ogid')];
  const mode = Number.parseInt(fields.get('mode') ?? '', 8);
  return inode === undefined || uid === undefined || gid === undefined || Number.isNaN(mode)
    ? undefined
    : { inode, mode, uid, gid };
}

function optional<Name extends string, T>(name: Name, value: T | undefined): Partial<Record<Name, T>> {
  return value === undefined ? {} : ({ [name]: value } as Partial<Record<Name, T>>);
}
