import path from 'node:path';
import { execveArgs, proctitleArgs, socketAddress, systemCall } from './audit-decode.ts';
import type { SocketAddress, SystemCall } from './audit-decode.ts';
import type { AuditEvent } from './audit-join.ts';
import { decodeNumber, decodeText } from './audit-record.ts';
import type { AuditRecord } from './audit-record.ts';
import { present } from './ecs-event.ts';
import type { CollectedEvent, EcsProcess } from './ecs-event.ts';
import type { LabHosts, SiemHost } from './lab-hosts.ts';
import type { ProcessImage, ProcessTable } from './process-table.ts';

/** What is kept of an event's raw text; a command line of a megabyte is not kept twice. */
const maxOriginal = 64 * 1024;
/** x86-64 and aarch64 `CLONE_THREAD` (sched.h): a thread is no process of its own. */
const cloneThread = 0x10000n;
/** errno of a connection that goes on in the background (errno.h). */
const inProgress = -115;

/** An audit event looked through: the call, who made it, and its records by type. */
type Call = {
  readonly call: SystemCall;
  readonly event: AuditEvent;
  readonly syscall: AuditRecord;
  readonly pid: number;
  readonly ppid: number | undefined;
  readonly image: ProcessImage;
  readonly title: string | undefined;
  readonly succeeded: boolean;
};

/**
 * Turns audit events into ECS events, and keeps the process table with all of them, also those of no lab host (its sshd
 * and cron, whose children must have a parent). Undefined for what is not forwarded: other hosts' events, forks, and
 * executions that failed, which started nothing.
 */
export class AuditNormaliser {
  readonly #hosts: LabHosts;
  readonly #processes: ProcessTable;

  constructor(hosts: LabHosts, processes: ProcessTable) {
    this.#hosts = hosts;
    this.#processes = processes;
  }

  normalise(event: AuditEvent): CollectedEvent | undefined {
    const call = readCall(event);
    if (call === undefined) return undefined;
    this.#learn(call);
    const { syscall } = call;
    const host = this.#hosts.hostOf(decodeNumber(syscall.fields.get('auid')), decodeNumber(syscall.fields.get('uid')));
    if (host === undefined) return undefined;
    if (isExec(call.call)) return call.succeeded ? this.#execution(call, host) : undefined;
    return call.call === 'connect' ? this.#connection(call, host) : this.#creation(call, host);
  }

  #learn({ call, pid, ppid, image, syscall, event, succeeded }: Call): void {
    if (!succeeded) return;
    if (isExec(call)) {
      const args = execveArgs(event.records);
      const cwd = cwdOf(event);
      const started = { ...image, ...(args.length > 0 && { args }), ...(cwd !== undefined && { cwd }) };
      this.#processes.executed(pid, ppid, started, event.timeMs);
    } else if (call !== 'connect' && call !== 'openat') {
      const child = decodeNumber(syscall.fields.get('exit'));
      if (child === undefined || child <= 0 || isThread(call, syscall)) return;
      this.#processes.forked(pid, image, child, event.timeMs);
    }
  }

  #execution(call: Call, host: SiemHost): CollectedEvent {
    const args = execveArgs(call.event.records);
    const cwd = cwdOf(call.event);
    return this.#event(call, host, {
      event: {
        dataset: 'auditd.execve',
        category: ['process'],
        type: ['start'],
        action: 'executed',
        outcome: 'success',
      },
      started: { ...(args.length > 0 && { args }), ...(cwd !== undefined && { cwd }) },
      rest: {},
    });
  }

  #connection(call: Call, host: SiemHost): CollectedEvent | undefined {
    const record = call.event.records.find(({ type }) => type === 'SOCKADDR');
    const address = socketAddress(record?.fields.get('saddr'));
    if (address === undefined || address.family === 'other') return undefined;
    const exit = decodeNumber(call.syscall.fields.get('exit'));
    const overNetwork = address.family !== 'unix';
    return this.#event(call, host, {
      event: {
        dataset: 'auditd.connect',
        category: [overNetwork ? 'network' : 'process'],
        type: overNetwork ? ['connection', 'start'] : ['info'],
        action: 'connected-to',
        outcome: call.succeeded ? 'success' : exit === inProgress ? 'unknown' : 'failure',
      },
      // The records of a connection tell neither arguments nor folder; those of the process's execution did.
      started: this.#startedAs(call),
      rest: present({
        destination: destination(address),
        network: overNetwork
          ? {
              type: address.family === 'inet' ? ('ipv4' as const) : ('ipv6' as const),
              direction: 'egress' as const,
              initiated: true as const,
            }
          : undefined,
        error: call.succeeded || exit === undefined ? undefined : { code: String(exit) },
      }),
    });
  }

  /** A file that an open made; of one that was there already the kernel says NORMAL. */
  #creation(call: Call, host: SiemHost): CollectedEvent | undefined {
    if (call.call !== 'openat' || !call.succeeded) return undefined;
    const record = call.event.records.find(
      ({ type, fields }) => type === 'PATH' && fields.get('nametype') === 'CREATE',
    );
    const name = decodeText(record?.fields.get('name'));
    if (name === undefined) return undefined;
    return this.#event(call, host, {
      event: {
        dataset: 'auditd.path',
        category: ['file'],
        type: ['creation'],
        action: 'opened-file',
        outcome: 'success',
      },
      started: this.#startedAs(call),
      rest: { file: { path: path.posix.resolve(cwdOf(call.event) ?? '/', name) } },
    });
  }

  #event(
    call: Call,
    host: SiemHost,
    own: {
      event: Pick<CollectedEvent['event'], 'dataset' | 'category' | 'type' | 'action' | 'outcome'>;
      started: ProcessImage;
      rest: Partial<CollectedEvent>;
    },
  ): CollectedEvent {
    const { event, syscall } = call;
    const uid = decodeNumber(syscall.fields.get('uid'));
    const auid = decodeNumber(syscall.fields.get('auid'));
    const original = event.records.map(({ line }) => line).join('\n');
    return {
      '@timestamp': new Date(event.timeMs).toISOString(),
      event: {
        id: `${host.name}-${event.serial}-${event.timeMs}`,
        kind: 'event',
        module: 'auditd',
        ...own.event,
        original: original.length > maxOriginal ? `${original.slice(0, maxOriginal)} … cut` : original,
      },
      host: { name: host.name, hostname: host.name, os: { type: 'linux' } },
      ...(uid !== undefined && {
        user: present({
          id: String(uid),
          name: this.#hosts.userName(uid),
          audit: auid === undefined || auid === unsetLoginId ? undefined : { id: String(auid) },
        }),
      }),
      process: this.#process(call, own.started),
      ...own.rest,
    };
  }

  #process(call: Call, { args, cwd }: ProcessImage): EcsProcess {
    return present({
      pid: call.pid,
      ppid: call.ppid,
      executable: call.image.executable,
      name: call.image.executable === undefined ? undefined : path.posix.basename(call.image.executable),
      args,
      args_count: args?.length,
      command_line: args?.join(' '),
      working_directory: cwd,
      title: call.title,
      parent: call.ppid === undefined ? undefined : this.#parent(call.ppid, call.event.timeMs),
    });
  }

  #startedAs({ pid, image, event }: Call): ProcessImage {
    const known = this.#processes.imageOf(pid, event.timeMs);
    return known.executable === image.executable ? known : {};
  }

  #parent(pid: number, atMs: number): NonNullable<EcsProcess['parent']> {
    const { executable, args } = this.#processes.imageOf(pid, atMs);
    return present({
      pid,
      executable,
      name: executable === undefined ? undefined : path.posix.basename(executable),
      args,
      command_line: args?.join(' '),
    });
  }
}

/** `(uid_t) -1`: the process never logged in (audit_setloginuid(3)). */
const unsetLoginId = 4_294_967_295;

function readCall(event: AuditEvent): Call | undefined {
  const syscall = event.records.find(({ type }) => type === 'SYSCALL');
  const call = syscall && systemCall(syscall);
  const pid = decodeNumber(syscall?.fields.get('pid'));
  if (syscall === undefined || call === undefined || pid === undefined) return undefined;
  const executable = decodeText(syscall.fields.get('exe'));
  const title = event.records.find(({ type }) => type === 'PROCTITLE')?.fields.get('proctitle');
  return {
    call,
    event,
    syscall,
    pid,
    ppid: decodeNumber(syscall.fields.get('ppid')),
    image: executable === undefined ? {} : { executable },
    title: title === undefined || title === '(null)' ? undefined : proctitleArgs(title).join(' '),
    succeeded: syscall.fields.get('success') === 'yes',
  };
}

function cwdOf({ records }: AuditEvent): string | undefined {
  return decodeText(records.find(({ type }) => type === 'CWD')?.fields.get('cwd'));
}

function isExec(call: SystemCall): boolean {
  return call === 'execve' || call === 'execveat';
}

/** The flags are clone's first argument (clone(2)); those of clone3 lie in memory that the record does not show. */
function isThread(call: SystemCall, syscall: AuditRecord): boolean {
  const flags = syscall.fields.get('a0') ?? '';
  return call === 'clone' && /^[0-9a-f]+$/.test(flags) && (BigInt(`0x${flags}`) & cloneThread) !== 0n;
}

function destination(address: Exclude<SocketAddress, { family: 'other' }>): CollectedEvent['destination'] {
  return address.family === 'unix'
    ? { address: address.path }
    : { address: address.ip, ip: address.ip, port: address.port };
}
