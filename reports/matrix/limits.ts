import { findingsOf, subjectText } from '../../runner/domain/host-check.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { harnessRules } from '../shared/findings.ts';
import { clockWords, utc } from '../shared/times.ts';
import { platformWords } from '../shared/words.ts';

type Named = { readonly name: string; readonly value: string };

export type Limits = {
  readonly notProved: readonly string[];
  readonly harnessRules: readonly Named[];
  readonly leftOut: { readonly rows: readonly Named[] } | false;
  readonly clocks: readonly Named[];
  readonly siems: readonly Named[];
  readonly check: {
    readonly plan: string;
    readonly journalLines: number;
    readonly head: string;
    readonly commands: readonly string[];
  };
  readonly notice: string;
};

/** What the figures do not say, what was left out, and how somebody who does not trust detproof checks it. */
export function limits(run: RunReport): Limits {
  const { journal } = run.run;
  return {
    notProved: notProved(run),
    harnessRules: Object.entries(run.harnessRules)
      .filter(([, rules]) => rules.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([siem]) => ({ name: siem, value: harnessRules(run, siem) })),
    leftOut:
      run.leftOut.length === 0
        ? false
        : { rows: run.leftOut.map(({ what, because }) => ({ name: what, value: because })) },
    clocks: [
      ...run.siems.map(({ id, clock }) => ({ name: `SIEM ${id}`, value: clockWords(clock) })),
      ...run.targets.map(({ id, clock, reached, trouble }) => ({
        name: id,
        value: reached ? clockWords(clock) : `not reached${trouble === undefined ? '' : `: ${trouble}`}`,
      })),
    ],
    siems: run.siems.map((siem) => ({
      name: siem.id,
      value: [
        `asked ${siem.polls}×`,
        ...(siem.observedFrom === undefined || siem.observedUntil === undefined
          ? []
          : [`from ${utc(siem.observedFrom)} to ${utc(siem.observedUntil)}`]),
        siem.qualified ? 'adapter qualified on this site' : 'adapter not qualified on this site',
        ...(siem.trouble === undefined ? [] : [siem.trouble]),
      ].join('; '),
    })),
    check: {
      plan: run.run.planSha256,
      journalLines: journal.lines,
      head: journal.headSha256,
      commands: [
        `sed -n '${journal.lines}p' journal.jsonl | tr -d '\\n' | sha256sum`,
        'for f in evidence/*; do echo "${f#evidence/}  $f"; done | sha256sum -c --quiet',
        'sha256sum plan.json',
      ],
    },
    notice: run.attack.notice,
  };
}

function notProved(run: RunReport): string[] {
  const untested = run.attack.analytics
    .filter(
      ({ platform }) =>
        !run.targets.some((target) => target.platform === platform && target.fidelity === 'real' && target.reached),
    )
    .map(({ platform }) => platformWords[platform]);
  const real = run.targets.filter(({ fidelity }) => fidelity === 'real');
  const reached = real.filter((target) => target.reached).length;
  const standIns = run.targets.filter(({ fidelity }) => fidelity === 'stand-in').map(({ id }) => id);
  const unqualified = run.siems.filter(({ qualified }) => !qualified).map(({ id }) => id);
  return [
    'A detection shows that this behaviour, in this form, on this host, at this time, raised an alert. Other ways to run Python may raise none.',
    ...hostsReached(run, reached, real.length),
    ...(untested.length === 0
      ? []
      : [
          `No real ${untested.join(', ')} host was tested; those analytics say “not tested”, which is neither good nor bad.`,
        ]),
    ...run.targets.flatMap(({ id, remarks = [] }) => remarks.map((remark) => `${id}: ${remark}.`)),
    ...(standIns.length === 0
      ? []
      : [`Stand-ins (${standIns.join(', ')}) imitate a platform. They are shown and never counted.`]),
    'A quiet twin shows that this piece of legitimate work raised no alert. It is no measure of false positives in general.',
    '“Inconclusive” means that it could not be told. It is neither a detection nor a miss, and it is in no numerator.',
    'Alerts tied only by host, process and time are shown; they count only where the site says so.',
    ...(unqualified.length === 0
      ? []
      : [
          `The adapter of ${unqualified.join(', ')} was not qualified on this site, so its answers may be read wrongly.`,
        ]),
    'Covering ATT&CK, or this strategy of it, does not guarantee full defensive coverage: adversaries do things that ATT&CK does not list.',
  ];
}

/** How many of which hosts anything is said about, and which of them somebody has to look at. */
function hostsReached({ run, aborted, hostChecks = [] }: RunReport, reached: number, of: number): string[] {
  const { sample } = run;
  const found = hostChecks.flatMap((check) => findingsOf(check).map((item) => ({ check, item })));
  return [
    sample === undefined
      ? `${reached} of ${of} hosts in scope were reached. Nothing is said about hosts that were not.`
      : `A sample was tested: ${sample.hostsSampled} of ${sample.hostsInScope} hosts in scope, ${sample.perRoleAndZone} of each role in each zone${sample.always === undefined ? '' : `, and all of ${sample.always}`}, chosen by the seed ${sample.seed}. ${reached} of ${of} real ones were reached. Nothing is said about the others.`,
    ...(aborted === undefined ? [] : [`The run was stopped: ${aborted}.`]),
    ...found.map(
      ({ check, item }) =>
        `${check.target}, ${check.when === 'before' ? 'before' : 'afterwards'}, ${subjectText(item)}: ${item.detail}.`,
    ),
  ];
}
