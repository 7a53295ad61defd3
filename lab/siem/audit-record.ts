/** One line of an audit log: `type=TYPE msg=audit(SECONDS.MILLIS:SERIAL): key=value …` (audit-userspace, "audit record format"). */
export type AuditRecord = {
  readonly type: string;
  /** Milliseconds since the epoch, by the host's clock. */
  readonly timeMs: number;
  /** Counts the events since boot; all records of one event share it. */
  readonly serial: number;
  /** As written: quotes and hex are still in the values. See {@link decodeText}. */
  readonly fields: ReadonlyMap<string, string>;
  readonly line: string;
};

const head = /^(?:node=\S+ )?type=(\S+) msg=audit\((\d+)\.(\d{3}):(\d+)\): ?/;
/** A quoted value ends at the next quote: the kernel hex-encodes every text that holds one (audit_log_untrustedstring). */
const pair = /([^\s=]+)=("[^"]*"|'[^']*'|\S*)/g;
/** auditd with `log_format = ENRICHED` adds what numbers mean after this character (auditd.conf(5)). */
const enrichment = '\x1d';

/** The record on a line, or undefined when the line is not one. */
export function parseAuditRecord(line: string): AuditRecord | undefined {
  const match = head.exec(line);
  if (match === null) return undefined;
  const [whole, type = '', seconds = '', millis = '', serial = ''] = match;
  const fields = new Map<string, string>();
  for (const [, key = '', value = ''] of line.slice(whole.length).replace(enrichment, ' ').matchAll(pair))
    if (!fields.has(key)) fields.set(key, value);
  return { type, timeMs: Number(seconds) * 1000 + Number(millis), serial: Number(serial), fields, line };
}

/** The bytes of a value that the kernel wrote as an untrusted text: in quotes when harmless, else as upper-case hex. */
export function decodeBytes(value: string): Buffer {
  if (value.startsWith('"')) return Buffer.from(value.slice(1, value.endsWith('"') ? -1 : undefined));
  return /^(?:[0-9A-F]{2})+$/.test(value) ? Buffer.from(value, 'hex') : Buffer.from(value);
}

/** An untrusted text of a record; undefined when it is absent or the kernel had none (`(null)` without quotes). */
export function decodeText(value: string | undefined): string | undefined {
  return value === undefined || value === '(null)' ? undefined : decodeBytes(value).toString('utf8');
}

/** A decimal number of a record; undefined when it is absent or not one. */
export function decodeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d+$/.test(value) ? Number(value) : undefined;
}
