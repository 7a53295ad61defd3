import type { AttackFacts, LogSourceRef, Platform } from '../domain/attack.ts';
import type { Target } from '../domain/inventory.ts';
import type {
  Assessment,
  Cell,
  ElementRow,
  ExecutionReport,
  Figure,
  Matrix,
  ScenarioRow,
  SourceRow,
} from '../domain/run-report.ts';
import { duration, type DurationMs } from '../domain/time.ts';
import { controlVerdicts, emulationVerdicts, twinVerdicts, type VerdictKind } from '../domain/verdict.ts';

type One = { readonly report: ExecutionReport; readonly assessment: Assessment };
type Subject = Pick<Target, 'id' | 'platform' | 'fidelity'>;

/** Worst last: in a roll-up the worst wins. What could not be told is worse than what was seen, and better than a proven gap. */
const order: readonly VerdictKind[] = [
  'prevented',
  'detected',
  'quiet',
  'clean',
  'not-run',
  'inconclusive',
  'detected-late',
  'logged',
  'logged-thin',
  'recorded-only',
  'missed',
  'blind',
  'noisy',
  'harness-visible',
];
const gapVerdicts: readonly VerdictKind[] = ['logged', 'logged-thin', 'recorded-only', 'missed', 'blind'];
const loggedVerdicts: readonly VerdictKind[] = ['detected', 'detected-late', 'logged'];

/** Analytics, log sources, elements and targets against verdicts. Pure. Stand-ins are shown and never counted. */
export function makeMatrix(
  attack: AttackFacts,
  targets: readonly Subject[],
  siems: readonly string[],
  executions: readonly ExecutionReport[],
): Matrix {
  const of = (siem: string): readonly One[] =>
    executions.flatMap((report) =>
      report.assessments.filter((one) => one.siem === siem).map((assessment) => ({ report, assessment })),
    );
  const perSiem = <T>(make: (all: readonly One[], siem: string) => T): Record<string, T> =>
    Object.fromEntries(siems.map((siem) => [siem, make(of(siem), siem)]));
  const standIns = new Set(targets.filter(({ fidelity }) => fidelity === 'stand-in').map(({ id }) => id));
  const cell = (all: readonly One[]): Cell => toCell(all, standIns);

  const elements: ElementRow[] = attack.analytics.flatMap((analytic) =>
    analytic.elements.map(({ field, gist }) => ({
      analytic: analytic.id,
      platform: analytic.platform,
      element: field,
      gist,
      cells: perSiem((all) =>
        cell(
          all.filter(
            ({ report: { plan } }) =>
              plan.purpose === 'emulation' && plan.analytic === analytic.id && plan.element === field,
          ),
        ),
      ),
    })),
  );
  const sources: SourceRow[] = attack.analytics.flatMap((analytic) =>
    [
      ...analytic.logSources.map(({ ref }) => ({ ref, official: true })),
      ...analytic.supplementary.map(({ ref }) => ({ ref, official: false })),
    ].map(({ ref, official }) => ({
      analytic: analytic.id,
      platform: analytic.platform,
      source: ref,
      official,
      cells: perSiem((all) =>
        sourceCell(
          all.filter(({ report: { plan } }) => plan.analytic === analytic.id),
          ref,
        ),
      ),
    })),
  );
  return {
    elements,
    sources,
    scenarios: scenarioRows(executions, siems, cell),
    figures: perSiem((all) => figures(all, targets, elements, standIns)),
  };
}

function toCell(all: readonly One[], standIns: ReadonlySet<string>): Cell {
  const counts: Record<string, number> = {};
  let worst: Cell['verdict'] = 'not-tested';
  for (const { assessment } of all) {
    counts[assessment.verdict] = (counts[assessment.verdict] ?? 0) + 1;
    if (worst === 'not-tested' || order.indexOf(assessment.verdict) > order.indexOf(worst)) worst = assessment.verdict;
  }
  return {
    verdict: worst,
    counts,
    executions: all.map(({ report }) => report.plan.id),
    standIns: all.filter(({ report }) => standIns.has(report.plan.target)).length,
  };
}

function sourceCell(all: readonly One[], source: LogSourceRef): SourceRow['cells'][string] {
  const facts = all.flatMap(({ report, assessment }) =>
    assessment.facts.sources
      .filter((one) => one.source === source)
      .map(({ delivered }) => ({ plan: report.plan, delivered })),
  );
  const hosts = [...new Set(facts.map(({ plan }) => plan.target))].sort().map((target) => {
    const own = facts.filter(({ plan }) => plan.target === target && plan.purpose === 'control');
    const seen = (phase: string): boolean =>
      own.some(({ plan, delivered }) => plan.phase === phase && delivered.is === 'yes');
    const silent = own.some(({ delivered }) => delivered.is === 'no' && delivered.proof.kind === 'source-silent');
    return {
      target,
      state:
        seen('control-before') && seen('control-after')
          ? ('alive' as const)
          : silent && !seen('control-before') && !seen('control-after')
            ? ('silent' as const)
            : ('unclear' as const),
    };
  });
  const work = facts.filter(({ plan }) => plan.purpose !== 'control');
  const states = new Set(hosts.map(({ state }) => state));
  const [only] = states;
  return {
    state: only === undefined ? 'not-tested' : states.size === 1 ? only : 'partly',
    hosts,
    delivered: work.filter(({ delivered }) => delivered.is === 'yes').length,
    expected: work.length,
  };
}

function scenarioRows(
  executions: readonly ExecutionReport[],
  siems: readonly string[],
  cell: (all: readonly One[]) => Cell,
): readonly ScenarioRow[] {
  const rows = new Map<string, ExecutionReport[]>();
  for (const report of executions) {
    const key = `${report.plan.scenario}@${report.plan.variant ?? ''}`;
    rows.set(key, [...(rows.get(key) ?? []), report]);
  }
  return [...rows.values()].flatMap((reports) => {
    const plan = reports[0]?.plan;
    if (plan === undefined) return [];
    const targets = [...new Set(reports.map((report) => report.plan.target))].sort();
    return [
      {
        scenario: plan.scenario,
        ...(plan.variant === undefined ? {} : { variant: plan.variant }),
        title: plan.title,
        analytic: plan.analytic,
        ...(plan.element === undefined ? {} : { element: plan.element }),
        purpose: plan.purpose,
        cells: Object.fromEntries(
          targets.map((target) => [
            target,
            Object.fromEntries(
              siems.map((siem) => [
                siem,
                cell(
                  reports
                    .filter((report) => report.plan.target === target)
                    .flatMap((report) =>
                      report.assessments
                        .filter((one) => one.siem === siem)
                        .map((assessment) => ({ report, assessment })),
                    ),
                ),
              ]),
            ),
          ]),
        ),
      },
    ];
  });
}

function figures(
  all: readonly One[],
  targets: readonly Subject[],
  elements: readonly ElementRow[],
  standIns: ReadonlySet<string>,
): Matrix['figures'][string] {
  const counted = all.filter(({ report }) => !standIns.has(report.plan.target));
  const real = targets.filter(({ fidelity }) => fidelity === 'real');
  const emulations = counted.filter(({ report }) => report.plan.purpose === 'emulation');
  const twins = counted.filter(({ report }) => report.plan.purpose === 'twin');
  const figure = (of: readonly One[], share: (one: One) => boolean, scope: readonly Subject[] = real): Figure => {
    const told = of.filter(
      ({ assessment }) => assessment.verdict !== 'inconclusive' && assessment.verdict !== 'not-run',
    );
    return {
      share: told.filter(share).length,
      of: told.length,
      inconclusive: of.filter(({ assessment }) => assessment.verdict === 'inconclusive').length,
      notTested: of.filter(({ assessment }) => assessment.verdict === 'not-run').length,
      hostsTested: new Set(told.map(({ report }) => report.plan.target)).size,
      hostsInScope: scope.length,
    };
  };
  const is =
    (...kinds: readonly VerdictKind[]) =>
    (one: One): boolean =>
      kinds.includes(one.assessment.verdict);
  const own = (one: One): boolean => one.assessment.verdict === 'detected' && !one.assessment.byReferenceRule;
  const shipped = (one: One): boolean => one.assessment.verdict === 'detected' && one.assessment.byReferenceRule;
  const latencies = emulations
    .flatMap(({ assessment }) => (assessment.alertLatencyMs === undefined ? [] : [assessment.alertLatencyMs]))
    .sort((a, b) => a - b);
  const platforms = [...new Set(elements.map(({ platform }) => platform))];
  const latency = summary(latencies);
  return {
    detected: figure(emulations, own),
    detectedByReferenceRules: figure(emulations, shipped),
    logged: figure(emulations, is(...loggedVerdicts)),
    gaps: figure(emulations, is(...gapVerdicts)),
    twinsQuiet: figure(twins, is('quiet')),
    elementsDetected: elementFigure(emulations, elements, real),
    ...(latency === undefined ? {} : { alertLatencyMs: latency }),
    byPlatform: Object.fromEntries(
      platforms.map((platform) => {
        const here = emulations.filter(({ report }) => platformOf(report, targets) === platform);
        const scope = real.filter((target) => target.platform === platform);
        return [
          platform,
          {
            detected: figure(here, is('detected'), scope),
            elements: elementFigure(
              here,
              elements.filter((row) => row.platform === platform),
              scope,
            ),
          },
        ];
      }),
    ),
  };
}

function platformOf(report: ExecutionReport, targets: readonly Subject[]): Platform | undefined {
  return targets.find(({ id }) => id === report.plan.target)?.platform;
}

/** An element counts as detected when every emulation of it was: the worst variant wins. */
function elementFigure(emulations: readonly One[], elements: readonly ElementRow[], scope: readonly Subject[]): Figure {
  const states = elements.map((row) => {
    const own = emulations.filter(
      ({ report: { plan } }) => plan.analytic === row.analytic && plan.element === row.element,
    );
    if (own.length === 0 || own.every(({ assessment }) => assessment.verdict === 'not-run')) return 'not-tested';
    const verdict = toCell(own, new Set()).verdict;
    return verdict === 'inconclusive' || verdict === 'not-run'
      ? 'inconclusive'
      : verdict === 'detected' || verdict === 'prevented'
        ? 'detected'
        : 'gap';
  });
  const count = (state: string): number => states.filter((one) => one === state).length;
  return {
    share: count('detected'),
    of: count('detected') + count('gap'),
    inconclusive: count('inconclusive'),
    notTested: count('not-tested'),
    hostsTested: new Set(
      emulations.filter(({ assessment }) => assessment.verdict !== 'not-run').map(({ report }) => report.plan.target),
    ).size,
    hostsInScope: scope.length,
  };
}

function summary(sorted: readonly DurationMs[]): { median: DurationMs; p90: DurationMs; max: DurationMs } | undefined {
  const at = (share: number): DurationMs =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? duration(0);
  return sorted.length === 0 ? undefined : { median: at(0.5), p90: at(0.9), max: at(1) };
}

/** Every verdict has a place in the order of a roll-up; a test holds this. */
export const rollUpOrder = order;
export const allVerdicts: readonly VerdictKind[] = [
  ...new Set<VerdictKind>([...emulationVerdicts, ...twinVerdicts, ...controlVerdicts]),
];
