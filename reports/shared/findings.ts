import { isRemoteAccess } from '../../runner/domain/attack.ts';
import type { Reason } from '../../runner/domain/fact.ts';
import type { Hop } from '../../runner/domain/facts.ts';
import type { SiemExpectation } from '../../runner/domain/plan.ts';
import type { Assessment, ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import type { VerdictKind } from '../../runner/domain/verdict.ts';
import { reasonWords, severity } from './words.ts';

/** One thing to know, about one scenario and SIEM; the same on several hosts is one finding. */
export type Finding = {
  readonly verdict: VerdictKind;
  readonly title: string;
  /** `linux/script-in-tmp@interpreter=renamed` */
  readonly scenario: string;
  readonly siem: string;
  readonly brokeAt: Hop | undefined;
  readonly sentence: string;
  readonly why: string | undefined;
  readonly expect: SiemExpectation;
  readonly executions: readonly ExecutionReport[];
};

export type Findings = {
  readonly worse: readonly Finding[];
  readonly untold: readonly Finding[];
  readonly knownGaps: readonly Finding[];
  readonly better: readonly Finding[];
  /** Planned executions that the run did not come to. */
  readonly noTurn: readonly ExecutionReport[];
};

/** What somebody has to act on or should know, the worst first. */
export function findings(run: RunReport): Findings {
  const all = run.executions.flatMap((report) => report.assessments.map((assessment) => ({ report, assessment })));
  const list = (wanted: (assessment: Assessment) => boolean): Finding[] =>
    together(all.filter(({ assessment }) => wanted(assessment)));
  return {
    worse: list(({ score }) => score === 'worse'),
    untold: list(({ score }) => score === 'inconclusive'),
    knownGaps: list(({ score, expect }) => score === 'as-expected' && isDeclared(expect)),
    better: list(({ score }) => score === 'better'),
    noTurn: run.executions
      .filter(({ execution, assessments }) => execution === undefined && assessments.length === 0)
      .sort((a, b) => (a.plan.id < b.plan.id ? -1 : 1)),
  };
}

/** Declared beforehand, with a reason: a known gap, or a source that is not collected. */
export function isDeclared({ stance }: SiemExpectation): boolean {
  return stance === 'known-gap' || stance === 'not-collected';
}

/** `the rule failed: 3 times, circuit_breaking_exception` */
export function reasonLine(reason: Reason): string {
  return `${reasonWords[reason.class]}: ${reason.detail}`;
}

/** `rule-a, rule-b (remote access, T1021.004)`: rules of a SIEM that fire on the harness itself. */
export function harnessRules(run: RunReport, siem: string): string {
  const alerts = run.executions.flatMap(({ assessments }) =>
    assessments.filter((one) => one.siem === siem).flatMap(({ facts }) => facts.alerts),
  );
  const label = (rule: string): string => {
    const techniques = alerts.find((alert) => alert.rule === rule)?.techniques ?? [];
    return isRemoteAccess(techniques) ? `${rule} (remote access, ${techniques.join(', ')})` : rule;
  };
  return [...(run.harnessRules[siem] ?? [])].sort().map(label).join(', ');
}

/** `Run a script from /tmp (interpreter=renamed)` */
export function titleOf({ title, variant }: { readonly title: string; readonly variant?: string }): string {
  return variant === undefined ? title : `${title} (${variant})`;
}

/** `lab-a`, for controls `lab-a before` */
export function placeOf({ target, phase }: ExecutionReport['plan']): string {
  return `${target}${{ 'control-before': ' before', 'control-after': ' after', twins: '', emulations: '' }[phase]}`;
}

type Judged = { readonly report: ExecutionReport; readonly assessment: Assessment };

function together(judged: readonly Judged[]): Finding[] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) {
    const { plan } = one.report;
    const { siem, verdict, sentence, why, expect } = one.assessment;
    const declared = [expect.stance, expect.owner, expect.until, expect.because];
    const key = JSON.stringify([plan.scenario, plan.variant, siem, verdict, sentence, why?.detail, declared]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => finding(group))
    .sort((a, b) => severity(a.verdict) - severity(b.verdict));
}

function finding(group: readonly Judged[]): Finding[] {
  const [first] = group;
  if (first === undefined) return [];
  const { plan } = first.report;
  const { verdict, siem, brokeAt, sentence, why, expect } = first.assessment;
  return [
    {
      verdict,
      title: titleOf(plan),
      scenario: plan.variant === undefined ? plan.scenario : `${plan.scenario}@${plan.variant}`,
      siem,
      brokeAt,
      sentence,
      why:
        why !== undefined ? reasonLine(why) : expect.because === undefined ? undefined : `declared: ${expect.because}`,
      expect,
      executions: group.map(({ report }) => report).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)),
    },
  ];
}

function sortKey({ plan }: ExecutionReport): string {
  return [plan.target, plan.phase === 'control-after' ? 1 : 0, plan.id].join('\u0000');
}
