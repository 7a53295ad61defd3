import { decodeBytes, decodeNumber } from './audit-record.ts';
import type { AuditRecord } from './audit-record.ts';

/**
 * The argument list of an EXECVE event. A long list goes over several records, and an argument longer than 7500 bytes over
 * several pieces `a1[0]= a1[1]=`; the bytes are joined before they are read as text (kernel/auditsc.c, audit_log_execve_info).
 */
export function execveArgs(records: readonly AuditRecord[]): readonly string[] {
  const pieces = new Map<number, Buffer[]>();
  for (const { type, fields } of records) {
    if (type !== 'EXECVE') continue;
    for (const [key, value] of fields) {
      const index = /^a(\d+)(?:\[\d+\])?$/.exec(key)?.[1];
      if (index === undefined) continue;
      const list = pieces.get(Number(index)) ?? [];
      list.push(decodeBytes(value));
      pieces.set(Number(index), list);
    }
  }
  return [...pieces].sort(([a], [b]) => a - b).map(([, parts]) => Buffer.concat(parts).toString('utf8'));
}

/**
 * The arguments in a PROCTITLE value: at most its first 128 bytes, divided by NUL. The kernel reads them once per process
 * and keeps them (kernel/auditsc.c, audit_log_proctitle), so after a second exec they are still those of the first program.
 */
export function proctitleArgs(value: string): readonly string[] {
  return decodeBytes(value).toString('utf8').replace(/\0+$/, '').split('\0');
}

/** What a SOCKADDR record's `saddr` says; `other` for families that are not decoded here. */
export type SocketAddress =
  | { readonly family: 'inet' | 'inet6'; readonly ip: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string }
  | { readonly family: 'other'; readonly number: number };

/** Decodes `saddr`, a struct sockaddr in hex (ip(7), ipv6(7), unix(7)); undefined when it is too short to be one. */
export function socketAddress(saddr: string | undefined): SocketAddress | undefined {
  if (saddr === undefined || !/^(?:[0-9A-F]{2})+$/.test(saddr)) return undefined;
  const bytes = Buffer.from(saddr, 'hex');
  if (bytes.length < 2) return undefined;
  // The family is in the host's byte order; every platform that the lab runs on is little-endian.
  const family = bytes.readUInt16LE(0);
  if (family === 2 && bytes.length >= 8)
    return { family: 'inet', ip: bytes.subarray(4, 8).join('.'), port: bytes.readUInt16BE(2) };
  if (family === 10 && bytes.length >= 24)
    return { family: 'inet6', ip: inet6(bytes.subarray(8, 24)), port: bytes.readUInt16BE(2) };
  if (family === 1) return { family: 'unix', path: unixPath(bytes.subarray(2)) };
  return { family: 'other', number: family };
}

/** System calls that are looked at, by the audit architecture (linux/audit.h) and the number it has there. */
const systemCalls: Readonly<Record<string, Readonly<Record<number, SystemCall>>>> = {
  c000003e: {
    42: 'connect',
    257: 'openat',
    56: 'clone',
    57: 'fork',
    58: 'vfork',
    59: 'execve',
    322: 'execveat',
    435: 'clone3',
  },
  '40000003': {
    295: 'openat',
    2: 'fork',
    11: 'execve',
    120: 'clone',
    190: 'vfork',
    358: 'execveat',
    362: 'connect',
    435: 'clone3',
  },
  c00000b7: { 56: 'openat', 203: 'connect', 220: 'clone', 221: 'execve', 281: 'execveat', 435: 'clone3' },
};

export type SystemCall = 'connect' | 'openat' | 'clone' | 'clone3' | 'fork' | 'vfork' | 'execve' | 'execveat';

/** The system call of a SYSCALL record; undefined for one that is not looked at. */
export function systemCall(record: AuditRecord): SystemCall | undefined {
  const number = decodeNumber(record.fields.get('syscall'));
  return number === undefined ? undefined : systemCalls[record.fields.get('arch') ?? '']?.[number];
}

/** The shortest form, as RFC 5952 writes it. */
function inet6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  if (bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0 && bytes.readUInt32BE(8) === 0xffff)
    return `::ffff:${bytes.subarray(12).join('.')}`;
  const runs = [...groups.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run);
  const longest = runs.reduce((best, run) => (zeros(run) > zeros(best) ? run : best), '');
  if (longest === '') return groups.join(':');
  const text = groups.join(':');
  const at = text.indexOf(longest);
  return `${text.slice(0, at)}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}

function zeros(run: string): number {
  return run.split(':').filter((group) => group === '0').length;
}

/** A name that begins with NUL is in the abstract namespace and is written with `@`, as ss(8) does. */
function unixPath(bytes: Buffer): string {
  if (bytes[0] === 0) return `@${bytes.subarray(1).toString('utf8').replace(/\0+$/, '')}`;
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? undefined : end).toString('utf8');
}
