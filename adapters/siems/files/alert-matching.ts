import type { MatchedBy } from '../../../runner/domain/siem.ts';
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

function inEvent(matched: MatchedBy): MatchedBy {
  return matched.by === 'marker' ? { by: 'marker', field: `event referred to: ${matched.field}` } : matched;
}

function unique(matches: readonly Matched[]): readonly Matched[] {
  return [...new Map(matches.map((match) => [match.marker, match])).values()];
}
