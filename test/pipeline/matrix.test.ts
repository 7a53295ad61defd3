import t from 'tap';
import type { Assessment, ExecutionReport, Matrix } from '../../runner/domain/run-report.ts';
import { duration } from '../../runner/domain/time.ts';
import { controlVerdicts, emulationVerdicts, twinVerdicts, type VerdictKind } from '../../runner/domain/verdict.ts';
import { makeMatrix } from '../../runner/pipeline/matrix.ts';
import { outcomeOf } from '../../runner/pipeline/outcome.ts';
import { worstOf } from '../../runner/pipeline/roll-up.ts';
import { attackFacts } from '../fakes/attack-facts.ts';
import { type Brief, briefFacts, deliveredFact, expectation } from '../fakes/facts.ts';
import { Site } from '../fakes/site.ts';

const execve = 'auditd:SYSCALL/execve';
const site = new Site({ alpha: {}, beta: {}, lookalike: { fidelity: 'stand-in' } });
const targets = site.inventory.targets;

type Ask = {
  readonly target?: string;
  readonly account?: string;
  readonly phase?: 'control-before' | 'twins' | 'emulations' | 'control-after';
  readonly element?: string;
  readonly delivered?: Brief['delivered'][number];
  readonly score?: Assessment['score'];
  readonly latencyMs?: number;
  readonly byReferenceRule?: boolean;
};

let number = 0;
/** An execution with its verdict; `undefined`: it never had its turn. */
function report(verdict: VerdictKind | undefined, ask: Ask = {}): ExecutionReport {
  const { target = 'alpha', account = 'alice', phase = 'emulations', element = 'ScriptDir' } = ask;
  const delivered = ask.delivered ?? (verdict === 'missed' ? 'absent' : verdict === 'blind' ? 'silent' : 'yes');
  number += 1;
  const planned = site.planned(`scenario-${number}`, { target, account, phase });
  const plan = { ...planned, element, expect: [expectation({ sources: [execve] })] };
  if (verdict === undefined) return { plan, assessments: [] };
  const facts = briefFacts({
    ...{
      ran: 'yes',
      delivered: [delivered],
      usable: verdict === 'logged-thin' ? 'thin' : 'yes',
      alert: 'ran',
      inTime: 'yes',
      alertsRead: 'yes',
    },
  });
  const assessment: Assessment = {
    siem: 'siem',
    expect: expectation(),
    facts: { ...facts, sources: [{ ...facts.sources[0], source: execve, delivered: deliveredFact(delivered) }] },
    verdict,
    sentence: verdict,
    score: ask.score ?? 'as-expected',
    byReferenceRule: ask.byReferenceRule ?? false,
    notes: [],
    ...(ask.latencyMs === undefined ? {} : { alertLatencyMs: duration(ask.latencyMs) }),
  };
  return { plan, assessments: [assessment] };
}

function matrixOf(...reports: readonly ExecutionReport[]): Matrix {
  return makeMatrix(attackFacts, targets, ['siem'], reports);
}

function figuresOf(...reports: readonly ExecutionReport[]): Matrix['figures'][string] {
  const figures = matrixOf(...reports).figures['siem'];
  if (figures === undefined) throw new Error('no figures');
  return figures;
}

function element(matrix: Matrix, field = 'ScriptDir') {
  const cell = matrix.elements.find((row) => row.analytic === 'AN0174' && row.element === field)?.cells['siem'];
  if (cell === undefined) throw new Error(`no ${field}`);
  return cell;
}

function source(matrix: Matrix) {
  const cell = matrix.sources.find((row) => row.analytic === 'AN0174' && row.source === execve)?.cells['siem'];
  if (cell === undefined) throw new Error('no source');
  return cell;
}

t.test('roll-up: the worst wins, whatever the order, and every verdict has its place', (t) => {
  const all = [...new Set<VerdictKind>([...emulationVerdicts, ...twinVerdicts, ...controlVerdicts])];
  for (const one of all)
    for (const other of all) {
      t.equal(worstOf([one, other]), worstOf([other, one]), `${one} and ${other}`);
      t.equal(worstOf([one, one, other]), worstOf([one, other]));
      if (one !== other)
        t.not(worstOf([one, other]) === one, worstOf([one, other]) === other, 'one of the two is worse');
    }
  const ladder = [
    'detected',
    'not-run',
    'inconclusive',
    'detected-late',
    'logged',
    'logged-thin',
    'missed',
    'blind',
  ] as const;
  for (const [index, verdict] of ladder.entries()) t.equal(worstOf(ladder.slice(0, index + 1)), verdict);
  t.equal(worstOf([]), 'not-tested');
  t.end();
});

t.test('matrix: an element shows the worst of its emulations, and what never had its turn is not forgotten', (t) => {
  t.match(element(matrixOf(report('detected'), report('logged'), report('detected'))), {
    verdict: 'logged',
    counts: { detected: 2, logged: 1 },
  });
  t.match(element(matrixOf(report('detected'), report(undefined))), {
    verdict: 'not-tested',
    counts: { detected: 1, 'not-tested': 1 },
  });
  t.match(element(matrixOf(report('quiet', { phase: 'twins' }))), { verdict: 'not-tested', executions: [] });
  t.match(element(matrixOf(report('logged')), 'NetworkActivity'), { verdict: 'not-tested' });
  t.match(element(matrixOf(report('detected', { target: 'lookalike' }))), {
    verdict: 'not-tested',
    counts: {},
    standIns: 1,
    onStandIns: { verdict: 'detected', counts: { detected: 1 } },
  });
  // What an imitation came to neither betters nor worsens what a real host did.
  t.match(element(matrixOf(report('detected'), report('missed', { target: 'lookalike' }))), {
    verdict: 'detected',
    counts: { detected: 1 },
    onStandIns: { verdict: 'missed' },
  });
  const { elements, sources } = matrixOf();
  t.equal(
    elements.length,
    attackFacts.analytics.flatMap((analytic) => analytic.elements).length,
    'all elements, also untested ones',
  );
  t.ok(sources.every(({ cells }) => cells['siem']?.state === 'not-tested'));
  t.end();
});

t.test('figures: numerator, denominator, inconclusive and not tested add up to what was planned', (t) => {
  const figures = figuresOf(
    report('detected', { latencyMs: 1_000 }),
    report('detected', { latencyMs: 3_000, byReferenceRule: true }),
    report('detected-late', { latencyMs: 90_000 }),
    report('logged', { target: 'beta' }),
    report('logged-thin'),
    report('missed'),
    report('blind'),
    report('inconclusive'),
    report('not-run'),
    report(undefined),
    report('quiet', { phase: 'twins' }),
    report('noisy', { phase: 'twins' }),
  );
  const base = { of: 7, inconclusive: 1, notTested: 2, hostsTested: 2, hostsInScope: 2 };
  t.same(figures.detected, { share: 1, ...base }, 'the site’s own rules');
  t.same(figures.detectedByReferenceRules, { share: 1, ...base }, 'and apart from them the shipped ones');
  t.same(figures.logged, { share: 4, ...base });
  t.same(figures.gaps, { share: 4, ...base });
  t.same(figures.twinsQuiet, { share: 1, of: 2, inconclusive: 0, notTested: 0, hostsTested: 1, hostsInScope: 2 });
  t.same(figures.alertLatencyMs, { median: 3_000, p90: 90_000, max: 90_000 });
  t.notOk('alertLatencyMs' in figuresOf(report('missed')));
  t.end();
});

t.test('figures: stand-ins are never counted, nor is a host in scope that is one', (t) => {
  const figures = figuresOf(report('detected', { target: 'lookalike', latencyMs: 5 }), report('missed'));
  t.match(figures.detected, { share: 0, of: 1, hostsTested: 1, hostsInScope: 2 });
  t.notOk('alertLatencyMs' in figures);
  t.match(figures.elementsDetected, { share: 0, of: 1 });
  t.match(source(matrixOf(report('detected', { target: 'lookalike' }))), { delivered: 0, expected: 0 });
  t.end();
});

t.test('figures: an element is detected when all of it was, and not told when any of it is open', (t) => {
  const elements = (...reports: readonly ExecutionReport[]) => figuresOf(...reports).elementsDetected;
  const untested = 13;
  t.match(elements(report('detected'), report('prevented')), { share: 1, of: 1, notTested: untested });
  t.match(elements(report('detected'), report('detected-late')), { share: 0, of: 1 });
  t.match(elements(report('detected'), report('inconclusive')), { of: 0, inconclusive: 1 });
  t.match(elements(report('detected'), report('not-run')), { of: 0, inconclusive: 1 });
  t.match(elements(report('detected'), report(undefined)), { of: 0, inconclusive: 1 });
  t.match(elements(report('logged'), report('inconclusive')), { share: 0, of: 1 }, 'a proven gap is one');
  t.match(elements(report('not-run'), report(undefined)), { of: 0, notTested: untested + 1 });
  t.end();
});

t.test('figures: per platform, with its own hosts in scope', (t) => {
  const { byPlatform } = figuresOf(report('detected'), report('missed', { target: 'beta' }));
  t.match(byPlatform.linux, { detected: { share: 1, of: 2, hostsTested: 2, hostsInScope: 2 }, elements: { of: 1 } });
  t.match(byPlatform.windows, { detected: { share: 0, of: 0, hostsInScope: 0 } });
  t.end();
});

/** Controls of one login: seen before, seen after. */
function controls(
  before: Brief['delivered'][number],
  after: Brief['delivered'][number],
  more: Ask = {},
): readonly ExecutionReport[] {
  return [
    report('clean', { ...more, phase: 'control-before', delivered: before }),
    report('clean', { ...more, phase: 'control-after', delivered: after }),
  ];
}

t.test('sources: alive, silent or unclear per host, by the controls of every account', (t) => {
  const state = (...reports: readonly ExecutionReport[]) => {
    const cell = source(matrixOf(...reports));
    return `${cell.state}: ${cell.hosts.map((host) => `${host.target} ${host.state}`).join(', ')}`;
  };
  t.equal(state(...controls('yes', 'yes')), 'alive: alpha alive');
  t.equal(state(...controls('yes', 'unknown')), 'unclear: alpha unclear');
  t.equal(state(...controls('silent', 'silent')), 'silent: alpha silent');
  t.equal(state(...controls('silent', 'yes')), 'unclear: alpha unclear');
  t.equal(
    state(...controls('yes', 'yes'), ...controls('unknown', 'unknown', { account: 'bob' })),
    'unclear: alpha unclear',
  );
  t.equal(
    state(...controls('yes', 'yes'), ...controls('silent', 'silent', { target: 'beta' })),
    'partly: alpha alive, beta silent',
  );
  t.equal(
    state(...controls('unknown', 'unknown'), ...controls('silent', 'silent', { target: 'beta' })),
    'unclear: alpha unclear, beta silent',
    'nothing is alive, so it is not partly alive',
  );
  t.equal(state(report('logged')), 'unclear: alpha unclear', 'without controls');
  t.match(source(matrixOf(report('logged'), report('missed'), ...controls('yes', 'yes'))), {
    delivered: 1,
    expected: 2,
  });
  t.end();
});

t.test('scenarios: one row per scenario and variant, one cell per target', (t) => {
  const first = report('detected');
  const again: ExecutionReport = {
    ...first,
    plan: { ...first.plan, id: 'beta/alice/x', target: 'beta' },
    assessments: [],
  };
  const variant: ExecutionReport = { ...first, plan: { ...first.plan, id: 'alpha/alice/x@v', variant: 'v' } };
  const { scenarios } = matrixOf(first, again, variant);
  t.match(scenarios, [
    {
      scenario: first.plan.scenario,
      cells: { alpha: { siem: { verdict: 'detected' } }, beta: { siem: { verdict: 'not-tested' } } },
    },
    { variant: 'v', cells: { alpha: { siem: { verdict: 'detected' } } } },
  ]);
  t.notOk('beta' in (scenarios[1]?.cells ?? {}), 'not planned there');
  t.end();
});

t.test('outcome: exit codes in their order, the first that applies', (t) => {
  const left = [{ target: 'alpha', account: 'alice', what: '/tmp/x', because: 'busy', hint: 'rm' }];
  const [good, better, worse, unclear] = (['as-expected', 'better', 'worse', 'inconclusive'] as const).map((score) =>
    report('logged', { score }),
  );
  if (good === undefined || better === undefined || worse === undefined || unclear === undefined)
    throw new Error('four');
  const code = (reports: readonly ExecutionReport[], behind = false, interrupted = false): number =>
    outcomeOf(reports, behind ? left : [], interrupted).exitCode;
  t.equal(code([good]), 0);
  t.equal(code([good, better]), 0);
  t.equal(code([good, unclear]), 3);
  t.equal(code([good, report(undefined)]), 3, 'what never had its turn could not be told');
  t.equal(code([]), 3, 'nothing at all is no success');
  t.equal(code([good, worse, unclear]), 1);
  t.equal(code([worse], true), 5);
  t.equal(code([worse], true, true), 130);
  t.equal(outcomeOf([good], [], false).sentence, 'The one result is as expected.');
  t.equal(outcomeOf([good, better], [], false).sentence, 'All 2 results are as expected, 1 of them better.');
  const standIns = new Set([good.plan.target]);
  t.match(outcomeOf([good], [], false, standIns).sentence, /as expected; on stand-ins only/);
  t.match(outcomeOf([worse], left, true).sentence, /Interrupted; 1 thing was left behind/);
  t.end();
});
