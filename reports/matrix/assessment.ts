import type { ReceiptLine } from '../../runner/domain/execution.ts';
import type { SiemExpectation } from '../../runner/domain/plan.ts';
import type { Assessment, RunReport } from '../../runner/domain/run-report.ts';
import { formatDuration } from '../../runner/domain/time.ts';
import { reasonLine } from '../shared/findings.ts';
import { hopWords, scoreWords, stanceWords } from '../shared/words.ts';
import { badge, type Badge } from './badge.ts';
import type { EvidenceView, Show } from './evidence.ts';
import { type HopView, waterfall } from './waterfall.ts';

export type Named = { readonly name: string; readonly value: string };

export type AssessmentView = {
  readonly siem: string;
  readonly unqualified: boolean;
  readonly badge: Badge;
  readonly score: Assessment['score'];
  readonly scoreWord: string;
  readonly sentence: string;
  readonly why: string | false;
  readonly broke: string | false;
  readonly expected: readonly Named[];
  readonly notes: readonly string[];
  readonly hops: readonly HopView[];
  readonly prevented: { readonly line: string; readonly evidence: readonly EvidenceView[] } | false;
  readonly alerts:
    | {
        readonly rows: readonly {
          readonly alert: string;
          readonly rule: string;
          readonly grade: string;
          readonly after: string;
        }[];
      }
    | false;
  readonly alertsRead: { readonly line: string; readonly evidence: readonly EvidenceView[] };
};

/** What one SIEM showed of an execution, with the proof of each hop. */
export function assessmentView(
  assessment: Assessment,
  receipt: ReceiptLine | undefined,
  run: RunReport,
  show: Show,
): AssessmentView {
  const { facts, brokeAt, why, byReferenceRule } = assessment;
  const harness = facts.byHarness.map(
    (rule) => `Rule ${rule} also fires on the harness itself, so its alerts are shown and not counted.`,
  );
  const read = facts.alertsRead;
  return {
    siem: assessment.siem,
    unqualified: run.siems.find(({ id }) => id === assessment.siem)?.qualified === false,
    badge: badge(assessment.verdict),
    score: assessment.score,
    scoreWord: scoreWords[assessment.score],
    sentence: assessment.sentence,
    why: why === undefined ? false : reasonLine(why),
    broke:
      brokeAt === undefined ? false : `The pipeline broke at “${hopWords[brokeAt].name}”: ${hopWords[brokeAt].broke}.`,
    expected: expectedRows(assessment.expect),
    notes: [
      ...(byReferenceRule
        ? ['Detected by a reference rule that detproof ships; counted apart from the site’s own rules.']
        : []),
      ...harness,
      ...assessment.notes,
    ],
    hops: waterfall(assessment, receipt, show),
    prevented:
      facts.prevented.is === 'yes'
        ? {
            line: facts.prevented.evidence.map(({ sign }) => sign).join('; '),
            evidence: facts.prevented.evidence.map(({ evidence }) => show('block sign', evidence)),
          }
        : false,
    alerts:
      facts.alerts.length === 0
        ? false
        : {
            rows: facts.alerts.map(({ alert, rule, grade, latencyMs }) => ({
              alert,
              rule,
              grade,
              after: formatDuration(latencyMs),
            })),
          },
    alertsRead: {
      line:
        read.is === 'yes'
          ? 'Every alert could be read, over the whole time.'
          : read.is === 'unknown'
            ? `Not every alert could be read: ${reasonLine(read.why)}`
            : read.is === 'not-asked'
              ? `Not asked: ${read.because}`
              : '',
      evidence: read.is === 'yes' ? read.evidence.map((ref) => show('query and answer', ref)) : [],
    },
  };
}

function expectedRows(expect: SiemExpectation): Named[] {
  return [
    { name: 'stance', value: stanceWords[expect.stance] },
    ...(expect.because === undefined ? [] : [{ name: 'because', value: expect.because }]),
    ...(expect.owner === undefined ? [] : [{ name: 'owner', value: expect.owner }]),
    ...(expect.until === undefined ? [] : [{ name: 'excused until', value: expect.until }]),
    { name: 'event from', value: `${expect.sources.join(', ')}, within ${formatDuration(expect.eventWithin)}` },
    { name: 'with context', value: expect.context.join(', ') || 'none required' },
    {
      name: 'alert by',
      value:
        expect.rules.length === 0
          ? 'no rule may fire'
          : `${expect.rules.join(' or ')}, within ${formatDuration(expect.alertWithin)}`,
    },
    { name: 'asked for', value: `${formatDuration(expect.observeFor)} after the execution ended` },
    {
      name: 'alert counts when',
      value: expect.attribution === 'exact' ? 'attributed exactly' : 'attributed exactly or correlated',
    },
  ];
}
