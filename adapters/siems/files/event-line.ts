import type { LogSourceRef } from '../../../runner/domain/attack.ts';
import type { EvidenceRef } from '../../../runner/domain/evidence.ts';
import type { Marker } from '../../../runner/domain/execution.ts';
import type { ContextField } from '../../../runner/domain/scenario.ts';
import { instant, parseInstant } from '../../../runner/domain/time.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import { listOf, valueOf, valuesOf } from './json-fields.ts';
import type { Document } from './json-fields.ts';
import type { LineAt } from './line-files.ts';
import { markerTokens, otherMarkerFields, ownMarkerFields } from './marker-tokens.ts';
import { scriptPath } from './script-path.ts';
import type { FilesSettings } from './settings.ts';

/** What is kept of an event's line, so that it can be found by marker, by process and by id; the rest stays in the file. */
export type EventLine = {
  readonly at: LineAt;
  readonly id: string;
  readonly time: Instant;
  readonly ingested: Instant | undefined;
  /** Lower case. */
  readonly hosts: readonly string[];
  readonly pid: number | undefined;
  readonly executable: string | undefined;
  /** Of an event about a file. */
  readonly file: string | undefined;
  readonly sources: readonly LogSourceRef[];
  readonly markers: ReadonlyMap<Marker, string>;
  /** Set when the line has been kept as evidence. */
  raw?: EvidenceRef;
};

/** Where each context field is found in ECS; `script` and a `destination` of address and port are made from others. */
const contextInEcs: Readonly<Record<ContextField, readonly string[]>> = {
  process: ['process.executable', 'process.name'],
  'command-line': ['process.command_line'],
  parent: ['process.parent.executable', 'process.parent.name'],
  user: ['user.name'],
  host: ['host.name', 'host.hostname'],
  script: [],
  cwd: ['process.working_directory'],
  destination: [],
};

/** Reads an event's line with the settings of the inventory. */
export class EventReader {
  readonly #settings: FilesSettings;
  readonly #markerFields: readonly string[];

  constructor(settings: FilesSettings) {
    this.#settings = settings;
    this.#markerFields = [
      ...new Set([...ownMarkerFields, ...(settings.fields?.['command-line'] ?? []), ...otherMarkerFields]),
    ];
  }

  line(document: Document, at: LineAt): EventLine | { readonly problem: string } {
    const time = timeOf(document, '@timestamp');
    const id = valueOf(document, 'event.id') ?? valueOf(document, '_id');
    if (time === undefined) return { problem: 'an event without a @timestamp that is a time with its zone' };
    if (id === undefined) return { problem: 'an event without event.id' };
    return {
      at,
      id,
      time,
      ingested: timeOf(document, 'event.ingested'),
      hosts: this.hosts(document),
      pid: pidOf(document),
      executable: valueOf(document, 'process.executable'),
      file: valueOf(document, 'file.path'),
      sources: this.#sources(document),
      markers: this.markers(document),
    };
  }

  markers(document: Document): ReadonlyMap<Marker, string> {
    return markerTokens(document, this.#markerFields);
  }

  /** In lower case: names of hosts are compared without case. */
  hosts(document: Document): readonly string[] {
    return this.#namesOf('host').flatMap((field) => valuesOf(document, field).map((name) => name.toLowerCase()));
  }

  /** The context fields that are filled in. */
  context(document: Document): Partial<Record<ContextField, string>> {
    const context: Partial<Record<ContextField, string>> = {};
    for (const field of Object.keys(contextInEcs) as ContextField[]) {
      const found = this.#namesOf(field)
        .map((name) => valueOf(document, name))
        .find((value) => value !== undefined);
      const value = found ?? derived(field, document);
      if (value !== undefined && value !== '') context[field] = value;
    }
    return context;
  }

  #namesOf(field: ContextField): readonly string[] {
    return this.#settings.fields?.[field] ?? contextInEcs[field];
  }

  #sources(document: Document): readonly LogSourceRef[] {
    return Object.entries(this.#settings.sources)
      .filter(([, fields]) =>
        Object.entries(fields).every(([field, value]) => valuesOf(document, field).includes(value)),
      )
      .map(([source]) => source);
  }
}

export function pidOf(document: Document): number | undefined {
  const pid = Number(valueOf(document, 'process.pid') ?? Number.NaN);
  return Number.isSafeInteger(pid) ? pid : undefined;
}

/** A time of the store: ISO 8601 with its zone, or milliseconds since the epoch, as OpenSearch exports them. */
export function timeOf(document: Document, field: string): Instant | undefined {
  const text = valueOf(document, field);
  if (text === undefined) return undefined;
  return /^\d{12,14}$/.test(text) ? instant(Number(text)) : parseInstant(text);
}

/** A field that the product has in other words: the command line as a list, the script in it, the destination in two parts. */
function derived(field: ContextField, document: Document): string | undefined {
  const args = listOf(document, 'process.args');
  if (field === 'command-line') return args.length > 0 ? args.join(' ') : undefined;
  // A command line that is only told as one text is divided at its spaces.
  if (field === 'script')
    return scriptPath(args.length > 0 ? args : (valueOf(document, 'process.command_line') ?? '').split(' '));
  if (field !== 'destination') return undefined;
  const ip = valueOf(document, 'destination.ip');
  const port = valueOf(document, 'destination.port');
  if (ip === undefined) return valueOf(document, 'destination.address');
  if (port === undefined) return ip;
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
