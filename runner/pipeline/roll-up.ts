import type { Assessment, Cell, ExecutionReport } from '../domain/run-report.ts';

/** One execution as one SIEM shows it; without an assessment it never had its turn. */
export type One = { readonly plan: ExecutionReport['plan']; readonly assessment?: Assessment };

/** The executions that expect something of this SIEM. */
export function ofSiem(siem: string, executions: readonly ExecutionReport[]): readonly One[] {
  return executions
    .filter(({ plan }) => plan.expect.some((expect) => expect.siem === siem))
    .map(({ plan, assessments }) => {
      const assessment = assessments.find((one) => one.siem === siem);
      return assessment === undefined ? { plan } : { plan, assessment };
    });
}

export function verdictOf({ assessment }: One): Cell['verdict'] {
  return assessment?.verdict ?? 'not-tested';
}

/** In a roll-up the worst wins. What could not be told is worse than what was seen, and better than a proven gap. */
const badness: Readonly<Record<Cell['verdict'], number>> = {
  prevented: 0,
  detected: 1,
  quiet: 2,
  clean: 3,
  'not-tested': 4,
  'not-run': 5,
  inconclusive: 6,
  'detected-late': 7,
  logged: 8,
  'logged-thin': 9,
  'recorded-only': 10,
  missed: 11,
  blind: 12,
  noisy: 13,
  'harness-visible': 14,
};

/** The verdict of several executions taken together; nothing at all is not tested. */
export function worstOf(verdicts: readonly Cell['verdict'][]): Cell['verdict'] {
  const [first = 'not-tested', ...rest] = verdicts;
  return rest.reduce((worst, one) => (badness[one] > badness[worst] ? one : worst), first);
}

/** The executions of one host. */
export function hostCell(all: readonly One[], standIns: ReadonlySet<string>): Cell {
  return {
    ...rolledUp(all),
    executions: all.map(({ plan }) => plan.id),
    standIns: all.filter(({ plan }) => standIns.has(plan.target)).length,
  };
}

/** Executions of many hosts: what stand-ins came to neither betters nor worsens what real hosts did. */
export function acrossHosts(all: readonly One[], standIns: ReadonlySet<string>): Cell {
  const imitated = all.filter(({ plan }) => standIns.has(plan.target));
  return {
    ...hostCell(all, standIns),
    ...rolledUp(all.filter(({ plan }) => !standIns.has(plan.target))),
    ...(imitated.length === 0 ? {} : { onStandIns: rolledUp(imitated) }),
  };
}

function rolledUp(all: readonly One[]): Pick<Cell, 'verdict' | 'counts'> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[verdictOf(one)] = (counts[verdictOf(one)] ?? 0) + 1;
  return { verdict: worstOf(all.map(verdictOf)), counts };
}
