import type { EvidenceRef } from '../../../runner/domain/evidence.ts';
import type { Reason } from '../../../runner/domain/fact.ts';
import type {
  AlertAnswer,
  AlertHit,
  AlertQuestion,
  Answer,
  EventHit,
  Question,
  RuleHealth,
  RuleQuestion,
  UntiedAlert,
} from '../../../runner/domain/siem.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import type { PluginDeps, SiemAdapter, SiemPlugin } from '../../../runner/ports.ts';
import { alertLine } from './alert-line.ts';
import type { AlertLine } from './alert-line.ts';
import { aboutOf, matchesOf, referredBy, timesOf } from './alert-matching.ts';
import { cutShort, problemOf, tooLate, unmapped } from './completeness.ts';
import { EventReader } from './event-line.ts';
import type { EventLine } from './event-line.ts';
import { keepExchange } from './exchange.ts';
import { readHeartbeat } from './heartbeat.ts';
import { isDocument } from './json-fields.ts';
import type { Document } from './json-fields.ts';
import { LineFiles } from './line-files.ts';
import type { LineAt, Snapshot } from './line-files.ts';
import { inWindow, Traces } from './matching.ts';
import { healthOf, ruleLine, tellingLines } from './rule-line.ts';
import type { RuleLine } from './rule-line.ts';
import { settings } from './settings.ts';
import type { FilesSettings } from './settings.ts';

/**
 * A SIEM whose store is a folder of JSON lines in ECS: the lab's, or an export. `limit`, windows and matching are applied
 * here; nothing outside the folder is asked.
 */
class FilesSiem implements SiemAdapter {
  readonly #settings: FilesSettings;
  readonly #deps: PluginDeps;
  readonly #folder: string;
  readonly #reader: EventReader;
  readonly #events: LineFiles<EventLine>;
  readonly #alerts: LineFiles<AlertLine>;
  readonly #rules: LineFiles<RuleLine>;

  constructor(given: FilesSettings, deps: PluginDeps) {
    this.#settings = given;
    this.#deps = deps;
    this.#folder = deps.resolve(given.path);
    this.#reader = new EventReader(given);
    this.#events = new LineFiles(this.#folder, 'events.ndjson', given.maxBytes, (document, at) =>
      this.#reader.line(document, at),
    );
    this.#alerts = new LineFiles(this.#folder, 'alerts.ndjson', given.maxBytes, (document, at) =>
      alertLine(document, at, this.#reader),
    );
    this.#rules = new LineFiles(this.#folder, 'rules.ndjson', given.maxBytes, ruleLine);
  }

  async ping(signal: AbortSignal): Promise<{ serverTime?: Instant }> {
    const serverTime = await readHeartbeat(this.#folder, this.#deps.clock, signal);
    if (serverTime !== undefined) return { serverTime };
    // Without a heartbeat it is an export: it is there, and tells no time.
    await (await this.#events.snapshot(signal))[Symbol.asyncDispose]();
    return {};
  }

  /** A hit per event, trace and source asked for that the event is of, sorted by event time. */
  async events(question: Question, signal: AbortSignal): Promise<Answer<EventHit>> {
    await using events = await this.#events.snapshot(signal);
    const traces = new Traces(question);
    const found = events.items.flatMap((event) => {
      const sources = question.sources.filter((asked) => event.sources.includes(asked));
      const time = question.window.basis === 'event' ? event.time : (event.ingested ?? event.time);
      if (sources.length === 0 || !inWindow(time, question.window)) return [];
      return traces.of(event).flatMap((match) => sources.map((source) => ({ event, source, ...match })));
    });
    const sorted = found.sort((a, b) => order(a.event, b.event) || (a.marker < b.marker ? -1 : 1));
    const hits: EventHit[] = [];
    for (const { event, source, marker, matched } of sorted.slice(0, question.limit)) {
      signal.throwIfAborted();
      const bytes = await events.bytes(event.at);
      event.raw ??= await this.#deps.keep(bytes, 'application/json');
      hits.push({
        marker,
        matched,
        source,
        id: event.id,
        time: event.time,
        ...(event.ingested !== undefined && { ingested: event.ingested }),
        ...(event.pid !== undefined && { pid: event.pid }),
        fields: this.#reader.context(documentIn(bytes)),
        raw: event.raw,
      });
    }
    const because =
      problemOf(events) ??
      unmapped(question, this.#settings) ??
      tooLate(events, question) ??
      cutShort(found.length, question.limit);
    return await this.#answer('events', question, [events], hits, because);
  }

  /**
   * A hit per alert and trace, sorted by the time at which it was raised: by the marker in the alert or in an event that it
   * refers to, else by host, process and time. The window is about the events' times when its basis is `event`.
   */
  async alerts(question: AlertQuestion, signal: AbortSignal): Promise<AlertAnswer> {
    await using alerts = await this.#alerts.snapshot(signal);
    await using events = await this.#events.snapshot(signal);
    const traces = new Traces(question);
    const wanted = new Set(alerts.items.flatMap((alert) => alert.events));
    const byId = Map.groupBy(
      events.items.filter(({ id }) => wanted.has(id)),
      ({ id }) => id,
    );
    const asked = alerts.items.flatMap((alert) => {
      const referred = referredBy(alert, byId);
      const times = question.window.basis === 'event' ? timesOf(alert, referred) : [alert.time];
      if (!times.some((time) => inWindow(time, question.window))) return [];
      return [{ alert, referred, matches: matchesOf(alert, referred.events, traces) }];
    });
    const found = asked
      .flatMap(({ alert, referred, matches }) => matches.map((match) => ({ alert, referred, ...match })))
      .sort((a, b) => order(a.alert, b.alert) || (a.marker < b.marker ? -1 : 1));
    const loose = asked
      .filter(({ alert, matches }) => matches.length === 0 && question.watched.includes(alert.rule.id))
      .sort((a, b) => order(a.alert, b.alert));
    const keep = async (alert: AlertLine): Promise<EvidenceRef> => {
      signal.throwIfAborted();
      return (alert.raw ??= await this.#deps.keep(await alerts.bytes(alert.at), 'application/json'));
    };
    const hits: AlertHit[] = [];
    for (const { alert, referred, marker, matched } of found.slice(0, question.limit)) {
      // An alert that names no host is about that of the event by which it bears the marker, which another machine may have logged.
      const host = alert.host ?? referred.events.find(({ markers }) => markers.has(marker))?.hosts[0];
      hits.push({
        marker,
        matched,
        rule: alert.rule,
        id: alert.id,
        time: alert.time,
        ...(host !== undefined && { host }),
        techniques: alert.techniques,
        ...(alert.severity !== undefined && { severity: alert.severity }),
        events: alert.events,
        raw: await keep(alert),
      });
    }
    const untied: UntiedAlert[] = [];
    for (const { alert, referred } of loose.slice(0, question.limit - hits.length)) {
      const { rule, id, time, techniques } = alert;
      untied.push({ rule, id, time, techniques, ...aboutOf(alert, referred), raw: await keep(alert) });
    }
    // An alert that bears the marker itself needs no event to be tied by.
    const lacksEvents = asked.some(
      ({ alert, referred }) => !referred.isWhole && traces.byMarker(alert.markers).length === 0,
    );
    const because =
      problemOf(alerts) ??
      problemOf(events) ??
      tooLate(alerts, question) ??
      (lacksEvents ? tooLate(events, question) : undefined) ??
      cutShort(found.length + loose.length, question.limit);
    return { ...(await this.#answer('alerts', question, [alerts, events], hits, because)), untied };
  }

  /** `raw` holds the first and the last line of each stretch in which the SIEM said the same. */
  async rules(question: RuleQuestion, signal: AbortSignal): Promise<Answer<RuleHealth>> {
    await using rules = await this.#rules.snapshot(signal);
    const asked = new Set(question.rules);
    const byRule = Map.groupBy(
      rules.items.filter(({ rule }) => asked.has(rule)),
      ({ rule }) => rule,
    );
    const hits: RuleHealth[] = [];
    for (const [rule, lines] of [...byRule].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const raw = await this.#keepLines(tellingLines(lines, question.window), rules);
      const name = lines.at(-1)?.name ?? rule;
      hits.push({ rule, name, ...healthOf(lines, question.window), raw });
    }
    return await this.#answer('rules', question, [rules], hits, problemOf(rules));
  }

  async #keepLines(lines: readonly RuleLine[], from: Snapshot<RuleLine>): Promise<EvidenceRef> {
    const texts: Buffer[] = [];
    for (const { at } of lines) texts.push(await from.bytes(at), Buffer.from('\n'));
    return this.#deps.keep(Buffer.concat(texts), 'application/x-ndjson');
  }

  async #answer<H>(
    operation: 'events' | 'alerts' | 'rules',
    question: Question | RuleQuestion,
    snapshots: readonly Snapshot<{ readonly at: LineAt }>[],
    hits: readonly H[],
    because: Reason | undefined,
  ): Promise<Answer<H>> {
    const complete = because === undefined ? ({ yes: true } as const) : ({ yes: false, because } as const);
    const read = snapshots.flatMap((snapshot) => snapshot.read);
    const exchange = { operation, folder: this.#settings.path, question, read, hits: hits.length, complete };
    return { hits, complete, exchanges: [await keepExchange(exchange, this.#deps)] };
  }
}

function order(
  a: { readonly time: Instant; readonly id: string },
  b: { readonly time: Instant; readonly id: string },
): number {
  return a.time.localeCompare(b.time) || a.id.localeCompare(b.id);
}

function documentIn(bytes: Buffer): Document {
  const value: unknown = JSON.parse(bytes.toString('utf8'));
  return isDocument(value) ? value : {};
}

const plugin: SiemPlugin<FilesSettings> = {
  kind: 'files',
  summary: 'A folder of JSON lines in ECS: the lab’s own SIEM, or an export of another.',
  settings,
  open: (given, deps) => new FilesSiem(given, deps),
};

export default plugin;
