import type { Platform } from '../domain/attack.ts';
import type { Target } from '../domain/inventory.ts';
import type { Cell, ElementRow, Figure, Matrix } from '../domain/run-report.ts';
import { duration, type DurationMs } from '../domain/time.ts';
import { type One, verdictOf, worstOf } from './roll-up.ts';

/** What of a target the matrix looks at. */
export type Subject = Pick<Target, 'id' | 'platform' | 'fidelity'>;
type Verdict = Cell['verdict'];

const gapVerdicts: readonly Verdict[] = ['logged', 'logged-thin', 'recorded-only', 'missed', 'blind'];
/** No answer, so in no denominator; counted beside it. */
const untoldVerdicts: readonly Verdict[] = ['inconclusive', 'not-run', 'not-tested'];

/** The figures of one SIEM. Stand-ins are left out: they never count towards coverage of the real platform. */
export function figures(
  all: readonly One[],
  targets: readonly Subject[],
  elements: readonly ElementRow[],
): Matrix['figures'][string] {
  const real = targets.filter(({ fidelity }) => fidelity === 'real');
  const realIds = new Set(real.map(({ id }) => id));
  const counted = all.filter(({ plan }) => realIds.has(plan.target));
  const emulations = counted.filter(({ plan }) => plan.purpose === 'emulation');
  const twins = counted.filter(({ plan }) => plan.purpose === 'twin');
  const is =
    (...verdicts: readonly Verdict[]) =>
    (one: One): boolean =>
      verdicts.includes(verdictOf(one));
  const detectedBy =
    (shipped: boolean) =>
    (one: One): boolean =>
      verdictOf(one) === 'detected' && one.assessment?.byReferenceRule === shipped;
  const platforms = [...new Set(elements.map(({ platform }) => platform))];
  const latency = summary(emulations);
  return {
    detected: figure(emulations, detectedBy(false), real),
    detectedByReferenceRules: figure(emulations, detectedBy(true), real),
    logged: figure(emulations, arrivedWhole, real),
    gaps: figure(emulations, is(...gapVerdicts), real),
    twinsQuiet: figure(twins, is('quiet'), real),
    elementsDetected: elementFigure(emulations, elements, real),
    ...(latency === undefined ? {} : { alertLatencyMs: latency }),
    byPlatform: Object.fromEntries(
      platforms.map((platform): [Platform, { detected: Figure; elements: Figure }] => {
        const scope = real.filter((target) => target.platform === platform);
        const here = emulations.filter(({ plan }) => scope.some(({ id }) => id === plan.target));
        const rows = elements.filter((row) => row.platform === platform);
        return [
          platform,
          { detected: figure(here, detectedBy(false), scope), elements: elementFigure(here, rows, scope) },
        ];
      }),
    ),
  };
}

/** Some source delivered the event, with all that was asked of it. */
function arrivedWhole({ assessment }: One): boolean {
  return assessment?.facts.sources.some(({ usable }) => usable.is === 'yes') ?? false;
}

function figure(of: readonly One[], share: (one: One) => boolean, scope: readonly Subject[]): Figure {
  const told = of.filter((one) => !untoldVerdicts.includes(verdictOf(one)));
  const inconclusive = of.filter((one) => verdictOf(one) === 'inconclusive').length;
  return {
    share: told.filter(share).length,
    of: told.length,
    inconclusive,
    notTested: of.length - told.length - inconclusive,
    hostsTested: new Set(told.map(({ plan }) => plan.target)).size,
    hostsInScope: scope.length,
  };
}

/** An element counts as detected when every emulation of it was: the worst variant wins. */
function elementFigure(emulations: readonly One[], elements: readonly ElementRow[], scope: readonly Subject[]): Figure {
  const states = elements.map((row) => {
    const own = emulations.filter(({ plan }) => plan.analytic === row.analytic && plan.element === row.element);
    const verdicts = own.map(verdictOf);
    if (verdicts.every((verdict) => verdict === 'not-run' || verdict === 'not-tested')) return 'not-tested';
    const worst = worstOf(verdicts);
    if (untoldVerdicts.includes(worst)) return 'inconclusive';
    return worst === 'detected' || worst === 'prevented' ? 'detected' : 'gap';
  });
  const count = (state: string): number => states.filter((one) => one === state).length;
  const tested = emulations.filter((one) => verdictOf(one) !== 'not-run' && verdictOf(one) !== 'not-tested');
  return {
    share: count('detected'),
    of: count('detected') + count('gap'),
    inconclusive: count('inconclusive'),
    notTested: count('not-tested'),
    hostsTested: new Set(tested.map(({ plan }) => plan.target)).size,
    hostsInScope: scope.length,
  };
}

function summary(emulations: readonly One[]): { median: DurationMs; p90: DurationMs; max: DurationMs } | undefined {
  const sorted = emulations.flatMap(({ assessment }) => assessment?.alertLatencyMs ?? []).sort((a, b) => a - b);
  const at = (share: number): DurationMs =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? duration(0);
  return sorted.length === 0 ? undefined : { median: at(0.5), p90: at(0.9), max: at(1) };
}
