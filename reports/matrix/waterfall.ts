import type { ReceiptLine } from '../../runner/domain/execution.ts';
import type { Fact } from '../../runner/domain/fact.ts';
import type {
  AttributedEvidence,
  ControlSeen,
  DeliveredEvidence,
  Hop,
  NotAlertedProof,
  NotDeliveredProof,
} from '../../runner/domain/facts.ts';
import type { Assessment } from '../../runner/domain/run-report.ts';
import type { AlertHit, EventHit, MatchedBy, RuleHealth } from '../../runner/domain/siem.ts';
import { type DurationMs, formatDuration } from '../../runner/domain/time.ts';
import { reasonLine } from '../shared/findings.ts';
import { utc } from '../shared/times.ts';
import { factWords, hopWords } from '../shared/words.ts';
import { comparison, type ComparisonRow } from './comparison.ts';
import type { EvidenceView, Show } from './evidence.ts';
import type { State } from './pipeline.ts';

/** Beside the hops: a question of its own that no verdict depends on. */
const fileCreation = {
  name: 'file creation',
  question: 'Is the creation of the dropped file in the SIEM? (a question of its own)',
};

export type HopView = {
  readonly name: string;
  readonly source: string | false;
  readonly question: string;
  readonly state: State;
  readonly word: string;
  readonly broke: boolean;
  readonly lines: readonly string[];
  readonly compared: { readonly rows: readonly ComparisonRow[] } | false;
  readonly evidence: readonly EvidenceView[];
};

type Answered = Pick<HopView, 'lines' | 'evidence'>;

/** The hops of one assessment in pipeline order, each with its answer and what proves it. */
export function waterfall(assessment: Assessment, receipt: ReceiptLine | undefined, show: Show): readonly HopView[] {
  const { facts, brokeAt, expect } = assessment;
  const hop = <Yes, No>(
    name: Hop,
    fact: Fact<Yes, No>,
    yes: (evidence: readonly Yes[]) => Answered,
    no: (proof: No) => Answered,
    source?: string,
    rows: readonly ComparisonRow[] = [],
  ): HopView => ({
    name: hopWords[name].name,
    source: source ?? false,
    question: hopWords[name].question,
    state: fact.is,
    word: factWords[fact.is],
    broke: brokeAt === name && fact.is === 'no',
    compared: rows.length === 0 ? false : { rows },
    ...answered(fact, yes, no),
  });
  const seen = (all: readonly DeliveredEvidence[]): Answered => ({
    lines: all.map(({ hit, latencyMs }) => eventLine(hit, latencyMs)),
    evidence: all.map(({ hit }) => show(`raw event ${hit.id}`, hit.raw)),
  });
  const nothing = (): Answered => ({ lines: [], evidence: [] });
  return [
    hop(
      'ran',
      facts.ran,
      (all) => ({
        lines: ['The finished receipt came back.'],
        evidence: all.map((one) => show('receipt', one.receipt)),
      }),
      (proof) => ({ lines: [`The transport's own answer: ${proof.answer}`], evidence: [] }),
    ),
    hop('recorded', facts.recorded, nothing, nothing),
    ...facts.sources.flatMap((one) => [
      hop('delivered', one.delivered, seen, (proof) => notDelivered(proof, show), one.source),
      hop(
        'usable',
        one.usable,
        (all) => ({
          lines: all.map(({ event, agreed }) => `Event ${event} agrees in ${agreed.join(', ')}.`),
          evidence: [],
        }),
        (proof) => ({
          lines: [
            `Event ${proof.event}: ${proof.problems.map(({ field, problem }) => `${field} ${problem === 'missing' ? 'is missing' : 'contradicts the receipt'}`).join(', ')}.`,
          ],
          evidence: [show(`raw event ${proof.event}`, proof.raw)],
        }),
        one.source,
        comparison(expect.context, receipt, one),
      ),
    ]),
    ...(facts.created === undefined
      ? []
      : [
          {
            ...hop('delivered', facts.created, seen, (proof) => notDelivered(proof, show)),
            ...fileCreation,
            source: expect.file?.sources.join(', ') ?? false,
            broke: false,
          } as const,
        ]),
    hop(
      'alerted',
      facts.alerted,
      (all) => ({
        lines: all.map(({ alert, latencyMs }) => alertLine(alert, latencyMs)),
        evidence: all.map(({ alert }) => show(`alert ${alert.id}`, alert.raw)),
      }),
      (proof) => notAlerted(proof, show),
    ),
    hop(
      'attributed',
      facts.attributed,
      (all) => ({ lines: all.map(attributionLine), evidence: [] }),
      (proof) => ({ lines: proof.alerts.map(attributionLine), evidence: [] }),
    ),
    hop(
      'in-time',
      facts.inTime,
      (all) => ({ lines: all.map(timeLine), evidence: [] }),
      (proof) => ({ lines: [timeLine(proof)], evidence: [] }),
    ),
  ];
}

function answered<Yes, No>(
  fact: Fact<Yes, No>,
  yes: (evidence: readonly Yes[]) => Answered,
  no: (proof: No) => Answered,
): Answered {
  switch (fact.is) {
    case 'yes':
      return yes(fact.evidence);
    case 'no':
      return no(fact.proof);
    case 'unknown':
      return { lines: [reasonLine(fact.why)], evidence: [] };
    case 'not-asked':
      return { lines: [fact.because], evidence: [] };
  }
}

function matchedLine(matched: MatchedBy): string {
  switch (matched.by) {
    case 'marker':
      return `matched by the marker in ${matched.field}`;
    case 'host-process-time':
      return 'matched by host, process and time';
    case 'host-file-time':
      return 'matched by host, file and time';
  }
}

function eventLine(hit: EventHit, latencyMs: DurationMs): string {
  const ingested = hit.ingested === undefined ? '' : `, taken in ${utc(hit.ingested)}`;
  return `Event ${hit.id} of ${utc(hit.time)}${ingested}, after ${formatDuration(latencyMs)}, ${matchedLine(hit.matched)}.`;
}

function alertLine(alert: AlertHit, latencyMs: DurationMs): string {
  const severity = alert.severity === undefined ? '' : `, severity ${alert.severity}`;
  const techniques = alert.techniques.length === 0 ? '' : `, mapped to ${alert.techniques.join(', ')}`;
  return `Alert ${alert.id} by rule ${alert.rule.id} at ${utc(alert.time)}, after ${formatDuration(latencyMs)}${severity}${techniques}, ${matchedLine(alert.matched)}.`;
}

const grades: Readonly<Record<AttributedEvidence['grade'], string>> = {
  exact: 'exact: the marker is in the alert or in an event it refers to',
  correlated: 'correlated by host, process and time',
  'other-rule': 'another rule than the expected ones',
};

function attributionLine({ alert, rule, grade }: AttributedEvidence): string {
  return `Alert ${alert} by rule ${rule}, ${grades[grade]}.`;
}

function timeLine(time: { latencyMs: DurationMs; withinMs: DurationMs; uncertaintyMs: number }): string {
  return `After ${formatDuration(time.latencyMs)} (± ${formatDuration(time.uncertaintyMs)}); the limit is ${formatDuration(time.withinMs)}.`;
}

function notDelivered(proof: NotDeliveredProof, show: Show): Answered {
  const controls = proof.kind === 'absent' ? proof.controls : proof.others;
  return {
    lines: [
      proof.kind === 'absent'
        ? "This source's controls of this host were seen before and after, so its pipe was open; the event itself is in no answer."
        : 'Nothing of this host arrives from this source, not even the controls, while the same source of other hosts does.',
      `The answer was complete; asked until ${utc(proof.observedUntil)}.`,
    ],
    evidence: [...controls.map((control) => controlShown(control, show)), ...answers(proof.answer, show)],
  };
}

function controlShown(control: ControlSeen, show: Show): EvidenceView {
  return show(`control event ${control.event} of ${control.execution}`, control.raw);
}

function notAlerted(proof: NotAlertedProof, show: Show): Answered {
  return {
    lines: [
      proof.kind === 'rule-disabled'
        ? 'The rule was switched off over the whole time in question.'
        : 'The rule was enabled and searched the time in which the event arrived; its alerts were read whole.',
      ...proof.rules.map(ruleLine),
      `The answer was complete; asked until ${utc(proof.observedUntil)}.`,
    ],
    evidence: [
      ...proof.rules.map((rule) => show(`rule health ${rule.rule}`, rule.raw)),
      ...answers(proof.answer, show),
    ],
  };
}

function ruleLine(rule: RuleHealth): string {
  const spans = rule.ran.map(({ from, to }) => `${utc(from)} to ${utc(to)}`);
  const enabled = { all: 'enabled throughout', part: 'switched during the run', none: 'switched off' }[rule.enabled];
  const failures = rule.failures.map(({ at, error }) => `failed ${utc(at)}: ${error}`);
  return [
    `Rule ${rule.rule}: ${enabled}`,
    spans.length === 0 ? 'searched nothing' : `searched ${spans.join(', ')}`,
    ...failures,
    rule.suppression === undefined ? 'no suppression' : `suppression in force: ${rule.suppression}`,
  ].join('; ');
}

function answers(refs: readonly Parameters<Show>[1][], show: Show): EvidenceView[] {
  return refs.map((ref, index) => show(`query and answer ${refs.length > 1 ? index + 1 : ''}`.trim(), ref));
}
