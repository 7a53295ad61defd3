import fc from 'fast-check';
import t, { type Test } from 'tap';
import { notAsked } from '../../runner/domain/fact.ts';
import type { Facts } from '../../runner/domain/facts.ts';
import type { SiemExpectation } from '../../runner/domain/plan.ts';
import type { Purpose } from '../../runner/domain/scenario.ts';
import { duration, shift } from '../../runner/domain/time.ts';
import {
  controlVerdicts,
  emulationVerdicts,
  type Judgement,
  twinVerdicts,
  type VerdictKind,
} from '../../runner/domain/verdict.ts';
import { judge } from '../../runner/pipeline/judge.ts';
import { scoreOf } from '../../runner/pipeline/score.ts';
import {
  alertedFact,
  at,
  attributedFact,
  type Brief,
  briefFacts,
  deliveredFact,
  expectation,
  inTimeFact,
  reason,
  ref,
  rule,
  usableFact,
} from '../fakes/facts.ts';

const words = {
  ran: ['yes', 'no', 'unknown', 'prevented'],
  delivered: ['yes', 'absent', 'silent', 'unknown'],
  usable: ['yes', 'thin', 'foreign', 'unknown'],
  alert: ['ran', 'off', 'unknown', 'unasked', 'exact', 'correlated', 'harness', 'doubt', 'other'],
  inTime: ['yes', 'no', 'unknown'],
  alertsRead: ['yes', 'unknown'],
} as const;
type One = { readonly [K in keyof typeof words]: (typeof words)[K][number] };
type Row = { readonly [K in keyof typeof words]?: string } & { readonly gives: string };

function judged(
  purpose: Purpose,
  facts: Facts,
  more: Partial<SiemExpectation> = {},
  referenceRules: readonly string[] = [],
): Judgement {
  const input = { at, referenceRules: new Set(referenceRules) };
  return judge({ plan: { purpose }, expect: expectation(more), facts, ...input });
}

function* combinations(): Generator<One> {
  for (const ran of words.ran)
    for (const delivered of words.delivered)
      for (const usable of words.usable)
        for (const alert of words.alert)
          for (const inTime of words.inTime)
            for (const alertsRead of words.alertsRead) yield { ran, delivered, usable, alert, inTime, alertsRead };
}

function fits(row: Row, one: One): boolean {
  return (Object.keys(words) as (keyof One)[]).every((key) => row[key]?.split(' ').includes(one[key]) ?? true);
}

/** Every combination of facts fits exactly one row, and is judged as the row says: `verdict` or `verdict @ hop`. */
function holdsTable(t: Test, purpose: Purpose, rows: readonly Row[]): void {
  const used = new Set<Row>();
  for (const one of combinations()) {
    const [row, ...others] = rows.filter((candidate) => fits(candidate, one));
    if (row === undefined || others.length > 0) {
      t.fail(`${JSON.stringify(one)} fits ${others.length + (row === undefined ? 0 : 1)} rows`);
      return;
    }
    used.add(row);
    const { verdict, brokeAt } = judged(purpose, briefFacts({ ...one, delivered: [one.delivered] }));
    const gives = brokeAt === undefined ? verdict : `${verdict} @ ${brokeAt}`;
    if (gives !== row.gives) t.equal(gives, row.gives, JSON.stringify(one));
  }
  t.equal(used.size, rows.length, 'every row was needed');
}

t.test('judge: an emulation gets the verdict of the truth table, whatever the facts', (t) => {
  const quiet = 'ran off unknown unasked correlated harness doubt other';
  holdsTable(t, 'emulation', [
    { ran: 'prevented', gives: 'prevented' },
    { ran: 'no', gives: 'not-run @ ran' },
    { ran: 'unknown', gives: 'inconclusive' },
    { ran: 'yes', alert: 'exact', inTime: 'yes', gives: 'detected' },
    { ran: 'yes', alert: 'exact', inTime: 'no', gives: 'detected-late @ in-time' },
    { ran: 'yes', alert: 'exact', inTime: 'unknown', gives: 'inconclusive' },
    { ran: 'yes', alert: quiet, delivered: 'unknown', gives: 'inconclusive' },
    { ran: 'yes', alert: quiet, delivered: 'silent', gives: 'blind @ delivered' },
    { ran: 'yes', alert: 'ran off unknown unasked', delivered: 'absent', gives: 'missed @ delivered' },
    { ran: 'yes', alert: 'correlated harness doubt other', delivered: 'absent', gives: 'inconclusive' },
    { ran: 'yes', alert: 'unknown unasked doubt', delivered: 'yes', gives: 'inconclusive' },
    {
      ran: 'yes',
      alert: 'ran off other correlated harness',
      delivered: 'yes',
      usable: 'unknown',
      gives: 'inconclusive',
    },
    {
      ran: 'yes',
      alert: 'ran off other correlated harness',
      delivered: 'yes',
      usable: 'thin foreign',
      gives: 'logged-thin @ usable',
    },
    { ran: 'yes', alert: 'ran off other', delivered: 'yes', usable: 'yes', gives: 'logged @ alerted' },
    { ran: 'yes', alert: 'correlated harness', delivered: 'yes', usable: 'yes', gives: 'logged @ attributed' },
  ]);
  t.end();
});

for (const [purpose, silent, loud] of [
  ['twin', 'quiet', 'noisy'],
  ['control', 'clean', 'harness-visible'],
] as const)
  t.test(`judge: a ${purpose} gets the verdict of the truth table, whatever the facts`, (t) => {
    const alerts = 'exact correlated harness doubt other';
    holdsTable(t, purpose, [
      { ran: 'no', gives: 'not-run @ ran' },
      { ran: 'unknown prevented', gives: 'inconclusive' },
      { ran: 'yes', alert: alerts, gives: loud },
      { ran: 'yes', alert: 'ran off unknown unasked', delivered: 'silent', gives: 'blind @ delivered' },
      { ran: 'yes', alert: 'ran off unknown unasked', delivered: 'absent unknown', gives: 'inconclusive' },
      { ran: 'yes', alert: 'ran off unknown unasked', delivered: 'yes', alertsRead: 'unknown', gives: 'inconclusive' },
      { ran: 'yes', alert: 'unknown', delivered: 'yes', alertsRead: 'yes', gives: 'inconclusive' },
      ...(purpose === 'twin'
        ? [
            {
              ran: 'yes',
              alert: 'ran off unasked',
              delivered: 'yes',
              alertsRead: 'yes',
              usable: 'foreign unknown',
              gives: 'inconclusive',
            },
          ]
        : []),
      {
        ran: 'yes',
        alert: 'ran off unasked',
        delivered: 'yes',
        alertsRead: 'yes',
        ...(purpose === 'twin' ? { usable: 'yes thin' } : {}),
        gives: silent,
      },
    ]);
    t.end();
  });

t.test('judge: two sources count as one, an unclear one forbids a gap and a silent one makes it blind', (t) => {
  const rank = ['yes', 'unknown', 'silent', 'absent'] as const;
  const verdicts = { yes: 'logged', unknown: 'inconclusive', silent: 'blind', absent: 'missed' } as const;
  for (const first of words.delivered)
    for (const second of words.delivered) {
      const decides = rank.find((word) => word === first || word === second) ?? 'absent';
      const brief: Brief = {
        ran: 'yes',
        delivered: [first, second],
        usable: 'yes',
        alert: 'ran',
        inTime: 'yes',
        alertsRead: 'yes',
      };
      const { verdict, sentence } = judged('emulation', briefFacts(brief));
      t.equal(verdict, verdicts[decides], `${first} and ${second}`);
      if (verdict === 'blind') {
        t.equal(sentence.includes('source-0'), first === 'silent', 'only silent sources are named');
        t.equal(sentence.includes('source-1'), second === 'silent');
      }
      if (verdict === 'inconclusive')
        t.match(sentence, /source-[01]: the answer was cut/, 'the unclear source is named');
    }
  t.end();
});

t.test('judge: sentences and notes say what a person needs', (t) => {
  const whole: Brief = {
    ran: 'yes',
    delivered: ['yes'],
    usable: 'yes',
    alert: 'ran',
    inTime: 'yes',
    alertsRead: 'yes',
  };
  t.match(judged('emulation', briefFacts({ ...whole, alert: 'exact' })).sentence, /after 1\.0 s, within 5\.0 s/);
  t.match(judged('emulation', briefFacts({ ...whole, alert: 'off' })).sentence, /switched off \(the-rule\)/);
  t.match(judged('emulation', briefFacts({ ...whole, usable: 'thin' })).sentence, /parent is empty \(the receipt says/);
  t.match(
    judged('emulation', briefFacts({ ...whole, usable: 'foreign' })).sentence,
    /process is \/usr\/bin\/dash where the receipt says \/usr\/bin\/python3\.11/,
  );
  t.match(judged('emulation', briefFacts({ ...whole, alert: 'harness' })).notes, [/by the harness: The rule/]);
  t.match(judged('emulation', briefFacts({ ...whole, alert: 'correlated' })).notes, [/correlated only/]);
  t.match(judged('emulation', briefFacts({ ...whole, alert: 'other' })).notes, [/another rule alerted/]);
  t.match(judged('twin', briefFacts({ ...whole, alert: 'off' })).notes, [/quiet is no merit here/]);
  t.match(judged('twin', briefFacts({ ...whole, usable: 'thin' })).notes, [/arrived thin: parent is empty/]);
  t.match(judged('control', briefFacts({ ...whole, usable: 'foreign' })).notes, [/arrived thin: process is/]);
  const facts = briefFacts({ ...whole, alert: 'exact' });
  t.equal(judged('emulation', facts, {}, [rule]).byReferenceRule, true);
  t.equal(judged('emulation', facts, {}, ['another']).byReferenceRule, false);
  const [exact] = facts.alerts;
  if (exact === undefined || facts.attributed.is !== 'yes') throw new Error('the brief says alerted');
  const [attributed] = facts.attributed.evidence;
  const late = { alert: 'late', rule: 'site-rule' };
  const both: Facts = {
    ...facts,
    alerts: [exact, { ...exact, ...late, latencyMs: duration(100_000) }],
    attributed: { is: 'yes', evidence: [attributed, { ...attributed, ...late }] },
  };
  t.equal(judged('emulation', both, {}, [rule]).byReferenceRule, true, 'a late rule of the site was not in time');
  t.equal(
    judged('emulation', briefFacts(whole), {}, [rule]).byReferenceRule,
    false,
    'without a detection it is nobody’s',
  );
  t.end();
});

t.test('score: each verdict against each stance, with the end date of a gap ahead and passed', (t) => {
  const gap = { stance: 'known-gap' } as const;
  const stances: Readonly<Record<string, Pick<SiemExpectation, 'stance' | 'until'>>> = {
    'must-alert': { stance: 'must-alert' },
    'must-stay-quiet': { stance: 'must-stay-quiet' },
    'known-gap': gap,
    'gap, today its last day': { ...gap, until: at.slice(0, 10) },
    'gap, over': { ...gap, until: '2026-11-23' },
    'not-collected': { stance: 'not-collected' },
  };
  const [good, worse, better, unclear] = ['as-expected', 'worse', 'better', 'inconclusive'] as const;
  const table: Readonly<Record<VerdictKind, readonly string[]>> = {
    //                must-alert must-stay-quiet known-gap last-day  gap-over not-collected
    prevented: [good, better, better, better, better, better],
    detected: [good, worse, better, better, better, better],
    'detected-late': [worse, worse, better, better, worse, better],
    logged: [worse, good, good, good, worse, good],
    'logged-thin': [worse, good, good, good, worse, good],
    'recorded-only': [worse, worse, good, good, worse, good],
    missed: [worse, worse, good, good, worse, good],
    blind: [worse, worse, worse, worse, worse, good],
    inconclusive: [unclear, unclear, unclear, unclear, unclear, unclear],
    'not-run': [unclear, unclear, unclear, unclear, unclear, unclear],
    quiet: [good, good, good, good, good, good],
    clean: [good, good, good, good, good, good],
    noisy: [worse, worse, worse, worse, worse, worse],
    'harness-visible': [worse, worse, worse, worse, worse, worse],
  };
  t.same(
    Object.keys(table).sort(),
    [...new Set<string>([...emulationVerdicts, ...twinVerdicts, ...controlVerdicts])].sort(),
    'every verdict has a row',
  );
  for (const [verdict, row] of Object.entries(table) as [VerdictKind, readonly string[]][])
    for (const [index, [name, expect]] of Object.entries(stances).entries())
      t.equal(scoreOf({ verdict }, expect, at), row[index], `${verdict}, ${name}`);
  const nothing = { verdict: 'inconclusive', why: { class: 'source-not-alive', detail: '' } } as const;
  t.equal(scoreOf(nothing, { stance: 'not-collected' }, at), 'as-expected', 'nothing arrives, as declared');
  t.equal(scoreOf(nothing, gap, at), 'inconclusive');
  t.equal(
    scoreOf({ ...nothing, why: reason }, { stance: 'not-collected' }, at),
    'inconclusive',
    'a cut answer tells nothing',
  );
  t.equal(
    scoreOf({ verdict: 'missed' }, { ...gap, until: '2026-11-24' }, shift(at, 86_400_000)),
    'worse',
    'a day later',
  );
  t.end();
});

const purposes: readonly Purpose[] = ['emulation', 'twin', 'control'];
const from = <T>(list: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...list);

/** Any facts, also such as `establish` would never make; only an alert that one of them speaks of is among the alerts. */
const anyFacts: fc.Arbitrary<Facts> = fc
  .record({
    ran: from(words.ran),
    delivered: fc.array(from(words.delivered), { minLength: 1, maxLength: 3 }),
    usable: from(words.usable),
    alert: from(words.alert),
    alerted: from(words.alert),
    attributed: from(words.alert),
    inTime: from([...words.inTime, 'unasked'] as const),
    alertsRead: from(words.alertsRead),
    harness: fc.subarray([rule, 'another-rule']),
  })
  .map(({ inTime, alert, harness, ...brief }) => {
    const alerted = alertedFact(brief.alerted);
    const attributed = attributedFact(brief.attributed);
    const spokenOf = alerted.is === 'yes' || attributed.is !== 'not-asked';
    return {
      ...briefFacts({ ...brief, alert: spokenOf ? 'exact' : alert, inTime: inTime === 'unasked' ? 'yes' : inTime }),
      alerted,
      attributed,
      inTime: inTime === 'unasked' ? notAsked('no attributed alert') : inTimeFact(inTime),
      byHarness: harness,
    };
  });
const anyStance = fc.record({
  stance: from(['must-alert', 'must-stay-quiet', 'known-gap', 'not-collected'] as const),
  until: from([undefined, '2026-11-23', '2026-11-24']),
});
const stanceOf = ({ stance, until }: { stance: SiemExpectation['stance']; until: string | undefined }) => ({
  stance,
  ...(until === undefined ? {} : { until }),
});
const runs = { numRuns: 5_000 };

t.test('judge: detected only with an attributed alert by a rule that leaves the harness alone, in time', (t) => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { verdict } = judged('emulation', facts);
      if (verdict !== 'detected' && verdict !== 'detected-late') return;
      if (facts.attributed.is !== 'yes') throw new Error('not attributed');
      if (!facts.attributed.evidence.some((one) => !facts.byHarness.includes(one.rule))) throw new Error('by harness');
      if (facts.inTime.is !== (verdict === 'detected' ? 'yes' : 'no')) throw new Error('time was not measured');
      if (facts.ran.is !== 'yes') throw new Error('it did not run');
    }),
    runs,
  );
  t.end();
});

t.test('judge: missed only when two controls prove each source open and the event absent', (t) => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const { verdict, brokeAt } = judged('emulation', facts);
      if (verdict !== 'missed') return;
      for (const { delivered } of facts.sources)
        if (
          delivered.is !== 'no' ||
          delivered.proof.kind !== 'absent' ||
          delivered.proof.controls[0].phase === delivered.proof.controls[1].phase
        )
          throw new Error('without proof');
      if (facts.alerts.length > 0) throw new Error('something alerted on it');
      if (brokeAt !== 'delivered') throw new Error('broke elsewhere');
    }),
    runs,
  );
  t.end();
});

t.test('judge: what is not known to have run is inconclusive', (t) => {
  fc.assert(
    fc.property(anyFacts, from(purposes), (facts, purpose) => {
      const { verdict } = judged(purpose, {
        ...facts,
        ran: { is: 'unknown', why: reason },
        prevented: notAsked('no sign'),
      });
      if (verdict !== 'inconclusive') throw new Error(verdict);
    }),
    runs,
  );
  t.end();
});

const hopsOf = ['ran', 'delivered', 'usable', 'alerted', 'attributed', 'inTime', 'alertsRead'] as const;

/** The same facts, one of them no longer known. */
function forgotten(facts: Facts, hop: (typeof hopsOf)[number]): Facts {
  const unknown = { is: 'unknown', why: reason } as const;
  if (hop !== 'delivered' && hop !== 'usable') return { ...facts, [hop]: unknown };
  const [first, ...rest] = facts.sources;
  const changed =
    hop === 'delivered'
      ? { ...first, delivered: unknown, usable: notAsked('nothing is here') }
      : { ...first, usable: unknown };
  return { ...facts, sources: [changed, ...rest] };
}

t.test('judge: no longer knowing a fact never makes a result of it', (t) => {
  const results: readonly VerdictKind[] = [
    'missed',
    'recorded-only',
    'logged',
    'logged-thin',
    'quiet',
    'clean',
    'detected',
    'detected-late',
  ];
  fc.assert(
    fc.property(anyFacts, from(purposes), from(hopsOf), (facts, purpose, hop) => {
      const before = judged(purpose, facts).verdict;
      const after = judged(purpose, forgotten(facts, hop)).verdict;
      if (after !== before && results.includes(after)) throw new Error(`${before} became ${after} without ${hop}`);
    }),
    runs,
  );
  t.end();
});

t.test('judge: breaking telemetry never turns a bad score into a good one', (t) => {
  const isGood = ({ score }: Judgement): boolean => score === 'as-expected' || score === 'better';
  fc.assert(
    fc.property(
      anyFacts,
      from(purposes),
      anyStance,
      from(['silent', 'unknown'] as const),
      (facts, purpose, stance, to) => {
        // Declared as not collected, a silent source is what was expected.
        fc.pre(stance.stance !== 'not-collected');
        const whole: Facts = {
          ...facts,
          sources: [{ source: 'source-0', delivered: deliveredFact('yes'), usable: usableFact('yes') }],
        };
        const broken: Facts = {
          ...whole,
          sources: [{ source: 'source-0', delivered: deliveredFact(to), usable: notAsked('nothing arrived') }],
        };
        const before = judged(purpose, whole, stanceOf(stance));
        const after = judged(purpose, broken, stanceOf(stance));
        if (!isGood(before) && isGood(after)) throw new Error(`${before.verdict} became ${after.verdict}`);
      },
    ),
    runs,
  );
  t.end();
});

t.test('judge: every judgement has a sentence, and a reason exactly when it is inconclusive', (t) => {
  fc.assert(
    fc.property(anyFacts, from(purposes), (facts, purpose) => {
      const { verdict, sentence, why, score } = judged(purpose, facts);
      if (sentence.length < 10) throw new Error(sentence);
      if ((verdict === 'inconclusive') !== (why !== undefined))
        throw new Error(`${verdict} ${why?.detail ?? 'without a reason'}`);
      if (verdict === 'inconclusive' && score === 'better') throw new Error('better than expected without an answer');
    }),
    runs,
  );
  t.ok(ref.bytes > 0);
  t.end();
});
