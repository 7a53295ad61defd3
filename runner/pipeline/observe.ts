import type { EvidenceRef } from '../domain/evidence.ts';
import type { Reason } from '../domain/fact.ts';
import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { SiemExpectation } from '../domain/plan.ts';
import type { OnProgress } from '../domain/progress.ts';
import type { Observation, Observed } from '../domain/record.ts';
import type { AlertHit, Answer, EventHit, Question, RuleHealth, Trace, UntiedAlert } from '../domain/siem.ts';
import { type ClockOffset, duration, earlier, elapsed, epochMs, type Instant, later, shift } from '../domain/time.ts';
import { type Clock, type Journal, type SiemAdapter, SiemFailure } from '../ports.ts';
import { eventSlackMs, type Executed } from './scope.ts';

export type ObserveRequest = {
  readonly siem: string;
  readonly adapter: SiemAdapter;
  readonly executed: readonly Executed[];
  /** Per target: the names under which this SIEM knows it. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: OnProgress;
};

/** Events are looked for this much to either side: a host's clock may be off by it without anything being lost. */
const skewMs = 600_000;
const mostHits = 50_000;
const firstPollMs = 1_000;
const slowestPollMs = 15_000;

/**
 * Asks one SIEM about all executions until the last `observeFor` is over, all open traces in one query, and once more after
 * that: only the last answer can prove that something is not there. Rule health goes before the alerts that it vouches for:
 * what a rule raised in the runs that it tells of is in them. Never throws for what the SIEM does. Throws the signal's reason
 * when it fires.
 */
export async function observe(request: ObserveRequest): Promise<Observation> {
  const { siem, adapter, executed, journal, clock, signal, progress } = request;
  const watched = executed.flatMap(({ plan, execution }) => {
    const expect = plan.expect.find((one) => one.siem === siem);
    const hosts = nonEmpty(request.hosts[plan.target] ?? []);
    return expect === undefined || hosts === undefined || execution.outcome.kind === 'not-run'
      ? []
      : [{ expect, execution, trace: traceOf(execution, hosts, expect) }];
  });
  const traces = nonEmpty(watched.map(({ trace }) => trace));
  const startedAt = clock.now();
  const journalPoll = new Polls(siem, journal);
  if (traces === undefined) return neverAsked(siem, startedAt, 'nothing was run, so nothing was asked');
  const until = watched.reduce<Instant>(
    (last, { expect, execution }) => later(last, shift(execution.endedAt, expect.observeFor)),
    startedAt,
  );
  const from = watched.reduce<Instant>((first, { execution }) => earlier(first, execution.startedAt), startedAt);
  const sources = [
    ...new Set(watched.flatMap(({ expect }) => [...expect.sources, ...(expect.file?.sources ?? [])])),
  ].sort();
  const rules = [...new Set(watched.flatMap(({ expect }) => expect.rules))].sort();
  const offset = await clockOf(adapter, clock, signal, journalPoll);
  // An alert that tells nothing of an event's time is looked for by that of the SIEM's own clock.
  const offsets = [offset, ...watched.map(({ execution }) => execution.clock)];
  const skew = skewMs + Math.max(...offsets.map((one) => Math.abs(one?.offsetMs ?? 0)));
  const question = (): Question => ({
    traces,
    sources,
    window: { from: shift(from, -skew), to: shift(clock.now(), skew), basis: 'event' },
    limit: mostHits,
  });
  progress({ kind: 'observing', siem, seconds: Math.max(0, elapsed(startedAt, until) / 1000), traces: traces.length });

  // Several lines may bear one id, as the records of one audit event do, and one line may be of several sources.
  const events = new Gathered<EventHit>(({ marker, id, source, matched: { by }, raw: { sha256 } }) =>
    [marker, source, by, sha256, id].join(' '),
  );
  const alerts = new Gathered<AlertHit>(({ marker, id }) => `${marker} ${id}`);
  const health = new Gathered<RuleHealth>(({ rule }) => rule);
  const untied = new Map<string, UntiedAlert>();
  let polls = 0;
  let askedAt: Instant;
  let wait = firstPollMs;
  do {
    const left = elapsed(clock.now(), until);
    if (left > 0) await clock.sleep(duration(Math.min(wait, left)), signal);
    signal.throwIfAborted();
    wait = Math.min(wait * 1.5, slowestPollMs);
    askedAt = clock.now();
    polls += 1;
    if (askedAt >= until) {
      const ours = offset?.offsetMs ?? 0;
      const window = { from: shift(from, ours), to: shift(askedAt, ours) };
      health.take(await journalPoll.ask('rules', () => adapter.rules({ rules, window }, signal)));
    }
    events.take(await journalPoll.ask('events', () => adapter.events(question(), signal)));
    const answer = await journalPoll.ask('alerts', () => adapter.alerts({ ...question(), watched: rules }, signal));
    alerts.take(answer);
    for (const alert of 'untied' in answer ? answer.untied : []) untied.set(alert.id, alert);
    const trouble = events.trouble ?? alerts.trouble;
    progress({
      kind: 'poll',
      siem,
      events: events.size,
      alerts: alerts.size,
      secondsLeft: Math.max(0, elapsed(clock.now(), until) / 1000),
      ...(trouble === undefined ? {} : { trouble }),
    });
  } while (askedAt < until);

  const observation: Observation = {
    siem,
    from: startedAt,
    until: askedAt,
    asked: traces.map(({ marker }) => marker),
    ...(offset === undefined ? {} : { clock: offset }),
    polls,
    events: events.observed(),
    alerts: withUntied(alerts.observed(), untied),
    rules: health.observed(),
  };
  await journal.append({ type: 'observation', data: observation });
  return observation;
}

function traceOf(execution: Executed['execution'], hosts: NonEmpty<string>, { file }: SiemExpectation): Trace {
  const offset = execution.clock?.offsetMs ?? 0;
  const told = execution.receipt.finished ?? execution.receipt.started;
  return {
    marker: execution.marker,
    hosts,
    processes:
      told === undefined
        ? []
        : [{ pid: told.pid, executable: told.executable, startedAt: execution.receipt.started?.time ?? told.time }],
    files: file === undefined || told?.script === undefined ? [] : [told.script],
    // On the host's own clock, which is what event times are by.
    window: {
      from: shift(execution.startedAt, offset - eventSlackMs),
      to: shift(execution.endedAt, offset + eventSlackMs),
    },
  };
}

/** What one answer could not tie, another may have: the event that it refers to can come later, or go. */
function withUntied(alerts: Observed<AlertHit>, untied: ReadonlyMap<string, UntiedAlert>): Observation['alerts'] {
  const tied = new Set(alerts.hits.map(({ id }) => id));
  return { ...alerts, untied: [...untied.values()].filter(({ id }) => !tied.has(id)) };
}

/** Hits of all answers so far, each once, and how the last answer ended. */
class Gathered<H> {
  readonly #key: (hit: H) => string;
  readonly #hits = new Map<string, H>();
  #last: { complete: Observed<H>['complete']; exchanges: readonly EvidenceRef[] } = {
    complete: { yes: false, because: { class: 'still-waiting', detail: 'the SIEM was not asked' } },
    exchanges: [],
  };

  constructor(key: (hit: H) => string) {
    this.#key = key;
  }

  take(answer: Answer<H> | { readonly failure: Reason; readonly exchanges: readonly EvidenceRef[] }): void {
    if ('failure' in answer) {
      this.#last = { complete: { yes: false, because: answer.failure }, exchanges: answer.exchanges };
      return;
    }
    for (const hit of answer.hits) this.#hits.set(this.#key(hit), hit);
    this.#last = { complete: answer.complete, exchanges: answer.exchanges };
  }

  get size(): number {
    return this.#hits.size;
  }

  get trouble(): string | undefined {
    return this.#last.complete.yes ? undefined : this.#last.complete.because.detail;
  }

  observed(): Observed<H> {
    return { hits: [...this.#hits.values()], ...this.#last };
  }
}

/** Asks, and writes into the journal that it asked and how that went. A failure of the SIEM becomes a value here. */
class Polls {
  readonly #siem: string;
  readonly #journal: Journal;

  constructor(siem: string, journal: Journal) {
    this.#siem = siem;
    this.#journal = journal;
  }

  async ask<A extends Answer<unknown>>(
    question: 'events' | 'alerts' | 'rules',
    ask: () => Promise<A>,
  ): Promise<A | { readonly failure: Reason; readonly exchanges: readonly EvidenceRef[] }> {
    try {
      const answer = await ask();
      const data = { hits: answer.hits.length, complete: answer.complete.yes, exchanges: answer.exchanges };
      await this.#journal.append({ type: 'poll', data: { siem: this.#siem, question, ...data } });
      return answer;
    } catch (error) {
      return { ...(await this.failed(question, error)) };
    }
  }

  async failed(
    question: 'events' | 'alerts' | 'rules' | 'ping',
    error: unknown,
  ): Promise<{ readonly failure: Reason; readonly exchanges: readonly EvidenceRef[] }> {
    if (!(error instanceof SiemFailure)) throw error;
    const failed = { failure: error.reason, exchanges: error.exchanges };
    await this.#journal.append({ type: 'poll', data: { siem: this.#siem, question, ...failed } });
    return failed;
  }
}

async function clockOf(
  adapter: SiemAdapter,
  clock: Clock,
  signal: AbortSignal,
  polls: Polls,
): Promise<ClockOffset | undefined> {
  const asked = clock.now();
  try {
    const { serverTime } = await adapter.ping(signal);
    if (serverTime === undefined) return undefined;
    const half = elapsed(asked, clock.now()) / 2;
    // A server that tells whole seconds, as in HTTP's Date, adds half a second of doubt.
    const coarse = serverTime.endsWith('.000Z') ? 500 : 0;
    return {
      offsetMs: Math.round(epochMs(serverTime) + coarse - (epochMs(asked) + half)),
      uncertaintyMs: Math.ceil(half) + coarse,
    };
  } catch (error) {
    await polls.failed('ping', error);
    return undefined;
  }
}

/** The observation of a SIEM that was not asked anything: it proves nothing. */
export function neverAsked(siem: string, at: Instant, detail: string): Observation {
  const none = {
    hits: [],
    complete: { yes: false as const, because: { class: 'still-waiting' as const, detail } },
    exchanges: [],
  };
  return { siem, from: at, until: at, asked: [], polls: 0, events: none, alerts: none, rules: none };
}
