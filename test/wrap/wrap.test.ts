import t from 'tap';
import type { ReasonClass } from '../../runner/domain/fact.ts';
import type { AlertQuestion } from '../../runner/domain/siem.ts';
import { duration, elapsed, instant, type Instant } from '../../runner/domain/time.ts';
import { SiemFailure } from '../../runner/ports.ts';
import { retry } from '../../runner/wrap/retry.ts';
import { throttle } from '../../runner/wrap/throttle.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { cut, ScriptedSiem, whole } from '../fakes/scripted-siem.ts';

const question: AlertQuestion = {
  traces: [
    {
      marker: 'm'.repeat(24),
      hosts: ['alpha'],
      processes: [],
      files: [],
      window: { from: instant(0), to: instant(1) },
    },
  ],
  sources: [],
  window: { from: instant(0), to: instant(1), basis: 'event' },
  limit: 10,
  watched: [],
};
const never = new AbortController().signal;
const limits = { attempts: 4, maxWaitMs: 30_000 };

t.test('retry: what may pass is asked again after 1, 2 and 4 seconds, and then given up', async (t) => {
  for (const passing of ['unreachable', 'throttled', 'timeout'] as const) {
    const clock = new FakeClock();
    const siem = new ScriptedSiem();
    siem.onEvents = (_, call) => (call < 3 ? new SiemFailure(passing, `${passing} ${call}`) : whole([]));
    t.same((await retry(siem, { clock, ...limits }).events(question, never)).complete, { yes: true });
    t.same(clock.waits, [1_000, 2_000, 4_000], passing);
    siem.onEvents = (_, call) => new SiemFailure(passing, `${passing} ${call}`);
    await t.rejects(retry(siem, { clock, ...limits }).events(question, never), { message: `${passing} 7` });
    t.equal(siem.asked('events'), 8);
  }
});

t.test('retry: what the SIEM asks for is waited, up to the cap', async (t) => {
  const clock = new FakeClock();
  const siem = new ScriptedSiem();
  siem.onAlerts = (_, call) =>
    call < 2
      ? new SiemFailure('throttled', '429', { retryAfter: duration(call === 0 ? 7_000 : 3_600_000) })
      : whole([]);
  await retry(siem, { clock, ...limits }).alerts(question, never);
  t.same(clock.waits, [7_000, 30_000]);
});

t.test('retry: a refusal, a wrong query, a mistake or an incomplete answer is not asked again', async (t) => {
  const clock = new FakeClock();
  for (const final of ['refused', 'protocol', 'cut-short'] satisfies ReasonClass[]) {
    const siem = new ScriptedSiem();
    siem.onRules = () => new SiemFailure(final, final);
    await t.rejects(retry(siem, { clock, ...limits }).rules({ rules: [], window: question.window }, never), {
      message: final,
    });
    t.equal(siem.asked('rules'), 1, final);
  }
  const mistaken = new ScriptedSiem();
  mistaken.onEvents = () => new TypeError('mistake');
  await t.rejects(retry(mistaken, { clock, ...limits }).events(question, never), TypeError);
  t.equal(mistaken.asked('events'), 1);
  const incomplete = new ScriptedSiem();
  incomplete.onEvents = () => cut([]);
  t.match(await retry(incomplete, { clock, ...limits }).events(question, never), { complete: { yes: false } });
  t.equal(incomplete.asked('events'), 1);
  t.same(clock.waits, []);
});

t.test('retry: an interrupt ends the waiting', async (t) => {
  const clock = new FakeClock();
  const siem = new ScriptedSiem();
  const abort = new AbortController();
  siem.serverTime = new SiemFailure('unreachable', 'down');
  setImmediate(() => {
    abort.abort(new Error('interrupted'));
  });
  const slow = {
    now: () => clock.now(),
    sleep: (_: unknown, signal: AbortSignal) =>
      new Promise<void>((_done, fail) => {
        signal.addEventListener('abort', () => {
          fail(signal.reason as Error);
        });
      }),
  };
  await t.rejects(retry(siem, { clock: slow, ...limits }).ping(abort.signal), /interrupted/);
});

/** A SIEM that takes its time, and says when it was asked. */
function slowSiem(clock: FakeClock, takesMs: number): { siem: ScriptedSiem; starts: Instant[]; most: () => number } {
  const siem = new ScriptedSiem();
  const starts: Instant[] = [];
  let running = 0;
  let most = 0;
  const answered = siem.events.bind(siem);
  siem.events = async (asked) => {
    starts.push(clock.now());
    running += 1;
    most = Math.max(most, running);
    await clock.sleep(duration(takesMs), never);
    running -= 1;
    return answered(asked);
  };
  return { siem, starts, most: () => most };
}

t.test('throttle: one call at a time, and so long between the starts of two', async (t) => {
  for (const [takesMs, apart] of [
    [10, 200],
    [500, 500],
  ] as const) {
    const clock = new FakeClock();
    const { siem, starts, most } = slowSiem(clock, takesMs);
    const paced = throttle(siem, { clock, everyMs: 200 });
    await Promise.all([1, 2, 3, 4].map(() => paced.events(question, never)));
    t.equal(most(), 1);
    const [first, ...rest] = starts;
    if (first === undefined) throw new Error('nothing was asked');
    t.same(
      rest.map((at) => elapsed(first, at)),
      [apart, 2 * apart, 3 * apart],
      `${takesMs} ms`,
    );
  }
});

t.test('throttle: retries are throttled too, and a failure does not hold up the next', async (t) => {
  const clock = new FakeClock();
  const siem = new ScriptedSiem();
  siem.onEvents = (_, call) => (call === 0 ? new SiemFailure('refused', 'no') : whole([]));
  const paced = retry(throttle(siem, { clock, everyMs: 5_000 }), { clock, ...limits });
  const [first, second] = await Promise.allSettled([paced.events(question, never), paced.events(question, never)]);
  t.equal(first.status, 'rejected');
  t.equal(second.status, 'fulfilled');
  siem.onAlerts = (_, call) => (call === 0 ? new SiemFailure('timeout', 'slow') : whole([]));
  const before = clock.now();
  await paced.alerts(question, never);
  t.equal(elapsed(before, clock.now()), 10_000, 'five seconds after the call before, and five more for the second try');
});

t.test('throttle: what was interrupted while it stood in line is not asked any more', async (t) => {
  const clock = new FakeClock();
  const { siem, starts } = slowSiem(clock, 50);
  const abort = new AbortController();
  const paced = throttle(siem, { clock, everyMs: 0 });
  const first = paced.events(question, never);
  const second = paced.events(question, abort.signal);
  abort.abort(new Error('interrupted'));
  await first;
  await t.rejects(second, /interrupted/);
  t.equal(starts.length, 1);
  await paced.ping(never);
  await paced.rules({ rules: [], window: question.window }, never);
});
