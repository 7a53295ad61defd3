import fc from 'fast-check';
import t from 'tap';
import type { Inventory, Target } from '../../runner/domain/inventory.ts';
import type { PlannedExecution } from '../../runner/domain/plan.ts';
import type { Limits, Waves } from '../../runner/domain/rollout.ts';
import { duration, elapsed, type Instant } from '../../runner/domain/time.ts';
import { Pace } from '../../runner/pipeline/pace.ts';
import { isTooMuch, wavesOf } from '../../runner/pipeline/waves.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { Site } from '../fakes/site.ts';

const example = new Site().inventory.targets[0] as Target;
const host = (id: string, more: Partial<Target> = {}): Target => ({ ...example, id, ...more });
const selector = (field: string, ...patterns: [string, ...string[]]) => ({
  text: `${field}=${patterns.join()}`,
  condition: { is: 'one-of' as const, field, patterns },
});
const waves = (rules: Pick<Inventory, 'limits' | 'waves'>, targets: readonly Target[]) =>
  wavesOf(rules, targets).map((wave) => wave.map(({ id }) => id).join(' '));

t.test('wavesOf: the first wave is as small as it is wanted, and taken from where it is wanted from', (t) => {
  const targets = ['a', 'b', 'c', 'd', 'e'].map((id) =>
    host(id, { criticality: id === 'd' || id === 'e' ? 'low' : 'high' }),
  );
  const limits: Limits = { hosts: 3, perZone: 9 };
  t.same(waves({ limits }, targets), ['a b c', 'd e']);
  t.same(waves({ limits, waves: { first: 1, then: 2 } }, targets), ['a', 'b c', 'd e']);
  const low = selector('criticality', 'low');
  t.same(waves({ limits, waves: { first: 1, firstFrom: low } }, targets), ['d', 'e a b', 'c']);
  t.same(waves({ limits, waves: { first: 3, firstFrom: low } }, targets), ['d e', 'a b c'], 'nobody else is in it');
  const none = selector('criticality', 'medium');
  t.same(waves({ limits, waves: { first: 1, firstFrom: none } }, targets), ['a', 'b c d', 'e'], 'as after a selection');
  t.same(waves({ limits: { hosts: 2, perZone: 9 }, waves: { first: 9 } }, targets), ['a b', 'c d', 'e']);
  t.same(waves({ limits }, []), []);
  t.end();
});

t.test('wavesOf: caps on jump hosts count every host of the chain', (t) => {
  const targets = [
    host('a', { jumpHosts: ['j1'] }),
    host('b', { jumpHosts: ['j1', 'j2'] }),
    host('c', { jumpHosts: ['j2'] }),
    host('d'),
  ];
  t.same(waves({ limits: { hosts: 9, perZone: 9, perJumpHost: 1 } }, targets), ['a c d', 'b']);
  t.end();
});

const zones = fc.constantFrom('dmz', 'core', 'lab');
const roles = fc.constantFrom('web', 'db');
const criticality = fc.constantFrom('low' as const, 'high' as const);
const jumps = fc.uniqueArray(fc.constantFrom('j1', 'j2'), { maxLength: 2 });
const fleet = fc
  .array(fc.tuple(zones, roles, criticality, jumps), { maxLength: 60 })
  .map((all) =>
    all.map(([zone, role, importance, jumpHosts], index) =>
      host(`h${index}`, { zone, role, criticality: importance, jumpHosts }),
    ),
  );
const size = fc.integer({ min: 1, max: 6 });

t.test('wavesOf: every target is in exactly one wave, and no wave goes beyond a cap', (t) => {
  const rules = fc.record({
    limits: fc.record({
      hosts: size,
      perZone: size,
      perRole: size,
      perJumpHost: size,
      caps: fc.constant([{ targets: selector('criticality', 'high'), hosts: 1 }]),
    }),
    waves: fc.record({ first: size, then: size, firstFrom: fc.constant(selector('zone', 'lab')) }),
  });
  const most = (wave: readonly Target[], of: (target: Target) => readonly string[]): number =>
    Math.max(0, ...[...Map.groupBy(wave.flatMap(of), (name) => name).values()].map((same) => same.length));
  fc.assert(
    fc.property(rules, fleet, (both, targets) => {
      const all = wavesOf(both, targets);
      const { limits, waves: wanted } = both;
      const lab = targets.some(({ zone }) => zone === 'lab');
      return (
        all.flat().length === targets.length &&
        new Set(all.flat()).size === targets.length &&
        (!lab || (all[0] ?? []).every(({ zone }) => zone === 'lab')) &&
        all.every(
          (wave, index) =>
            wave.length > 0 &&
            wave.length <= Math.min(limits.hosts, index === 0 ? wanted.first : wanted.then) &&
            most(wave, ({ zone }) => [zone]) <= limits.perZone &&
            most(wave, ({ role }) => [role]) <= limits.perRole &&
            most(wave, ({ jumpHosts }) => jumpHosts ?? []) <= limits.perJumpHost &&
            wave.filter((target) => target.criticality === 'high').length <= 1,
        )
      );
    }),
  );
  t.end();
});

t.test('isTooMuch: more failed hosts of the wave than the threshold, never as many', (t) => {
  const table: readonly (readonly [Waves['abortAfter'], number, number, boolean])[] = [
    [undefined, 9, 9, false],
    [{ failedHosts: 0 }, 0, 9, false],
    [{ failedHosts: 0 }, 1, 9, true],
    [{ failedHosts: 2 }, 2, 9, false],
    [{ failedHosts: 2 }, 3, 9, true],
    [{ percent: 10 }, 1, 10, false],
    [{ percent: 10 }, 2, 10, true],
    [{ percent: 10 }, 1, 9, true],
    [{ percent: 100 }, 9, 9, false],
  ];
  for (const [abortAfter, failed, of, isMuch] of table)
    t.equal(isTooMuch(abortAfter, failed, of), isMuch, JSON.stringify([abortAfter, failed, of]));
  t.end();
});

type Done = { readonly plan: PlannedExecution; readonly from: Instant; readonly to: Instant };

const site = new Site();
/** `c:rule,rule` a control, `e:rule` an emulation, watched by these rules. */
function planned(text: string, index: number): PlannedExecution {
  const [kind, rules = ''] = text.split(':');
  const plan = site.planned(`${index}`, { phase: kind === 'c' ? 'control-before' : 'emulations' });
  const own = rules === '' ? [] : rules.split(',');
  return { ...plan, expect: plan.expect.map((one) => ({ ...one, rules: own })) };
}

async function paced(texts: readonly string[], most: number, gapMs: number): Promise<readonly Done[]> {
  const clock = new FakeClock();
  const done: Done[] = [];
  const never = new AbortController().signal;
  await new Pace(duration(gapMs), clock).through(
    most,
    texts.map(planned),
    async (plan) => {
      const from = clock.now();
      await clock.sleep(duration(1_000), never);
      done.push({ plan, from, to: clock.now() });
    },
    never,
  );
  return done;
}

const ends = (done: readonly Done[]): readonly string[] =>
  done.map(({ plan, to }) => `${plan.title} ${(elapsed(new FakeClock().now(), to) / 1_000).toFixed(0)}`);

t.test('Pace: what the same rule watches is a gap apart, and what another watches goes between', async (t) => {
  t.same(ends(await paced(['e:r', 'e:r', 'e:s', 'e:'], 4, 30_000)), ['0 1', '2 1', '3 1', '1 32']);
  t.same(ends(await paced(['e:r,s', 'e:s', 'e:r'], 1, 10_000)), ['0 1', '1 12', '2 13']);
});

t.test('Pace: two controls need no gap, and an emulation keeps its distance from both kinds', async (t) => {
  t.same(ends(await paced(['c:r', 'c:r', 'e:r'], 1, 10_000)), ['0 1', '1 2', '2 13']);
  t.same(ends(await paced(['e:r', 'c:r', 'c:r'], 1, 10_000)), ['0 1', '1 12', '2 13']);
});

t.test(
  'Pace: whatever the order, every plan is run once, no more at a time than allowed, and gaps are kept',
  async () => {
    const text = fc
      .tuple(fc.constantFrom('c', 'e'), fc.subarray(['r', 's', 'u']))
      .map(([kind, rules]) => `${kind}:${rules.join()}`);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 8 }), fc.integer({ min: 1, max: 4 }), async (texts, most) => {
        const done = await paced(texts, most, 5_000);
        const rules = ({ plan }: Done): readonly string[] => plan.expect.flatMap((one) => one.rules);
        const clash = (a: Done, b: Done): boolean =>
          a !== b &&
          !(a.plan.purpose === 'control' && b.plan.purpose === 'control') &&
          rules(a).some((rule) => rules(b).includes(rule)) &&
          a.from <= b.from &&
          elapsed(a.to, b.from) < 5_000;
        const together = (at: Instant): number => done.filter(({ from, to }) => from <= at && at < to).length;
        return (
          new Set(done.map(({ plan }) => plan.id)).size === texts.length &&
          done.every((one) => together(one.from) <= most && done.every((other) => !clash(one, other)))
        );
      }),
      { numRuns: 60 },
    );
  },
);

t.test('Pace: a halt ends the waiting, an error is thrown when what has begun has ended', async (t) => {
  const clock = new FakeClock();
  const halt = new AbortController();
  const ran: string[] = [];
  await new Pace(duration(1_000_000), clock).through(
    2,
    ['e:r', 'e:r'].map(planned),
    (plan) => {
      ran.push(plan.title);
      setImmediate(() => {
        halt.abort();
      });
      return Promise.resolve();
    },
    halt.signal,
  );
  t.same(ran, ['0']);
  await t.rejects(
    new Pace(duration(1), clock).through(
      1,
      ['e:r', 'e:s'].map(planned),
      (plan) => Promise.reject(new Error(plan.title)),
      new AbortController().signal,
    ),
    { message: '0' },
  );
});
