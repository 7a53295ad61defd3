import t from 'tap';
import type { ExecutionOutcome } from '../../runner/domain/execution.ts';
import type { PlannedExecution } from '../../runner/domain/plan.ts';
import { duration, shift } from '../../runner/domain/time.ts';
import { TransportFailure, type TransportFailureClass } from '../../runner/ports.ts';
import { fill, invocation } from '../../runner/pipeline/invocation.ts';
import { posixDialect } from '../../runner/pipeline/posix-dialect.ts';
import { fixedParents } from '../../runner/pipeline/parents.ts';
import { limited } from '../../runner/pipeline/limit.ts';
import type { Touch, Twist } from '../fakes/scripted-host.ts';
import { payloads, Site, step } from '../fakes/site.ts';

const failure = (failureClass: TransportFailureClass, message: string = failureClass): TransportFailure =>
  new TransportFailure(failureClass, message);

/** Told of an outcome: its kind, and the class of its reason. */
function told(outcome: ExecutionOutcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  return outcome.kind === 'not-run' || outcome.kind === 'broken-off'
    ? `${outcome.kind} ${outcome.why.class}`
    : outcome.kind;
}

/** Of what the intent named, nothing is there any more. */
function isTidy(site: Site, id = 'alpha'): boolean {
  const { paths, crontab, absent } = site.host(id);
  return crontab.length === 0 && [...paths.keys()].every((path) => path.includes('/theirs') || absent.has(path));
}

t.test('execute: on disk before each touch is who is to be touched, and what is to be undone', async (t) => {
  const site = new Site({ alpha: {}, beta: {} });
  const executions = ['alpha', 'beta'].flatMap((target) => [
    site.planned('control#before', { target, phase: 'control-before' }),
    site.planned('one', { target, creates: ['/tmp/{{run}}'] }),
    site.planned('two', { target }),
    site.planned('control#after', { target, phase: 'control-after' }),
  ]);
  const { state, executed } = await site.execute(executions);
  t.equal(state, 'complete');
  t.ok(executed.every(({ execution }) => execution.outcome.kind === 'finished'));

  const reached = new Set<string>();
  const declared = new Map<string, readonly string[]>();
  for (const one of site.happened) {
    if ('record' in one) {
      if (one.record.type === 'reaching') reached.add(one.record.data.target);
      if (one.record.type === 'intent' && one.record.data.cleanup.kind === 'steps')
        declared.set(
          one.record.data.run,
          one.record.data.cleanup.steps.flatMap((undo) => (undo.kind === 'remove' ? [undo.path] : [])),
        );
      continue;
    }
    const { host, act, about } = one.touch;
    t.ok(reached.has(host), `${act} of ${host} after its first record`);
    if (act !== 'prepare' && act !== 'put') continue;
    const run = [...declared.keys()].find((name) => about.includes(name));
    const made = about.split('\n').filter((_, index, lines) => lines[index - 1] === 'make');
    t.ok(run !== undefined, `${act} after its intent`);
    t.same(
      made.filter((path) => !declared.get(run ?? '')?.includes(path)),
      [],
      'all that is made is declared',
    );
  }
  t.equal(site.journal.of('execution').length, executions.length);
  t.ok(isTidy(site) && isTidy(site, 'beta'));
  t.equal(site.journal.records.at(-1)?.type, 'executed');
});

t.test(
  'execute: each phase ends on all hosts of a wave before the next, so that twins never overlap emulations',
  async (t) => {
    const site = new Site({ alpha: { parallel: 8 }, beta: { parallel: 1 } });
    const phases = ['control-after', 'emulations', 'twins', 'control-before'] as const;
    const executions = ['alpha', 'beta'].flatMap((target) =>
      phases.flatMap((phase) => [1, 2, 3].map((number) => site.planned(`${phase}-${number}`, { target, phase }))),
    );
    const { executed } = await site.execute(executions);
    t.equal(executed.length, executions.length);
    const span = (phase: PlannedExecution['phase']) => {
      const own = executed.filter(({ plan }) => plan.phase === phase).map(({ execution }) => execution);
      return {
        from: own.map(({ startedAt }) => startedAt).sort()[0] ?? '',
        to:
          own
            .map(({ endedAt }) => endedAt)
            .sort()
            .at(-1) ?? '',
      };
    };
    const spans = [...phases].reverse().map(span);
    for (const [index, { from }] of spans.entries())
      if (index > 0) t.ok((spans[index - 1]?.to ?? '') <= from, `phase ${index}`);
  },
);

t.test('execute: no more at a time on a host than it allows, whichever accounts they are for', async (t) => {
  const accounts = [
    { name: 'alice', role: 'standard', settings: {} },
    { name: 'bob', role: 'standard', settings: {} },
  ];
  const site = new Site({ alpha: { parallel: 2, accounts }, beta: { parallel: 3 } });
  const executions = Array.from({ length: 12 }, (_, index) => [
    site.planned(`a${index}`, { account: index % 2 === 0 ? 'alice' : 'bob' }),
    site.planned(`b${index}`, { target: 'beta' }),
  ]).flat();
  await site.execute(executions);
  t.equal(site.host('alpha').mostRunning, 2);
  t.equal(site.host('beta').mostRunning, 3);
  t.equal(
    site.host('alpha').connections,
    3,
    'one connection per account serves all, and one looks at the host afterwards',
  );
  t.equal(site.host('alpha').disposed, 3);
});

t.test('execute: hosts go in waves under the caps of the inventory', async (t) => {
  const zones = { a1: 'a', a2: 'a', a3: 'a', b1: 'b', c1: 'c' };
  const site = new Site(Object.fromEntries(Object.entries(zones).map(([id, zone]) => [id, { zone }])), {
    hosts: 2,
    perZone: 1,
  });
  await site.execute(Object.keys(zones).map((target) => site.planned('one', { target })));
  const waves = site.progress.flatMap((one) => (one.kind === 'wave' ? [one.targets] : []));
  t.same(waves, [['a1', 'b1'], ['a2', 'c1'], ['a3']]);
  const first = (id: string): number => site.touches.findIndex(({ host }) => host === id);
  const last = (id: string): number => site.touches.findLastIndex(({ host }) => host === id);
  t.ok(Math.max(last('a1'), last('b1')) < Math.min(first('a2'), first('c1')));
});

t.test(
  'execute: whatever goes wrong where, the outcome is no more than what is known, and clean-up follows',
  async (t) => {
    const exit = (code: number): Twist => ({ exit: { kind: 'code', code } });
    const table: readonly (readonly [what: string, act: Touch['act'], twist: Twist, outcome: string])[] = [
      ['prepare fails', 'prepare', exit(18), 'not-run not-started'],
      ['prepare outlives its time', 'prepare', 'hang', 'not-run not-started'],
      ['connection lost while preparing', 'prepare', failure('lost'), 'broken-off broken-off'],
      ['upload fails', 'put', failure('file', 'no space left'), 'not-run not-started'],
      ['upload loses the connection', 'put', failure('lost'), 'broken-off broken-off'],
      ['the host refuses to start it', 'step', failure('not-started'), 'not-run not-started'],
      ['the connection is lost while it runs', 'step', failure('lost'), 'broken-off broken-off'],
      ['the transport does not understand the answer', 'step', failure('protocol'), 'broken-off protocol'],
      ['the shell cannot find it', 'step', exit(127), 'not-run not-started'],
      ['the shell may not start it', 'step', exit(126), 'not-run not-started'],
      ['it ends with an error and no receipt', 'step', exit(1), 'broken-off broken-off'],
      ['it is killed', 'step', { exit: { kind: 'signal', signal: 'SIGKILL' } }, 'broken-off broken-off'],
      ['it outlives its time-out', 'step', 'hang', 'broken-off broken-off'],
      ['it ends well and leaves no receipt', 'step', 'vanish', 'broken-off broken-off'],
      ['it begins and does not finish', 'step', 'begin', 'broken-off broken-off'],
      ['the receipt cannot be read: lost', 'get', failure('lost'), 'broken-off broken-off'],
      ['the receipt cannot be read: unreachable', 'get', failure('unreachable'), 'broken-off unreachable'],
      ['the receipt is endless', 'get', failure('cut-short'), 'broken-off cut-short'],
    ];
    for (const [what, act, twist, outcome] of table) {
      const site = new Site();
      site.host().twist = (touch, count) => (touch.act === act && count === 0 ? twist : undefined);
      const { executed } = await site.execute([
        site.planned('bad', { creates: ['/tmp/{{run}}'] }),
        site.planned('good'),
      ]);
      const bad = executed.find(({ plan }) => plan.id.endsWith('bad'))?.execution;
      t.equal(told(bad?.outcome), outcome, what);
      t.same(bad?.cleanup.leftBehind, [], `${what}: nothing is left`);
      t.ok((bad?.cleanup.done.length ?? 0) >= 3, `${what}: clean-up is recorded`);
      t.ok(isTidy(site), what);
      const good = executed.find(({ plan }) => plan.id.endsWith('good'))?.execution;
      t.equal(told(good?.outcome), 'finished', `${what}: the next goes on`);
    }
  },
);

t.test('execute: a step that did run is never "not run", whatever follows it', async (t) => {
  const table: readonly (readonly [act: Touch['act'], count: number, twist: Twist])[] = [
    ['prepare', 1, { exit: { kind: 'code', code: 18 } }],
    ['put', 1, failure('file')],
    ['step', 1, failure('not-started')],
    ['step', 1, { exit: { kind: 'code', code: 127 } }],
    ['get', 1, failure('unreachable')],
  ];
  for (const [act, count, twist] of table) {
    const site = new Site();
    site.host().twist = (touch, number) => (touch.act === act && number === count ? twist : undefined);
    const { executed } = await site.execute([site.planned('two-steps', { steps: [step, step] })]);
    t.equal(executed[0]?.execution.outcome.kind, 'broken-off', `second ${act}`);
    t.ok(isTidy(site));
  }
  const both = new Site();
  t.equal(
    told((await both.execute([both.planned('two-steps', { steps: [step, step] })])).executed[0]?.execution.outcome),
    'finished',
  );
});

t.test(
  'execute: a folder that is in the way is left alone, and what was made before it was noticed is not',
  async (t) => {
    const site = new Site();
    let run = '';
    site.host().twist = ({ act, about }) => {
      if (act !== 'prepare') return undefined;
      run = /\/tmp\/(\w+)/.exec(about)?.[1] ?? '';
      site
        .host()
        .paths.set(`/tmp/${run}`, 'folder')
        .set(`/tmp/${run}/theirs`, new Uint8Array([1]));
      return undefined;
    };
    const { executed } = await site.execute([site.planned('one', { creates: ['/tmp/{{run}}'] })]);
    t.equal(told(executed[0]?.execution.outcome), 'not-run in-the-way');
    t.ok(site.host().paths.has(`/tmp/${run}/theirs`));
    t.notMatch(site.touches.at(-1)?.about, /remove\n/, 'no path is named for removal');

    // It appears between the look and the making: the host says what it made itself.
    const racing = new Site();
    racing.host().twist = ({ act, about }) => {
      if (act !== 'prepare') return undefined;
      const [home = '', tmp = ''] = about.split('\n').filter((_, index, lines) => lines[index - 1] === 'make');
      racing
        .host()
        .paths.set(home, 'folder')
        .set(tmp, 'folder')
        .set(`${tmp}/theirs`, new Uint8Array([1]));
      const stdout = new TextEncoder().encode(`made ${home}\nexists ${tmp}\n`);
      return { exit: { kind: 'code', code: 18 }, stdout };
    };
    const raced = await racing.execute([racing.planned('one', { creates: ['/tmp/{{run}}'] })]);
    t.equal(told(raced.executed[0]?.execution.outcome), 'not-run in-the-way');
    t.same(
      [...racing.host().paths.keys()].map((path) => path.replace(/n\d+/, 'RUN')),
      ['/tmp/RUN', '/tmp/RUN/theirs'],
      'ours is removed, theirs is not',
    );
  },
);

t.test('execute: hosts that cannot be reached are not run with the reason, and the others go on', async (t) => {
  for (const reason of ['unreachable', 'host-key', 'login'] as const) {
    const site = new Site({ alpha: {}, beta: {} });
    site.host('alpha').twist = ({ act }) => (act === 'connect' ? failure(reason, `${reason} for a test`) : undefined);
    const executions = ['alpha', 'beta'].flatMap((target) =>
      ['one', 'two', 'three'].map((name) => site.planned(name, { target })),
    );
    const { executed } = await site.execute(executions);
    for (const { plan, execution } of executed)
      t.equal(told(execution.outcome), plan.target === 'alpha' ? `not-run ${reason}` : 'finished');
    t.equal(site.touches.filter(({ host }) => host === 'alpha').length, 1, `${reason}: tried once`);
    t.match(
      site.journal.of('host').find(({ target }) => target === 'alpha'),
      { failure: { class: reason, detail: `${reason} for a test` } },
    );
    t.equal(site.journal.of('intent').filter(({ execution }) => execution.startsWith('alpha')).length, 0);
  }
  const noPython = new Site();
  noPython.host().hasPython = false;
  const { executed } = await noPython.execute([noPython.planned('one')]);
  t.match(executed[0]?.execution.outcome, {
    kind: 'not-run',
    why: { detail: /no executable \/usr\/bin\/python3; set interpreter/ },
  });
});

t.test('execute: a login that is refused in the middle of a run is not tried again', async (t) => {
  const site = new Site({ alpha: { parallel: 1 } });
  site.host().twist = ({ act }, count) => {
    if (act === 'step' && count === 0) return failure('lost');
    return act === 'connect' && count > 0 ? failure('login', 'permission denied') : undefined;
  };
  const { executed } = await site.execute(['one', 'two', 'three'].map((name) => site.planned(name)));
  t.equal(site.touches.filter(({ act }) => act === 'connect').length, 2);
  t.same(
    executed.map(({ execution }) => told(execution.outcome)),
    ['broken-off broken-off', 'not-run login', 'not-run login'],
  );
  t.match(
    executed[0]?.execution.cleanup.leftBehind[0],
    { because: 'permission denied', hint: /pgrep/ },
    'what could not be cleaned is named',
  );
});

t.test('execute: a lost connection is made anew, and clean-up is tried again over it', async (t) => {
  const site = new Site({ alpha: { parallel: 1 } });
  site.host().twist = ({ act }, count) => (act === 'clean-up' && count === 0 ? failure('lost') : undefined);
  const { executed } = await site.execute([site.planned('one'), site.planned('two')]);
  t.same(
    executed.map(({ execution }) => told(execution.outcome)),
    ['finished', 'finished'],
  );
  t.ok(executed.every(({ execution }) => execution.cleanup.leftBehind.length === 0));
  t.equal(site.host().connections, 3, 'and once more to look at the host afterwards');
  t.ok(isTidy(site));
});

t.test('execute: what clean-up cannot remove is recorded with the host’s own words and what to do', async (t) => {
  const site = new Site();
  site.host().twist = ({ act, about }) => {
    if (act !== 'clean-up') return undefined;
    const path = about.split('\n')[3] ?? '';
    return {
      exit: { kind: 'code', code: 0 },
      stdout: new TextEncoder().encode(`done end-processes\nleft remove ${path}: rm: busy\n`),
    };
  };
  const { executed } = await site.execute([site.planned('one')]);
  const [execution] = site.journal.of('execution');
  t.same(execution?.cleanup, executed[0]?.execution.cleanup);
  t.match(execution?.cleanup.leftBehind, [
    { target: 'alpha', account: 'alice', what: /^\/home\/alpha\/n\d+$/, because: 'rm: busy', hint: /rm -rf -- \/home/ },
  ]);
});

t.test('execute: the window is looked at again before each execution', async (t) => {
  const site = new Site({ alpha: { parallel: 1 } });
  site.host().stepMs = 3_600_000;
  const [window] = site.inventory.windows;
  if (window?.open.kind !== 'span') throw new Error('a span was expected');
  const closes = { ...window, open: { ...window.open, to: shift(site.clock.now(), 2 * 3_600_000) } };
  site.inventory = { ...site.inventory, windows: [closes] };
  const { executed } = await site.execute(['one', 'two', 'three', 'four'].map((name) => site.planned(name)));
  t.same(
    executed.map(({ execution }) => told(execution.outcome)),
    ['finished', 'finished', 'not-run out-of-window', 'not-run out-of-window'],
  );
  t.equal(site.journal.of('intent').length, 2);
  t.equal(site.touches.filter(({ act }) => act === 'step').length, 2);
});

t.test('execute: after a stop nothing further starts, and what runs may end', async (t) => {
  const site = new Site({ alpha: { parallel: 2 } });
  site.host().twist = ({ act }, count) => {
    if (act === 'step' && count === 1) site.halt.abort();
    return undefined;
  };
  const { executed, state } = await site.execute(['one', 'two', 'three', 'four'].map((name) => site.planned(name)));
  t.equal(state, 'stopped');
  t.same(
    executed.map(({ execution }) => told(execution.outcome)),
    ['finished', 'finished'],
  );
  t.equal(site.journal.of('intent').length, 2);
  t.ok(isTidy(site));
  t.same(site.journal.of('executed'), [{ state: 'stopped' }]);
});

t.test('execute: an interrupt ends what runs, cleans up, and leaves the rest as it was', async (t) => {
  const site = new Site({ alpha: { parallel: 2 } });
  site.host().twist = ({ act }, count) => {
    if (act !== 'step') return undefined;
    if (count === 1)
      setImmediate(() => {
        site.interrupt.abort(new Error('interrupted'));
      });
    return 'hang';
  };
  const { executed, state } = await site.execute(['one', 'two', 'three'].map((name) => site.planned(name)));
  t.equal(state, 'interrupted');
  t.same(
    executed.map(({ execution }) => told(execution.outcome)),
    ['broken-off interrupted', 'broken-off interrupted'],
  );
  t.ok(isTidy(site));
  t.same(
    executed.map(({ execution }) => execution.cleanup.leftBehind),
    [[], []],
  );
});

t.test('execute: a journal that cannot be written means that nothing is touched', async (t) => {
  const none = new Site({ alpha: {}, beta: {} });
  none.journal.failsFrom = 0;
  await t.rejects(
    none.execute([none.planned('one'), none.planned('one', { target: 'beta' })]),
    /journal cannot be written/,
  );
  t.same(none.touches, []);

  // It fails at every later line in turn: after that line no execution is begun, and those under way are tidied.
  for (let failsFrom = 1; failsFrom < 12; failsFrom += 1) {
    const site = new Site({ alpha: { parallel: 2 }, beta: {} });
    site.journal.failsFrom = failsFrom;
    const executions = ['one', 'two', 'three'].flatMap((name) => [
      site.planned(name),
      site.planned(name, { target: 'beta' }),
    ]);
    await t.rejects(site.execute(executions), /journal cannot be written/);
    const intents = site.journal.of('intent').length;
    t.ok(site.touches.filter(({ act }) => act === 'prepare').length <= intents, `line ${failsFrom}`);
    t.equal(
      site.touches.filter(({ act }) => act === 'clean-up').length,
      intents,
      `line ${failsFrom}: each that was begun is tidied`,
    );
    t.ok(isTidy(site) && isTidy(site, 'beta'), `line ${failsFrom}`);
    for (const { connections, disposed } of site.hosts.values())
      t.equal(disposed, connections, 'no connection stays open');
  }
});

t.test('execute: evidence that cannot be kept ends the run, with the target tidied and that recorded', async (t) => {
  const site = new Site();
  site.host().twist = ({ act }) => {
    if (act === 'step') site.evidence.full = true;
    return undefined;
  };
  await t.rejects(site.execute([site.planned('one'), site.planned('two')]), /ENOSPC/);
  t.ok(isTidy(site));
  const executions = site.journal.of('execution');
  t.ok(executions.length > 0);
  t.match(executions[0], {
    outcome: { kind: 'broken-off', why: { detail: /detproof itself failed: ENOSPC/ } },
    cleanup: { leftBehind: [] },
  });
});

t.test(
  'execute: a cron step is declared with its line before that is written, waited for, and taken out',
  async (t) => {
    const cron = { ...step, via: 'cron' as const, timeout: duration(60_000) };
    const site = new Site();
    site.host().crontab = ['# theirs'];
    const { executed } = await site.execute([site.planned('job', { steps: [cron] })]);
    t.equal(told(executed[0]?.execution.outcome), 'finished');
    t.same(site.host().crontab, ['# theirs']);
    const [line, folder] = site.touches.find(({ act }) => act === 'schedule')?.about.split('\n') ?? [];
    t.match(folder, /^\/home\/alpha\/n\d+$/, 'the line goes out again where the run folder is gone');
    const at = (of: (one: Site['happened'][number]) => boolean): number => site.happened.findIndex(of);
    const declared = at((one) => 'record' in one && JSON.stringify(one.record).includes('remove-crontab-line'));
    t.ok(declared >= 0 && declared < at((one) => 'touch' in one && one.touch.act === 'schedule'));
    t.match(site.journal.of('intent').at(-1)?.cleanup, { steps: [{ kind: 'remove-crontab-line', line }] });
    t.match(executed[0]?.execution.commands.find(({ purpose }) => purpose === 'schedule')?.sent, line ?? '-');

    const table: readonly (readonly [act: Touch['act'], twist: Twist, outcome: string])[] = [
      ['schedule', { exit: { kind: 'code', code: 19 } }, 'not-run not-started'],
      ['schedule', failure('lost'), 'broken-off broken-off'],
      [
        'read the clock',
        { exit: { kind: 'code', code: 0 }, stdout: new TextEncoder().encode('date: usage') },
        'not-run protocol',
      ],
    ];
    for (const [act, twist, outcome] of table) {
      const bad = new Site();
      bad.host().twist = (touch, count) => (touch.act === act && count === 0 ? twist : undefined);
      const ended = await bad.execute([bad.planned('job', { steps: [cron] })]);
      t.equal(told(ended.executed[0]?.execution.outcome), outcome, act);
      t.ok(isTidy(bad), act);
    }
    const late = new Site();
    late.host().twist = ({ act }, count) => {
      if (act === 'clean-up' && count === 1)
        late.host().crontab = late.touches.flatMap(({ act, about }) =>
          act === 'schedule' ? about.split('\n', 1) : [],
        );
      return act === 'schedule' ? failure('lost') : undefined;
    };
    await late.execute([late.planned('job', { steps: [cron] })]);
    t.equal(late.touches.filter(({ act }) => act === 'clean-up').length, 2);
    t.ok(isTidy(late), 'the line that arrives behind the first clean-up is taken out as well');

    const dead = new Site();
    dead.host().hasCron = false;
    const ended = await dead.execute([dead.planned('job', { steps: [cron] })]);
    t.equal(told(ended.executed[0]?.execution.outcome), 'broken-off timeout', 'the cron daemon did not run it');
    t.ok(isTidy(dead));

    const tooLong = new Site();
    const wordy = { ...cron, args: ['{{marker}}', 'x'.repeat(1_000)] };
    const refused = await tooLong.execute([tooLong.planned('job', { steps: [wordy] })]);
    t.equal(told(refused.executed[0]?.execution.outcome), 'not-run not-started', 'a line that cron would cut off');
    t.ok(!tooLong.touches.some(({ act }) => act === 'schedule') && isTidy(tooLong));
  },
);

t.test('execute: a cron step needs the time until its minute, too, before the window closes', async (t) => {
  const site = new Site();
  const [window] = site.inventory.windows;
  if (window?.open.kind !== 'span') throw new Error('a span was expected');
  const closes = { ...window, open: { ...window.open, to: shift(site.clock.now(), 60_000 + 80_000) } };
  site.inventory = { ...site.inventory, windows: [closes] };
  const cron = { ...step, via: 'cron' as const };
  const { executed } = await site.execute([site.planned('session'), site.planned('job', { steps: [cron] })]);
  const outcomes = new Map(executed.map(({ plan, execution }) => [plan.scenario, told(execution.outcome)]));
  t.equal(outcomes.get('linux/session'), 'finished');
  t.equal(outcomes.get('linux/job'), 'not-run out-of-window');
});

t.test(
  'invocation: every interpreter and invocation, with the marker an argument of its own and nothing left to fill in',
  (t) => {
    const place = {
      home: '/home/a',
      run: 'r1',
      marker: 'm'.repeat(24),
      interpreter: '/usr/bin/python3',
      alias: 'al',
      separator: '/',
      programSuffix: '',
      executables: {},
      receiptPath: '/home/a/r1/receipt.jsonl',
    } as const;
    const of = (more: Partial<typeof step>) => invocation({ ...step, ...more }, place, payloads);
    const file = '/home/a/r1/run.py';
    const source = 'RECEIPT_PATH = "/home/a/r1/receipt.jsonl"\n# receipt.py\n\nmain()\n';
    t.same(of({}).argv, ['/usr/bin/python3', file, place.marker]);
    t.same(of({ interpreter: 'renamed' }).argv, ['/home/a/r1/al', file, place.marker]);
    t.match(of({ interpreter: 'renamed' }).copies, [{ kind: 'copy', from: '/usr/bin/python3', to: '/home/a/r1/al' }]);
    t.match(of({ interpreter: 'symlink' }).copies, [{ kind: 'link' }]);
    t.same(of({ interpreter: 'shebang' }).argv, [file, place.marker]);
    t.match(of({ interpreter: 'shebang' }).files, [{ mode: 0o700 }]);
    t.match(new TextDecoder().decode(of({ interpreter: 'shebang' }).files[0]?.bytes), /^#!\/usr\/bin\/python3\n/);
    t.same(of({ invocation: '-c' }).argv, ['/usr/bin/python3', '-c', source, place.marker]);
    t.same(of({ invocation: '-c' }).files, []);
    t.same(of({ invocation: 'stdin' }).argv, ['/usr/bin/python3', '-', place.marker]);
    t.equal(new TextDecoder().decode(of({ invocation: 'stdin' }).stdin), source);
    t.match(of({ invocation: 'module' }), { argv: ['/usr/bin/python3', '-m', 'run', place.marker], cwd: '/home/a/r1' });
    t.match(of({ invocation: 'zipapp' }), {
      argv: ['/usr/bin/python3', '/home/a/r1/run.pyz', place.marker],
      files: [{ path: '/home/a/r1/run.pyz' }],
    });
    t.match(of({ cwd: '{{home}}/{{run}}' }), { cwd: '/home/a/r1', argv: ['/usr/bin/python3', 'run.py', place.marker] });
    t.same(of({ cwd: '{{home}}/{{run}}', interpreter: 'shebang' }).argv, ['./run.py', place.marker]);
    t.match(
      new TextDecoder().decode(of({ script: 'loopback.py' }).files[0]?.bytes),
      /# receipt\.py\n\n# loopback\.py\n\nmain\(\)\n$/,
    );
    t.equal(fill('{{home}}/{{run}}/{{marker}}', { home: '/h', run: 'r' }), '/h/r/');
    for (const interpreter of ['plain', 'renamed', 'symlink', 'shebang'] as const)
      for (const how of ['file', '-c', 'stdin', 'module', 'zipapp'] as const) {
        const made = of({ interpreter, invocation: how, cwd: '{{home}}/{{run}}' });
        t.ok(made.argv.includes(place.marker) && !JSON.stringify(made.argv).includes('{{'), `${interpreter} ${how}`);
      }
    t.end();
  },
);

t.test('parents: the fixed folders above what is created, innermost first', (t) => {
  t.same(
    fixedParents(['/opt/a/b/{{run}}', '{{home}}/.config/x/{{run}}', '/tmp/{{run}}'], posixDialect),
    ['~/.config/x', '~/.config', '/opt/a/b', '/opt/a', '/opt', '/tmp'].sort((a, b) => b.length - a.length),
  );
  t.same(fixedParents(['{{home}}/{{run}}'], posixDialect), []);
  t.end();
});

t.test('execute: parents that were absent are made and taken away again, those that were there stay', async (t) => {
  const site = new Site();
  site.host().absent.add('~/.config');
  await site.execute([site.planned('one', { creates: ['{{home}}/.config/{{run}}'] })]);
  const prepared = site.touches.find(({ act }) => act === 'prepare')?.about ?? '';
  t.match(prepared, /parent\n\/home\/alpha\/\.config\n/);
  t.match(site.touches.find(({ act }) => act === 'clean-up')?.about, /remove-if-empty\n\/home\/alpha\/\.config\n/);
  t.notOk(site.host().paths.has('/home/alpha/.config'));
});

t.test('limited: the first error lets what has begun end, and nothing further begin', async (t) => {
  const began: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    began.push(item);
    await new Promise((go) => setTimeout(go, item === 1 ? 5 : 20));
    if (item === 1) throw new Error('one');
    ended.push(item);
  };
  await t.rejects(limited(2, [1, 2, 3, 4], work), /one/);
  t.same(began, [1, 2]);
  t.same(ended, [2]);
});
