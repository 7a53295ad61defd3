import type { Cell, ExecutionReport, Figure, Matrix, RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import { duration, shift } from '../../runner/domain/time.ts';
import type { Score, VerdictKind } from '../../runner/domain/verdict.ts';
import { assessed, source } from './assessments.ts';
import { attackFacts } from './attack-facts.ts';
import { Excerpts, executed, opened, planned, type Spec } from './executions.ts';

type Told = readonly [VerdictKind, Score?];
type Row = Spec & { readonly on: Readonly<Record<string, Told>> };

const dir = { element: 'ScriptDir', purpose: 'emulation' } as const;
const cron = { element: 'ScheduledContext', purpose: 'emulation' } as const;
const net = { element: 'NetworkActivity', purpose: 'emulation' } as const;

/** What the two lab hosts and the stand-in told: every verdict kind, every score, a few hostile names. */
const allRows: readonly Row[] = [
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['detected'], 'lab-b': ['detected'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'interpreter=renamed',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['logged', 'worse'], 'lab-b': ['logged', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'invocation=stdin',
    rule: 'python-script-in-tmp',
    stance: 'known-gap',
    because: 'no script path exists',
    context: ['process', 'command-line', 'parent', 'user', 'host'],
    on: { 'lab-a': ['logged'], 'lab-b': ['logged'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-tmp',
    title: 'Run a script from /tmp',
    variant: 'invocation=zipapp',
    rule: 'python-script-in-tmp',
    stance: 'known-gap',
    because: 'the rule looks for .py',
    on: { 'lab-a': ['detected', 'better'], 'lab-b': ['logged'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-hidden-directory',
    title: 'Run a script from a hidden directory under /tmp',
    rule: 'python-script-in-hidden-directory',
    on: { 'lab-a': ['detected-late', 'worse'], 'lab-b': ['missed', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-in-dev-shm',
    title: 'Run a script from /dev/shm',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['logged-thin', 'worse'], 'lab-b': ['recorded-only', 'worse'] },
  },
  {
    ...dir,
    scenario: 'linux/script-on-noexec-mount',
    title: 'Start a script by its first line on a noexec mount',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['prevented'], 'lab-b': ['not-run', 'inconclusive'] },
  },
  {
    ...cron,
    scenario: 'linux/one-shot-cron-entry',
    title: 'Run a script once from a user crontab',
    rule: 'python-from-cron',
    on: { 'lab-a': ['detected'], 'lab-b': ['blind', 'worse'] },
  },
  {
    ...net,
    scenario: 'linux/http-get-loopback',
    title: 'Fetch a page over HTTP from a loopback server',
    rule: 'python-http-client',
    on: { 'lab-a': ['inconclusive', 'inconclusive'], 'lab-b': ['inconclusive', 'inconclusive'] },
  },
  {
    purpose: 'emulation',
    element: 'ScriptPath',
    scenario: 'windows/script-in-temp',
    title: 'Run a script from %TEMP%',
    rule: 'python-script-in-temp',
    on: { 'stand-in-win': ['detected'] },
  },
  {
    purpose: 'twin',
    element: 'ScriptDir',
    scenario: 'linux/twin-ansible-module',
    title: 'Run an Ansible module from its temporary folder',
    rule: 'python-script-in-tmp',
    on: { 'lab-a': ['quiet'], 'lab-b': ['noisy', 'worse'] },
  },
  {
    purpose: 'twin',
    element: 'NetworkActivity',
    scenario: 'linux/twin-package-download',
    title: 'Download a package index with pip',
    rule: 'python-http-client',
    on: { 'lab-a': ['quiet'], 'lab-b': ['blind', 'worse'] },
  },
  {
    purpose: 'control',
    scenario: 'linux/control-execve',
    title: 'Run the harness with an inert body',
    on: { 'lab-a': ['clean'], 'lab-b': ['harness-visible', 'worse'] },
  },
];

const worst: readonly VerdictKind[] = [
  'missed',
  'blind',
  'recorded-only',
  'logged-thin',
  'logged',
  'detected-late',
  'noisy',
  'harness-visible',
  'inconclusive',
  'not-run',
];
const rank = (verdict: VerdictKind): number => (worst.includes(verdict) ? worst.indexOf(verdict) : worst.length);

function cell(executions: readonly ExecutionReport[], siem: string): Cell {
  const verdicts = executions.flatMap((report) =>
    report.assessments.filter((one) => one.siem === siem).map((one) => one.verdict),
  );
  const counts: Record<string, number> = {};
  for (const verdict of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return {
    verdict: [...verdicts].sort((a, b) => rank(a) - rank(b))[0] ?? 'not-tested',
    counts,
    executions: executions.map((report) => report.plan.id),
    standIns: executions.filter((report) => report.plan.target.startsWith('stand-in')).length,
  };
}

function figure(share: number, of: number, inconclusive = 0, notTested = 0): Figure {
  return { share, of, inconclusive, notTested, hostsTested: 2, hostsInScope: 3 };
}

function matrixOf(rows: readonly Row[], reports: readonly ExecutionReport[], siems: readonly string[]): Matrix {
  const per = <T>(make: (siem: string) => T): Record<string, T> =>
    Object.fromEntries(siems.map((siem) => [siem, make(siem)]));
  const scenarios = rows.map((row): ScenarioRow => {
    const mine = reports.filter(({ plan }) => plan.scenario === row.scenario && plan.variant === row.variant);
    const targets = [...new Set(mine.map(({ plan }) => plan.target))];
    const cellsOf = (target: string) =>
      per((siem) =>
        cell(
          mine.filter(({ plan }) => plan.target === target),
          siem,
        ),
      );
    return {
      scenario: row.scenario,
      ...(row.variant === undefined ? {} : { variant: row.variant }),
      title: row.title,
      analytic: row.scenario.startsWith('windows/') ? 'AN0172' : 'AN0174',
      ...(row.element === undefined ? {} : { element: row.element }),
      purpose: row.purpose,
      cells: Object.fromEntries(targets.map((target) => [target, cellsOf(target)])),
    };
  });
  const elements = attackFacts.analytics.flatMap((analytic) =>
    analytic.elements.map(({ field, gist }) => {
      const mine = reports.filter(
        ({ plan }) =>
          plan.purpose === 'emulation' &&
          plan.analytic === analytic.id &&
          plan.element === field &&
          !plan.target.startsWith('stand-in'),
      );
      return {
        analytic: analytic.id,
        platform: analytic.platform,
        element: field,
        gist,
        cells: per((siem) => cell(mine, siem)),
      };
    }),
  );
  const sources = attackFacts.analytics.flatMap((analytic) =>
    [...analytic.logSources, ...analytic.supplementary].map((log) => {
      const alive = log.ref === source;
      const silent = log.ref === 'linux:syslog//var/log/syslog';
      return {
        analytic: analytic.id,
        platform: analytic.platform,
        source: log.ref,
        official: analytic.logSources.includes(log),
        cells: per(() => ({
          state: alive ? ('partly' as const) : silent ? ('silent' as const) : ('not-tested' as const),
          hosts: alive
            ? [
                { target: 'lab-a', state: 'alive' as const },
                { target: 'lab-b', state: 'silent' as const },
              ]
            : silent
              ? [
                  { target: 'lab-a', state: 'silent' as const },
                  { target: 'lab-b', state: 'unclear' as const },
                ]
              : [],
          delivered: alive ? 13 : 0,
          expected: alive ? 18 : silent ? 2 : 0,
        })),
      };
    }),
  );
  const figures = per(() => ({
    detected: figure(4, 13, 3, 1),
    detectedByReferenceRules: figure(3, 13, 3, 1),
    logged: figure(9, 13, 3, 1),
    gaps: figure(9, 13, 3, 1),
    twinsQuiet: figure(2, 4),
    elementsDetected: figure(0, 2, 1, 11),
    alertLatencyMs: { median: duration(4_200), p90: duration(4_200), max: duration(420_000) },
    byPlatform: {
      linux: { detected: figure(4, 13, 3, 1), elements: figure(0, 2, 1, 0) },
      windows: {
        detected: { ...figure(0, 0, 0, 0), hostsTested: 0, hostsInScope: 0 },
        elements: { ...figure(0, 0, 0, 5), hostsTested: 0, hostsInScope: 0 },
      },
    },
  }));
  return { elements, sources, scenarios, figures };
}

/**
 * A whole run as a reporter gets it: two lab hosts, a stand-in and one host out of reach, every verdict, known gaps,
 * twins, controls, something left behind, and text that tries to break out of the page. The same every time. `wanted`
 * takes some of its scenarios.
 */
export function runReport(
  siems: readonly [string, ...string[]] = ['lab-siem'],
  wanted: (row: Row) => boolean = () => true,
): RunReport {
  const rows = allRows.filter(wanted);
  const excerpts = new Excerpts();
  const executions: ExecutionReport[] = [];
  for (const row of rows)
    for (const [target, [verdict, score]] of Object.entries(row.on))
      for (const edge of row.purpose === 'control' ? (['before', 'after'] as const) : [undefined]) {
        const plan = planned(row, target, target === 'lab-a' ? 'det-a' : 'det-b', siems, edge);
        const { finished, ...execution } = executed(plan, executions.length, excerpts);
        const notRun = verdict === 'not-run' || verdict === 'prevented';
        executions.push({
          plan,
          execution: notRun
            ? {
                ...execution,
                receipt: {},
                outcome: { kind: 'not-run', why: { class: 'no-interpreter', detail: 'No such file' } },
              }
            : execution,
          assessments: plan.expect.map((expect) => ({
            ...assessed(verdict, finished, expect, excerpts, score ?? 'as-expected'),
            ...(row.scenario === 'linux/one-shot-cron-entry' ? { byReferenceRule: verdict === 'detected' } : {}),
            ...(target.startsWith('stand-in')
              ? { notes: ['The target is a stand-in: it is shown and never counted.'] }
              : {}),
          })),
        });
      }
  const hostile = `</script><img src=x onerror=alert(1)> & "quoted" \u001b[31mred\u001b[0m \u202egnp.exe\u202c {{marker}}`;
  executions.push({
    plan: planned(
      { ...net, scenario: 'linux/hostile-names', title: hostile, rule: '<b>rule</b>', variant: 'x=<i>' },
      'lab-a',
      'det-a',
      siems,
    ),
    assessments: [],
  });
  const last = executions.at(-1);
  const scenarioRows = matrixOf(rows, executions, siems);
  return {
    schema: 'detproof/run/1',
    tool: { name: 'detproof', version: '0.1.0' },
    run: {
      id: '20261124-020000-kfqa',
      startedAt: opened,
      endedAt: shift(opened, 734_000),
      state: 'complete',
      resumed: 1,
      operator: 'op@jump-1',
      planSha256: excerpts.keep('{"schema":"detproof/plan/1"}').sha256,
      journal: { lines: 214, headSha256: excerpts.keep('{"seq":214}').sha256 },
    },
    engagement: {
      id: 'lab-demo',
      authorizedBy: 'Dana Okafor',
      changeTicket: 'CHG-1042',
      contacts: ['soc@example.test'],
    },
    attack: attackFacts,
    siems: siems.map((id, index) => ({
      id,
      kind: index === 0 ? 'files' : 'opensearch',
      qualified: index === 0,
      clock: { offsetMs: index * 600_000, uncertaintyMs: 12 },
      observedFrom: opened,
      observedUntil: shift(opened, 720_000),
      polls: 14,
      exchanges: [
        excerpts.keep(`{"siem":"${id}","note":"${hostile.replaceAll('"', '\\"').replaceAll('\u001b', '\\u001b')}"}`),
      ],
      ...(index === 0 ? {} : { trouble: 'two of fourteen answers came late' }),
    })),
    targets: [
      {
        id: 'lab-a',
        platform: 'linux',
        address: '127.0.0.11',
        role: 'server',
        owner: 'platform team',
        zone: 'lab',
        criticality: 'low',
        fidelity: 'real',
        reached: true,
        clock: { offsetMs: 3, uncertaintyMs: 12 },
      },
      {
        id: 'lab-b',
        platform: 'linux',
        address: '127.0.0.12',
        role: 'workstation',
        owner: 'desktop team',
        zone: 'lab',
        criticality: 'medium',
        fidelity: 'real',
        reached: true,
        clock: { offsetMs: -600_450, uncertaintyMs: 14 },
      },
      {
        id: 'lab-c',
        platform: 'linux',
        address: '127.0.0.13',
        role: 'server',
        owner: 'platform team',
        zone: 'lab',
        criticality: 'high',
        fidelity: 'real',
        reached: false,
        trouble: 'host key differs from known_hosts',
      },
      {
        id: 'stand-in-win',
        platform: 'windows',
        address: '127.0.0.21',
        role: 'workstation',
        owner: 'desktop team',
        zone: 'lab',
        criticality: 'low',
        fidelity: 'stand-in',
        reached: true,
      },
    ],
    executions,
    matrix: {
      ...scenarioRows,
      scenarios: [
        ...scenarioRows.scenarios,
        {
          scenario: 'linux/hostile-names',
          variant: 'x=<i>',
          title: hostile,
          analytic: 'AN0174',
          element: 'NetworkActivity',
          purpose: 'emulation',
          cells: {
            'lab-a': Object.fromEntries(
              siems.map((siem) => [
                siem,
                { verdict: 'not-tested', counts: {}, executions: [last?.plan.id ?? ''], standIns: 0 },
              ]),
            ),
          },
        },
      ],
    },
    harnessRules: Object.fromEntries(siems.map((siem) => [siem, ['python-over-ssh']])),
    leftOut: [
      { what: 'lab-c', because: 'host key differs from known_hosts; the host was not touched' },
      { what: 'linux/systemd-user-timer on lab-a', because: "the account has no user's service manager" },
    ],
    leftBehind: [
      {
        target: 'lab-b',
        account: 'det-b',
        what: '/tmp/wkkpahfe/.cache',
        because: 'Operation not permitted',
        hint: 'As root on lab-b: chattr -i /tmp/wkkpahfe/.cache && rm -r /tmp/wkkpahfe',
      },
    ],
    excerpts: excerpts.byHash,
    outcome: {
      exitCode: 5,
      sentence: 'Something was left behind on lab-b; 10 of 21 expectations came out worse than expected.',
    },
  };
}
