import type { Assessment, ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { hopWords } from '../shared/words.ts';
import { badge, bySeverity, type Badge } from './badge.ts';
import { reasonLine } from './waterfall.ts';

export type Item = {
  readonly badge: Badge;
  readonly title: string;
  readonly scenario: string;
  readonly siem: string | false;
  readonly broke: string | false;
  readonly sentence: string;
  readonly why: string | false;
  readonly owner: string | false;
  readonly until: string | false;
  readonly where: readonly { readonly target: string; readonly title: string; readonly href: string }[];
};

export type Attention = {
  readonly worse: { readonly count: string; readonly items: readonly Item[] } | false;
  readonly untold: { readonly count: string; readonly items: readonly Item[] } | false;
  readonly knownGaps: { readonly count: string; readonly items: readonly Item[] } | false;
  readonly better: { readonly count: string; readonly items: readonly Item[] } | false;
  /** Planned executions that the run did not come to. */
  readonly noTurn: { readonly count: number; readonly where: Item['where'] } | false;
};

type Judged = { readonly report: ExecutionReport; readonly assessment: Assessment };

/** What somebody has to act on, the worst first; the same finding on several hosts is one item. */
export function attention(run: RunReport, anchors: ReadonlyMap<string, string>): Attention {
  const all = run.executions.flatMap((report) => report.assessments.map((assessment) => ({ report, assessment })));
  const list = (wanted: (judged: Assessment) => boolean): Attention['worse'] => {
    const judged = all.filter(({ assessment }) => wanted(assessment));
    return judged.length === 0
      ? false
      : { count: judged.length === 1 ? '1 result' : `${judged.length} results`, items: items(judged, run, anchors) };
  };
  const noTurn = run.executions.filter(
    ({ execution, assessments }) => execution === undefined && assessments.length === 0,
  );
  return {
    worse: list(({ score }) => score === 'worse'),
    untold: list(({ score }) => score === 'inconclusive'),
    knownGaps: list(({ score, expect }) => score === 'as-expected' && isDeclared(expect.stance)),
    better: list(({ score }) => score === 'better'),
    noTurn:
      noTurn.length === 0 ? false : { count: noTurn.length, where: noTurn.map((report) => link(report, anchors)) },
  };
}

function isDeclared(stance: Assessment['expect']['stance']): boolean {
  return stance === 'known-gap' || stance === 'not-collected';
}

function items(judged: readonly Judged[], run: RunReport, anchors: ReadonlyMap<string, string>): Item[] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) {
    const { plan } = one.report;
    const { siem, verdict, sentence, why } = one.assessment;
    const key = JSON.stringify([plan.scenario, plan.variant ?? '', siem, verdict, sentence, why?.detail ?? '']);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => {
      const [first] = group;
      return first === undefined ? [] : [item(first, group, run, anchors)];
    })
    .sort((a, b) => bySeverity(a.badge, b.badge));
}

function item(
  { report: { plan }, assessment }: Judged,
  group: readonly Judged[],
  run: RunReport,
  anchors: ReadonlyMap<string, string>,
): Item {
  const { brokeAt, expect, why } = assessment;
  return {
    badge: badge(assessment.verdict),
    title: titleOf(plan),
    scenario: plan.scenario,
    siem: run.siems.length > 1 ? assessment.siem : false,
    broke: brokeAt === undefined ? false : hopWords[brokeAt].name,
    sentence: assessment.sentence,
    why: why !== undefined ? reasonLine(why) : (expect.because ?? false),
    owner: expect.owner ?? false,
    until: expect.until ?? false,
    where: group.map(({ report }) => link(report, anchors)).sort((a, b) => (a.target < b.target ? -1 : 1)),
  };
}

function titleOf({ title, variant }: ExecutionReport['plan']): string {
  return variant === undefined ? title : `${title} (${variant})`;
}

function link({ plan }: ExecutionReport, anchors: ReadonlyMap<string, string>): Item['where'][number] {
  const edge = { 'control-before': ' before', 'control-after': ' after', twins: '', emulations: '' }[plan.phase];
  return { target: `${plan.target}${edge}`, title: titleOf(plan), href: `#${anchors.get(plan.id) ?? ''}` };
}
