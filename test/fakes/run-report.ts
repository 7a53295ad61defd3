import type { ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { shift } from '../../runner/domain/time.ts';
import { assessed } from './assessments.ts';
import { attackFacts } from './attack-facts.ts';
import { Excerpts, executed, opened, planned } from './executions.ts';
import { matrixOf } from './report-matrix.ts';
import { allRows, type Row } from './report-rows.ts';

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
      {
        element: 'NetworkActivity',
        purpose: 'emulation',
        scenario: 'linux/hostile-names',
        title: hostile,
        rule: '<b>rule</b>',
        variant: 'x=<i>',
      },
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
      sample: { perRoleAndZone: 2, seed: 'spring', always: 'criticality=high', hostsInScope: 40, hostsSampled: 4 },
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
    hostChecks: [
      {
        target: 'lab-a',
        account: 'det-a',
        when: 'before',
        at: opened,
        items: [
          { what: 'reachable', state: 'ok', detail: '127.0.0.11 answers' },
          { what: 'sensor', sensor: 'auditd', state: 'ok', detail: 'it is running' },
        ],
      },
      {
        target: 'lab-a',
        account: 'det-a',
        when: 'after',
        at: shift(opened, 300_000),
        items: [
          { what: 'reachable', state: 'ok', detail: 'a new connection was made' },
          { what: 'sensor', sensor: hostile, state: 'trouble', detail: 'no process of that name is running' },
          { what: 'ssh-service', state: 'to-confirm', detail: 'platform team switches SSH off again and confirms it' },
        ],
      },
    ],
    aborted: '1 of the 2 hosts of wave 1 failed (lab-b), more than 0 failed hosts: no further wave was started',
    excerpts: excerpts.byHash,
    outcome: {
      exitCode: 5,
      sentence: 'Something was left behind on lab-b; 10 of 21 expectations came out worse than expected.',
    },
  };
}
