import type { MatchedBy } from '../../../runner/domain/siem.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import type { AlertLine } from './alert-line.ts';
import type { EventLine } from './event-line.ts';
import type { Matched, Traces } from './matching.ts';

/** How an alert is tied to traces: the alert's own marker first, then that of an event it refers to, then the process. */
export function matchesOf(alert: AlertLine, referred: readonly EventLine[], traces: Traces): readonly Matched[] {
  const own = traces.byMarker(alert.markers);
  if (own.length > 0) return own;
  const byEvent = referred.flatMap((event) =>
    traces.byMarker(event.markers).map(({ marker, matched }) => ({ marker, matched: inEvent(matched) })),
  );
  if (byEvent.length > 0) return unique(byEvent);
  const { hosts, pid, executable, eventTime } = alert;
  const itself = { markers: alert.markers, hosts, pid, executable, file: undefined, time: eventTime ?? alert.time };
  return unique([itself, ...referred].flatMap((event) => traces.byProcess(event)));
}

/** What an alert refers to, as far as it is in the store. */
export type Referred = { readonly events: readonly EventLine[]; readonly isWhole: boolean };

/** All records of the events that an alert refers to: several may bear one id. */
export function referredBy({ events }: AlertLine, byId: ReadonlyMap<string, readonly EventLine[]>): Referred {
  const records = events.map((id) => byId.get(id) ?? []);
  return { events: records.flat(), isWhole: records.every(({ length }) => length > 0) };
}

/** Times by which an alert is in a window of event time; its own where that of an event is not known. */
export function timesOf({ eventTime, time }: AlertLine, { events, isWhole }: Referred): readonly Instant[] {
  const known = eventTime === undefined ? events.map((event) => event.time) : [eventTime];
  return known.length === 0 || !isWhole ? [...known, time] : known;
}

/** The hosts and times that an alert is known to be about; empty when there may be others. */
export function aboutOf(
  alert: AlertLine,
  { events, isWhole }: Referred,
): { readonly hosts: readonly string[]; readonly eventTimes: readonly Instant[] } {
  const areKnown = isWhole && events.length > 0;
  const hostsOfEvents =
    areKnown && events.every(({ hosts }) => hosts.length > 0) ? events.flatMap(({ hosts }) => hosts) : [];
  // The copy of one event in the alert is as good as the event.
  const isCopy = alert.events.length <= 1 && alert.pid !== undefined && alert.eventTime !== undefined;
  return {
    hosts: [...new Set(alert.hosts.length > 0 ? alert.hosts : hostsOfEvents)],
    eventTimes: areKnown ? events.map(({ time }) => time) : isCopy ? [alert.eventTime] : [],
  };
}

function inEvent(matched: MatchedBy): MatchedBy {
  return matched.by === 'marker' ? { by: 'marker', field: `event referred to: ${matched.field}` } : matched;
}

function unique(matches: readonly Matched[]): readonly Matched[] {
  return [...new Map(matches.map((match) => [match.marker, match])).values()];
}
