import type { Fact, ReasonClass } from '../../runner/domain/fact.ts';
import type { Hop } from '../../runner/domain/facts.ts';
import type { Platform } from '../../runner/domain/attack.ts';
import type { Stance } from '../../runner/domain/scenario.ts';
import type { Score, VerdictKind } from '../../runner/domain/verdict.ts';

export type ShownVerdict = VerdictKind | 'not-tested';

/** How bad a verdict is for whoever has to fix things; the worst first. The order of lists, not of judgement. */
const worstFirst: readonly ShownVerdict[] = [
  'missed',
  'blind',
  'recorded-only',
  'logged-thin',
  'logged',
  'detected-late',
  'noisy',
  'harness-visible',
  'inconclusive',
  'not-run',
  'not-tested',
  'prevented',
  'detected',
  'quiet',
  'clean',
];

export function severity(verdict: ShownVerdict): number {
  return worstFirst.indexOf(verdict);
}

/** `meaning` completes "<word>: …". */
export const verdictWords: Readonly<Record<ShownVerdict, { readonly word: string; readonly meaning: string }>> = {
  detected: { word: 'detected', meaning: 'the SIEM raised the expected alert in time' },
  'detected-late': { word: 'detected-late', meaning: 'the expected alert came, but after its time limit' },
  prevented: { word: 'prevented', meaning: 'a control stopped the behaviour, and said so itself' },
  logged: { word: 'logged', meaning: 'the event arrived with its context, and no alert was raised' },
  'logged-thin': {
    word: 'logged-thin',
    meaning: 'the event arrived, but context is missing or contradicts what really ran',
  },
  'recorded-only': { word: 'recorded-only', meaning: 'the host logged it, and it never reached the SIEM' },
  missed: {
    word: 'missed',
    meaning: 'proved absent: the pipe was open before and after, and no event came',
  },
  blind: { word: 'blind', meaning: "this host's source delivers nothing, while others do" },
  inconclusive: { word: 'inconclusive', meaning: 'it could not be told, and the reason is given' },
  'not-run': { word: 'not-run', meaning: 'the behaviour did not start' },
  quiet: { word: 'quiet', meaning: 'legitimate work was seen, and no rule fired' },
  noisy: { word: 'noisy', meaning: 'a rule fired on legitimate work' },
  clean: { word: 'clean', meaning: 'the control was seen, and no rule fired on the harness itself' },
  'harness-visible': {
    word: 'harness-visible',
    meaning: 'a rule fires on the harness itself; detections by that rule are not counted',
  },
  'not-tested': { word: 'not tested', meaning: 'no execution of this run exercised it' },
};

export const scoreWords: Readonly<Record<Score, string>> = {
  'as-expected': 'as expected',
  worse: 'worse than expected',
  better: 'better than expected',
  inconclusive: 'could not be compared',
};

export const stanceWords: Readonly<Record<Stance, string>> = {
  'must-alert': 'must alert',
  'must-stay-quiet': 'must stay quiet',
  'known-gap': 'known gap',
  'not-collected': 'declared as not collected',
};

export const hopWords: Readonly<
  Record<Hop, { readonly name: string; readonly question: string; readonly broke: string }>
> = {
  ran: { name: 'ran', question: 'Did the behaviour really happen?', broke: 'it did not run' },
  recorded: { name: 'recorded', question: "Is it in the host's own log?", broke: "not in the host's own log" },
  delivered: { name: 'delivered', question: 'Is the event in the SIEM?', broke: 'no event reached the SIEM' },
  usable: {
    name: 'usable',
    question: 'Are the required fields filled in, and do they agree with the receipt?',
    broke: 'the event lacks or contradicts required context',
  },
  alerted: { name: 'alerted', question: "Did the SIEM's own alert appear?", broke: 'no alert was raised' },
  attributed: {
    name: 'attributed',
    question: 'Is it the expected rule, about this host and this execution?',
    broke: 'the alert is not by an expected rule',
  },
  'in-time': {
    name: 'in time',
    question: "Did the alert come within the owner's limit?",
    broke: 'the alert came too late',
  },
};

export const factWords: Readonly<Record<Fact<unknown, unknown>['is'], string>> = {
  yes: 'yes',
  no: 'no, proved',
  unknown: 'could not tell',
  'not-asked': 'not asked',
};

export const reasonWords: Readonly<Record<ReasonClass, string>> = {
  unreachable: 'could not be reached',
  refused: 'refused',
  throttled: 'throttled',
  timeout: 'timed out',
  protocol: 'answered in a way that was not understood',
  'cut-short': 'the answer was cut short',
  'source-not-alive': 'the log source was not shown to be alive before and after',
  'not-observable-on-loopback': 'not observable on loopback',
  'still-waiting': 'not waited for long enough',
  'rule-failed': 'the rule failed',
  'rule-not-run': 'the rule did not run over the time in question',
  'rule-unknown': 'the SIEM does not know the rule',
  suppressed: 'an alert may have been suppressed',
  ambiguous: 'ambiguous',
  'clocks-disagree': 'the clocks disagree',
  'broken-off': 'broken off',
  'not-started': 'not started',
  'out-of-scope': 'out of scope',
  'out-of-window': 'outside the time window',
  interrupted: 'interrupted',
  'no-interpreter': 'no Python interpreter',
  'host-key': "the host's key was not the known one",
  login: 'the login was refused',
  'in-the-way': 'something was already there',
  'too-many-failures': 'too many hosts had failed before',
};

export const platformWords: Readonly<Record<Platform, string>> = {
  windows: 'Windows',
  macos: 'macOS',
  linux: 'Linux',
  esxi: 'ESXi',
};

/** What an exit code of detproof means (design: the first that applies). */
export function exitWords(code: number): string {
  switch (code) {
    case 0:
      return 'all as expected';
    case 1:
      return 'worse than expected';
    case 2:
      return 'bad input';
    case 3:
      return 'inconclusive';
    case 4:
      return 'refused: scope, window or approval';
    case 5:
      return 'something was left behind on a target';
    case 130:
      return 'interrupted, after clean-up';
    default:
      return 'unknown';
  }
}
