import t from 'tap';
import type { Plan } from '../../runner/domain/plan.ts';
import type { RecordLine } from '../../runner/domain/record.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { TransportFailure } from '../../runner/ports.ts';
import {
  begin,
  carryOut,
  cleanUpLeftovers,
  conclude,
  type Conductor,
  takeUp,
  watch,
} from '../../runner/pipeline/run.ts';
import { remaining, unfinished } from '../../runner/pipeline/resume.ts';
import { conductorOf, MemoryRun, wellSiem } from '../fakes/memory-run.ts';
import type { ScriptedSiem } from '../fakes/scripted-siem.ts';
import { Site } from '../fakes/site.ts';

/** Two hosts with controls, a twin and two emulations each. */
class Stage {
  readonly site: Site;
  readonly run: MemoryRun;
  readonly plan: Plan;
  readonly siem: ScriptedSiem;
  readonly conductor: Conductor;

  constructor(site = new Site({ alpha: {}, beta: {} })) {
    this.site = site;
    this.run = new MemoryRun(site);
    this.plan = site.plan(
      ['alpha', 'beta'].flatMap((target) => [
        site.planned('control#before', { target, phase: 'control-before' }),
        site.planned('twin', { target, phase: 'twins' }),
        site.planned('one', { target, creates: ['/tmp/{{run}}'] }),
        site.planned('two', { target }),
        site.planned('control#after', { target, phase: 'control-after' }),
      ]),
    );
    this.siem = wellSiem(site, this.plan);
    this.conductor = conductorOf(site, this.run, this.siem);
  }

  /** A new process takes the run up, on a journal that ends after these records. */
  static after(records: readonly RecordLine[]): Stage {
    const stage = new Stage();
    stage.run.plan = stage.plan;
    stage.site.journal.records.push(...records);
    stage.site.random.name(1_000);
    for (const { execution, cleanup } of unfinished(records).brokenOff)
      for (const step of cleanup.kind === 'steps' ? cleanup.steps : [])
        if (step.kind === 'remove') stage.site.host(execution.split('/')[0]).paths.set(step.path, 'folder');
    return stage;
  }

  async whole(): Promise<RunReport> {
    await begin(this.conductor, this.plan);
    await carryOut(this.conductor, this.plan);
    await watch(this.conductor, this.plan);
    return conclude(this.conductor, this.plan);
  }

  async resume(): Promise<RunReport> {
    await takeUp(this.conductor, this.plan, await this.run.read());
    await carryOut(this.conductor, this.plan);
    await watch(this.conductor, this.plan);
    return conclude(this.conductor, this.plan);
  }
}

function verdicts(report: RunReport): Readonly<Record<string, string>> {
  return Object.fromEntries(
    report.executions.map(({ plan, assessments }) => [plan.id, assessments[0]?.verdict ?? 'none']),
  );
}

t.test('run: from plan to report, with facts and verdicts in the journal', async (t) => {
  const stage = new Stage();
  const report = await stage.whole();
  const { journal } = stage.site;
  t.same(report.outcome, { exitCode: 0, sentence: 'All 10 results are as expected.' });
  for (const [id, verdict] of Object.entries(verdicts(report)))
    t.equal(verdict, id.includes('control') ? 'clean' : id.includes('twin') ? 'quiet' : 'detected', id);
  t.same(
    journal.of('verdict').map(({ execution, verdict }) => [execution, verdict]),
    Object.entries(verdicts(report)),
  );
  t.equal(journal.of('facts').length, 10);
  t.same(journal.records.at(-1)?.type, 'run-closed');
  t.same(journal.of('run-closed'), [{ state: 'complete', exitCode: 0 }]);
  t.equal(stage.run.report, report);
  t.equal(report.run.journal.lines, journal.records.length);
  t.equal(stage.run.files[0]?.text, report.outcome.sentence);
  t.same(report.matrix.figures['siem']?.detected, {
    share: 4,
    of: 4,
    inconclusive: 0,
    notTested: 0,
    hostsTested: 2,
    hostsInScope: 2,
  });
  t.ok(report.executions.every(({ assessments }) => (assessments[0]?.eventLatencyMs ?? -1) >= 0));
  t.ok(Object.keys(report.excerpts).length > 0);
});

t.test('resume: killed after any line of the journal, the run ends, nothing ran twice, nothing is left', async (t) => {
  const model = new Stage();
  await model.whole();
  const records = [...model.site.journal.records];
  const executed = records.findIndex(({ type }) => type === 'executed');
  t.ok(executed > 20);
  for (let lines = 0; lines <= records.length; lines += 1) {
    const kept = records.slice(0, lines);
    const stage = Stage.after(kept);
    const before = unfinished(kept);
    const report = await stage.resume();
    const { journal } = stage.site;
    const news = journal.records.slice(lines);
    const begun = news.flatMap((record) => (record.type === 'intent' ? [record.data.execution] : []));
    t.same(
      begun.filter((id) => before.done.has(id)),
      [],
      `${lines} lines: nothing that had begun begins again`,
    );
    t.equal(new Set(begun).size, begun.length, `${lines} lines: nothing begins twice`);
    for (const { execution } of before.brokenOff)
      t.match(
        news.find((record) => record.type === 'execution' && record.data.execution === execution)?.data,
        { outcome: { kind: 'broken-off' }, cleanup: { leftBehind: [] } },
        `${lines} lines: ${execution} is recorded as broken off`,
      );
    for (const { id } of stage.plan.executions)
      t.equal(
        journal.of('execution').filter(({ execution }) => execution === id).length,
        1,
        `${lines} lines: ${id} has one result`,
      );
    for (const host of stage.site.hosts.values()) t.equal(host.paths.size, 0, `${lines} lines: ${host.id} is tidy`);
    const worked = begun.some((id) => /one|two|twin/.test(id));
    const fresh = begun.filter((id) => id.endsWith('~r1'));
    if (worked && [...before.done].some((id) => id.includes('#before')))
      t.ok(fresh.length > 0, `${lines} lines: the pipe is shown open anew`);
    if (!worked) t.same(fresh, [], `${lines} lines: without work no new controls`);
    t.same(report.leftBehind, []);
    t.equal(report.run.state, 'complete', `${lines} lines`);
    t.equal(report.outcome.exitCode, before.brokenOff.length > 0 ? 3 : 0, `${lines} lines`);
    t.equal(journal.records.filter(({ type }) => type === 'run-opened').length, 1);
    for (const verdict of Object.values(verdicts(report)))
      t.ok(['clean', 'quiet', 'detected', 'inconclusive'].includes(verdict), `${lines} lines: ${verdict}`);
  }
});

t.test('resume: killed again and again, each time with fresh controls of their own', async (t) => {
  const model = new Stage();
  await model.whole();
  const all = model.site.journal.records;
  let kept = all.slice(
    0,
    all.findIndex((record) => record.type === 'intent' && record.data.execution.endsWith('twin')),
  );
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const stage = Stage.after(kept);
    stage.site.host('alpha').twist = ({ act }) => {
      if (act === 'step') stage.site.halt.abort();
      return undefined;
    };
    await takeUp(stage.conductor, stage.plan, await stage.run.read());
    await carryOut(stage.conductor, stage.plan);
    kept = [...stage.site.journal.records];
    const ids = stage.site.journal.of('execution').map(({ execution }) => execution);
    t.equal(new Set(ids).size, ids.length, `attempt ${attempt}: every id once`);
    t.ok(
      ids.some((id) => id.endsWith(`#before~r${attempt}`)),
      `attempt ${attempt}: its own controls`,
    );
  }
  const last = Stage.after(kept);
  const report = await last.resume();
  t.equal(report.run.state, 'complete');
  t.equal(report.run.resumed, 4);
  t.same(new Set(Object.values(verdicts(report))), new Set(['clean', 'quiet', 'detected']));
});

t.test('resume: what was on its way to the scheduler when detproof died is undone too', async (t) => {
  const model = new Stage();
  await model.whole();
  const [opened, intent] = model.site.journal.records.filter(({ type }) => type === 'run-opened' || type === 'intent');
  if (opened === undefined || intent?.type !== 'intent' || intent.data.cleanup.kind !== 'steps')
    throw new Error('the model has no intent');
  const { steps } = intent.data.cleanup;
  const line = '00 10 24 11 * late';
  for (const isScheduled of [true, false]) {
    const declared = isScheduled ? [{ kind: 'remove-crontab-line' as const, line }, ...steps] : steps;
    const cleanup = { kind: 'steps' as const, steps: declared };
    const stage = Stage.after([opened, { ...intent, data: { ...intent.data, cleanup } }]);
    const host = stage.site.host(intent.data.execution.split('/')[0]);
    // It arrives behind the first clean-up.
    host.twist = ({ act }, count) => {
      if (isScheduled && act === 'clean-up' && count === 1) host.crontab = ['# theirs', line];
      return undefined;
    };
    await takeUp(stage.conductor, stage.plan, await stage.run.read());
    await cleanUpLeftovers(stage.conductor, stage.plan);
    t.same(host.crontab, isScheduled ? ['# theirs'] : []);
    t.equal(stage.site.touches.filter(({ act }) => act === 'clean-up').length, isScheduled ? 2 : 1);
    t.match(stage.site.journal.of('execution'), [{ outcome: { kind: 'broken-off' }, cleanup: { leftBehind: [] } }]);
  }
});

t.test('resume: what is left open is planned again under its own name, controls only around work', (t) => {
  const { plan } = new Stage();
  const ids = plan.executions.map(({ id }) => id);
  const done = (...parts: readonly string[]): ReadonlySet<string> =>
    new Set(ids.filter((id) => parts.some((part) => id.includes(part))));
  t.same(
    remaining(plan, new Set(), 1).map(({ id }) => id),
    ids,
  );
  t.same(remaining(plan, done('alpha', 'beta'), 1), []);
  t.same(
    remaining(plan, done('alpha', 'beta/alice/control#before', 'beta/alice/twin', 'beta/alice/one'), 2).map(
      ({ id }) => id,
    ),
    ['beta/alice/two', 'beta/alice/control#after', 'beta/alice/control#before~r2'],
  );
  t.same(
    remaining(plan, done('alpha', 'before', 'twin', 'one', 'two'), 1).map(({ id }) => id),
    ['beta/alice/control#after'],
    'the controls that were still to come are enough of their own',
  );
  t.end();
});

t.test('clean-up: what was left behind is tried again, and the report forgets it when it is gone', async (t) => {
  const stage = new Stage();
  let isBusy = true;
  stage.site.host('alpha').twist = ({ act, about }) =>
    act === 'clean-up' && isBusy && about.includes('/tmp/')
      ? { exit: { kind: 'code', code: 0 }, stdout: new Uint8Array() }
      : undefined;
  const left = await stage.whole();
  t.equal(left.outcome.exitCode, 5);
  t.match(left.outcome.sentence, /3 things were left behind/);
  t.ok(left.leftBehind.every(({ target, because }) => target === 'alpha' && because === 'the host did not confirm it'));
  isBusy = false;
  await takeUp(stage.conductor, stage.plan, await stage.run.read());
  await cleanUpLeftovers(stage.conductor, stage.plan);
  const clean = await conclude(stage.conductor, stage.plan);
  t.same(clean.leftBehind, []);
  t.equal(clean.outcome.exitCode, 0);
  t.equal(stage.site.journal.of('clean-up').length, 1);
  t.equal(stage.site.host('alpha').paths.size, 0);
  await cleanUpLeftovers(stage.conductor, stage.plan);
  t.equal(stage.site.journal.of('clean-up').length, 1, 'and nothing more is to be done');
});

t.test('clean-up: of a killed run, nothing is executed; until then the report names what may be there', async (t) => {
  const model = new Stage();
  await model.whole();
  const begun = model.site.journal.records.findIndex(
    (record) => record.type === 'intent' && record.data.execution.endsWith('one'),
  );
  const stage = Stage.after(model.site.journal.records.slice(0, begun + 1));
  await takeUp(stage.conductor, stage.plan, await stage.run.read());
  await watch(stage.conductor, stage.plan);
  const seen = await conclude(stage.conductor, stage.plan);
  t.equal(seen.outcome.exitCode, 5, 'observing alone does not make it whole');
  t.match(seen.leftBehind, [
    { target: 'alpha', what: /whatever alpha\/alice\/one made of \/home/, hint: /detproof resume run-1/ },
  ]);
  t.equal(seen.run.state, 'interrupted');
  const { paths } = stage.site.host('alpha');
  t.ok(paths.size > 0);
  await cleanUpLeftovers(stage.conductor, stage.plan);
  t.equal(paths.size, 0);
  t.equal(stage.site.touches.filter(({ act }) => act === 'step').length, 0);
  const tidied = await conclude(stage.conductor, stage.plan);
  t.same(tidied.leftBehind, []);
  t.equal(tidied.outcome.exitCode, 3);
});

t.test('clean-up: a target that the inventory no longer has is an error that says what to do', async (t) => {
  const model = new Stage();
  await model.whole();
  const begun = model.site.journal.records.findIndex(({ type }) => type === 'intent');
  const stage = Stage.after(model.site.journal.records.slice(0, begun + 1));
  const conductor = { ...stage.conductor, inventory: { ...stage.site.inventory, targets: [] } };
  await t.rejects(cleanUpLeftovers(conductor, stage.plan), /the inventory no longer has; put it back to clean up/);
  t.same(stage.site.touches, []);
});

t.test(
  'interrupt: while the SIEM is asked the exit code is 130, and asking again later makes the run whole',
  async (t) => {
    const stage = new Stage();
    const { onAlerts } = stage.siem;
    stage.siem.onAlerts = (question, call) => {
      stage.site.interrupt.abort(new Error('interrupted'));
      return onAlerts(question, call);
    };
    await begin(stage.conductor, stage.plan);
    await carryOut(stage.conductor, stage.plan);
    await t.rejects(watch(stage.conductor, stage.plan), /interrupted/);
    const broken = await conclude(stage.conductor, stage.plan);
    t.match(broken, { outcome: { exitCode: 130 }, run: { state: 'interrupted' } });
    t.ok(
      Object.values(verdicts(broken)).every((verdict) => verdict === 'inconclusive'),
      'nothing was learnt',
    );

    const later = Stage.after(stage.site.journal.records);
    await takeUp(later.conductor, later.plan, await later.run.read());
    await watch(later.conductor, later.plan);
    const report = await conclude(later.conductor, later.plan);
    t.match(report, { outcome: { exitCode: 0 }, run: { state: 'complete', resumed: 0 } });
  },
);

t.test('stop: the rest is not tested, is not counted as anything else, and resume runs it', async (t) => {
  const stage = new Stage();
  stage.site.host('alpha').twist = ({ act }, count) => {
    if (act === 'step' && count === 1) stage.site.halt.abort();
    return undefined;
  };
  const report = await stage.whole();
  t.match(report, { outcome: { exitCode: 3 }, run: { state: 'stopped' } });
  const figure = report.matrix.figures['siem']?.detected;
  t.equal(
    (figure?.of ?? 0) + (figure?.inconclusive ?? 0) + (figure?.notTested ?? 0),
    4,
    'every planned emulation is in the figure',
  );
  t.ok((figure?.notTested ?? 0) > 0);
  const resumed = await Stage.after(stage.site.journal.records).resume();
  t.match(resumed, { outcome: { exitCode: 0 }, run: { state: 'complete', resumed: 1 } });
});

t.test('report: hosts that were not reached are not run, whether or not the SIEM was asked', async (t) => {
  for (const targets of [['alpha'], ['alpha', 'beta']]) {
    const stage = new Stage();
    for (const id of targets)
      stage.site.host(id).twist = ({ act }) =>
        act === 'connect' ? new TransportFailure('unreachable', 'no route to host') : undefined;
    const report = await stage.whole();
    t.equal(report.outcome.exitCode, 3);
    for (const [id, verdict] of Object.entries(verdicts(report)))
      if (targets.includes(id.split('/')[0] ?? '')) t.equal(verdict, 'not-run', id);
    const alpha = report.targets.find(({ id }) => id === 'alpha');
    t.match(alpha, { reached: false, trouble: 'no route to host' });
    t.equal(stage.siem.questions.length > 0, targets.length === 1, 'nobody is asked about nothing');
  }
});

t.test('report: the same records give the same document, and the latest observation counts', async (t) => {
  const stage = new Stage();
  const healthy = stage.siem.onEvents;
  stage.siem.onEvents = () => new TypeError('not reached');
  await begin(stage.conductor, stage.plan);
  await carryOut(stage.conductor, stage.plan);
  await t.rejects(watch(stage.conductor, stage.plan), /not reached/);
  stage.siem.onEvents = healthy;
  await watch(stage.conductor, stage.plan);
  const first = await conclude(stage.conductor, stage.plan);
  t.equal(first.outcome.exitCode, 0);
  const second = await conclude(stage.conductor, stage.plan);
  t.same(second.executions, first.executions);
  t.same(second.matrix, first.matrix);
});

t.test('report: hosts that a sample passed over are in scope, in every figure', async (t) => {
  const stage = new Stage(new Site({ alpha: {}, beta: {}, gamma: {}, delta: { fidelity: 'stand-in' }, other: {} }));
  const sample = {
    ...{ perRoleAndZone: 2, seed: 'spring' },
    inScope: ['alpha', 'beta', 'gamma', 'delta'],
    chosen: ['alpha', 'beta'],
  };
  const targets = stage.plan.targets.filter(({ id }) => sample.chosen.includes(id));
  const plan: Plan = { ...stage.plan, targets, sample };
  await begin(stage.conductor, plan);
  await carryOut(stage.conductor, plan);
  await watch(stage.conductor, plan);
  const report = await conclude(stage.conductor, plan);
  t.match(report.run.sample, { perRoleAndZone: 2, seed: 'spring', hostsInScope: 4, hostsSampled: 2 });
  t.same(
    report.targets.map(({ id }) => id),
    ['alpha', 'beta'],
  );
  const figures = report.matrix.figures['siem'];
  t.match(figures?.detected, { hostsTested: 2, hostsInScope: 3 }, 'stand-ins are never counted');
  t.match(figures?.byPlatform.linux?.detected, { hostsInScope: 3 });
});
