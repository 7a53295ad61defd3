import type { Test } from 'tap';
import type { LogSourceRef } from '../../runner/domain/attack.ts';
import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type { AlertQuestion, Trace } from '../../runner/domain/siem.ts';
import { instant } from '../../runner/domain/time.ts';
import type { Instant } from '../../runner/domain/time.ts';
import { SiemFailure } from '../../runner/ports.ts';
import type { SiemAdapter } from '../../runner/ports.ts';

/** An event to put into the product, in the words of the project; the bench writes it in the product's. */
export type BenchEvent = {
  readonly id: string;
  readonly source: LogSourceRef;
  readonly time: Instant;
  readonly ingested: Instant;
  readonly host: string;
  readonly user?: string;
  readonly pid: number;
  readonly executable: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly parent?: string;
  /** Of an event about a file: its path. */
  readonly file?: string;
};

/** An alert to put into the product. Without `event` it copies nothing of an event and only refers to `events`; without `host` it names none. */
type BenchAlert = {
  readonly id: string;
  readonly time: Instant;
  readonly rule: { readonly id: string; readonly name: string };
  readonly techniques: readonly string[];
  readonly severity: string;
  readonly host?: string;
  readonly events: readonly string[];
  readonly event?: BenchEvent;
};

/** What the product is made to say about one rule and one span of ingest time. */
type BenchRun = {
  readonly rule: { readonly id: string; readonly name: string };
  readonly from: Instant;
  readonly to: Instant;
  readonly enabled: boolean;
  readonly error?: string;
  readonly suppression?: string;
};

/** A product, or a stand-in for it, with nothing in it, and the adapter that asks it. */
export type SiemBench = {
  readonly adapter: SiemAdapter;
  /** Two sources that the adapter's settings tell apart. */
  readonly sources: readonly [LogSourceRef, LogSourceRef];
  putEvents(events: readonly BenchEvent[]): Promise<void>;
  putAlerts(alerts: readonly BenchAlert[]): Promise<void>;
  putRuns(runs: readonly BenchRun[]): Promise<void>;
  /** From now on the product cannot be reached. */
  cut(): Promise<void>;
  /** The bytes that the adapter kept as evidence. */
  kept(ref: EvidenceRef): Uint8Array;
};

const noon = Date.parse('2026-11-24T12:00:00.000Z');
const python = '/usr/bin/python3.11';
const signal = new AbortController().signal;
const [markerA, markerB] = ['alphaalphaalpha1234567', 'betabetabetabeta1234567'];
const ruleOne = { id: 'rule-one', name: 'Rule one' };

/** Seconds after noon. */
export function at(seconds: number): Instant {
  return instant(noon + Math.round(seconds * 1000));
}

/** What every SIEM adapter must do. `open` gives a new, empty product each time; it is closed by the test's teardown. */
export async function siemContract(t: Test, name: string, open: (t: Test) => Promise<SiemBench>): Promise<void> {
  await t.test(name, async (t) => {
    await t.test(
      `${name}: an event with the marker is found, with its field, context, times and evidence`,
      async (t) => {
        const bench = await open(t);
        await bench.putEvents([eventOf(bench, { id: 'e1', cwd: '/home/alice', parent: '/usr/sbin/sshd' })]);
        const answer = await bench.adapter.events(ask(bench, [trace(markerA)]), signal);
        t.same(answer.complete, { yes: true });
        t.equal(answer.hits.length, 1);
        const [hit] = answer.hits;
        t.match(hit, { marker: markerA, source: bench.sources[0], time: at(1), ingested: at(2), pid: 100 });
        t.ok(hit?.matched.by === 'marker' && hit.matched.field !== '', 'the field that held the marker is named');
        t.match(hit?.fields, {
          process: python,
          'command-line': `python3 /tmp/.x/run.py ${markerA}`,
          parent: '/usr/sbin/sshd',
          user: 'alice',
          host: 'lab-alpha',
          script: '/tmp/.x/run.py',
          cwd: '/home/alice',
        });
        t.notOk(hit && 'destination' in hit.fields, 'a field that the event does not have is not made up');
        t.match(textOf(bench, hit?.raw), markerA, 'the raw event is kept');
        for (const exchange of answer.exchanges)
          t.ok(bench.kept(exchange).length > 0, 'the question and what answered it are kept');
      },
    );

    await t.test(
      `${name}: the creation of a trace's file is found by host, file and time, and by nothing less`,
      async (t) => {
        const bench = await open(t);
        const writer = {
          args: ['sftp-server'],
          executable: '/usr/lib/openssh/sftp-server',
          pid: 7,
          file: '/tmp/.x/run.py',
        };
        await bench.putEvents([
          eventOf(bench, { id: 'its', ...writer }),
          eventOf(bench, { id: 'another-host', ...writer, host: 'lab-beta' }),
          eventOf(bench, { id: 'another-file', ...writer, file: '/tmp/.x/run.pyc' }),
          eventOf(bench, { id: 'another-time', ...writer, time: at(-30) }),
        ]);
        const dropped = { ...trace(markerA), files: ['/tmp/.x/run.py'] };
        const { hits } = await bench.adapter.events(ask(bench, [dropped, trace(markerB)]), signal);
        t.same(
          hits.map(({ id, marker, matched }) => [id.includes('its'), marker, matched]),
          [[true, markerA, { by: 'host-file-time' }]],
        );
      },
    );

    await t.test(`${name}: a marker that is not there gives no hit and a complete answer`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([
        eventOf(bench, { id: 'e1', args: ['python3', `x${markerA}`] }),
        eventOf(bench, { id: 'e2', args: ['python3', markerA.slice(0, -1)] }),
        eventOf(bench, { id: 'e3', args: ['python3', `${markerA}z`] }),
      ]);
      const answer = await bench.adapter.events(ask(bench, [trace(markerA)]), signal);
      t.same([answer.hits, answer.complete], [[], { yes: true }]);
    });

    await t.test(`${name}: two traces in one question get their own events and not each other's`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([
        eventOf(bench, { id: 'a', args: ['python3', markerA], pid: 100 }),
        // The same process id and program on the same host in the same second, with a marker of its own.
        eventOf(bench, { id: 'b', args: ['python3', markerB], pid: 100 }),
      ]);
      const both = [trace(markerA, { pid: 100 }), trace(markerB, { pid: 100 })];
      const { hits } = await bench.adapter.events(ask(bench, both), signal);
      t.same(hits.map(({ marker, id }) => [marker, id]).sort(), [
        [markerA, 'a'],
        [markerB, 'b'],
      ]);
    });

    await t.test(`${name}: only the sources that were asked for are hit`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([eventOf(bench, { id: 'e1' }), eventOf(bench, { id: 'e2', source: bench.sources[1] })]);
      const question = ask(bench, [trace(markerA)]);
      const one = await bench.adapter.events({ ...question, sources: [bench.sources[1]] }, signal);
      t.same(
        one.hits.map(({ id, source }) => [id, source]),
        [['e2', bench.sources[1]]],
      );
      const two = await bench.adapter.events({ ...question, sources: bench.sources }, signal);
      t.same(two.hits.map(({ id }) => id).sort(), ['e1', 'e2']);
    });

    await t.test(`${name}: an answer that the limit cut is not complete, and says so`, async (t) => {
      const bench = await open(t);
      await bench.putEvents(['e1', 'e2', 'e3'].map((id) => eventOf(bench, { id })));
      const question = ask(bench, [trace(markerA)]);
      const cut = await bench.adapter.events({ ...question, limit: 2 }, signal);
      t.equal(cut.hits.length, 2);
      t.match(cut.complete, { yes: false, because: { class: 'cut-short' } });
      const whole = await bench.adapter.events({ ...question, limit: 3 }, signal);
      t.same([whole.hits.length, whole.complete], [3, { yes: true }]);
    });

    await t.test(`${name}: the window is one of event time or of ingest time, as asked`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([
        eventOf(bench, { id: 'clock-behind', time: at(-600), ingested: at(5) }),
        eventOf(bench, { id: 'late', time: at(5), ingested: at(600) }),
      ]);
      const about = (basis: 'event' | 'ingest'): Promise<readonly string[]> =>
        bench.adapter
          .events({ ...ask(bench, [trace(markerA)]), window: { from: at(0), to: at(10), basis } }, signal)
          .then(({ hits }) => hits.map(({ id }) => id));
      t.same(await about('event'), ['late']);
      t.same(await about('ingest'), ['clock-behind']);
    });

    await t.test(`${name}: without a marker, host and process and time together make a hit`, async (t) => {
      const bench = await open(t);
      const args = ['python3', '/tmp/.x/run.py'];
      await bench.putEvents([
        eventOf(bench, { id: 'it', host: 'LAB-Alpha', args }),
        eventOf(bench, { id: 'other-host', host: 'lab-beta', args }),
        eventOf(bench, { id: 'other-program', executable: '/usr/bin/perl', args }),
        eventOf(bench, { id: 'other-pid', pid: 101, args }),
        eventOf(bench, { id: 'other-time', time: at(300), args }),
      ]);
      const { hits } = await bench.adapter.events(ask(bench, [trace(markerA, { pid: 100 })]), signal);
      t.same(
        hits.map(({ id, marker, matched }) => [id, marker, matched]),
        [['it', markerA, { by: 'host-process-time' }]],
      );
    });

    await t.test(`${name}: names of hosts are compared without case, any of several`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([eventOf(bench, { id: 'e1', host: 'lab-alpha', args: ['python3'] })]);
      const named = { ...trace(markerA, { pid: 100 }), hosts: ['alpha.example', 'Lab-ALPHA'] as const };
      const { hits } = await bench.adapter.events(ask(bench, [named]), signal);
      t.same(
        hits.map(({ id }) => id),
        ['e1'],
      );
    });

    await t.test(`${name}: an alert is tied by its own marker, by its event's marker, or by the process`, async (t) => {
      const bench = await open(t);
      const marked = eventOf(bench, { id: 'marked' });
      const bare = eventOf(bench, { id: 'bare', args: ['python3'] });
      const foreign = eventOf(bench, { id: 'foreign', host: 'lab-beta', args: ['python3'] });
      await bench.putEvents([marked, bare, foreign]);
      await bench.putAlerts([
        alertOf({ id: 'copied', events: ['marked'], event: marked, time: at(3) }),
        alertOf({ id: 'referred', events: ['marked'], time: at(4) }),
        alertOf({ id: 'process', events: ['bare'], event: bare, time: at(5) }),
        alertOf({ id: 'foreign', events: ['foreign'], event: foreign, host: 'lab-beta', time: at(6) }),
      ]);
      const answer = await bench.adapter.alerts(ask(bench, [trace(markerA, { pid: 100 })]), signal);
      t.same(answer.complete, { yes: true });
      t.same(
        answer.hits.map(({ id, marker, matched }) => [id, marker, matched.by]),
        [
          ['copied', markerA, 'marker'],
          ['referred', markerA, 'marker'],
          ['process', markerA, 'host-process-time'],
        ],
      );
      t.match(answer.hits[1], {
        rule: ruleOne,
        time: at(4),
        techniques: ['T1059.006'],
        severity: 'high',
        events: ['marked'],
      });
      t.match(textOf(bench, answer.hits[0]?.raw), 'rule-one');
      const cut = await bench.adapter.alerts({ ...ask(bench, [trace(markerA)]), limit: 1 }, signal);
      t.match([cut.hits.length, cut.complete], [1, { yes: false, because: { class: 'cut-short' } }]);
    });

    await t.test(
      `${name}: an alert of a watched rule that is tied to no trace is told apart, and is no hit`,
      async (t) => {
        const bench = await open(t);
        const own = eventOf(bench, { id: 'own' });
        const foreign = eventOf(bench, { id: 'foreign', pid: 7, args: ['python3'], time: at(20) });
        await bench.putEvents([own, foreign]);
        const { host, ...nowhere } = alertOf({ id: 'nowhere', events: [], time: at(7) });
        t.ok(host);
        await bench.putAlerts([
          alertOf({ id: 'tied', events: ['own'], time: at(3) }),
          alertOf({ id: 'aggregate', events: [], time: at(4) }),
          alertOf({ id: 'gone', events: ['gone'], time: at(5) }),
          alertOf({ id: 'half-gone', events: ['foreign', 'gone'], time: at(6) }),
          nowhere,
          alertOf({ id: 'of-another', events: ['foreign'], event: foreign, time: at(21) }),
          alertOf({ id: 'not-watched', events: [], rule: { id: 'rule-two', name: 'Rule two' }, time: at(8) }),
          alertOf({ id: 'long-ago', events: [], time: at(-3_600) }),
        ]);
        const question = ask(bench, [trace(markerA)]);
        const answer = await bench.adapter.alerts(question, signal);
        t.same(answer.complete, { yes: true });
        t.same(
          answer.hits.map(({ id }) => id),
          ['tied'],
        );
        t.same(
          answer.untied.map(({ id, time, hosts, eventTimes }) => [id, time, hosts, eventTimes]),
          [
            ['aggregate', at(4), ['lab-alpha'], []],
            ['gone', at(5), ['lab-alpha'], []],
            ['half-gone', at(6), ['lab-alpha'], []],
            ['nowhere', at(7), [], []],
            ['of-another', at(21), ['lab-alpha'], [at(20)]],
          ],
        );
        t.match(answer.untied[0], { rule: ruleOne, techniques: ['T1059.006'] });
        t.match(textOf(bench, answer.untied[0]?.raw), 'rule-one');
        const cut = await bench.adapter.alerts({ ...question, limit: 3 }, signal);
        t.match(
          [cut.hits.length, cut.untied.length, cut.complete],
          [1, 2, { yes: false, because: { class: 'cut-short' } }],
        );
        t.same((await bench.adapter.alerts({ ...question, watched: [] }, signal)).untied, []);
      },
    );

    await t.test(`${name}: what hosts write into fields comes back as data`, async (t) => {
      const bench = await open(t);
      const hostile = '\u001b[31m</script><img src=x onerror=alert(1)>"\'\\\n\u0000\u202e\ufffd{{x}}';
      await bench.putEvents([
        eventOf(bench, { id: 'e1', args: ['python3', 'run.py', markerA, hostile], user: hostile, parent: hostile }),
      ]);
      await bench.putAlerts([
        alertOf({ id: 'a1', events: ['e1'], rule: { id: 'rule-one', name: hostile }, time: at(3) }),
      ]);
      const events = await bench.adapter.events(ask(bench, [trace(markerA)]), signal);
      t.match(events.hits[0]?.fields, { user: hostile, parent: hostile });
      t.ok(events.hits[0]?.fields['command-line']?.endsWith(hostile));
      const alerts = await bench.adapter.alerts(ask(bench, [trace(markerA)]), signal);
      t.equal(alerts.hits[0]?.rule.name, hostile);
    });

    await t.test(
      `${name}: rule health tells on, off and between, what ran, what failed and what is held back`,
      async (t) => {
        const bench = await open(t);
        const run = (id: string, from: number, to: number, more: Partial<BenchRun> = {}): BenchRun => ({
          rule: { id, name: `Rule ${id}` },
          from: at(from),
          to: at(to),
          enabled: true,
          ...more,
        });
        await bench.putRuns([
          ...[-20, 0, 20, 40].map((from) => run('on', from, from + 20)),
          ...[-20, 0, 20, 40].map((from) => run('off', from, from + 20, { enabled: false })),
          run('switched', -20, 20),
          run('switched', 20, 60, { enabled: false }),
          run('failing', -20, 20),
          run('failing', 20, 40, { error: 'no memory' }),
          run('failing', 40, 60),
          run('capped', -20, 60, { suppression: 'one alert an hour' }),
        ]);
        const rules = ['on', 'off', 'switched', 'failing', 'capped', 'nobody-knows-it'];
        const answer = await bench.adapter.rules({ rules, window: { from: at(0), to: at(50) } }, signal);
        t.same(answer.complete, { yes: true });
        const health = new Map(answer.hits.map((hit) => [hit.rule, hit]));
        t.same([...health.keys()].sort(), ['capped', 'failing', 'off', 'on', 'switched']);
        t.same([...health].map(([rule, { enabled }]) => `${rule} ${enabled}`).sort(), [
          'capped all',
          'failing all',
          'off none',
          'on all',
          'switched part',
        ]);
        const on = health.get('on');
        t.equal(on?.name, 'Rule on');
        t.equal(on?.ran.length, 1, 'runs that follow each other are one span');
        t.ok((on?.ran[0]?.from ?? '') <= at(0) && (on?.ran[0]?.to ?? '') >= at(50));
        t.same(health.get('off')?.ran, []);
        t.equal(health.get('failing')?.ran.length, 2, 'what failed is no span');
        t.notOk(health.get('failing')?.ran.some(({ from, to }) => from < at(40) && to > at(20)));
        t.match(health.get('failing')?.failures, [{ error: 'no memory' }]);
        t.match(health.get('capped')?.suppression, 'one alert an hour');
        t.ok(textOf(bench, on?.raw).length > 0, 'what it says it by is kept');
      },
    );

    await t.test(`${name}: a product that cannot be reached is a failure, never an empty answer`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([eventOf(bench, { id: 'e1' })]);
      await bench.cut();
      const question = ask(bench, [trace(markerA)]);
      const asked: Record<string, () => Promise<unknown>> = {
        ping: () => bench.adapter.ping(signal),
        events: () => bench.adapter.events(question, signal),
        alerts: () => bench.adapter.alerts(question, signal),
        rules: () => bench.adapter.rules({ rules: ['on'], window: question.window }, signal),
      };
      for (const [operation, work] of Object.entries(asked)) {
        const error = await work().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        t.ok(error instanceof SiemFailure, operation);
        t.match(error, { class: 'unreachable', message: /.{20}/ }, `${operation} says what to do`);
      }
    });

    await t.test(`${name}: asking ends with the signal's reason once it has fired`, async (t) => {
      const bench = await open(t);
      await bench.putEvents([eventOf(bench, { id: 'e1' })]);
      const stop = AbortSignal.abort(new Error('enough'));
      await t.rejects(bench.adapter.events(ask(bench, [trace(markerA)]), stop), { message: 'enough' });
    });
  });
}

function eventOf(bench: SiemBench, own: Partial<BenchEvent> & { readonly id: string }): BenchEvent {
  return {
    source: bench.sources[0],
    time: at(1),
    ingested: at(2),
    host: 'lab-alpha',
    user: 'alice',
    pid: 100,
    executable: python,
    args: ['python3', '/tmp/.x/run.py', markerA],
    ...own,
  };
}

function alertOf(own: Partial<BenchAlert> & Pick<BenchAlert, 'id' | 'events' | 'time'>): BenchAlert {
  return { rule: ruleOne, techniques: ['T1059.006'], severity: 'high', host: 'lab-alpha', ...own };
}

function trace(marker: string, process?: { readonly pid: number }): Trace {
  return {
    marker,
    hosts: ['lab-alpha'],
    processes: process === undefined ? [] : [{ pid: process.pid, executable: python, startedAt: at(1) }],
    files: [],
    window: { from: at(0), to: at(60) },
  };
}

function ask(bench: SiemBench, traces: readonly Trace[]): AlertQuestion {
  const [first, ...rest] = traces;
  if (first === undefined) throw new Error('a question needs a trace');
  return {
    traces: [first, ...rest],
    sources: [bench.sources[0]],
    window: { from: at(-60), to: at(600), basis: 'event' },
    limit: 100,
    watched: [ruleOne.id],
  };
}

function textOf(bench: SiemBench, ref: EvidenceRef | undefined): string {
  return ref === undefined ? '' : Buffer.from(bench.kept(ref)).toString('utf8');
}
