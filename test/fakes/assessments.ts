import type { ReceiptLine } from '../../runner/domain/execution.ts';
import { notAsked, unknown } from '../../runner/domain/fact.ts';
import type { ControlSeen, Facts, Hop } from '../../runner/domain/facts.ts';
import type { SiemExpectation } from '../../runner/domain/plan.ts';
import type { Assessment } from '../../runner/domain/run-report.ts';
import type { AlertHit, EventHit, RuleHealth } from '../../runner/domain/siem.ts';
import { duration, type DurationMs, shift } from '../../runner/domain/time.ts';
import type { Score, VerdictKind } from '../../runner/domain/verdict.ts';
import { type Excerpts, opened } from './executions.ts';

export const source = 'auditd:SYSCALL/execve';
const until = shift(opened, 720_000);

/** The facts that a finished receipt, one delivered event and one exact alert in time make: everything is yes. */
function seen(receipt: ReceiptLine, rule: string, excerpts: Excerpts): { facts: Facts; hit: EventHit } {
  const commandLine = receipt.argv.join(' ');
  const raw = excerpts.keep(
    JSON.stringify({
      '@timestamp': receipt.time,
      event: { category: ['process'], type: ['start'], id: String(receipt.pid * 3) },
      host: { name: receipt.host },
      user: { name: receipt.user },
      process: {
        pid: receipt.pid,
        executable: receipt.executable,
        command_line: commandLine,
        args: receipt.argv,
        parent: { pid: receipt.ppid, executable: receipt.parentExecutable },
      },
    }),
  );
  const hit: EventHit = {
    marker: receipt.marker,
    matched: { by: 'marker', field: 'process.args' },
    source,
    id: `ev-${receipt.pid * 3}`,
    time: receipt.time,
    ingested: shift(receipt.time, 1_100),
    pid: receipt.pid,
    fields: {
      process: receipt.executable,
      'command-line': commandLine,
      parent: receipt.parentExecutable ?? '',
      user: receipt.user,
      host: receipt.host,
      script: receipt.script ?? '',
    },
    raw,
  };
  const alert: AlertHit = {
    marker: receipt.marker,
    matched: { by: 'marker', field: 'process.args' },
    rule: { id: rule, name: rule.replaceAll('-', ' ') },
    id: `al-${receipt.pid}`,
    time: shift(receipt.time, 4_200),
    host: receipt.host,
    techniques: ['T1059.006'],
    severity: 'medium',
    events: [hit.id],
    raw: excerpts.keep(JSON.stringify({ rule: { id: rule }, host: receipt.host, events: [hit.id], at: receipt.time })),
  };
  const attributed = { alert: alert.id, rule, grade: 'exact' } as const;
  const latencyMs = duration(4_200);
  return {
    hit,
    facts: {
      ran: { is: 'yes', evidence: [{ receipt: excerpts.keep(JSON.stringify(receipt), 'application/x-ndjson') }] },
      prevented: notAsked('the behaviour finished'),
      recorded: notAsked("reading the host's own log is not part of this run"),
      sources: [
        {
          source,
          delivered: { is: 'yes', evidence: [{ hit, latencyMs: duration(1_100) }] },
          usable: {
            is: 'yes',
            evidence: [{ event: hit.id, agreed: ['process', 'command-line', 'parent', 'user', 'host', 'script'] }],
          },
        },
      ],
      alerted: { is: 'yes', evidence: [{ alert, latencyMs }] },
      attributed: { is: 'yes', evidence: [attributed] },
      inTime: { is: 'yes', evidence: [{ latencyMs, withinMs: duration(300_000), uncertaintyMs: 12 }] },
      alerts: [{ ...attributed, latencyMs, raw: alert.raw, name: alert.rule.name, techniques: alert.techniques }],
      alertsRead: { is: 'yes', evidence: [excerpts.keep('{"took":4,"timed_out":false,"hits":{"total":1}}')] },
      byHarness: [],
    },
  };
}

function later(alerted: Facts['alerted'], latencyMs: DurationMs): Facts['alerted'] {
  if (alerted.is !== 'yes') return alerted;
  const [{ alert }] = alerted.evidence;
  return { is: 'yes', evidence: [{ alert: { ...alert, time: shift(alert.time, latencyMs - 4_200) }, latencyMs }] };
}

const skipped = notAsked('the pipeline broke before this');

function ruleHealth(rule: string, excerpts: Excerpts, enabled: RuleHealth['enabled']): RuleHealth {
  return {
    rule,
    name: rule.replaceAll('-', ' '),
    enabled,
    ran: enabled === 'none' ? [] : [{ from: opened, to: until }],
    failures: [],
    raw: excerpts.keep(JSON.stringify({ rule, enabled, ran: enabled !== 'none' })),
  };
}

function control(phase: ControlSeen['phase'], host: string, excerpts: Excerpts): ControlSeen {
  const edge = phase === 'control-before' ? 'before' : 'after';
  const execution = `${host}/det-a/linux/control-execve#${edge}`;
  return {
    execution,
    phase,
    source,
    event: `ev-${edge}-${host}`,
    raw: excerpts.keep(JSON.stringify({ control: execution })),
  };
}

/** One assessment of the wished verdict, with facts that would make `judge` say so. */
export function assessed(
  verdict: VerdictKind,
  receipt: ReceiptLine,
  expect: SiemExpectation,
  excerpts: Excerpts,
  score: Score,
): Assessment {
  const rule = expect.rules[0] ?? 'python-anywhere';
  const { facts, hit } = seen(receipt, rule, excerpts);
  const answer = [
    excerpts.keep(`{"query":"process.args:(… 57 markers)","window":["${opened}","${until}"],"hits":31}`),
  ] as const;
  const silent = { alerts: [], alerted: skipped, attributed: skipped, inTime: skipped };
  const noAlert = {
    alerts: [],
    alerted: {
      is: 'no',
      proof: { kind: 'rule-ran', rules: [ruleHealth(rule, excerpts, 'all')], answer, observedUntil: until },
    },
    attributed: notAsked('no alert appeared'),
    inTime: notAsked('no alert appeared'),
  } as const;
  const undelivered = (delivered: Facts['sources'][0]['delivered']): Facts['sources'] => [
    { source, delivered, usable: notAsked('no event arrived') },
  ];
  const result = (sentence: string, changed: Partial<Facts> = {}, brokeAt?: Hop): Assessment => ({
    siem: expect.siem,
    expect,
    verdict,
    sentence,
    score,
    byReferenceRule: false,
    notes: [],
    ...(brokeAt === undefined ? {} : { brokeAt }),
    facts: { ...facts, ...changed },
  });
  const latencies = { eventLatencyMs: duration(1_100) };
  switch (verdict) {
    case 'detected':
      return { ...result(`Rule ${rule} raised its alert after 4.2 s.`), ...latencies, alertLatencyMs: duration(4_200) };
    case 'detected-late': {
      const late = { latencyMs: duration(420_000), withinMs: duration(300_000), uncertaintyMs: 12 };
      return {
        ...result(
          `Rule ${rule} raised its alert after 7 min 0 s; the limit is 5 min 0 s.`,
          {
            alerted: later(facts.alerted, late.latencyMs),
            alerts: facts.alerts.map((alert) => ({ ...alert, latencyMs: late.latencyMs })),
            inTime: { is: 'no', proof: late },
          },
          'in-time',
        ),
        ...latencies,
        alertLatencyMs: duration(420_000),
      };
    }
    case 'logged':
      return {
        ...result('The event arrived with its context; no alert was raised.', noAlert, 'alerted'),
        ...latencies,
      };
    case 'logged-thin':
      return {
        ...result(
          'The event arrived, but its parent is missing and its command line contradicts the receipt.',
          {
            ...silent,
            sources: [
              {
                source,
                delivered: {
                  is: 'yes',
                  evidence: [
                    {
                      hit: {
                        ...hit,
                        fields: { ...hit.fields, parent: '', 'command-line': receipt.argv.join(' ').slice(0, 32) },
                      },
                      latencyMs: duration(1_100),
                    },
                  ],
                },
                usable: {
                  is: 'no',
                  proof: {
                    event: hit.id,
                    raw: hit.raw,
                    problems: [
                      { field: 'parent', problem: 'missing', receipt: receipt.parentExecutable ?? '', siem: '' },
                      {
                        field: 'command-line',
                        problem: 'contradicts',
                        receipt: receipt.argv.join(' '),
                        siem: receipt.argv.join(' ').slice(0, 32),
                      },
                    ],
                  },
                },
              },
            ],
          },
          'usable',
        ),
        ...latencies,
      };
    case 'missed':
      return result(
        'No event arrived although the source was seen alive before and after.',
        {
          ...silent,
          sources: undelivered({
            is: 'no',
            proof: {
              kind: 'absent',
              controls: [
                control('control-before', receipt.host, excerpts),
                control('control-after', receipt.host, excerpts),
              ],
              answer,
              observedUntil: until,
            },
          }),
        },
        'delivered',
      );
    case 'blind':
      return result(
        `Nothing of ${receipt.host} arrives from ${source}, while the same source of lab-a does.`,
        {
          ...silent,
          sources: undelivered({
            is: 'no',
            proof: {
              kind: 'source-silent',
              others: [control('control-before', 'lab-a', excerpts)],
              answer,
              observedUntil: until,
            },
          }),
        },
        'delivered',
      );
    case 'recorded-only':
      return result(
        "The host's log holds the event; the SIEM does not.",
        { ...silent, sources: undelivered(unknown('cut-short', 'one of two shards answered')) },
        'delivered',
      );
    case 'inconclusive': {
      const why = { class: 'rule-failed', detail: '3 times, circuit_breaking_exception' } as const;
      return {
        ...result('It could not be told whether an alert was raised: the rule failed over the time of the event.', {
          ...noAlert,
          alerted: { is: 'unknown', why },
        }),
        ...latencies,
        why,
      };
    }
    case 'prevented':
      return result('The kernel refused to execute the script, and said so.', {
        ran: { is: 'no', proof: { answer: 'exit 126: /tmp/run.py: Permission denied' } },
        prevented: {
          is: 'yes',
          evidence: [
            {
              sign: 'Permission denied (noexec)',
              evidence: excerpts.keep('sh: 1: ./run.py: Permission denied', 'text/plain'),
            },
          ],
        },
        sources: [{ source, delivered: skipped, usable: skipped }],
        ...silent,
      });
    case 'not-run': {
      const why = { class: 'no-interpreter', detail: '/usr/bin/python3.11: No such file or directory' } as const;
      return {
        ...result(
          'It was not run: the host has no such interpreter.',
          {
            ran: { is: 'no', proof: { answer: why.detail } },
            sources: [{ source, delivered: skipped, usable: skipped }],
            ...silent,
          },
          'ran',
        ),
        why,
      };
    }
    case 'noisy':
    case 'harness-visible':
      return { ...result(`Rule ${rule} fired on it after 4.2 s.`), ...latencies, alertLatencyMs: duration(4_200) };
    case 'quiet':
    case 'clean':
      return { ...result('Its event arrived, every alert was read, and no rule fired.', noAlert), ...latencies };
  }
}
