import type { Assessment, Cell, ExecutionReport, RunReport, ScenarioRow } from '../../runner/domain/run-report.ts';
import { formatDuration } from '../../runner/domain/time.ts';
import { isDeclared, titleOf } from '../shared/findings.ts';
import { scoreWords, stanceWords } from '../shared/words.ts';
import { badge, type Badge } from './badge.ts';
import { hopStates, type State } from './pipeline.ts';

/** What cells look up: executions by id, and where their details are on the page. */
export type Lookup = {
  readonly reports: ReadonlyMap<string, ExecutionReport>;
  readonly anchors: ReadonlyMap<string, string>;
};

/** One execution in a cell, as one link. */
type Entry = {
  readonly href: string;
  /** For a screen reader, before the verdict: which scenario, where. */
  readonly name: string;
  readonly label: string | false;
  readonly badge: Badge;
  readonly score: Assessment['score'];
  readonly scoreWord: string | false;
  readonly details: readonly string[];
  /** What the filter finds it by. */
  readonly tags: readonly string[];
  readonly meter: { readonly segments: readonly { readonly x: number; readonly state: State | 'broke' }[] } | false;
};

export type CellView = {
  readonly target: string;
  readonly planned: boolean;
  /** Only where several executions came out differently. */
  readonly rollUp: { readonly count: number; readonly word: string } | false;
  readonly entries: readonly Entry[];
};

/** Scenario × target as `siem` tells it. */
export function cellView(
  row: ScenarioRow,
  target: RunReport['targets'][number],
  siem: string,
  { reports, anchors }: Lookup,
): CellView {
  const cell: Cell | undefined = row.cells[target.id]?.[siem];
  const mine = (cell?.executions ?? []).flatMap((id) => reports.get(id) ?? []).sort(byPhase);
  const entries = mine.map(({ plan, assessments }): Entry => {
    const assessment = assessments.find((one) => one.siem === siem);
    const common = {
      href: `#${anchors.get(plan.id) ?? ''}`,
      name: `${titleOf(row)}, ${plan.target}`,
      label: mine.length > 1 ? labelOf(plan) : false,
    } as const;
    return assessment === undefined ? { ...common, ...noTurn } : { ...common, ...judged(assessment, target) };
  });
  const differ = new Set(entries.map((entry) => entry.badge.verdict)).size > 1;
  return {
    target: target.id,
    planned: mine.length > 0,
    rollUp: differ ? { count: mine.length, word: badge(cell?.verdict ?? 'not-tested').word } : false,
    entries,
  };
}

function byPhase(a: ExecutionReport, b: ExecutionReport): number {
  const key = ({ plan }: ExecutionReport): string => `${plan.phase === 'control-after' ? 1 : 0} ${plan.id}`;
  return key(a) < key(b) ? -1 : 1;
}

function labelOf({ phase, account, channel }: ExecutionReport['plan']): string {
  if (phase === 'control-before') return 'before';
  return phase === 'control-after' ? 'after' : `${account}, ${channel}`;
}

const noTurn = {
  badge: badge('not-tested'),
  score: 'inconclusive',
  scoreWord: false,
  details: ['its turn never came'],
  tags: ['not-tested'],
  meter: false,
} as const;

function judged(assessment: Assessment, target: RunReport['targets'][number]): Omit<Entry, 'href' | 'name' | 'label'> {
  const { verdict, score, expect } = assessment;
  return {
    badge: badge(verdict),
    score,
    scoreWord: score === 'worse' || score === 'better' ? scoreWords[score] : false,
    details: detailsOf(assessment, target.fidelity === 'stand-in'),
    tags: [verdict, score, expect.stance],
    meter: { segments: hopStates(assessment).map(({ state }, index) => ({ x: index * 12, state })) },
  };
}

function detailsOf(assessment: Assessment, standIn: boolean): string[] {
  const { expect, alertLatencyMs, eventLatencyMs, byReferenceRule, facts } = assessment;
  const lines = [
    alertLatencyMs !== undefined
      ? `alert after ${formatDuration(alertLatencyMs)}`
      : eventLatencyMs !== undefined
        ? `event after ${formatDuration(eventLatencyMs)}`
        : '',
    standIn ? 'stand-in, not counted' : '',
    byReferenceRule ? 'by a reference rule' : '',
    facts.byHarness.length > 0 ? 'rule fires on the harness' : '',
  ];
  const declared = [
    `${stanceWords[expect.stance]}${expect.because === undefined ? '' : `: ${expect.because}`}`,
    [
      ...(expect.owner === undefined ? [] : [`owner ${expect.owner}`]),
      ...(expect.until === undefined ? [] : [`until ${expect.until}`]),
    ].join(', '),
  ];
  return [...lines, ...(isDeclared(expect) ? declared : [])].filter((line) => line !== '');
}
