import t from 'tap';
import type { Inventory, Overlay, Target } from '../../runner/domain/inventory.ts';
import type { Plan, PlannedExecution, SiemExpectation } from '../../runner/domain/plan.ts';
import type { Expectation, Scenario, Stance } from '../../runner/domain/scenario.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import { fitOf, tightText } from '../../runner/pipeline/estimate.ts';
import { makePlan } from '../../runner/pipeline/plan.ts';
import { Site, step } from '../fakes/site.ts';

const execve = 'auditd:SYSCALL/execve';
const now = instant(Date.UTC(2026, 10, 24, 2, 0, 0));

function expectation(rules: readonly string[], stance: Stance, more: Partial<Expectation['alert']> = {}): Expectation {
  return {
    event: { sources: [execve], within: duration(60_000), context: ['process', 'host'] },
    alert: { rules, within: duration(300_000), stance, ...more },
  };
}

function scenario(id: string, more: Partial<Scenario> = {}): Scenario {
  return {
    id,
    title: id,
    platform: 'linux',
    analytic: 'AN0174',
    purpose: 'emulation',
    why: 'a test',
    channel: 'exec',
    steps: [step],
    couldShow: [],
    creates: [],
    expect: expectation(['shipped-rule'], 'must-alert'),
    variants: [],
    file: `${id}.yaml`,
    sha256: '0'.repeat(64),
    ...more,
  };
}

const emulation = scenario('linux/hidden', {
  element: 'ScriptDir',
  variants: [
    {
      name: 'interpreter=renamed',
      steps: [{ ...step, interpreter: 'renamed' }],
      expect: expectation(['shipped-rule'], 'must-alert'),
    },
    {
      name: 'invocation=stdin',
      steps: [{ ...step, invocation: 'stdin' }],
      expect: expectation(['shipped-rule'], 'known-gap', {
        because: 'no script path',
        owner: 'detection',
        until: '2027-01-01',
      }),
    },
  ],
});
const twin = scenario('linux/twin', {
  purpose: 'twin',
  twinOf: 'linux/hidden',
  expect: expectation([], 'must-stay-quiet'),
});
const control = scenario('linux/control', {
  purpose: 'control',
  channel: 'any',
  expect: expectation([], 'must-stay-quiet'),
});
const typed = scenario('linux/typed', { channel: 'shell', expect: expectation(['other-rule'], 'must-alert') });
const library = [emulation, twin, control, typed];

type Ask = {
  readonly scenarios?: readonly Scenario[];
  readonly overlays?: readonly Overlay[];
  readonly targets?: Readonly<Record<string, Partial<Target>>>;
  readonly variants?: boolean;
  readonly change?: (inventory: Inventory) => Inventory;
};

function planned({
  scenarios = library,
  overlays = [],
  targets = { alpha: {} },
  variants = true,
  change = (one) => one,
}: Ask = {}): Plan {
  const inventory = change({ ...new Site(targets).inventory, expectations: overlays });
  return makePlan({ runId: 'r', inventory, scenarios, library, targets: inventory.targets, now, variants });
}

function one(plan: Plan, id: string): PlannedExecution {
  const found = plan.executions.find((execution) => execution.id === `alpha/alice/${id}`);
  if (found === undefined) throw new Error(`no ${id} in ${plan.executions.map((execution) => execution.id).join()}`);
  return found;
}

function expected(plan: Plan, id: string): SiemExpectation {
  const [expect] = one(plan, id).expect;
  if (expect === undefined) throw new Error('nothing is expected');
  return expect;
}

t.test('plan: controls around everything, per channel, then twins, then emulations with their variants', (t) => {
  const plan = planned();
  t.same(
    plan.executions.map(({ id, phase }) => `${phase} ${id.slice('alpha/alice/'.length)}`),
    [
      'control-before linux/control#before',
      'control-before linux/control!shell#before',
      'twins linux/twin',
      'emulations linux/hidden',
      'emulations linux/hidden@interpreter=renamed',
      'emulations linux/hidden@invocation=stdin',
      'emulations linux/typed',
      'control-after linux/control#after',
      'control-after linux/control!shell#after',
    ],
  );
  t.equal(one(plan, 'linux/control!shell#after').channel, 'shell');
  t.equal(new Set(plan.executions.map(({ id }) => id)).size, plan.executions.length, 'ids are unique');
  t.notOk(planned({ variants: false }).executions.some(({ variant }) => variant !== undefined));
  t.notMatch(JSON.stringify(plan), /"marker"/, 'a plan holds no markers');
  t.same(planned(), plan, 'and the same again from the same');
  t.end();
});

t.test('plan: a twin is watched with the rules that its emulation is watched with on this site', (t) => {
  t.same(expected(planned(), 'linux/twin').rules, ['shipped-rule']);
  t.same(
    expected(planned({ scenarios: [twin, control] }), 'linux/twin').rules,
    ['shipped-rule'],
    'also when only the twin was chosen',
  );
  const overlays = [{ scenarios: ['linux/hidden'], rules: ['site-17', 'site-18'] }];
  t.same(expected(planned({ overlays }), 'linux/twin').rules, ['site-17', 'site-18']);
  t.same(expected(planned({ overlays }), 'linux/hidden@interpreter=renamed').rules, ['site-17', 'site-18']);
  const own = [...overlays, { scenarios: ['linux/twin'], rules: ['twin-rule'] }];
  t.same(
    expected(planned({ overlays: own }), 'linux/twin').rules,
    ['twin-rule'],
    'the site’s own word on the twin wins',
  );
  t.end();
});

t.test('plan: a control is watched with every rule of the steps that it stands around', (t) => {
  t.same(expected(planned(), 'linux/control#before').rules, ['other-rule', 'shipped-rule']);
  t.same(expected(planned({ scenarios: [typed, control] }), 'linux/control!shell#after').rules, ['other-rule']);
  t.same(expected(planned({ scenarios: [control] }), 'linux/control#before').rules, []);
  t.end();
});

t.test('plan: the overlay says field by field what it changes, the later entry over the earlier', (t) => {
  const plan = planned({
    overlays: [
      { scenarios: ['*'], within: duration(10_000), observeFor: duration(60_000), attribution: 'correlated' },
      { scenarios: ['linux/hid*'], rules: ['site-17'], roles: ['web-server'], siems: ['siem'] },
      { scenarios: ['linux/hidden'], within: duration(20_000) },
      { scenarios: ['linux/hidden'], rules: ['never'], roles: ['database'] },
      { scenarios: ['linux/hidden'], rules: ['never'], siems: ['other'] },
    ],
  });
  t.match(expected(plan, 'linux/hidden'), {
    rules: ['site-17'],
    alertWithin: 20_000,
    observeFor: 60_000,
    attribution: 'correlated',
    stance: 'must-alert',
  });
  t.match(expected(plan, 'linux/typed'), { rules: ['other-rule'], alertWithin: 10_000 });
  t.match(expected(planned(), 'linux/hidden'), { alertWithin: 300_000, observeFor: 600_000, attribution: 'exact' });
  t.end();
});

t.test('plan: no asking ends before an alert that would be in time, whichever entries shortened what', (t) => {
  const overlays = [
    { scenarios: ['*'], observeFor: duration(15_000) },
    { scenarios: ['linux/hidden'], within: duration(600_000) },
  ];
  t.equal(expected(planned({ overlays }), 'linux/hidden').observeFor, 600_000);
  t.equal(expected(planned({ overlays }), 'linux/typed').observeFor, 300_000);
  t.end();
});

t.test('plan: a declared gap of a variant stays, an overlay’s stance is about what must alert', (t) => {
  const gap = {
    scenarios: ['*'],
    stance: 'known-gap',
    because: 'no agent yet',
    owner: 'soc',
    until: '2026-12-31',
  } as const;
  const plan = planned({ overlays: [gap] });
  t.match(expected(plan, 'linux/hidden'), {
    stance: 'known-gap',
    because: 'no agent yet',
    owner: 'soc',
    until: '2026-12-31',
  });
  t.match(expected(plan, 'linux/hidden@invocation=stdin'), {
    stance: 'known-gap',
    because: 'no script path',
    until: '2027-01-01',
  });
  t.match(expected(plan, 'linux/twin'), { stance: 'must-stay-quiet' });
  t.notOk('because' in expected(plan, 'linux/twin'));
  const must = planned({ overlays: [{ scenarios: ['*'], stance: 'must-alert' }] });
  t.equal(expected(must, 'linux/hidden@invocation=stdin').stance, 'known-gap');
  const none = planned({ overlays: [{ scenarios: ['*'], notCollected: [execve], because: 'no auditd here' }] });
  for (const id of ['linux/hidden', 'linux/hidden@invocation=stdin', 'linux/twin', 'linux/control#before'])
    t.match(expected(none, id), { stance: 'not-collected', because: 'no auditd here' }, id);
  const other = planned({ overlays: [{ scenarios: ['*'], notCollected: ['linux:syslog//var/log/syslog'] }] });
  t.equal(expected(other, 'linux/hidden').stance, 'must-alert', 'only when all its sources are not collected');
  t.end();
});

t.test('plan: what is left out is named with the reason', (t) => {
  const windows = planned({
    targets: { alpha: {}, beta: { groups: ['batch'] }, gamma: { platform: 'windows' } },
    scenarios: [...library, scenario('macos/x', { platform: 'macos' })],
  });
  t.match(windows.leftOut, [
    { what: 'beta/alice', because: /no window names a group of beta/ },
    { what: 'gamma', because: 'no selected scenario is for windows' },
    { what: 'macos/x', because: 'no selected target is macos' },
  ]);
  t.same(
    windows.targets.map(({ id }) => id),
    ['alpha'],
  );
  t.ok(windows.executions.every(({ target }) => target === 'alpha'));
  const never = planned({
    change: (inventory) => ({ ...inventory, engagement: { ...inventory.engagement, neverTouch: ['ALPHA'] } }),
  });
  t.match(never, { executions: [], targets: [], leftOut: [{ what: 'alpha/alice', because: /never-touch/ }] });
  t.end();
});

t.test('plan: a target needs as much of its window as all time-outs together may take', (t) => {
  const closing =
    (ms: number) =>
    (inventory: Inventory): Inventory => ({
      ...inventory,
      windows: inventory.windows.map((window) => ({
        ...window,
        cleanupReserve: duration(0),
        open: { kind: 'span', from: instant(0), to: shift(now, ms) },
      })),
    });
  // Two executions of 30 s and 15 s for clean-up each, in one phase, four at a time: 22.5 s as their share, 45 s for the longest.
  const two = [emulation, scenario('linux/other')];
  t.equal(planned({ scenarios: two, variants: false, change: closing(67_500) }).executions.length, 2);
  t.match(planned({ scenarios: two, variants: false, change: closing(67_000) }), {
    executions: [],
    leftOut: [{ what: 'alpha/alice', because: /less than the 68 s needed/ }],
  });
  const cron = scenario('linux/cron', { steps: [{ ...step, via: 'cron' }] });
  t.equal(planned({ scenarios: [cron], change: closing(100_000) }).executions.length, 0, 'cron’s minute is waited for');
  t.end();
});

t.test('plan: only SIEMs that know the host are expected to show something', (t) => {
  const plan = planned({
    targets: { alpha: { names: { second: ['a'] } } },
    change: (inventory) => ({
      ...inventory,
      siems: [...inventory.siems, { id: 'second', kind: 'scripted', settings: {} }],
    }),
  });
  t.same(
    one(plan, 'linux/hidden').expect.map(({ siem }) => siem),
    ['second'],
  );
  t.end();
});

t.test('plan: all accounts of a host share its window, and the pace takes its time too', (t) => {
  const accounts = ['alice', 'bob'].map((name) => ({ name, role: 'standard', settings: {} }));
  const closing = (ms: number, pace?: number) => (inventory: Inventory) => ({
    ...inventory,
    ...(pace === undefined ? {} : { pace: { perRuleAndHost: duration(pace) } }),
    windows: inventory.windows.map((window) => ({
      ...window,
      cleanupReserve: duration(0),
      open: { kind: 'span' as const, from: instant(0), to: shift(now, ms) },
    })),
  });
  const ask = (change: NonNullable<Ask['change']>) =>
    planned({ scenarios: [emulation], targets: { alpha: { accounts } }, variants: false, change });
  // Two accounts with one execution of 45 s each.
  t.equal(ask(closing(67_500)).executions.length, 2);
  t.same(
    ask(closing(67_000)).leftOut.map(({ what }) => what),
    ['alpha/alice', 'alpha/bob'],
  );
  // The two are watched by the same rule: one after the other, each with its gap.
  const gap = 600_000;
  t.equal(ask(closing(67_500 + 2 * (gap + 45_000), gap)).executions.length, 2);
  t.equal(ask(closing(67_500 + 2 * (gap + 45_000) - 1, gap)).executions.length, 0);
  t.end();
});

t.test('plan: each host is in a wave, and one whose wave may begin too late is said not to fit', (t) => {
  const plan = planned({
    scenarios: [emulation],
    variants: false,
    targets: { alpha: {}, beta: {}, gamma: { groups: ['soon'] } },
    change: (inventory) => ({
      ...inventory,
      limits: { hosts: 1, perZone: 1 },
      windows: [
        ...inventory.windows,
        {
          id: 'soon',
          groups: ['soon'],
          open: { kind: 'span', from: instant(0), to: shift(now, 120_000) },
          freezes: [],
          cleanupReserve: duration(0),
        },
      ],
    }),
  });
  t.match(plan.targets, [
    { id: 'alpha', wave: 1, needs: 56_250 },
    { id: 'beta', wave: 2, needs: 56_250 },
    { id: 'gamma', wave: 3, needs: 56_250 },
  ]);
  const fits = fitOf(plan);
  t.same(
    fits.map(({ target, fits: isFine }) => [target, isFine]),
    [
      ['alpha', true],
      ['beta', true],
      ['gamma', false],
    ],
  );
  const [, , gamma] = fits;
  t.equal(gamma?.beginsBy, shift(now, 112_500));
  t.match(
    gamma === undefined ? '' : tightText(gamma),
    /wave 3.*needs up to 56\.\d s.*what does not fit then is not run/,
  );
  t.end();
});
