import type { Facts, Hop } from '../domain/facts.ts';
import type { PlannedExecution, SiemExpectation } from '../domain/plan.ts';
import type { Reason } from '../domain/fact.ts';
import type { Instant } from '../domain/time.ts';
import { formatDuration } from '../domain/time.ts';
import type { Judgement, Score, VerdictKind } from '../domain/verdict.ts';

type Finding = {
  readonly verdict: VerdictKind;
  readonly sentence: string;
  readonly brokeAt?: Hop;
  readonly why?: Reason;
  readonly notes?: readonly string[];
};

export type JudgeInput = {
  readonly plan: Pick<PlannedExecution, 'purpose'>;
  readonly expect: SiemExpectation;
  readonly facts: Facts;
  /** When the execution ended: a known gap with an end date is excused until then. */
  readonly at: Instant;
  /** Ids of the rules that detproof ships. */
  readonly referenceRules: ReadonlySet<string>;
};

/** Facts → verdict and score. Pure; held as a truth table in its test. */
export function judge(input: JudgeInput): Judgement {
  const { plan, expect, facts } = input;
  const finding =
    plan.purpose === 'emulation' ? judgeEmulation(facts, expect) : judgeQuiet(plan.purpose, facts, expect);
  const counted = countedAlerts(facts);
  return {
    verdict: finding.verdict,
    ...(finding.brokeAt === undefined ? {} : { brokeAt: finding.brokeAt }),
    sentence: finding.sentence,
    ...(finding.why === undefined ? {} : { why: finding.why }),
    score: score(finding.verdict, expect, input.at),
    byReferenceRule: counted.length > 0 && counted.every(({ rule }) => input.referenceRules.has(rule)),
    notes: [...(finding.notes ?? []), ...alertNotes(facts)],
  };
}

function judgeEmulation(facts: Facts, expect: SiemExpectation): Finding {
  if (facts.prevented.is === 'yes') {
    const [first] = facts.prevented.evidence;
    return { verdict: 'prevented', sentence: `A control stopped it and said so: ${first.sign}` };
  }
  const ran = judgeRan(facts);
  if (ran !== undefined) return ran;
  const counted = countedAlerts(facts);
  if (counted.length > 0) return judgeTime(facts);

  const pipe = delivery(facts);
  if (pipe.is !== 'yes') return judgeUndelivered(pipe, facts, expect);
  if (facts.alerted.is === 'unknown') return inconclusive(facts.alerted.why);
  if (facts.alerted.is === 'not-asked') return inconclusive({ class: 'rule-unknown', detail: facts.alerted.because });
  if (facts.attributed.is === 'unknown') return inconclusive(facts.attributed.why);

  const usable = usability(facts);
  if (usable.is === 'unknown') return inconclusive(usable.why);
  if (usable.is === 'no')
    return {
      verdict: 'logged-thin',
      brokeAt: 'usable',
      sentence: `The event arrived, but ${usable.problems}; no alert.`,
    };
  return {
    verdict: 'logged',
    brokeAt: facts.alerted.is === 'no' ? 'alerted' : 'attributed',
    sentence: `The event arrived with its context; ${noAlertBecause(facts)}.`,
  };
}

function judgeTime(facts: Facts): Finding {
  switch (facts.inTime.is) {
    case 'yes':
      return {
        verdict: 'detected',
        sentence: `Alert after ${formatDuration(facts.inTime.evidence[0].latencyMs)}, within ${formatDuration(facts.inTime.evidence[0].withinMs)}.`,
      };
    case 'no':
      return {
        verdict: 'detected-late',
        brokeAt: 'in-time',
        sentence: `Alert after ${formatDuration(facts.inTime.proof.latencyMs)}, later than ${formatDuration(facts.inTime.proof.withinMs)}.`,
      };
    case 'unknown':
      return inconclusive(facts.inTime.why);
    case 'not-asked':
      return inconclusive({ class: 'clocks-disagree', detail: facts.inTime.because });
  }
}

function judgeUndelivered(pipe: Exclude<Delivery, { is: 'yes' }>, facts: Facts, expect: SiemExpectation): Finding {
  if (pipe.is === 'unknown') return inconclusive(pipe.why);
  if (pipe.is === 'silent')
    return {
      verdict: 'blind',
      brokeAt: 'delivered',
      sentence: `The SIEM receives nothing from ${expect.sources.join(', ')} of this host, while it does from other hosts.`,
    };
  return facts.recorded.is === 'yes'
    ? {
        verdict: 'recorded-only',
        brokeAt: 'delivered',
        sentence: 'The host logged it, but the event never reached the SIEM.',
      }
    : {
        verdict: 'missed',
        brokeAt: 'delivered',
        sentence: 'The event never reached the SIEM, while the controls before and after it did.',
      };
}

function judgeQuiet(purpose: 'twin' | 'control', facts: Facts, expect: SiemExpectation): Finding {
  const ran = judgeRan(facts);
  if (ran !== undefined) return ran;
  const rules = [...new Set(facts.alerts.map(({ rule }) => rule))].sort();
  if (rules.length > 0)
    return {
      verdict: purpose === 'twin' ? 'noisy' : 'harness-visible',
      sentence:
        purpose === 'twin'
          ? `Legitimate work raised an alert: ${rules.join(', ')}.`
          : `The harness itself raises an alert, so detections by this rule do not count: ${rules.join(', ')}.`,
    };
  const pipe = delivery(facts);
  if (pipe.is === 'unknown') return inconclusive(pipe.why);
  if (pipe.is === 'silent')
    return {
      verdict: 'blind',
      brokeAt: 'delivered',
      sentence: `No alert, but the SIEM receives nothing from ${expect.sources.join(', ')} of this host either.`,
    };
  if (pipe.is === 'absent')
    return inconclusive({
      class: 'source-not-alive',
      detail: 'its own event never reached the SIEM, so that no alert proves nothing',
    });
  if (facts.alertsRead.is === 'unknown') return inconclusive(facts.alertsRead.why);
  if (facts.alertsRead.is !== 'yes')
    return inconclusive({ class: 'still-waiting', detail: 'the alerts were not read' });
  if (facts.alerted.is === 'unknown') return inconclusive(facts.alerted.why);
  const off = facts.alerted.is === 'no' && facts.alerted.proof.kind === 'rule-disabled';
  return {
    verdict: purpose === 'twin' ? 'quiet' : 'clean',
    sentence:
      purpose === 'twin' ? 'Seen by the SIEM, and no alert.' : 'The log pipe is open, and the harness raises no alert.',
    notes: off ? [`quiet is no merit here: ${expect.rules.join(', ')} was switched off`] : [],
  };
}

function judgeRan(facts: Facts): Finding | undefined {
  if (facts.ran.is === 'yes') return undefined;
  if (facts.ran.is === 'no')
    return { verdict: 'not-run', brokeAt: 'ran', sentence: `Not run: ${facts.ran.proof.answer}` };
  return inconclusive(facts.ran.is === 'unknown' ? facts.ran.why : { class: 'not-started', detail: facts.ran.because });
}

function inconclusive(why: Reason): Finding {
  return { verdict: 'inconclusive', sentence: `Could not tell: ${why.detail}`, why };
}

/** Expected alerts that were graded well enough, and whose rule does not fire on the harness as well. */
function countedAlerts(facts: Facts): readonly { readonly rule: string }[] {
  if (facts.attributed.is !== 'yes') return [];
  return facts.attributed.evidence.filter(({ rule }) => !facts.byHarness.includes(rule));
}

function noAlertBecause(facts: Facts): string {
  if (facts.alerted.is === 'no')
    return facts.alerted.proof.kind === 'rule-disabled'
      ? `the rule was switched off (${facts.alerted.proof.rules.map(({ rule }) => rule).join(', ')})`
      : `the rule ran over it and did not fire (${facts.alerted.proof.rules.map(({ rule }) => rule).join(', ')})`;
  if (facts.attributed.is === 'yes')
    return 'the alert is by a rule that fires on the harness itself, so it does not count';
  return 'an alert is tied to it by host, process and time only, which does not count here';
}

function alertNotes(facts: Facts): readonly string[] {
  const notes = new Set<string>();
  for (const { rule, name, grade } of facts.alerts) {
    if (facts.byHarness.includes(rule)) notes.add(`by the harness: ${name} (${rule}) also fires on the control`);
    else if (grade === 'other-rule') notes.add(`another rule alerted: ${name} (${rule})`);
    else if (grade === 'correlated') notes.add(`correlated only: ${name} (${rule}) fits by host, process and time`);
  }
  return [...notes];
}

type Delivery = { is: 'yes' } | { is: 'absent' } | { is: 'silent' } | { is: 'unknown'; why: Reason };

/** Several sources as one: an event of any of them is delivery; absence needs an answer about each. */
function delivery(facts: Facts): Delivery {
  if (facts.sources.some(({ delivered }) => delivered.is === 'yes')) return { is: 'yes' };
  for (const { source, delivered } of facts.sources) {
    if (delivered.is === 'unknown')
      return { is: 'unknown', why: { ...delivered.why, detail: `${source}: ${delivered.why.detail}` } };
    if (delivered.is === 'not-asked')
      return { is: 'unknown', why: { class: 'source-not-alive', detail: `${source}: ${delivered.because}` } };
  }
  const silent = facts.sources.every(
    ({ delivered }) => delivered.is === 'no' && delivered.proof.kind === 'source-silent',
  );
  return { is: silent ? 'silent' : 'absent' };
}

function usability(facts: Facts): { is: 'yes' } | { is: 'no'; problems: string } | { is: 'unknown'; why: Reason } {
  const delivered = facts.sources.filter((source) => source.delivered.is === 'yes').map(({ usable }) => usable);
  if (delivered.some(({ is }) => is === 'yes')) return { is: 'yes' };
  const unclear = delivered.find((usable) => usable.is === 'unknown');
  if (unclear?.is === 'unknown') return { is: 'unknown', why: unclear.why };
  const problems = delivered.flatMap((usable) => (usable.is === 'no' ? usable.proof.problems : []));
  if (problems.length === 0) return { is: 'yes' };
  return {
    is: 'no',
    problems: problems
      .map(({ field, problem, receipt, siem }) =>
        problem === 'missing'
          ? `${field} is empty (the receipt says ${shorten(receipt)})`
          : `${field} is ${shorten(siem)} where the receipt says ${shorten(receipt)}`,
      )
      .join(', '),
  };
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}

function score(verdict: VerdictKind, expect: SiemExpectation, at: Instant): Score {
  switch (verdict) {
    case 'inconclusive':
    case 'not-run':
      return 'inconclusive';
    case 'quiet':
    case 'clean':
      return 'as-expected';
    case 'noisy':
    case 'harness-visible':
      return 'worse';
    case 'detected':
    case 'prevented':
      return expect.stance === 'must-alert' ? 'as-expected' : 'better';
    case 'detected-late':
      return expect.stance === 'must-alert' || !excusedUntil(expect, at) ? 'worse' : 'better';
    case 'logged':
    case 'logged-thin':
    case 'recorded-only':
    case 'missed':
      return expect.stance === 'known-gap' || expect.stance === 'not-collected'
        ? excusedUntil(expect, at)
          ? 'as-expected'
          : 'worse'
        : 'worse';
    case 'blind':
      return expect.stance === 'not-collected' && excusedUntil(expect, at) ? 'as-expected' : 'worse';
  }
}

function excusedUntil(expect: SiemExpectation, at: Instant): boolean {
  return expect.until === undefined || at.slice(0, 10) <= expect.until;
}
