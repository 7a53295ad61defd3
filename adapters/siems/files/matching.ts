import type { Marker } from '../../../runner/domain/execution.ts';
import type { MatchedBy, Question, Trace } from '../../../runner/domain/siem.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import { otherMarkerFields } from './marker-tokens.ts';

/** What a trace can be recognised by in an event. */
export type Recognisable = {
  readonly markers: ReadonlyMap<Marker, string>;
  readonly hosts: readonly string[];
  readonly pid: number | undefined;
  readonly executable: string | undefined;
  readonly file: string | undefined;
  readonly time: Instant;
};

export type Matched = { readonly marker: Marker; readonly matched: MatchedBy };

/** The traces of one question, to be compared with many events. */
export class Traces {
  readonly #markers: ReadonlySet<Marker>;
  readonly #byPid = new Map<number, Trace[]>();
  readonly #byFile = new Map<string, Trace[]>();

  constructor(question: Question) {
    this.#markers = new Set(question.traces.map(({ marker }) => marker));
    for (const trace of question.traces)
      for (const pid of new Set(trace.processes.map((process) => process.pid)))
        this.#byPid.set(pid, [...(this.#byPid.get(pid) ?? []), trace]);
    for (const trace of question.traces)
      for (const file of new Set(trace.files)) this.#byFile.set(file, [...(this.#byFile.get(file) ?? []), trace]);
  }

  /**
   * The traces that an event belongs to, each once. What carries a marker of the question belongs to that one's trace and to
   * no other, however well host, process and time fit.
   */
  of(event: Recognisable): readonly Matched[] {
    const byMarker = this.byMarker(event.markers);
    if (byMarker.length > 0) return byMarker;
    const byFile = this.byFile(event);
    return byFile.length > 0 ? byFile : this.byProcess(event);
  }

  /** Markers in what the event is about; only when there is none, those that are found elsewhere in it. */
  byMarker(markers: ReadonlyMap<Marker, string>): readonly Matched[] {
    const found = [...markers].filter(([marker]) => this.#markers.has(marker));
    const own = found.filter(([, field]) => !otherMarkerFields.includes(field));
    return (own.length > 0 ? own : found).map(([marker, field]) => ({
      marker,
      matched: { by: 'marker' as const, field },
    }));
  }

  /** The creation of a trace's file on its host; whichever process wrote it. */
  byFile({ hosts, file, time }: Recognisable): readonly Matched[] {
    return (file === undefined ? [] : (this.#byFile.get(file) ?? []))
      .filter(
        ({ window, hosts: names }) =>
          window.from <= time && time <= window.to && names.some((name) => hosts.includes(name.toLowerCase())),
      )
      .map(({ marker }) => ({ marker, matched: { by: 'host-file-time' as const } }));
  }

  byProcess({ hosts, pid, executable, time }: Recognisable): readonly Matched[] {
    if (pid === undefined || executable === undefined) return [];
    return (this.#byPid.get(pid) ?? [])
      .filter(
        ({ processes, window, hosts: names }) =>
          window.from <= time &&
          time <= window.to &&
          names.some((name) => hosts.includes(name.toLowerCase())) &&
          processes.some((process) => process.pid === pid && process.executable === executable),
      )
      .map(({ marker }) => ({ marker, matched: { by: 'host-process-time' as const } }));
  }
}

/** Is this time in the window? Both ends belong to it. */
export function inWindow(time: Instant, window: { readonly from: Instant; readonly to: Instant }): boolean {
  return window.from <= time && time <= window.to;
}
