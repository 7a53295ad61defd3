import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { setClock, startAuditd, stopAuditd } from '../../lab/range/faults.ts';
import { setFaults } from '../../lab/siem/faults.ts';
import { assessment, execution, hidden, type Lab, verdicts, withLab } from './lab-kit.ts';

const rule = 'python-script-in-hidden-directory';

/** A Sigma rule that fires on every Python that has arguments: on the harness too. */
const anyPython = `title: Any Python
id: 11111111-2222-4333-8444-555555555555
status: test
description: Fires on everything, to see what becomes of that.
logsource: { product: linux, category: process_creation }
detection:
  python: { Image|contains: python }
  condition: python
level: low
`;

/** Each fault is set for one run and taken away after it. */
async function during(lab: Lab, faults: Parameters<typeof setFaults>[1], work: () => Promise<void>): Promise<void> {
  await setFaults(lab.stateDir, faults);
  try {
    await work();
  } finally {
    await setFaults(lab.stateDir, {});
  }
}

t.test('verdicts: real sshd, real auditd, and everything that can go wrong on the way to an alert', async (t) => {
  await withLab(t, async (lab) => {
    await t.test('run: both hosts at the same time, each event and alert on its own host', async (t) => {
      const { report, exitCode } = await lab.run(hidden);
      t.equal(exitCode, 0);
      for (const [target, other] of [
        ['lab-alpha', 'lab-beta'],
        ['lab-beta', 'lab-alpha'],
      ] as const) {
        const { verdict, facts } = assessment(report, target, hidden);
        t.equal(verdict, 'detected');
        const [source] = facts.sources;
        if (source.delivered.is !== 'yes' || facts.alerted.is !== 'yes')
          throw new Error('not delivered or not alerted');
        t.ok(
          source.delivered.evidence.every(({ hit }) => hit.fields.host === target),
          'events of this host only',
        );
        t.ok(
          facts.alerted.evidence.every(({ alert }) => alert.host === target),
          'alerts of this host only',
        );
        const text = JSON.stringify(facts);
        t.notMatch(
          text,
          execution(report, other, hidden).execution?.marker ?? '-',
          "nothing of the other host's marker",
        );
      }
      t.same(report.leftBehind, []);
    });

    await t.test(
      'collector: one host is no longer forwarded, it is blind and a gap, the other is unaffected',
      async (t) => {
        await during(lab, { dropHosts: ['lab-beta'] }, async () => {
          const { report, exitCode } = await lab.run(hidden);
          t.equal(exitCode, 1);
          t.equal(assessment(report, 'lab-beta', hidden).verdict, 'blind');
          t.equal(assessment(report, 'lab-beta', hidden).brokeAt, 'delivered');
          t.equal(assessment(report, 'lab-alpha', hidden).verdict, 'detected');
          t.match(report.matrix.figures['lab']?.gaps, { share: 1, of: 2 });
        });
      },
    );

    await t.test('auditd: stopped before the steps, for all, nothing is missed', async (t) => {
      await stopAuditd(lab.stateDir);
      try {
        const { report, exitCode } = await lab.run(hidden);
        t.equal(exitCode, 3);
        for (const target of ['lab-alpha', 'lab-beta'])
          t.equal(assessment(report, target, hidden).verdict, 'inconclusive');
      } finally {
        await startAuditd(lab.stateDir);
      }
    });

    await t.test('auditd: stopped in the middle of the steps and after them, no verdict without proof', async (t) => {
      for (const delayMs of [700, 1_000, 1_400, 2_000]) {
        const running = lab.run(hidden);
        await new Promise((go) => setTimeout(go, delayMs));
        await stopAuditd(lab.stateDir);
        try {
          const { report, exitCode } = await running;
          for (const target of ['lab-alpha', 'lab-beta'])
            for (const verdict of verdicts(report, target))
              t.notOk(['missed', 'blind', 'quiet'].includes(verdict), `${verdict} after ${delayMs} ms`);
          for (const target of ['lab-alpha', 'lab-beta']) {
            const { verdict, facts } = assessment(report, target, hidden);
            if (verdict === 'detected')
              t.equal(facts.attributed.is, 'yes', 'detected only with an alert that bears the marker');
            else t.equal(verdict, 'inconclusive');
          }
          t.ok(exitCode === 3 || exitCode === 0, `exit ${String(exitCode)}`);
        } finally {
          await startAuditd(lab.stateDir);
        }
      }
    });

    await t.test('rule: switched off over the whole window, logged, with rule-disabled as the proof', async (t) => {
      await during(lab, { rulesOff: [rule] }, async () => {
        const { report, exitCode } = await lab.run(hidden);
        t.equal(exitCode, 1);
        const { verdict, facts } = assessment(report, 'lab-alpha', hidden);
        t.equal(verdict, 'logged');
        t.match(facts.alerted, { is: 'no', proof: { kind: 'rule-disabled' } });
      });
    });

    await t.test('rule: its every run fails, or its detector is down, inconclusive', async (t) => {
      await during(lab, { rulesFailing: [rule] }, async () => {
        const { report, exitCode } = await lab.run(hidden);
        t.equal(exitCode, 3);
        t.match(assessment(report, 'lab-alpha', hidden), { verdict: 'inconclusive', why: { class: 'rule-failed' } });
      });
      await during(lab, { detectorDown: true }, async () => {
        const { report, exitCode } = await lab.run(hidden);
        t.equal(exitCode, 3);
        t.match(assessment(report, 'lab-beta', hidden), { verdict: 'inconclusive' });
      });
    });

    await t.test('event: cut command line, missing and wrong parent, logged-thin, both values named', async (t) => {
      const thin = async (faults: Parameters<typeof setFaults>[1], field: string, problem: string): Promise<string> => {
        let sentence = '';
        await during(lab, { ...faults, rulesOff: [rule] }, async () => {
          const { report } = await lab.run(hidden);
          const { verdict, facts, ...rest } = assessment(report, 'lab-alpha', hidden);
          sentence = rest.sentence;
          t.equal(verdict, 'logged-thin');
          const [source] = facts.sources;
          t.match(source.usable, { is: 'no' });
          if (source.usable.is === 'no')
            t.ok(
              source.usable.proof.problems.some(
                (one) => one.field === field && one.problem === problem && one.receipt !== '',
              ),
              `${field} ${problem}`,
            );
        });
        return sentence;
      };
      t.match(
        await thin({ truncateCommandLine: 40 }, 'command-line', 'contradicts'),
        /command-line is .* where the receipt says/,
      );
      t.match(await thin({ dropParent: true }, 'parent', 'missing'), /parent is empty \(the receipt says/);
      t.match(
        await thin({ wrongParent: '/usr/bin/bogus' }, 'parent', 'contradicts'),
        /\/usr\/bin\/bogus where the receipt says/,
      );
    });

    await t.test('rule that fires on the control: harness-visible, and its detections do not count', async (t) => {
      const inventory = lab.inventory('harness.yaml', (text) =>
        text.replace('expectations:\n', `expectations:\n  - scenarios: ['${hidden}']\n    rules: [extra-1]\n`),
      );
      await during(lab, { extraRules: [anyPython] }, async () => {
        const { report, exitCode } = await lab.run(hidden, { inventory });
        t.equal(exitCode, 1);
        t.same(report.harnessRules['lab'], ['extra-1']);
        t.equal(assessment(report, 'lab-alpha', 'linux/control-process-start').verdict, 'harness-visible');
        const { verdict, notes } = assessment(report, 'lab-alpha', hidden);
        t.equal(verdict, 'logged');
        t.match(notes.join('\n'), /by the harness/);
        t.equal(report.matrix.figures['lab']?.detectedByReferenceRules.share, 0);
      });
    });

    await t.test('rule that fires on a twin: noisy, exit 1', async (t) => {
      const library = lab.extendLibrary({
        'linux/test-twin.yaml': `title: Legitimate work of the same shape
analytic: AN0174
element: ScriptDir
purpose: twin
twinOf: ${hidden}
why: a twin that the rule cannot tell from the emulation
steps:
  - python: { script: receipt.py, at: '{{home}}/{{run}}/.cache/tool.py', args: ['{{marker}}'] }
expect:
  event: { sources: ['auditd:SYSCALL/execve'], within: 60s, context: [process, command-line, user, host] }
  alert: { within: 5m, stance: must-stay-quiet }
`,
      });
      const { report, exitCode } = await lab.run(`linux/test-twin,${hidden}`, {
        args: ['--no-variants', '-l', library],
      });
      t.equal(exitCode, 1);
      t.match(assessment(report, 'lab-beta', 'linux/test-twin'), { verdict: 'noisy', score: 'worse' });
      const ends = (id: string): string => execution(report, 'lab-beta', id).execution?.endedAt ?? '';
      t.ok(
        ends('linux/test-twin') < (execution(report, 'lab-beta', hidden).execution?.startedAt ?? ''),
        'twins do not overlap emulations',
      );
    });

    await t.test(
      'alert: later than its limit and before the end of asking, detected-late with its latency',
      async (t) => {
        await during(lab, { alertDelayMs: { [rule]: 3_600 } }, async () => {
          const { report, exitCode } = await lab.run(hidden);
          t.equal(exitCode, 1);
          const { verdict, alertLatencyMs, score } = assessment(report, 'lab-alpha', hidden);
          t.equal(verdict, 'detected-late');
          t.equal(score, 'worse');
          t.ok((alertLatencyMs ?? 0) > 3_000 && (alertLatencyMs ?? 0) < 6_000, `${String(alertLatencyMs)} ms`);
        });
      },
    );

    await t.test('clock: a host is ten minutes off, no negative latency, the offset is shown', async (t) => {
      for (const seconds of [600, -600]) {
        await setClock(lab.stateDir, 'lab-beta', seconds);
        try {
          await during(lab, { clockOffsetMs: { 'lab-beta': seconds * 1000 } }, async () => {
            const { report, exitCode, stdout } = await lab.run(hidden);
            t.equal(exitCode, 0);
            const offset = report.targets.find(({ id }) => id === 'lab-beta')?.clock?.offsetMs ?? 0;
            t.ok(Math.abs(offset - seconds * 1000) < 2_000, `offset ${offset} ms`);
            const { verdict, alertLatencyMs, eventLatencyMs } = assessment(report, 'lab-beta', hidden);
            t.equal(verdict, 'detected');
            for (const latency of [alertLatencyMs, eventLatencyMs])
              t.ok(latency !== undefined && latency >= 0 && latency < 3_000, `latency ${String(latency)} ms`);
            t.match(stdout, /10 min/, 'a person is told');
          });
        } finally {
          await setClock(lab.stateDir, 'lab-beta', 0);
        }
      }
    });

    await t.test('hostile bytes from the SIEM: kept as data, shown escaped', async (t) => {
      await during(lab, { hostileFields: true }, async () => {
        const { report, stdout, stderr, path } = await lab.run(hidden);
        t.equal(assessment(report, 'lab-alpha', hidden).verdict, 'detected');
        const page = readFileSync(join(path, 'reports/matrix.html'), 'utf8');
        for (const shown of [page, stdout, stderr]) {
          // eslint's no-control-regex would have us name the character.
          t.notOk(shown.includes(String.fromCharCode(27)), 'no escape character');
          t.notMatch(shown, /<img/);
        }
      });
    });
  });
});
