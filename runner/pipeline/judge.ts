import { isRemoteAccess } from '../domain/attack.ts';
import type { AttributedEvidence, Facts, Hop } from '../domain/facts.ts';
import type { PlannedExecution, SiemExpectation } from '../domain/plan.ts';
import type { Reason } from '../domain/fact.ts';
import type { Instant } from '../domain/time.ts';
import { formatDuration } from '../domain/time.ts';
import type { Judgement, VerdictKind } from '../domain/verdict.ts';
import { scoreOf } from './score.ts';
import { delivery, type Delivery, usability } from './sources-as-one.ts';

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
  const finding = plan.purpose === 'emulation' ? judgeEmulation(facts) : judgeQuiet(plan.purpose, facts);
  const counted = decidingAlerts(finding.verdict, facts, expect);
  return {
    verdict: finding.verdict,
    ...(finding.brokeAt === undefined ? {} : { brokeAt: finding.brokeAt }),
    sentence: finding.sentence,
    ...(finding.why === undefined ? {} : { why: finding.why }),
    score: scoreOf(finding, expect, input.at),
    byReferenceRule: counted.length > 0 && counted.every(({ rule }) => input.referenceRules.has(rule)),
    notes: [...(finding.notes ?? []), ...alertNotes(facts)],
  };
}

function judgeEmulation(facts: Facts): Finding {
  if (facts.prevented.is === 'yes') {
    const [first] = facts.prevented.evidence;
    return { verdict: 'prevented', sentence: `A control stopped it and said so: ${first.sign}` };
  }
  const ran = judgeRan(facts);
  if (ran !== undefined) return ran;
  const counted = countedAlerts(facts);
  if (counted.length > 0) return judgeTime(facts);

  const pipe = delivery(facts);
  if (pipe.is !== 'yes') return judgeUndelivered(pipe, facts);
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

function judgeUndelivered(pipe: Exclude<Delivery, { is: 'yes' }>, facts: Facts): Finding {
  if (pipe.is === 'unknown') return inconclusive(pipe.why);
  if (pipe.is === 'silent')
    return {
      verdict: 'blind',
      brokeAt: 'delivered',
      sentence: `The SIEM receives nothing from ${pipe.sources.join(', ')} of this host, while it does from other hosts.`,
    };
  if (facts.attributed.is === 'unknown') return inconclusive(facts.attributed.why);
  if (facts.alerted.is === 'unknown' && facts.alerted.why.class === 'ambiguous') return inconclusive(facts.alerted.why);
  const [rule] = facts.alerts.map(({ name, rule: id }) => `${name} (${id})`);
  if (rule !== undefined || facts.alerted.is === 'yes')
    return inconclusive({
      class: 'ambiguous',
      detail: `its event was not found, yet ${rule ?? 'a rule'} alerted on it, so something of it did reach the SIEM`,
    });
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

function judgeQuiet(purpose: 'twin' | 'control', facts: Facts): Finding {
  const ran = judgeRan(facts);
  if (ran !== undefined) return ran;
  // Of the way to the host, as long as a control shows that it is: else the rule fired on legitimate work, whatever it says.
  const ofLogin = facts.alerts.filter(
    ({ rule, techniques }) => isRemoteAccess(techniques) && facts.byHarness.includes(rule),
  );
  const about = facts.alerts.filter((alert) => !ofLogin.includes(alert));
  const rules = [...new Set(about.map(({ rule }) => rule))].sort();
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
      sentence: `No alert, but the SIEM receives nothing from ${pipe.sources.join(', ')} of this host either.`,
    };
  if (pipe.is === 'absent')
    return inconclusive({
      class: 'ambiguous',
      detail: 'its own event never reached the SIEM, while the controls around it did, so that no alert proves nothing',
    });
  if (facts.alertsRead.is === 'unknown') return inconclusive(facts.alertsRead.why);
  if (facts.alertsRead.is !== 'yes')
    return inconclusive({ class: 'still-waiting', detail: 'the alerts were not read' });
  if (facts.alerted.is === 'unknown') return inconclusive(facts.alerted.why);
  const usable = usability(facts);
  if (purpose === 'twin' && usable.is === 'unknown') return inconclusive(usable.why);
  if (purpose === 'twin' && usable.is === 'no' && usable.ofAnotherProcess)
    return inconclusive({
      class: 'ambiguous',
      detail: `only events of another process arrived (${usable.problems}), so that no alert proves nothing`,
    });
  return {
    verdict: purpose === 'twin' ? 'quiet' : 'clean',
    sentence: `${purpose === 'twin' ? 'Seen by the SIEM, and no alert' : 'The log pipe is open, and the harness raises no alert'}${ofLogin.length === 0 ? '' : ' but about the remote login'}.`,
    notes: [
      ...switchedOff(facts).map(
        (rule) => `${purpose === 'twin' ? 'quiet' : 'clean'} is no merit here: ${rule} was switched off`,
      ),
      ...(usable.is === 'no' ? [`its event arrived thin: ${usable.problems}`] : []),
    ],
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
function countedAlerts(facts: Facts): readonly AttributedEvidence[] {
  if (facts.attributed.is !== 'yes') return [];
  return facts.attributed.evidence.filter(({ rule }) => !facts.byHarness.includes(rule));
}

/** The alerts that make the verdict what it is: of a detection in time those that were in time. */
function decidingAlerts(
  verdict: VerdictKind,
  facts: Facts,
  { alertWithin }: SiemExpectation,
): readonly AttributedEvidence[] {
  const counted = countedAlerts(facts);
  if (verdict !== 'detected') return counted;
  const early = new Set(facts.alerts.filter(({ latencyMs }) => latencyMs <= alertWithin).map(({ alert }) => alert));
  return counted.filter(({ alert }) => early.has(alert));
}

function noAlertBecause(facts: Facts): string {
  if (facts.alerted.is === 'no') {
    const off = switchedOff(facts);
    const ran = facts.alerted.proof.rules.map(({ rule }) => rule).filter((rule) => !off.includes(rule));
    return [
      ...(ran.length === 0 ? [] : [`the rule ran over it and did not fire (${ran.join(', ')})`]),
      ...(off.length === 0 ? [] : [`the rule was switched off (${off.join(', ')})`]),
    ].join('; ');
  }
  if (facts.attributed.is === 'yes')
    return 'the alert is by a rule that fires on the harness itself, so it does not count';
  return 'an alert is tied to it by host, process and time only, which does not count here';
}

function switchedOff({ alerted }: Facts): readonly string[] {
  return alerted.is === 'no'
    ? alerted.proof.rules.filter(({ enabled }) => enabled === 'none').map(({ rule }) => rule)
    : [];
}

function alertNotes(facts: Facts): readonly string[] {
  const notes = new Set<string>(remoteAccessNotes(facts));
  for (const { rule, name, grade, techniques } of facts.alerts) {
    if (isRemoteAccess(techniques)) continue;
    if (facts.byHarness.includes(rule)) notes.add(`by the harness: ${name} (${rule}) also fires on the control`);
    else if (grade === 'other-rule') notes.add(`another rule alerted: ${name} (${rule})`);
    else if (grade === 'correlated') notes.add(`correlated only: ${name} (${rule}) fits by host, process and time`);
  }
  return [...notes];
}

/** Seen on the way to the host, and shown apart: it says nothing of the behaviour under test. */
function remoteAccessNotes({ alerts }: Facts): readonly string[] {
  return [
    ...new Set(
      alerts
        .filter(({ techniques }) => isRemoteAccess(techniques))
        .map(({ name, rule, techniques }) => `remote access detected: ${name} (${rule}, ${techniques.join(', ')})`),
    ),
  ];
}
