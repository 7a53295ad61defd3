import fc from 'fast-check';
import t from 'tap';
import { duration, shift } from '../../runner/domain/time.ts';
import type { VerdictKind } from '../../runner/domain/verdict.ts';
import { judge } from '../../runner/pipeline/judge.ts';
import type { Executed } from '../../runner/pipeline/scope.ts';
import { begin, type Cast, execve, Scene, second, syslog, theRule } from '../fakes/scene.ts';

function verdictOf(scene: Scene, one: Executed): VerdictKind {
  return judgementOf(scene, one).verdict;
}

function judgementOf(scene: Scene, { plan, execution }: Executed) {
  const [expect] = plan.expect;
  if (expect === undefined) throw new Error('nothing is expected');
  const facts = scene.facts({ plan, execution });
  return judge({ plan, expect, facts, at: execution.endedAt, referenceRules: new Set() });
}

/** Controls of alpha that arrive around an emulation at second 100; nothing of the emulation itself. */
function bracketed(cast: Cast = {}): { scene: Scene; emulation: Executed } {
  const scene = new Scene();
  scene.arrives(scene.control('before', 10));
  const emulation = scene.runs(100, cast);
  scene.arrives(scene.control('after', 200));
  scene.knows();
  return { scene, emulation };
}

/** As {@link bracketed}, and the event of the emulation is there, whole. */
function delivered(cast: Cast = {}): { scene: Scene; emulation: Executed } {
  const { scene, emulation } = bracketed(cast);
  scene.arrives(emulation);
  return { scene, emulation };
}

function source(scene: Scene, one: Executed, index = 0) {
  const found = scene.facts(one).sources[index];
  if (found === undefined) throw new Error('no such source');
  return found;
}

t.test('delivered: absent only between two controls of the same host, account, channel and source', (t) => {
  const { scene, emulation } = bracketed();
  const { delivered: fact } = source(scene, emulation);
  t.match(fact, { is: 'no', proof: { kind: 'absent' } });
  if (fact.is !== 'no' || fact.proof.kind !== 'absent') throw new Error('absent was expected');
  t.same(
    fact.proof.controls.map(({ phase }) => phase),
    ['control-before', 'control-after'],
  );
  t.equal(verdictOf(scene, emulation), 'missed');

  const others: Readonly<Record<string, Cast>> = {
    'another host': { target: 'beta' },
    'another account': { account: 'bob' },
    'another channel': { channel: 'shell' },
    'another source': { expect: { sources: [syslog] } },
  };
  for (const [name, cast] of Object.entries(others)) {
    const apart = new Scene();
    apart.arrives(apart.control('before', 10, cast));
    const lone = apart.runs(100);
    apart.arrives(apart.control('after', 200));
    apart.knows();
    const { delivered: unclear } = source(apart, lone);
    t.match(unclear, { is: 'unknown', why: { class: 'source-not-alive', detail: /control before/ } }, name);
    t.equal(verdictOf(apart, lone), 'inconclusive', name);
  }
  t.end();
});

t.test('delivered: a control that was not seen on one side, or on neither, proves nothing', (t) => {
  for (const [before, after, told] of [
    [false, true, /control before did not arrive/],
    [true, false, /control after did not arrive/],
    [false, false, /neither the control before nor the one after/],
  ] as const) {
    const scene = new Scene();
    const [first, emulation, last] = [scene.control('before', 10), scene.runs(100), scene.control('after', 200)];
    if (before) scene.arrives(first);
    if (after) scene.arrives(last);
    scene.knows();
    t.match(source(scene, emulation).delivered, { is: 'unknown', why: { detail: told } });
    t.equal(verdictOf(scene, emulation), 'inconclusive');
  }
  t.end();
});

t.test('delivered: a control counts by its own marker, when it ran to its end, outside of the execution', (t) => {
  const weak: Readonly<Record<string, (scene: Scene) => void>> = {
    'seen by process only': (scene) => {
      scene.arrives(scene.control('before', 10), { matched: { by: 'host-process-time' } });
    },
    'broken off': (scene) => {
      const outcome = { kind: 'broken-off', why: { class: 'timeout', detail: 'too slow' } } as const;
      scene.arrives(scene.control('before', 10, { outcome }));
    },
    'still running when it began': (scene) => {
      scene.arrives(scene.control('before', 99.5));
    },
    'of a source that it does not stand for': (scene) => {
      scene.arrives(scene.control('before', 10, { expect: { sources: [syslog] } }), { source: execve });
    },
  };
  for (const [name, add] of Object.entries(weak)) {
    const scene = new Scene();
    add(scene);
    const emulation = scene.runs(100);
    scene.arrives(scene.control('after', 200));
    t.equal(source(scene, emulation).delivered.is, 'unknown', name);
  }
  t.end();
});

t.test(
  'delivered: an answer that is cut, too early, about something else or without its exchange proves nothing',
  (t) => {
    const flaws: Readonly<Record<string, (scene: Scene, one: Executed) => void>> = {
      'cut short': (scene) => {
        scene.cutShort('events');
      },
      'before observeFor is over': (scene) => {
        scene.until = second(220.9);
      },
      'not asked about it': (scene, one) => {
        scene.notAsked(one);
      },
      'without exchange': (scene) => {
        scene.withoutExchange('events');
      },
    };
    for (const [name, spoil] of Object.entries(flaws)) {
      const { scene, emulation } = bracketed();
      spoil(scene, emulation);
      t.equal(source(scene, emulation).delivered.is, 'unknown', name);
      t.equal(verdictOf(scene, emulation), 'inconclusive', name);
    }
    const { scene, emulation } = bracketed();
    scene.until = second(221);
    t.equal(source(scene, emulation).delivered.is, 'no', 'observeFor is over with the second');
    t.end();
  },
);

t.test('delivered: a host whose names this SIEM was never asked for is neither blind nor missed', (t) => {
  const scene = new Scene();
  for (const [at, edge] of [
    [10, 'before'],
    [200, 'after'],
  ] as const)
    scene.arrives(scene.control(edge, at, { target: 'beta' }));
  const emulation = scene.runs(100);
  scene.notAsked(emulation);
  scene.named('alpha');
  t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', why: { detail: /names siem knows alpha/ } });
  const twin = scene.runs(110, { purpose: 'twin' });
  scene.notAsked(twin);
  t.equal(verdictOf(scene, twin), 'inconclusive');
  t.end();
});

/** Beta's controls arrive around second 100; alpha's are run and do not. */
function silentAlpha(): { scene: Scene; emulation: Executed; before: Executed } {
  const scene = new Scene();
  const before = scene.control('before', 10);
  scene.arrives(scene.control('before', 12, { target: 'beta' }));
  const emulation = scene.runs(100);
  scene.control('after', 200);
  scene.arrives(scene.control('after', 202, { target: 'beta' }));
  scene.knows();
  return { scene, emulation, before };
}

t.test('delivered: source-silent while the same source of another host arrives before and after', (t) => {
  const { scene, emulation } = silentAlpha();
  const { delivered: fact } = source(scene, emulation);
  t.match(fact, { is: 'no', proof: { kind: 'source-silent' } });
  if (fact.is === 'no' && fact.proof.kind === 'source-silent')
    t.same(
      fact.proof.others.map(({ execution }) => execution.split('/')[0]),
      ['beta', 'beta'],
    );
  t.match(judgementOf(scene, emulation), { verdict: 'blind', brokeAt: 'delivered', score: 'worse' });
  t.end();
});

t.test('delivered: one event of the host, of whichever execution and however recognised, and it is not silent', (t) => {
  const { scene, before, emulation } = silentAlpha();
  scene.arrives(before, { matched: { by: 'host-process-time' } });
  t.match(source(scene, emulation).delivered, { is: 'unknown', why: { class: 'source-not-alive' } });
  const other = silentAlpha();
  other.scene.arrives(other.before, { source: syslog });
  t.match(
    source(other.scene, other.emulation).delivered,
    { is: 'no' },
    'of another source, and this one is still silent',
  );
  t.end();
});

t.test('delivered: other hosts show the SIEM receiving only from both sides', (t) => {
  const scene = new Scene();
  scene.control('before', 10);
  scene.arrives(scene.control('before', 12, { target: 'beta' }));
  const emulation = scene.runs(100);
  scene.arrives(scene.control('after', 202, { target: 'gamma' }));
  t.equal(source(scene, emulation).delivered.is, 'unknown', 'before from one host, after from another');
  const crowd = new Scene();
  const lone = crowd.runs(100);
  for (let host = 0; host < 50; host += 1) {
    crowd.arrives(crowd.control('before', 10, { target: `host-${host}` }));
    crowd.arrives(crowd.control('after', 200, { target: `host-${host}` }));
  }
  const { delivered: fact } = source(crowd, lone);
  if (fact.is !== 'no' || fact.proof.kind !== 'source-silent') throw new Error('silent was expected');
  t.equal(fact.proof.others.length, 6, 'a few of the many are named');
  t.end();
});

t.test('delivered: a control is itself judged by the others of its kind', (t) => {
  const { scene } = silentAlpha();
  const [first] = scene.executed;
  if (first === undefined) throw new Error('no control');
  t.equal(verdictOf(scene, first), 'inconclusive', 'nothing shows beta alive before the first control of all');
  const alive = new Scene();
  const control = alive.control('before', 10);
  alive.arrives(control);
  t.equal(verdictOf(alive, control), 'clean');
  t.end();
});

t.test('delivered: resumed controls stand around what runs after them, and around what was broken off before', (t) => {
  const scene = new Scene();
  scene.arrives(scene.control('before', 10, { id: 'alpha/alice/control#before' }));
  const first = scene.runs(100);
  scene.arrives(scene.control('before', 5_000, { id: 'alpha/alice/control#before~r1' }));
  const second_ = scene.runs(5_100);
  scene.arrives(scene.control('after', 5_200, { id: 'alpha/alice/control#after' }));
  scene.until = second(9_000);
  for (const [one, names] of [
    [first, ['alpha/alice/control#before', 'alpha/alice/control#before~r1']],
    [second_, ['alpha/alice/control#before~r1', 'alpha/alice/control#after']],
  ] as const) {
    const { delivered: fact } = source(scene, one);
    if (fact.is !== 'no' || fact.proof.kind !== 'absent') throw new Error('absent was expected');
    t.same(
      fact.proof.controls.map(({ execution }) => execution),
      names,
    );
  }
  t.end();
});

t.test('usable: compared with the receipt, in the event that is most the payload’s own', (t) => {
  const { scene, emulation } = delivered();
  t.match(source(scene, emulation).usable, { is: 'yes' });
  const pid = emulation.execution.receipt.finished?.pid ?? 0;

  const shell = bracketed();
  shell.scene.arrives(shell.emulation, { pid: pid - 1, fields: { process: '/usr/bin/dash', host: 'alpha' } });
  const own = shell.scene.arrives(shell.emulation);
  t.match(source(shell.scene, shell.emulation).usable, { is: 'yes', evidence: [{ event: own.id }] }, 'not the shell’s');

  // `exec` in the shell: its event has the same process id.
  const execed = bracketed();
  execed.scene.arrives(execed.emulation, { pid, fields: { process: '/usr/bin/dash', host: 'alpha', user: 'alice' } });
  const python = execed.scene.arrives(execed.emulation);
  t.match(source(execed.scene, execed.emulation).usable, { is: 'yes', evidence: [{ event: python.id }] });

  // A child that runs the same interpreter must not hide that the payload's own event is thin.
  const child = bracketed({ expect: { context: ['process', 'user', 'host'] } });
  child.scene.arrives(child.emulation, { pid: pid + 1 });
  const thin = child.scene.arrives(child.emulation, { fields: { user: 'alice', host: 'alpha' } });
  t.match(source(child.scene, child.emulation).usable, {
    is: 'no',
    proof: { event: thin.id, problems: [{ field: 'process', problem: 'missing' }] },
  });
  t.equal(verdictOf(child.scene, child.emulation), 'logged-thin');
  t.end();
});

t.test('usable: only the shell’s event arrived, an emulation is logged-thin and a twin not quiet', (t) => {
  const fields = { process: '/usr/bin/dash', 'command-line': 'sh -c …', host: 'alpha', user: 'alice' };
  for (const [purpose, verdict] of [
    ['emulation', 'logged-thin'],
    ['twin', 'inconclusive'],
  ] as const) {
    const { scene, emulation } = bracketed({ purpose });
    scene.arrives(emulation, { pid: 1, fields });
    t.equal(verdictOf(scene, emulation), verdict);
  }
  t.end();
});

t.test('usable: a source that carries nothing of what is asked was not compared', (t) => {
  const { scene, emulation } = delivered({ expect: { sources: [syslog], context: ['process'] } });
  t.match(source(scene, emulation).usable, { is: 'unknown', why: { detail: /carries none of the context/ } });
  t.equal(verdictOf(scene, emulation), 'inconclusive');
  t.end();
});

t.test('alerted: no only when the expected rule is shown to have run over the event', (t) => {
  const { scene, emulation } = delivered();
  t.match(scene.facts(emulation).alerted, { is: 'no', proof: { kind: 'rule-ran' } });
  t.equal(verdictOf(scene, emulation), 'logged');

  const arrived = second(101.2);
  const health: Readonly<Record<string, readonly [Parameters<Scene['knows']>[1], string]>> = {
    'switched during the run': [{ enabled: 'part' }, 'rule-not-run'],
    'ran before and after, not over it': [
      {
        ran: [
          { from: second(0), to: shift(arrived, -1) },
          { from: shift(arrived, 1), to: second(900) },
        ],
      },
      'rule-not-run',
    ],
    'never ran': [{ ran: [] }, 'rule-not-run'],
    'failed while it was watched': [{ failures: [{ at: second(150), error: 'timeout' }] }, 'rule-failed'],
    suppressed: [{ suppression: 'one alert per host and hour' }, 'suppressed'],
  };
  for (const [name, [more, why]] of Object.entries(health)) {
    const { scene: ill, emulation: one } = ((): { scene: Scene; emulation: Executed } => {
      const made = new Scene();
      made.arrives(made.control('before', 10));
      const emulated = made.runs(100);
      made.arrives(emulated);
      made.arrives(made.control('after', 200));
      made.knows(theRule, more);
      return { scene: made, emulation: emulated };
    })();
    t.match(ill.facts(one).alerted, { is: 'unknown', why: { class: why } }, name);
    t.equal(verdictOf(ill, one), 'inconclusive', name);
    const twin = ill.runs(110, { purpose: 'twin' });
    ill.arrives(twin, { ingested: arrived });
    t.equal(verdictOf(ill, twin), 'inconclusive', `${name}: a twin is not quiet either`);
  }
  t.end();
});

t.test(
  'alerted: failures outside of the time that is watched, and a span that just covers, leave the proof whole',
  (t) => {
    const scene = new Scene();
    const emulation = scene.runs(100);
    scene.arrives(emulation);
    scene.knows(theRule, {
      ran: [{ from: second(101.2), to: second(101.2) }],
      failures: [
        { at: second(99.9), error: 'before' },
        { at: second(221.1), error: 'after observeFor' },
      ],
    });
    t.equal(scene.facts(emulation).alerted.is, 'no');
    t.end();
  },
);

t.test('alerted: a rule that is off all the time is proof, one that the SIEM does not know is not', (t) => {
  const off = new Scene();
  const one = off.runs(100);
  off.arrives(one);
  off.knows(theRule, { enabled: 'none', ran: [] });
  t.match(off.facts(one).alerted, { is: 'no', proof: { kind: 'rule-disabled' } });
  t.match(judgementOf(off, one), { verdict: 'logged', sentence: /switched off \(the-rule\)/ });

  const unknown = new Scene();
  const other = unknown.runs(100);
  unknown.arrives(other);
  unknown.knows('another-rule');
  t.match(unknown.facts(other).alerted, { is: 'unknown', why: { class: 'rule-unknown', detail: /the-rule/ } });

  const several = new Scene();
  const both = several.runs(100, { expect: { rules: [theRule, 'second-rule'] } });
  several.arrives(both);
  several.knows(theRule, { enabled: 'none', ran: [] });
  several.knows('second-rule');
  t.match(judgementOf(several, both), {
    verdict: 'logged',
    sentence: /ran over it and did not fire \(second-rule\); the rule was switched off \(the-rule\)/,
  });
  several.cutShort('rules');
  t.equal(verdictOf(several, both), 'inconclusive', 'health that is cut short');
  t.end();
});

t.test(
  'alerted: without the ingest time, the host’s clock is set right before runs of a rule are compared with it',
  (t) => {
    for (const offsetMs of [-600_000, 600_000]) {
      const scene = new Scene();
      const emulation = scene.runs(100, { clock: { offsetMs, uncertaintyMs: 10 } });
      scene.arrives(emulation, { without: 'ingested' });
      scene.knows(theRule, { ran: [{ from: second(90), to: second(120) }] });
      t.equal(scene.facts(emulation).alerted.is, 'no', `${offsetMs} ms`);
      const late = new Scene();
      const one = late.runs(100, { clock: { offsetMs, uncertaintyMs: 10 } });
      late.arrives(one, { without: 'ingested' });
      // Just where the host's own, wrong clock puts it.
      const wrong = shift(second(100), offsetMs);
      late.knows(theRule, { ran: [{ from: shift(wrong, -20_000), to: shift(wrong, 20_000) }] });
      t.equal(late.facts(one).alerted.is, 'unknown', `${offsetMs} ms, rule ran at another time`);
    }
    t.end();
  },
);

t.test('alerted: an emulation for which no rule is expected is not called missed by a rule, nor detected', (t) => {
  const { scene, emulation } = delivered({ expect: { rules: [] } });
  scene.alerts(emulation, 1, { rule: { id: 'some-rule', name: 'Some rule' } });
  t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', why: { class: 'rule-unknown' } });
  t.end();
});

t.test(
  'attributed: exact by the marker, correlated by the process only where the site says so, other rules never',
  (t) => {
    const exact = delivered();
    exact.scene.alerts(exact.emulation, 2);
    t.match(exact.scene.facts(exact.emulation).attributed, { is: 'yes', evidence: [{ grade: 'exact' }] });
    t.equal(verdictOf(exact.scene, exact.emulation), 'detected');

    const byProcess = { matched: { by: 'host-process-time' } } as const;
    const correlated = delivered();
    correlated.scene.alerts(correlated.emulation, 2, byProcess);
    t.match(correlated.scene.facts(correlated.emulation).attributed, { is: 'no' });
    t.match(judgementOf(correlated.scene, correlated.emulation), { verdict: 'logged', brokeAt: 'attributed' });

    const trusted = delivered({ expect: { attribution: 'correlated' } });
    trusted.scene.alerts(trusted.emulation, 2, byProcess);
    t.equal(verdictOf(trusted.scene, trusted.emulation), 'detected');

    const other = delivered();
    other.scene.alerts(other.emulation, 2, { rule: { id: 'x', name: 'X' } });
    t.match(judgementOf(other.scene, other.emulation), { verdict: 'logged', notes: [/another rule alerted: X \(x\)/] });
    t.end();
  },
);

t.test(
  'attributed: a correlated alert alone, while others may have been cut off or may still come, tells nothing',
  (t) => {
    const spoilt: Readonly<Record<string, (scene: Scene) => void>> = {
      'alerts cut short': (scene) => {
        scene.cutShort('alerts');
      },
      'observeFor not over': (scene) => {
        scene.until = second(150);
      },
      'another expected rule failed': (scene) => {
        scene.knows('second-rule', { failures: [{ at: second(120), error: 'down' }] });
      },
      'rule health cut short': (scene) => {
        scene.cutShort('rules');
      },
    };
    const expect = { rules: [theRule, 'second-rule'] };
    for (const [name, spoil] of Object.entries(spoilt)) {
      const { scene, emulation } = delivered({ expect });
      scene.alerts(emulation, 2, { matched: { by: 'host-process-time' } });
      spoil(scene);
      t.equal(scene.facts(emulation).attributed.is, 'unknown', name);
      t.equal(verdictOf(scene, emulation), 'inconclusive', name);
    }
    const { scene, emulation } = delivered({ expect });
    scene.alerts(emulation, 2);
    scene.cutShort('alerts', 'rules', 'events');
    t.equal(verdictOf(scene, emulation), 'inconclusive', 'the control may have had its alert too');
    t.end();
  },
);

t.test('attributed: rules that fire on a control are the harness’s, and a detection by them does not count', (t) => {
  const scene = new Scene();
  const control = scene.control('before', 10);
  scene.arrives(control);
  scene.alerts(control, 1);
  const emulation = scene.runs(100);
  scene.arrives(emulation);
  scene.alerts(emulation, 1);
  scene.knows();
  t.same(scene.established().harnessRules, [theRule]);
  t.same(scene.facts(emulation).byHarness, [theRule]);
  t.match(judgementOf(scene, emulation), { verdict: 'logged', brokeAt: 'attributed', notes: [/by the harness/] });
  t.equal(verdictOf(scene, control), 'harness-visible');

  scene.cutShort('alerts');
  t.equal(verdictOf(scene, emulation), 'inconclusive', 'another rule’s alert may be in what was cut off');
  t.end();
});

t.test('in time: the first alert that counts is measured, not an earlier or later one of the harness', (t) => {
  const harness = { rule: { id: 'loud-rule', name: 'Loud' } };
  const expect = { rules: [theRule, 'loud-rule'] };
  for (const [loud, own, verdict] of [
    [1, 90, 'detected-late'],
    [90, 1, 'detected'],
  ] as const) {
    const { scene, emulation } = delivered({ expect });
    const [control] = scene.executed;
    if (control === undefined) throw new Error('no control');
    scene.alerts(control, 1, harness);
    scene.alerts(emulation, loud, harness);
    scene.alerts(emulation, own);
    scene.alerts(emulation, own + 5);
    t.match(judgementOf(scene, emulation), { verdict });
    const fact = scene.facts(emulation).inTime;
    t.equal(fact.is === 'yes' ? fact.evidence[0].latencyMs : fact.is === 'no' ? fact.proof.latencyMs : -1, own * 1_000);
  }
  t.end();
});

t.test('in time: within and one millisecond later, and too near to tell', (t) => {
  const table = [
    [60, 0, 'yes'],
    [60.001, 0, 'no'],
    [59.9, 100, 'yes'],
    [59.95, 100, 'unknown'],
    [60.05, 100, 'unknown'],
    [60.2, 100, 'no'],
  ] as const;
  for (const [after, uncertaintyMs, is] of table) {
    const { scene, emulation } = delivered({ clock: { offsetMs: 0, uncertaintyMs } });
    scene.alerts(emulation, after);
    t.equal(scene.facts(emulation).inTime.is, is, `${after} s ±${uncertaintyMs} ms`);
  }
  t.end();
});

t.test('latency: with host and SIEM ten minutes off either way, measured right and never negative', (t) => {
  for (const host of [-600_000, 0, 600_000])
    for (const siem of [-600_000, 0, 600_000]) {
      const scene = new Scene();
      scene.clock = { offsetMs: siem, uncertaintyMs: 20 };
      scene.arrives(scene.control('before', 10));
      const emulation = scene.runs(100, { clock: { offsetMs: host, uncertaintyMs: 20 } });
      scene.arrives(emulation);
      scene.alerts(emulation, 3);
      scene.knows();
      const { sources, alerts, inTime } = scene.facts(emulation);
      const [{ delivered: event }] = sources;
      t.equal(event.is === 'yes' ? event.evidence[0].latencyMs : -1, 1_000, `event, host ${host} SIEM ${siem}`);
      t.equal(alerts[0]?.latencyMs, 3_000, `alert, host ${host} SIEM ${siem}`);
      t.match(inTime, { is: 'yes', evidence: [{ latencyMs: 3_000, uncertaintyMs: 40 }] });
    }
  t.end();
});

t.test('in time: clocks that cannot be right are said to disagree, instead of a wrong latency', (t) => {
  const early = delivered();
  early.scene.alerts(early.emulation, -5);
  t.match(early.scene.facts(early.emulation).inTime, { is: 'unknown', why: { class: 'clocks-disagree' } });
  t.equal(early.scene.facts(early.emulation).alerts[0]?.latencyMs, 0, 'shown as none, not as negative');

  // ESXi tells whole seconds, and its payloads not when they were started: the alert is in before the receipt says it began.
  const coarse = delivered({ clock: { offsetMs: -420, uncertaintyMs: 525 }, receipt: { time: second(100.35) } });
  coarse.scene.alerts(coarse.emulation, 0.01);
  t.match(coarse.scene.facts(coarse.emulation).inTime, { is: 'yes', evidence: [{ latencyMs: 0, uncertaintyMs: 525 }] });

  // A host whose clock could not be read, ten minutes off: taken at its word the alert would be late, or early.
  for (const seconds of [-600, 600]) {
    const time = second(100.2 + seconds);
    const { scene, emulation } = delivered({ receipt: { time } });
    scene.alerts(emulation, 1);
    t.match(
      scene.facts(emulation).inTime,
      { is: 'unknown', why: { class: 'clocks-disagree', detail: /could not be compared/ } },
      `${seconds} s`,
    );
    t.equal(verdictOf(scene, emulation), 'inconclusive');
  }
  t.end();
});

t.test('control: clean only when the rules that it is watched with ran over it', (t) => {
  const expect = { rules: [theRule] };
  const well = new Scene();
  const control = well.control('before', 10, { expect });
  well.arrives(control);
  well.knows();
  t.equal(verdictOf(well, control), 'clean');
  const down = new Scene();
  const other = down.control('before', 10, { expect });
  down.arrives(other);
  down.knows(theRule, { ran: [] });
  t.equal(verdictOf(down, other), 'inconclusive', 'the detector was down');
  t.end();
});

t.test('twin: an alert that is about another execution leaves it quiet, one about itself makes it noisy', (t) => {
  const scene = new Scene();
  scene.arrives(scene.control('before', 10));
  const twin = scene.runs(50, { purpose: 'twin' });
  const emulation = scene.runs(100);
  for (const one of [twin, emulation]) scene.arrives(one);
  scene.knows();
  scene.alerts(emulation, 1);
  t.equal(verdictOf(scene, twin), 'quiet');
  t.equal(verdictOf(scene, emulation), 'detected');
  scene.alerts(twin, 1, { rule: { id: 'any-rule', name: 'Any' }, matched: { by: 'host-process-time' } });
  t.equal(verdictOf(scene, twin), 'noisy');
  t.end();
});

t.test(
  'alerted: an alert of the rule that nothing ties to one execution leaves open whether it is about this one',
  (t) => {
    const { scene: well, emulation: one } = delivered();
    const twin = well.runs(300, { purpose: 'twin' });
    well.arrives(twin);
    t.same([verdictOf(well, one), verdictOf(well, twin)], ['logged', 'quiet']);

    const doubts: Readonly<Record<string, (scene: Scene, at: number) => void>> = {
      'on the host, in its time': (scene, at) => scene.raises(at + 5),
      'at the end of observeFor': (scene, at) => scene.raises(at + 121),
      'on one of several hosts': (scene, at) => scene.raises(at + 5, { hosts: ['beta', 'ALPHA'] }),
      'on no named host': (scene, at) => scene.raises(at + 5, { hosts: [] }),
      'about several events, one in its time': (scene, at) =>
        scene.raises(at + 5, { eventTimes: [second(at - 50), second(at + 0.5)] }),
      'about remote access': (scene, at) => scene.raises(at + 5, { techniques: ['T1021.004'] }),
      'about remote access, too, by a rule that fires at the login': (scene, at) => {
        scene.alerts(scene.control('before', 10), 1);
        scene.raises(at + 5, { techniques: ['T1021.004', 'T1059.006'] });
      },
      'by the clock of a SIEM that is an hour ahead': (scene, at) => {
        scene.clock = { offsetMs: 3_600_000, uncertaintyMs: 5 };
        scene.raises(at + 5);
      },
    };
    const none: Readonly<Record<string, (scene: Scene, at: number) => void>> = {
      'on another host': (scene, at) => scene.raises(at + 5, { hosts: ['beta'] }),
      'before it': (scene, at) => scene.raises(at - 1.5),
      'after observeFor': (scene, at) => scene.raises(at + 122.5),
      'by a rule that it is not watched with': (scene, at) =>
        scene.raises(at + 5, { rule: { id: 'another', name: 'Another' } }),
      'about remote access, by a rule that fires at the login': (scene, at) => {
        scene.alerts(scene.control('before', 10), 1, { techniques: ['T1021.004'] });
        scene.raises(at + 5, { techniques: ['T1021.004'] });
      },
      'about events of another time': (scene, at) =>
        scene.raises(at + 5, { eventTimes: [second(at - 2.1), second(at + 3.1)] }),
    };
    for (const [purpose, verdict] of [
      ['emulation', 'logged'],
      ['twin', 'quiet'],
    ] as const)
      for (const [table, expected] of [
        [doubts, 'inconclusive'],
        [none, verdict],
      ] as const)
        for (const [name, raise] of Object.entries(table)) {
          const scene = new Scene();
          const watched = scene.runs(100, { purpose, clock: { offsetMs: 0, uncertaintyMs: 5 } });
          raise(scene, 100);
          scene.arrives(watched);
          scene.knows();
          const judged = judgementOf(scene, watched);
          t.equal(judged.verdict, expected, `${purpose}, ${name}`);
          if (expected === 'inconclusive')
            t.match(judged.why, { class: 'ambiguous', detail: /the-rule.*untied-0/ }, name);
        }

    const { scene: both, emulation } = delivered();
    both.raises(105);
    both.alerts(emulation, 2);
    t.equal(verdictOf(both, emulation), 'detected', 'one that is tied is enough');
    for (const at of [10.5, 200.5]) both.raises(at);
    t.match(judgementOf(both, emulation), {
      verdict: 'inconclusive',
      why: { class: 'ambiguous', detail: /no control/ },
    });
    t.end();
  },
);

t.test(
  'alerted: the times of an untied alert’s events are by the host’s clock, and of one not read tell nothing',
  (t) => {
    const table = [
      [{ offsetMs: 600_000, uncertaintyMs: 5 }, 700.5, 'inconclusive'],
      [{ offsetMs: 600_000, uncertaintyMs: 5 }, 100.5, 'logged'],
      [undefined, 700.5, 'inconclusive'],
    ] as const;
    for (const [clock, at, verdict] of table) {
      const { scene, emulation } = delivered(clock === undefined ? {} : { clock });
      scene.raises(105, { eventTimes: [second(at)] });
      t.equal(verdictOf(scene, emulation), verdict);
    }
    t.end();
  },
);

t.test(
  'missed and attributed: an untied alert of the rule contradicts the one, and may be more than a correlated one',
  (t) => {
    const absent = bracketed();
    absent.scene.raises(105);
    t.match(judgementOf(absent.scene, absent.emulation), { verdict: 'inconclusive', why: { class: 'ambiguous' } });
    const { scene, emulation } = delivered();
    scene.alerts(emulation, 2, { matched: { by: 'host-process-time' } });
    scene.raises(105);
    t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', why: { class: 'ambiguous' } });
    t.end();
  },
);

t.test('ran: what was not run, broken off or stopped by a control is told apart', (t) => {
  const scene = new Scene();
  const why = { class: 'unreachable', detail: 'no route' } as const;
  const table = [
    [{ kind: 'not-run', why }, 'not-run'],
    [{ kind: 'broken-off', why }, 'inconclusive'],
    [
      { kind: 'prevented', blockSign: 'denied', evidence: { sha256: '0'.repeat(64), bytes: 0, mediaType: '' } },
      'prevented',
    ],
  ] as const;
  for (const [outcome, verdict] of table) t.equal(verdictOf(scene, scene.runs(100, { outcome })), verdict);
  const lost = scene.runs(120);
  const { finished, ...receipt } = lost.execution.receipt;
  t.ok(finished);
  const unproved = { plan: lost.plan, execution: { ...lost.execution, receipt } };
  scene.executed.splice(-1, 1, unproved);
  t.equal(verdictOf(scene, unproved), 'inconclusive', 'finished without a finished receipt');
  t.end();
});

t.test('missed: an alert that bears the marker contradicts it', (t) => {
  const { scene, emulation } = bracketed();
  scene.alerts(emulation, 1, { rule: { id: 'edr', name: 'EDR' } });
  t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', why: { class: 'ambiguous', detail: /EDR/ } });
  t.end();
});

t.test(
  'establish: whatever is missing or cut, no event and no alert never make a missed, quiet or clean without proof',
  (t) => {
    const flaw = fc.record({
      before: fc.boolean(),
      after: fc.boolean(),
      cut: fc.subarray(['events', 'alerts', 'rules'] as const),
      until: fc.integer({ min: 0, max: 400 }),
      health: fc.constantFrom('ran', 'none', 'part', 'never', 'unknown'),
      arrives: fc.boolean(),
      asked: fc.boolean(),
      beta: fc.boolean(),
      purpose: fc.constantFrom('emulation' as const, 'twin' as const),
    });
    fc.assert(
      fc.property(flaw, (made) => {
        const scene = new Scene();
        const before = scene.control('before', 10);
        const one = scene.runs(100, { purpose: made.purpose });
        const after = scene.control('after', 200);
        if (made.before) scene.arrives(before);
        if (made.after) scene.arrives(after);
        if (made.arrives) scene.arrives(one);
        if (made.beta)
          for (const edge of ['before', 'after'] as const)
            scene.arrives(scene.control(edge, edge === 'before' ? 20 : 210, { target: 'beta' }));
        if (!made.asked) scene.notAsked(one);
        scene.cutShort(...made.cut);
        scene.until = second(made.until);
        if (made.health === 'ran') scene.knows();
        if (made.health === 'none') scene.knows(theRule, { enabled: 'none', ran: [] });
        if (made.health === 'part') scene.knows(theRule, { enabled: 'part' });
        if (made.health === 'never') scene.knows(theRule, { ran: [] });
        const verdict = verdictOf(scene, one);
        const over = made.until >= 221 && made.asked;
        const answered = over && !made.cut.includes('events');
        const read = over && !made.cut.includes('alerts');
        const told = read && !made.cut.includes('rules') && (made.health === 'ran' || made.health === 'none');
        const possible: readonly VerdictKind[] = made.arrives
          ? [told ? (made.purpose === 'twin' ? 'quiet' : 'logged') : 'inconclusive']
          : answered && made.before && made.after
            ? [made.purpose === 'twin' ? 'inconclusive' : 'missed']
            : answered && made.beta && !made.before && !made.after
              ? ['blind']
              : ['inconclusive'];
        if (!possible.includes(verdict)) throw new Error(`${verdict} where ${possible.join()} was possible`);
      }),
      { numRuns: 2_000 },
    );
    t.equal(begin, second(0));
    t.end();
  },
);

const creation = 'macos:osquery/file_events';
const drops: Cast = { expect: { file: { sources: [creation], within: duration(60_000) } } };
const ofFile = { source: creation, matched: { by: 'host-file-time' } } as const;

t.test("created: the file's creation is a question of its own, and no verdict depends on it", (t) => {
  const plain = delivered();
  t.notOk('created' in plain.scene.facts(plain.emulation), 'not asked where nothing is dropped');
  const { scene, emulation } = delivered(drops);
  const before = judgementOf(scene, emulation);
  t.match(scene.facts(emulation).created, { is: 'unknown', why: { class: 'source-not-alive' } });
  scene.arrives(emulation, ofFile);
  const facts = scene.facts(emulation);
  t.match(facts.created, { is: 'yes', evidence: [{ hit: ofFile }] });
  t.equal(facts.sources.length, 1);
  t.same(judgementOf(scene, emulation), before);
  t.end();
});

t.test(
  'created: absence is proved by controls whose own files were seen before and after, and not by their markers',
  (t) => {
    const scene = new Scene();
    const before = scene.control('before', 10, drops);
    scene.arrives(before);
    const emulation = scene.runs(100, drops);
    scene.arrives(emulation);
    const after = scene.control('after', 200, drops);
    scene.arrives(after);
    scene.knows();
    t.match(scene.facts(emulation).created, { is: 'unknown', why: { class: 'source-not-alive' } });
    scene.arrives(before, ofFile);
    scene.arrives(after, ofFile);
    t.match(scene.facts(emulation).created, { is: 'no', proof: { kind: 'absent' } });
    t.end();
  },
);

t.test('created: an event of the file does not stand in for the event of the execution', (t) => {
  const { scene, emulation } = bracketed({ expect: { file: { sources: [execve], within: duration(60_000) } } });
  scene.arrives(emulation, { matched: { by: 'host-file-time' } });
  t.match(source(scene, emulation).delivered, { is: 'no', proof: { kind: 'absent' } });
  t.equal(verdictOf(scene, emulation), 'missed');
  t.end();
});

t.test('delivered: connections that stay on loopback and that no control shows are a reason, not a miss', (t) => {
  const connects = (destinations: readonly string[]): Cast => ({
    receipt: { destinations },
    expect: { context: ['process', 'host', 'destination'] },
  });
  const reasonOf = (cast: Cast): unknown => {
    const scene = new Scene();
    scene.control('before', 10, cast);
    const emulation = scene.runs(100, cast);
    scene.control('after', 200, cast);
    const { delivered: fact } = source(scene, emulation);
    return fact.is === 'unknown' ? fact.why.class : fact.is;
  };
  t.equal(reasonOf(connects(['127.0.0.1:4711'])), 'not-observable-on-loopback');
  t.equal(reasonOf(connects(['[::1]:4711', '127.8.9.1:80'])), 'not-observable-on-loopback');
  t.equal(reasonOf(connects(['127.0.0.1:4711', '192.0.2.9:80'])), 'source-not-alive');
  t.equal(reasonOf(connects([])), 'source-not-alive');
  const { scene, emulation } = bracketed(connects(['127.0.0.1:4711']));
  t.equal(verdictOf(scene, emulation), 'missed', 'where the controls are seen, loopback is observed');
  t.end();
});

t.test('attributed: a rule counts only where a control shows that it does not fire on the harness', (t) => {
  const spoilt: Readonly<Record<string, (scene: Scene) => void>> = {
    'there is no control': () => undefined,
    'it did not run': (scene) => {
      scene.control('before', 10, { outcome: { kind: 'not-run', why: { class: 'unreachable', detail: 'no' } } });
    },
    'its event did not come': (scene) => {
      scene.control('before', 10);
    },
    'it is of another account': (scene) => {
      scene.arrives(scene.control('before', 10, { account: 'bob' }));
    },
    'it is of another channel': (scene) => {
      scene.arrives(scene.control('before', 10, { channel: 'shell' }));
    },
  };
  for (const [name, spoil] of Object.entries(spoilt)) {
    const scene = new Scene();
    spoil(scene);
    const emulation = scene.runs(100);
    scene.arrives(emulation);
    scene.knows();
    scene.alerts(emulation, 1);
    t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', why: { class: 'ambiguous' } }, name);
    scene.arrives(scene.control('after', 200));
    t.equal(verdictOf(scene, emulation), 'detected', 'one control is enough');
  }
  const late = new Scene();
  late.arrives(late.control('before', 10));
  const emulation = late.runs(100);
  late.arrives(emulation);
  late.arrives(late.control('after', 200));
  late.knows(theRule, { ran: [{ from: second(90), to: second(150) }] });
  late.alerts(emulation, 1);
  t.match(judgementOf(late, emulation), { verdict: 'inconclusive', sentence: /not shown to have run over/ });
  t.end();
});

t.test('attributed: an alert that names remote access only is not told to be about the behaviour', (t) => {
  for (const techniques of [['T1021.004'], ['t1021.004'], ['attack.t1021.004'], ['TA0008', 'T1021']]) {
    const { scene, emulation } = delivered();
    scene.alerts(emulation, 1, { techniques });
    t.match(judgementOf(scene, emulation), { verdict: 'inconclusive', sentence: /the behaviour or the login/ });
    scene.alerts(emulation, 2, { techniques: ['T1059.006'] });
    t.equal(verdictOf(scene, emulation), 'detected');
  }
  t.end();
});

t.test('delivered: a marker that another host logged shows nothing of this one', (t) => {
  const laptop = { fields: { host: 'operator-laptop', process: '/usr/bin/ssh' }, pid: 77 };
  const scene = new Scene();
  const controls = [scene.control('before', 10), scene.control('after', 200)];
  for (const [edge, at] of [
    ['before', 12],
    ['after', 202],
  ] as const)
    scene.arrives(scene.control(edge, at, { target: 'beta' }));
  const emulation = scene.runs(100);
  scene.knows();
  for (const one of [...controls, emulation]) scene.arrives(one, laptop);
  t.equal(verdictOf(scene, emulation), 'blind');
  for (const control of controls) t.not(verdictOf(scene, control), 'clean');
  scene.alerts(emulation, 1, { host: 'operator-laptop' });
  t.not(verdictOf(scene, emulation), 'detected', 'nor does an alert on it');

  const { scene: renamed, emulation: one } = bracketed();
  const event = renamed.arrives(one);
  Object.assign(event.fields, { host: 'alpha.example.org' });
  t.match(judgementOf(renamed, one), { verdict: 'inconclusive', sentence: /alpha\.example\.org; .* add the name/ });
  renamed.named('alpha', 'alpha', 'ALPHA.example.org');
  t.equal(verdictOf(renamed, one), 'logged', 'a name in another case is the same');
  renamed.alerts(one, 1, { host: 'collector-1' });
  t.match(judgementOf(renamed, one), { verdict: 'inconclusive', sentence: /marker on collector-1/ });
  t.end();
});

t.test('usable: thin is nothing that could be better in what was cut off or is not known', (t) => {
  const thin = { fields: { host: 'alpha', process: '/usr/bin/dash' } };
  const { scene, emulation } = bracketed();
  scene.arrives(emulation, thin);
  t.equal(verdictOf(scene, emulation), 'logged-thin');
  scene.cutShort('events');
  t.equal(verdictOf(scene, emulation), 'inconclusive');

  const two = bracketed({ expect: { sources: [execve, syslog] } });
  two.scene.arrives(two.emulation, thin);
  t.equal(verdictOf(two.scene, two.emulation), 'inconclusive', 'the other source was not shown to be alive');
  t.end();
});

t.test('stand-ins: neither their controls nor what fires on them says anything of real hosts', (t) => {
  const standIn = { target: 'imitation' };
  const scene = new Scene();
  scene.standIns.add('imitation');
  const control = scene.control('before', 10, standIn);
  scene.arrives(control);
  scene.arrives(scene.control('after', 200, standIn));
  scene.knows();
  const emulation = scene.runs(100);
  t.equal(verdictOf(scene, emulation), 'inconclusive', 'and not blind');
  scene.alerts(control, 1);
  scene.arrives(scene.control('before', 20));
  scene.arrives(emulation);
  scene.alerts(emulation, 1);
  t.equal(verdictOf(scene, emulation), 'detected');
  t.match(scene.established().harnessRules, [theRule], 'it is still told');
  t.end();
});

t.test('in time: the clock of a SIEM that tells no time may be a minute off', (t) => {
  const { scene, emulation } = delivered({ expect: { alertWithin: duration(100_000) } });
  scene.clock = undefined;
  scene.alerts(emulation, 20);
  t.equal(verdictOf(scene, emulation), 'detected');
  const near = delivered({ expect: { alertWithin: duration(60_000) } });
  near.scene.clock = undefined;
  near.scene.alerts(near.emulation, 20);
  t.match(judgementOf(near.scene, near.emulation), { verdict: 'inconclusive', why: { class: 'clocks-disagree' } });
  t.end();
});

t.test(
  'judge: an alert about remote access alone makes neither a control harness-visible nor a twin noisy, and is shown',
  (t) => {
    const login = { rule: { id: 'ssh-command', name: 'Command over SSH' }, techniques: ['T1021.004'] };
    for (const purpose of ['control', 'twin'] as const) {
      const scene = new Scene();
      scene.arrives(scene.control('before', 10));
      const one = purpose === 'twin' ? scene.runs(100, { purpose }) : scene.control('before', 100);
      scene.arrives(one);
      const after = scene.control('after', 200);
      scene.arrives(after);
      scene.knows();
      scene.alerts(one, 1, login);
      if (purpose === 'twin')
        t.equal(verdictOf(scene, one), 'noisy', 'as long as no control shows that it is the login');
      scene.alerts(after, 1, login);
      const judged = judgementOf(scene, one);
      t.equal(judged.verdict, purpose === 'twin' ? 'quiet' : 'clean');
      t.match(judged.sentence, /no alert but about the remote login\.$/);
      t.match(judged.notes, [/remote access detected: Command over SSH \(ssh-command, T1021\.004\)/]);
      scene.alerts(one, 1, { ...login, techniques: ['T1021.004', 'T1059.006'] });
      t.equal(
        verdictOf(scene, one),
        purpose === 'twin' ? 'noisy' : 'harness-visible',
        'not when it is about Python too',
      );
    }
    t.end();
  },
);
