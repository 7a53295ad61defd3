import t from 'tap';
import type { Progress } from '../../runner/domain/progress.ts';
import type { Observation } from '../../runner/domain/record.ts';
import type { AlertHit, EventHit, Question } from '../../runner/domain/siem.ts';
import { elapsed, shift } from '../../runner/domain/time.ts';
import { SiemFailure } from '../../runner/ports.ts';
import { observe } from '../../runner/pipeline/observe.ts';
import type { Executed } from '../../runner/pipeline/scope.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { MemoryJournal } from '../fakes/memory-store.ts';
import { begin, type Cast, execve, Scene, second, syslog, theRule } from '../fakes/scene.ts';
import { cut, ScriptedSiem, unreachable, whole } from '../fakes/scripted-siem.ts';

/** Executions that ended at 2, 12 and 22 seconds; the last may be asked about until 142 seconds. */
class Watch {
  readonly clock = new FakeClock();
  readonly journal = new MemoryJournal(this.clock);
  readonly siem = new ScriptedSiem();
  readonly scene = new Scene();
  readonly progress: Progress[] = [];
  readonly abort = new AbortController();
  readonly executed: readonly Executed[];

  constructor(casts: readonly Cast[] = [{}, {}, {}], names: Readonly<Record<string, readonly string[]>> = {}) {
    this.executed = casts.map((cast, index) => this.scene.runs(1 + index * 10, cast));
    this.#hosts = { alpha: ['alpha'], beta: ['beta'], ...names };
    this.clock.pass(25_000);
  }

  readonly #hosts: Readonly<Record<string, readonly string[]>>;

  observe(): Promise<Observation> {
    return observe({
      siem: 'siem',
      adapter: this.siem,
      executed: this.executed,
      hosts: this.#hosts,
      journal: this.journal,
      clock: this.clock,
      signal: this.abort.signal,
      progress: (one) => this.progress.push(one),
    });
  }

  event(index = 0, more: Partial<EventHit> = {}): EventHit {
    const one = this.executed[index];
    if (one === undefined) throw new Error('no such execution');
    return this.scene.arrives(one, more);
  }

  alert(index = 0, more: Partial<AlertHit> = {}): AlertHit {
    const one = this.executed[index];
    if (one === undefined) throw new Error('no such execution');
    return this.scene.alerts(one, 1, more);
  }

  /** The questions about events and alerts. */
  get questions(): readonly Question[] {
    return this.siem.questions.flatMap(({ question }) => ('traces' in question ? [question] : []));
  }
}

t.test('observe: all open traces are in each query, which reaches ten minutes further on both sides', async (t) => {
  const watch = new Watch([{}, { target: 'beta', expect: { sources: [syslog], rules: ['other-rule', theRule] } }, {}]);
  await watch.observe();
  for (const { traces, sources, window, limit } of watch.questions) {
    t.same(
      traces.map(({ marker }) => marker),
      watch.executed.map(({ execution }) => execution.marker),
    );
    t.same(sources, [execve, syslog]);
    t.equal(window.basis, 'event');
    t.ok(window.from <= shift(second(1), -600_000) && window.to >= shift(second(25), 600_000), 'the skew is covered');
    t.ok(limit >= 10_000);
  }
  const [trace] = watch.questions[0]?.traces ?? [];
  t.match(trace, { hosts: ['alpha'], processes: [{ pid: 4_000, executable: '/usr/bin/python3.11' }] });
  const rules = watch.siem.questions.find(({ kind }) => kind === 'rules')?.question;
  t.match(rules, { rules: ['other-rule', theRule] });
});

t.test('observe: asks until the last observeFor is over, and once more after it, in no real time', async (t) => {
  const watch = new Watch([{}, {}, { expect: { observeFor: lasting(600_000) } }]);
  const started = Date.now();
  const observation = await watch.observe();
  t.ok(Date.now() - started < 2_000, 'ten minutes take no time');
  t.ok(observation.until >= second(622), 'the last execution ended at 22 s, and 600 s are added');
  t.ok(elapsed(second(622), observation.until) < 15_000, 'and not much longer');
  t.equal(watch.siem.asked('events'), observation.polls);
  t.equal(watch.siem.asked('alerts'), observation.polls);
  t.equal(watch.siem.asked('rules'), 1, 'rule health is asked for once, when all is over');
  t.ok(observation.polls > 10 && observation.polls < 60, `${observation.polls} polls`);
  t.ok(Math.max(...watch.clock.waits) <= 15_000);
  t.same(
    observation.asked,
    watch.executed.map(({ execution }) => execution.marker),
  );
  t.match(watch.journal.of('observation'), [{ siem: 'siem', polls: observation.polls }]);
});

/** A duration, as the builders want it. */
function lasting(ms: number): ReturnType<typeof elapsed> {
  return elapsed(begin, shift(begin, ms));
}

t.test('observe: what a rule raises in a run that its health tells of is among the alerts', async (t) => {
  const watch = new Watch();
  const raised = watch.alert(0);
  // The rule runs each time that it is asked about anything at all, after the answer is made up.
  let runs = 0;
  const last = (): number => (watch.clock.now() >= second(142) ? runs++ : 0);
  watch.siem.onAlerts = () => whole(last() > 0 ? [raised] : []);
  watch.siem.onRules = () => {
    const ran = last() > 0 ? [{ from: begin, to: watch.clock.now() }] : [];
    return whole([{ rule: theRule, name: theRule, enabled: 'all', ran, failures: [], raw: raised.raw }]);
  };
  const { alerts, rules } = await watch.observe();
  t.same([rules.hits[0]?.ran, alerts.hits], [[], [raised]], 'it has not run, by what was said before it alerted');
  const kinds = watch.siem.questions.map(({ kind }) => kind);
  t.same(kinds.slice(-3), ['rules', 'events', 'alerts']);
});

t.test('observe: long after the run one round of questions is enough', async (t) => {
  const watch = new Watch();
  watch.clock.pass(3_600_000);
  const observation = await watch.observe();
  t.equal(observation.polls, 1);
  t.same(watch.clock.waits, []);
});

t.test('observe: hits of every answer are kept, each once, and the last answer says whether it is whole', async (t) => {
  const watch = new Watch();
  const [first, second_] = [watch.event(0), watch.event(1)];
  const correlated = watch.event(2, { matched: { by: 'host-process-time' } });
  const exact: EventHit = { ...correlated, matched: { by: 'marker', field: 'process.args' } };
  watch.siem.onEvents = (_, call) =>
    call === 0 ? cut([first, correlated]) : call === 1 ? whole([first, second_, exact]) : whole([second_]);
  const alert = watch.alert(0);
  watch.siem.onAlerts = (_, call) => (call === 0 ? whole([alert]) : cut([]));
  const { events, alerts } = await watch.observe();
  t.same(new Set(events.hits.map(({ id }) => id)), new Set([first.id, second_.id, exact.id]));
  t.ok(
    events.hits.some(({ id, matched: { by } }) => id === exact.id && by === 'marker'),
    'what was learnt later is there, too',
  );
  t.same(events.complete, { yes: true });
  t.same(alerts.hits, [alert]);
  t.match(alerts.complete, { yes: false, because: { class: 'cut-short' } });
});

t.test('observe: hits of one id are told apart by source, by how they match and by what they hold', async (t) => {
  const watch = new Watch();
  const execution = watch.event(0);
  const others: readonly Partial<EventHit>[] = [
    { source: syslog },
    { source: syslog, matched: { by: 'host-file-time' } },
    { raw: { ...execution.raw, sha256: 'f'.repeat(64) } },
  ];
  const all = [execution, ...others.map((own) => ({ ...execution, ...own }))];
  watch.siem.onEvents = (_, call) => whole(call % 2 === 0 ? all : all.toReversed());
  t.same((await watch.observe()).events.hits, all);
});

t.test('observe: an alert is untied when no answer could tie it, whatever the last one says', async (t) => {
  const watch = new Watch();
  const [before, after, never] = [watch.alert(0), watch.alert(1), watch.alert(2)];
  const loose = ({ rule, id, time, techniques, raw }: AlertHit) => ({
    rule,
    id,
    time,
    techniques,
    raw,
    hosts: [],
    eventTimes: [],
  });
  watch.siem.onAlerts = ({ watched }, call) => {
    t.same(watched, [theRule]);
    return call === 0
      ? { ...whole([before]), untied: [loose(after), loose(never)] }
      : { ...whole([after]), untied: [loose(before)] };
  };
  const { alerts } = await watch.observe();
  t.same(new Set(alerts.hits), new Set([before, after]));
  t.same(alerts.untied, [loose(never)]);
});

t.test(
  'observe: a SIEM that fails and recovers is as good as one that did not; one that fails at the end proves nothing',
  async (t) => {
    const recovers = new Watch();
    recovers.siem.onEvents = (_, call) => (call < 3 ? unreachable() : whole([]));
    t.same((await recovers.observe()).events.complete, { yes: true });
    const told = recovers.journal.of('poll').filter(({ question }) => question === 'events');
    t.match(told.slice(0, 3), [
      { failure: { class: 'unreachable' } },
      { failure: { class: 'unreachable' } },
      { failure: { class: 'unreachable' } },
    ]);
    t.match(told[3], { complete: true, hits: 0 });
    t.ok(
      recovers.progress.some((one) => one.kind === 'poll' && one.trouble === 'connection refused'),
      'a person is told',
    );

    const fails = new Watch();
    const kept = fails.event(0);
    fails.siem.onEvents = (_, call) => (call < 2 ? whole([kept]) : unreachable());
    const { events } = await fails.observe();
    t.match(events, { hits: [kept], complete: { yes: false, because: { class: 'unreachable' } } });

    const alertsFail = new Watch();
    alertsFail.siem.onAlerts = () => unreachable();
    t.match(await alertsFail.observe(), { alerts: { complete: { yes: false } }, events: { complete: { yes: true } } });
    t.ok(alertsFail.progress.some((one) => one.kind === 'poll' && one.trouble === 'connection refused'));

    const rulesFail = new Watch();
    rulesFail.siem.onRules = () => new SiemFailure('refused', '403');
    t.match(await rulesFail.observe(), {
      rules: { hits: [], complete: { yes: false, because: { class: 'refused' } } },
    });
  },
);

t.test('observe: what is no failure of the SIEM is not taken for one', async (t) => {
  const watch = new Watch();
  watch.siem.onEvents = () => new TypeError('a mistake in the adapter');
  await t.rejects(watch.observe(), { name: 'TypeError' });
  const full = new Watch();
  full.journal.failsFrom = 2;
  await t.rejects(full.observe(), /cannot be written/);
});

t.test('observe: an interrupt ends it at once, without an observation', async (t) => {
  const watch = new Watch();
  watch.siem.onAlerts = (_, call) => {
    if (call === 1) watch.abort.abort(new Error('interrupted'));
    return whole([]);
  };
  await t.rejects(watch.observe(), { message: 'interrupted' });
  t.same(watch.journal.of('observation'), []);
  t.equal(watch.siem.asked('events'), 2);
});

t.test('observe: the clock of the SIEM is compared with ours, whole seconds with half a second of doubt', async (t) => {
  const watch = new Watch();
  watch.siem.serverTime = () => shift(watch.clock.now(), 600_123);
  t.same((await watch.observe()).clock, { offsetMs: 600_123, uncertaintyMs: 0 });
  const rules = watch.siem.questions.find(({ kind }) => kind === 'rules')?.question;
  t.ok(rules !== undefined && rules.window.from <= shift(second(1), 600_123), 'rules are asked about by that clock');
  t.ok(rules !== undefined && rules.window.to >= shift(second(142), 600_123));
  const ahead = new Watch();
  ahead.siem.serverTime = () => shift(ahead.clock.now(), 3_600_000);
  await ahead.observe();
  t.ok(
    ahead.questions.every(({ window: { to } }) => to >= shift(second(25), 3_600_000)),
    'an alert may tell no time but its own',
  );

  const coarse = new Watch();
  coarse.siem.serverTime = () => {
    coarse.clock.pass(200);
    return second(30);
  };
  t.same((await coarse.observe()).clock, { offsetMs: 5_400, uncertaintyMs: 600 });

  const silent = new Watch();
  silent.siem.serverTime = new SiemFailure('timeout', 'no answer');
  t.notOk('clock' in (await silent.observe()));
  t.match(silent.journal.of('poll')[0], { question: 'ping', failure: { class: 'timeout' } });
});

t.test('observe: what did not run, or is of a host without names here, is not asked about', async (t) => {
  const why = { class: 'unreachable', detail: 'no route' } as const;
  const watch = new Watch(
    [{ outcome: { kind: 'not-run', why } }, { target: 'beta' }, {}, { outcome: { kind: 'broken-off', why } }],
    { beta: [] },
  );
  const { asked } = await watch.observe();
  t.same(asked, [watch.executed[2]?.execution.marker, watch.executed[3]?.execution.marker]);
  const nothing = new Watch([{ outcome: { kind: 'not-run', why } }]);
  t.match(await nothing.observe(), { asked: [], polls: 0, events: { complete: { yes: false } } });
  t.equal(nothing.siem.questions.length, 0);
});

t.test('observe: a host that is days off is still asked about by its own clock', async (t) => {
  const offsetMs = 3 * 86_400_000;
  const watch = new Watch([{ clock: { offsetMs, uncertaintyMs: 5 } }]);
  await watch.observe();
  const [question] = watch.questions;
  const [trace] = question?.traces ?? [];
  t.ok(question !== undefined && question.window.to >= shift(second(1), offsetMs));
  t.ok(trace !== undefined && trace.window.from <= shift(second(1), offsetMs));
  t.ok(trace !== undefined && trace.window.from >= shift(second(0), offsetMs - 2_000));
});
