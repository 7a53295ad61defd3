import { markerPattern, type ReceiptLine } from './execution.ts';
import { parseInstant } from './time.ts';

/**
 * Reads the lines of a receipt file. Host output is hostile: a line that is not whole and well-formed is not there, and a
 * line of another marker is not ours.
 */
export function parseReceipt(text: string, marker: string): { started?: ReceiptLine; finished?: ReceiptLine } {
  const lines = text
    .split('\n')
    .map((line) => parseLine(line))
    .filter((line) => line?.marker === marker);
  const started = lines.find((line) => line?.receipt === 'started');
  const finished = lines.find((line) => line?.receipt === 'finished');
  return {
    ...(started === undefined ? {} : { started }),
    // Finished without started is no receipt: the file was tampered with or belongs to something else.
    ...(finished === undefined || started === undefined ? {} : { finished }),
  };
}

function parseLine(line: string): ReceiptLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const of = value as Readonly<Record<string, unknown>>;
  const text = (key: string): string | undefined => (typeof of[key] === 'string' ? of[key] : undefined);
  const list = (key: string): readonly string[] | undefined =>
    Array.isArray(of[key]) && of[key].every((entry) => typeof entry === 'string') ? of[key] : undefined;
  const kind = text('receipt');
  const marker = text('marker') ?? '';
  const time = parseInstant(text('time') ?? '');
  const argv = list('argv');
  const { pid, ppid } = of;
  const executable = text('executable');
  const user = text('user');
  const host = text('host');
  if (
    (kind !== 'started' && kind !== 'finished') ||
    !markerPattern.test(marker) ||
    time === undefined ||
    argv === undefined ||
    !Number.isSafeInteger(pid) ||
    !Number.isSafeInteger(ppid) ||
    executable === undefined ||
    user === undefined ||
    host === undefined
  )
    return undefined;
  const destinations = list('destinations');
  return {
    receipt: kind,
    marker,
    pid: pid as number,
    ppid: ppid as number,
    argv,
    ...(of['partialArgv'] === true ? { partialArgv: true } : {}),
    executable,
    cwd: text('cwd') ?? '',
    user,
    host,
    time,
    version: text('version') ?? '',
    ...optional('parentExecutable', text('parentExecutable')),
    ...optional('parentName', text('parentName')),
    ...optional('script', text('script')),
    ...optional('sha256', text('sha256')),
    ...optional('did', text('did')),
    ...(destinations === undefined ? {} : { destinations }),
  };
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}
