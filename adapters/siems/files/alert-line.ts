import type { EvidenceRef } from '../../../runner/domain/evidence.ts';
import type { Marker } from '../../../runner/domain/execution.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import { pidOf, timeOf } from './event-line.ts';
import type { EventReader } from './event-line.ts';
import { valueOf, valuesOf } from './json-fields.ts';
import type { Document } from './json-fields.ts';
import type { LineAt } from './line-files.ts';

/** What is kept of an alert's line. */
export type AlertLine = {
  readonly at: LineAt;
  readonly id: string;
  readonly time: Instant;
  readonly rule: { readonly id: string; readonly name: string };
  readonly host: string | undefined;
  readonly hosts: readonly string[];
  readonly techniques: readonly string[];
  readonly severity: string | undefined;
  readonly events: readonly string[];
  /** Of the process that the alert names itself. */
  readonly pid: number | undefined;
  readonly executable: string | undefined;
  /** The time of the event that it was raised for, as the alert has it. */
  readonly eventTime: Instant | undefined;
  readonly markers: ReadonlyMap<Marker, string>;
  raw?: EvidenceRef;
};

/** Reads an alert's line: `id`, `@timestamp`, `rule.id`, `rule.name`, `severity`, `threat.technique.id`, `events` (ids), `event.created`. */
export function alertLine(
  document: Document,
  at: LineAt,
  reader: EventReader,
): AlertLine | { readonly problem: string } {
  const id = valueOf(document, 'id') ?? valueOf(document, '_id');
  const time = timeOf(document, '@timestamp');
  const rule = valueOf(document, 'rule.id');
  if (id === undefined) return { problem: 'an alert without id' };
  if (time === undefined) return { problem: 'an alert without a @timestamp that is a time with its zone' };
  if (rule === undefined) return { problem: 'an alert without rule.id' };
  return {
    at,
    id,
    time,
    rule: { id: rule, name: valueOf(document, 'rule.name') ?? rule },
    host: valueOf(document, 'host.name'),
    hosts: reader.hosts(document),
    techniques: valuesOf(document, 'threat.technique.id'),
    severity: valueOf(document, 'severity'),
    events: valuesOf(document, 'events'),
    pid: pidOf(document),
    executable: valueOf(document, 'process.executable'),
    eventTime: timeOf(document, 'event.created'),
    markers: reader.markers(document),
  };
}
