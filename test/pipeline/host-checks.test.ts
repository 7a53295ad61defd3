import t from 'tap';
import type { CheckItem, HostCheck } from '../../runner/domain/host-check.ts';
import type { Target } from '../../runner/domain/inventory.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import { begin, carryOut, conclude, takeUp, watch } from '../../runner/pipeline/run.ts';
import { isRunning } from '../../runner/pipeline/host-checks.ts';
import { TransportFailure } from '../../runner/ports.ts';
import { conductorOf, MemoryRun, wellSiem } from '../fakes/memory-run.ts';
import { Site } from '../fakes/site.ts';

/** `what[ sensor]: state` of each item. */
const itemsOf = (check: HostCheck | undefined): readonly string[] =>
  check?.items.map(({ what, sensor = '', state }) => `${what}${sensor === '' ? '' : ` ${sensor}`}: ${state}`) ?? [];

const checksOf = (site: Site, target = 'alpha') => {
  const all = site.journal.of('host-check').filter((check) => check.target === target);
  return { before: all.find(({ when }) => when === 'before'), after: all.find(({ when }) => when === 'after') };
};

const detailOf = (check: HostCheck | undefined, what: CheckItem['what']): string =>
  check?.items.find((item) => item.what === what)?.detail ?? 'none';

const run = async (target: Partial<Target>, prepare: (site: Site) => void = () => undefined): Promise<Site> => {
  const site = new Site({ alpha: target });
  prepare(site);
  await site.execute([site.planned('one')]);
  return site;
};

t.test('host checks: a host that is well is so before and after, and both are in the journal', async (t) => {
  const site = await run({ sensors: ['auditd', 'sshd'] }, (of) => {
    of.host().processes = ['sshd', 'auditd'];
  });
  const { before, after } = checksOf(site);
  t.same(itemsOf(before), [
    'reachable: ok',
    'login: ok',
    'interpreter: ok',
    'clock: ok',
    'sensor auditd: ok',
    'sensor sshd: ok',
  ]);
  t.same(itemsOf(after), ['reachable: ok', 'isolation: ok', 'sensor auditd: ok', 'sensor sshd: ok']);
  const types = site.journal.records.map(({ type }) => type);
  t.ok(types.indexOf('host-check') < types.indexOf('intent'), 'before anything of the run is done there');
  t.same(
    site.progress.flatMap((one) => (one.kind === 'check' ? [one.check.when] : [])),
    ['before', 'after'],
  );
});

t.test('host checks: processes are listed only where the inventory names a sensor', async (t) => {
  const site = await run({});
  t.same(
    site.touches.filter(({ act }) => act === 'list'),
    [],
  );
  t.same(itemsOf(checksOf(site).after), ['reachable: ok', 'isolation: ok']);
});

t.test('host checks: a sensor that ended while the run went on is found', async (t) => {
  const site = await run({ sensors: ['falcon-sensor'] }, (of) => {
    of.host().processes = ['falcon-sensor'];
    of.host().twist = ({ act }) => {
      if (act === 'step') of.host().processes = ['sshd'];
      return undefined;
    };
  });
  t.equal(itemsOf(checksOf(site).before).at(-1), 'sensor falcon-sensor: ok');
  t.equal(itemsOf(checksOf(site).after).at(-1), 'sensor falcon-sensor: trouble');
});

t.test('host checks: what cannot be listed is unknown, never running and never ended', async (t) => {
  for (const twist of [
    new TransportFailure('lost', 'gone'),
    { truncated: true },
    { stdout: new Uint8Array() },
    { exit: { kind: 'code' as const, code: 1 }, stdout: new Uint8Array() },
  ]) {
    const site = await run({ sensors: ['auditd'] }, (of) => {
      of.host().twist = ({ act }) => (act === 'list' ? twist : undefined);
    });
    t.equal(itemsOf(checksOf(site).after).at(-1), 'sensor auditd: unknown');
    t.equal(site.journal.of('execution')[0]?.outcome.kind, 'finished', 'and the run goes on');
  }
});

t.test('host checks: a host that takes no new connection afterwards may have been isolated', async (t) => {
  const gone = await run({}, (of) => {
    of.host().twist = ({ act }, count) =>
      act === 'connect' && count > 0 ? new TransportFailure('unreachable', 'no route to host') : undefined;
  });
  t.same(itemsOf(checksOf(gone).after), ['reachable: trouble', 'isolation: trouble']);
  t.match(detailOf(checksOf(gone).after, 'isolation'), /isolated, or be down.*platform/);
  const refused = await run({}, (of) => {
    of.host().twist = ({ act }, count) =>
      act === 'connect' && count > 0 ? new TransportFailure('login', 'denied') : undefined;
  });
  t.same(itemsOf(checksOf(refused).after), ['reachable: trouble', 'isolation: unknown']);
});

t.test('host checks: what is wrong before is said by where it went wrong', async (t) => {
  const table: readonly (readonly [TransportFailure, readonly string[]])[] = [
    [new TransportFailure('unreachable', 'no route'), ['reachable: trouble']],
    [
      new TransportFailure('login', 'denied'),
      ['reachable: ok', 'login: trouble', 'interpreter: unknown', 'clock: unknown'],
    ],
    [
      new TransportFailure('host-key', 'other key'),
      ['reachable: ok', 'login: trouble', 'interpreter: unknown', 'clock: unknown'],
    ],
    [new TransportFailure('protocol', 'no SSH'), ['reachable: unknown']],
  ];
  for (const [failure, items] of table) {
    const site = await run({}, (of) => {
      of.host().twist = ({ act }) => (act === 'connect' ? failure : undefined);
    });
    t.same(itemsOf(checksOf(site).before), items, failure.class);
    t.equal(checksOf(site).after, undefined, 'who was not reached is not looked at afterwards');
  }
  const python = await run({}, (of) => {
    of.host().hasPython = false;
  });
  t.same(itemsOf(checksOf(python).before), ['reachable: ok', 'login: ok', 'interpreter: trouble', 'clock: unknown']);
  const clock = await run({}, (of) => {
    of.host().offsetMs = -600_000;
  });
  t.equal(itemsOf(checksOf(clock).before)[3], 'clock: trouble');
  t.match(detailOf(checksOf(clock).before, 'clock'), /10 min 0 s behind/);
});

t.test(
  'host checks: on ESXi SSH is the owner’s to switch on, and its being off again is for the owner to confirm',
  async (t) => {
    const esxi = { platform: 'esxi' as const, transport: { kind: 'ssh', settings: {}, channels: ['exec'] as const } };
    const on = await run(esxi);
    t.equal(itemsOf(checksOf(on).before).at(-1), 'ssh-service: ok');
    t.equal(itemsOf(checksOf(on).after).at(-1), 'ssh-service: to-confirm');
    t.match(detailOf(checksOf(on).after, 'ssh-service'), /platform switches SSH off again/);
    const off = await run(esxi, (of) => {
      of.host().twist = ({ act }) => (act === 'connect' ? new TransportFailure('unreachable', 'refused') : undefined);
    });
    t.same(itemsOf(checksOf(off).before), ['reachable: trouble', 'ssh-service: trouble']);
  },
);

t.test('host checks: nothing is looked at after the window has closed', async (t) => {
  const site = new Site();
  const [window] = site.inventory.windows;
  if (window === undefined) throw new Error('no window');
  const to = shift(site.clock.now(), 46_000);
  const open = { kind: 'span' as const, from: instant(0), to };
  site.inventory = { ...site.inventory, windows: [{ ...window, open, cleanupReserve: duration(0) }] };
  site.host().stepMs = 60_000;
  await site.execute([site.planned('one')]);
  t.same(itemsOf(checksOf(site).after), ['reachable: unknown']);
  t.equal(site.host().connections, 1);
});

t.test('isRunning: names as Linux cuts them, as macOS paths and as Windows spells them', (t) => {
  const table: readonly (readonly [name: string, listing: string, isFound: boolean])[] = [
    ['auditd', 'sshd\nauditd\n', true],
    ['auditd', 'sshd\nauditd-helper\n', false],
    ['falcon-sensor-bpf', 'falcon-sensor-b\n', true],
    ['falcon-sensor-bpf', 'falcon-sensor\n', false],
    ['falcond', '/Library/CS/falcond\n', true],
    ['Google Chrome Helper', '/Applications/x/Google Chrome Helper\n', true],
    ['vpxa', 'hostd\nvpxa\n', true],
    ['auditd', '/opt/x/watch auditd\n', false],
    ['MsMpEng.exe', 'System\r\nmsmpeng\r\n', true],
    ['csfalconservice', 'CSFalconService.exe\r\n', true],
    ['a', '', false],
  ];
  for (const [name, listing, isFound] of table) t.equal(isRunning(name, listing), isFound, `${name} in ${listing}`);
  t.end();
});

/** Five hosts in waves of one, two and two; the plan is executed and judged. */
function fleet(failing: readonly string[], abortAfter: { failedHosts: number } | { percent: number }) {
  const ids = ['h1', 'h2', 'h3', 'h4', 'h5'];
  const site = new Site(Object.fromEntries(ids.map((id) => [id, {}])));
  site.inventory = { ...site.inventory, waves: { first: 1, then: 2, abortAfter } };
  for (const id of failing)
    site.host(id).twist = ({ act }) =>
      act === 'connect' ? new TransportFailure('unreachable', 'no route') : undefined;
  const plan = site.plan(ids.map((target) => site.planned('one', { target })));
  const memory = new MemoryRun(site);
  return { site, plan, memory, conductor: conductorOf(site, memory, wellSiem(site, plan)) };
}

t.test('waves: after too many failed hosts no further wave starts, and what was not started is not run', async (t) => {
  const { site, plan, conductor } = fleet(['h2'], { failedHosts: 0 });
  await begin(conductor, plan);
  await carryOut(conductor, plan);
  await watch(conductor, plan);
  const report = await conclude(conductor, plan);
  const outcomes = site.journal.of('execution').map(({ execution, outcome }) => [execution.slice(0, 2), outcome.kind]);
  t.same(Object.fromEntries(outcomes), { h1: 'finished', h2: 'not-run', h3: 'finished', h4: 'not-run', h5: 'not-run' });
  t.match(site.journal.of('execution').at(-1)?.outcome, {
    why: { class: 'too-many-failures', detail: /1 of the 2 hosts of wave 2 failed \(h2\)/ },
  });
  t.equal(site.host('h4').connections, 0, 'not touched');
  t.match(report, { aborted: /no further wave/, run: { state: 'stopped' }, outcome: { exitCode: 3 } });
  t.equal(report.executions.find((one) => one.plan.target === 'h5')?.assessments[0]?.verdict, 'not-run');
  t.equal(report.hostChecks?.length, 5, 'before on three hosts, after on two');
  t.ok(site.progress.some((one) => one.kind === 'stopping' && one.because.includes('h2')));
});

t.test('waves: as many failures as allowed, or failures in the last wave, stop nothing', async (t) => {
  for (const [failing, abortAfter] of [
    [['h2'], { failedHosts: 1 }],
    [['h2'], { percent: 50 }],
    [['h4', 'h5'], { failedHosts: 0 }],
  ] as const) {
    const { site, plan, conductor } = fleet(failing, abortAfter);
    await begin(conductor, plan);
    await carryOut(conductor, plan);
    t.equal(site.journal.of('aborted').length, 0, failing.join());
    t.match(site.journal.of('executed'), [{ state: 'complete' }]);
  }
});

t.test('waves: something left behind counts as a failed host, and so does a sensor that ended', async (t) => {
  const left = fleet([], { failedHosts: 0 });
  left.site.host('h1').twist = ({ act }) => (act === 'clean-up' ? { exit: { kind: 'code', code: 1 } } : undefined);
  await begin(left.conductor, left.plan);
  await carryOut(left.conductor, left.plan);
  t.match(left.site.journal.of('aborted'), [{ wave: 1, failed: ['h1'] }]);

  const ended = fleet([], { failedHosts: 0 });
  ended.site.inventory = {
    ...ended.site.inventory,
    targets: ended.site.inventory.targets.map((target) => ({ ...target, sensors: ['sshd', 'never-there'] })),
  };
  ended.site.host('h1').twist = ({ act }) => {
    if (act === 'step') ended.site.host('h1').processes = ['systemd'];
    return undefined;
  };
  const conductor = { ...ended.conductor, inventory: ended.site.inventory };
  await begin(conductor, ended.plan);
  await carryOut(conductor, ended.plan);
  t.match(ended.site.journal.of('aborted'), [{ wave: 1, failed: ['h1'] }]);
  ended.site.host('h1').processes = ['sshd'];
});

t.test('waves: a resumed run does not start what an aborted one did not start', async (t) => {
  const { site, plan, memory, conductor } = fleet(['h1'], { failedHosts: 0 });
  await begin(conductor, plan);
  await carryOut(conductor, plan);
  const at = site.journal.records.findIndex(({ type }) => type === 'aborted');
  site.journal.records.splice(at + 2);
  await takeUp(conductor, plan, await memory.read());
  await carryOut(conductor, plan);
  t.same(
    site.journal.of('execution').map(({ outcome }) => outcome.kind),
    plan.executions.map(() => 'not-run'),
  );
  t.ok(['h2', 'h3', 'h4', 'h5'].every((id) => site.host(id).connections === 0));
  t.match(site.journal.of('executed'), [{ state: 'stopped' }]);
});

t.test(
  'execute: executions that the same rule watches keep the inventory’s pace on a host, over all phases',
  async (t) => {
    const site = new Site({ alpha: { parallel: 4 }, beta: {} });
    site.inventory = { ...site.inventory, pace: { perRuleAndHost: duration(30_000) } };
    await site.execute(
      ['alpha', 'beta'].flatMap((target) => [
        site.planned('control#before', { target, phase: 'control-before' }),
        site.planned('one', { target }),
        site.planned('two', { target }),
        site.planned('three', { target }),
      ]),
    );
    const own = site.journal.of('execution').filter(({ execution }) => /^alpha.*(one|two|three)$/.test(execution));
    const starts = own.map(({ startedAt }) => Date.parse(startedAt)).sort((a, b) => a - b);
    t.ok(starts.every((start, index) => index === 0 || start - (starts[index - 1] ?? 0) >= 30_000));
    t.equal(starts.length, 3);
  },
);
