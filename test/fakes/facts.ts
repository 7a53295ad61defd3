import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import { notAsked, unknown } from '../../runner/domain/fact.ts';
import type { ControlSeen, Facts, FieldProblem } from '../../runner/domain/facts.ts';
import type { SiemExpectation } from '../../runner/domain/plan.ts';
import type { AlertHit, EventHit, RuleHealth } from '../../runner/domain/siem.ts';
import { duration, instant } from '../../runner/domain/time.ts';

/** Facts in a few words each, for the truth table of `judge`. */
export type Brief = {
  readonly ran: 'yes' | 'no' | 'unknown' | 'prevented';
  /** One word per source. */
  readonly delivered: readonly ('yes' | 'absent' | 'silent' | 'unknown')[];
  readonly usable: 'yes' | 'thin' | 'foreign' | 'unknown';
  /**
   * `ran`, `off`: no alert, its rule ran or was off; `exact`, `correlated`, `harness`, `other`: what the only alert is;
   * `doubt`: a correlated one, and no telling whether an exact one came; `unasked`: no rule is expected.
   */
  readonly alert: 'ran' | 'off' | 'unknown' | 'unasked' | 'exact' | 'correlated' | 'harness' | 'doubt' | 'other';
  readonly inTime: 'yes' | 'no' | 'unknown';
  readonly alertsRead: 'yes' | 'unknown';
};

export const rule = 'the-rule';
export const at = instant(Date.UTC(2026, 10, 24, 2, 0, 0));
export const ref: EvidenceRef = { sha256: 'e'.repeat(64), bytes: 1, mediaType: 'application/json' };
export const reason = { class: 'cut-short', detail: 'the answer was cut' } as const;

const event: EventHit = {
  marker: 'm'.repeat(24),
  matched: { by: 'marker', field: 'process.args' },
  source: 'auditd:SYSCALL/execve',
  id: 'event-1',
  time: at,
  fields: {},
  raw: ref,
};
const alertHit: AlertHit = {
  marker: event.marker,
  matched: event.matched,
  rule: { id: rule, name: 'The rule' },
  id: 'alert-1',
  time: at,
  techniques: [],
  events: ['event-1'],
  raw: ref,
};
const latencyMs = duration(1_000);
const health = (enabled: RuleHealth['enabled']): RuleHealth => ({
  rule,
  name: 'The rule',
  enabled,
  ran: enabled === 'none' ? [] : [{ from: at, to: at }],
  failures: [],
  raw: ref,
});
const control = (phase: ControlSeen['phase']): ControlSeen => ({
  execution: `control ${phase}`,
  phase,
  source: event.source,
  event: `event of ${phase}`,
  raw: ref,
});
const problems: Readonly<Record<'thin' | 'foreign', FieldProblem>> = {
  thin: { field: 'parent', problem: 'missing', receipt: '/usr/sbin/sshd', siem: '' },
  foreign: { field: 'process', problem: 'contradicts', receipt: '/usr/bin/python3.11', siem: '/usr/bin/dash' },
};

export function deliveredFact(word: Brief['delivered'][number]): Facts['sources'][0]['delivered'] {
  const proof = { answer: [ref], observedUntil: at } as const;
  switch (word) {
    case 'yes':
      return { is: 'yes', evidence: [{ hit: event, latencyMs }] };
    case 'absent':
      return {
        is: 'no',
        proof: { kind: 'absent', controls: [control('control-before'), control('control-after')], ...proof },
      };
    case 'silent':
      return { is: 'no', proof: { kind: 'source-silent', others: [control('control-before')], ...proof } };
    case 'unknown':
      return { is: 'unknown', why: reason };
  }
}

export function usableFact(word: Brief['usable']): Facts['sources'][0]['usable'] {
  switch (word) {
    case 'yes':
      return { is: 'yes', evidence: [{ event: event.id, agreed: ['host'] }] };
    case 'unknown':
      return { is: 'unknown', why: reason };
    case 'thin':
    case 'foreign':
      return { is: 'no', proof: { event: event.id, raw: ref, problems: [problems[word]] } };
  }
}

export function alertedFact(word: Brief['alert']): Facts['alerted'] {
  switch (word) {
    case 'ran':
    case 'off':
    case 'other':
      return {
        is: 'no',
        proof: {
          kind: word === 'off' ? 'rule-disabled' : 'rule-ran',
          rules: [health(word === 'off' ? 'none' : 'all')],
          answer: [ref],
          observedUntil: at,
        },
      };
    case 'unknown':
      return { is: 'unknown', why: reason };
    case 'unasked':
      return notAsked('no rule is expected to react');
    case 'exact':
    case 'correlated':
    case 'harness':
    case 'doubt':
      return { is: 'yes', evidence: [{ alert: alertHit, latencyMs }] };
  }
}

export function attributedFact(word: Brief['alert']): Facts['attributed'] {
  const alert = { alert: alertHit.id, rule };
  switch (word) {
    case 'exact':
    case 'harness':
      return { is: 'yes', evidence: [{ ...alert, grade: 'exact' }] };
    case 'correlated':
      return { is: 'no', proof: { alerts: [{ ...alert, grade: 'correlated' }] } };
    case 'doubt':
      return { is: 'unknown', why: reason };
    case 'ran':
    case 'off':
    case 'unknown':
    case 'unasked':
    case 'other':
      return notAsked('no expected alert');
  }
}

export function inTimeFact(word: Brief['inTime']): Facts['inTime'] {
  const measured = (ms: number) => ({ latencyMs: duration(ms), withinMs: duration(5_000), uncertaintyMs: 10 });
  switch (word) {
    case 'yes':
      return { is: 'yes', evidence: [measured(1_000)] };
    case 'no':
      return { is: 'no', proof: measured(9_000) };
    case 'unknown':
      return unknown('clocks-disagree', 'the clocks disagree');
  }
}

export function briefFacts(brief: Brief): Facts {
  const { ran, delivered, usable, alert, inTime, alertsRead } = brief;
  const [first, ...rest] = delivered.map((word, index) => ({
    source: `source-${index}`,
    delivered: deliveredFact(word),
    usable: word === 'yes' ? usableFact(usable) : notAsked('nothing arrived'),
  }));
  if (first === undefined) throw new Error('an expectation has a source');
  const hasAlert = !['ran', 'off', 'unknown', 'unasked'].includes(alert);
  const grade = alert === 'other' ? 'other-rule' : alert === 'correlated' || alert === 'doubt' ? 'correlated' : 'exact';
  return {
    ran:
      ran === 'yes'
        ? { is: 'yes', evidence: [{ receipt: ref }] }
        : ran === 'no'
          ? { is: 'no', proof: { answer: 'the host could not be reached' } }
          : ran === 'unknown'
            ? unknown('broken-off', 'no receipt')
            : notAsked('it was stopped by a control'),
    prevented:
      ran === 'prevented'
        ? { is: 'yes', evidence: [{ sign: 'blocked by policy', evidence: ref }] }
        : notAsked('no sign of a block'),
    recorded: notAsked("the host's own log is not read"),
    sources: [first, ...rest],
    alerted: alertedFact(alert),
    attributed: attributedFact(alert),
    inTime: alert === 'exact' ? inTimeFact(inTime) : notAsked('no attributed alert'),
    alerts: hasAlert
      ? [{ alert: alertHit.id, rule, grade, latencyMs, raw: ref, name: 'The rule', techniques: [] }]
      : [],
    alertsRead: alertsRead === 'yes' ? { is: 'yes', evidence: [ref] } : { is: 'unknown', why: reason },
    byHarness: alert === 'harness' ? [rule] : [],
  };
}

/** An expectation of one rule, exact, with a stance. */
export function expectation(more: Partial<SiemExpectation> = {}): SiemExpectation {
  return {
    siem: 'siem',
    sources: ['source-0'],
    context: ['host'],
    eventWithin: duration(5_000),
    rules: [rule],
    alertWithin: duration(5_000),
    observeFor: duration(10_000),
    stance: 'must-alert',
    attribution: 'exact',
    ...more,
  };
}
