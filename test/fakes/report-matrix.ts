import type { Cell, ExecutionReport, Figure, Matrix, ScenarioRow } from '../../runner/domain/run-report.ts';
import { duration } from '../../runner/domain/time.ts';
import type { VerdictKind } from '../../runner/domain/verdict.ts';
import { source } from './assessments.ts';
import { attackFacts } from './attack-facts.ts';
import type { Row } from './report-rows.ts';

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

/** A matrix that goes with these reports as far as its cells go; its figures are made up. */
export function matrixOf(rows: readonly Row[], reports: readonly ExecutionReport[], siems: readonly string[]): Matrix {
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
        detected: { ...figure(0, 0, 0, 0), hostsTested: 0, hostsInScope: 1 },
        elements: { ...figure(0, 0, 0, 5), hostsTested: 0, hostsInScope: 1 },
      },
    },
  }));
  return { elements, sources, scenarios, figures };
}
