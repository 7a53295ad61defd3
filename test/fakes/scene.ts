import type { EvidenceRef } from '../../runner/domain/evidence.ts';
import type { Execution, ReceiptLine } from '../../runner/domain/execution.ts';
import type { Facts } from '../../runner/domain/facts.ts';
import type { PlannedExecution, SiemExpectation } from '../../runner/domain/plan.ts';
import type { Observation, Observed } from '../../runner/domain/record.ts';
import type { AlertHit, EventHit, RuleHealth, UntiedAlert } from '../../runner/domain/siem.ts';
import { type ClockOffset, duration, instant, type Instant, shift } from '../../runner/domain/time.ts';
import { type Established, establish } from '../../runner/pipeline/establish.ts';
import type { Executed } from '../../runner/pipeline/scope.ts';

export const execve = 'auditd:SYSCALL/execve';
export const syslog = 'linux:syslog//var/log/syslog';
export const theRule = 'the-rule';

/** The scene begins here; all times in it are seconds from then on, on detproof's clock unless said otherwise. */
export const begin = instant(Date.UTC(2026, 10, 24, 2, 0, 0));
export const second = (seconds: number): Instant => shift(begin, Math.round(seconds * 1_000));

export type Cast = {
  readonly purpose?: PlannedExecution['purpose'];
  readonly phase?: PlannedExecution['phase'];
  readonly id?: string;
  readonly target?: string;
  readonly account?: string;
  readonly channel?: PlannedExecution['channel'];
  readonly outcome?: Execution['outcome'];
  readonly clock?: ClockOffset;
  readonly expect?: Partial<SiemExpectation>;
  readonly receipt?: Partial<ReceiptLine>;
};

const incomplete = { yes: false, because: { class: 'cut-short', detail: 'half of the answer' } } as const;

/** A run and what one SIEM says of it, put together piece by piece. By default the answers are whole and the asking is over. */
export class Scene {
  readonly executed: Executed[] = [];
  readonly #events: EventHit[] = [];
  readonly #alerts: AlertHit[] = [];
  readonly #untied: UntiedAlert[] = [];
  readonly #rules: RuleHealth[] = [];
  readonly #hosts: Record<string, readonly string[]> = {};
  readonly #unasked = new Set<string>();
  readonly #incomplete = new Set<'events' | 'alerts' | 'rules'>();
  #without = new Set<'events' | 'alerts' | 'rules'>();
  until = second(1_000);
  clock: ClockOffset | undefined = { offsetMs: 0, uncertaintyMs: 0 };
  readonly standIns = new Set<string>();

  /** One execution that takes a second, from `at` on. */
  runs(at: number, cast: Cast = {}): Executed {
    const { purpose = 'emulation', target = 'alpha', account = 'alice', channel = 'exec' } = cast;
    const number = this.executed.length;
    const phase = cast.phase ?? (purpose === 'twin' ? 'twins' : purpose === 'emulation' ? 'emulations' : undefined);
    if (phase === undefined) throw new Error('a control is before or after');
    const marker = `m${String(number).padStart(23, '0')}`;
    this.#hosts[target] ??= [target];
    const line = (receipt: ReceiptLine['receipt'], time: Instant): ReceiptLine => ({
      receipt,
      marker,
      pid: 4_000 + number,
      ppid: 3_000,
      parentExecutable: '/usr/sbin/sshd',
      argv: ['/usr/bin/python3.11', '/tmp/r/run.py', marker],
      executable: '/usr/bin/python3.11',
      script: '/tmp/r/run.py',
      cwd: '/home/alice',
      user: account,
      host: target,
      time: shift(time, cast.clock?.offsetMs ?? 0),
      version: '3.11.2',
      ...cast.receipt,
    });
    const outcome = cast.outcome ?? { kind: 'finished' };
    const execution: Execution = {
      execution: cast.id ?? `${target}/${account}/${purpose}-${number}`,
      marker,
      run: `r${number}`,
      startedAt: second(at),
      endedAt: second(at + 1),
      outcome,
      commands: [],
      receipt:
        outcome.kind === 'finished'
          ? {
              started: line('started', second(at + 0.2)),
              finished: line('finished', second(at + 0.8)),
              evidence: evidence(`receipt ${number}`),
            }
          : {},
      ...(cast.clock === undefined ? {} : { clock: cast.clock }),
      cleanup: { done: [], leftBehind: [] },
    };
    const plan: PlannedExecution = {
      id: execution.execution,
      phase,
      purpose,
      scenario: `linux/${purpose}`,
      title: purpose,
      analytic: 'AN0174',
      target,
      account,
      channel,
      steps: [
        {
          script: 'receipt.py',
          at: '/tmp/r/run.py',
          args: ['{{marker}}'],
          interpreter: 'plain',
          invocation: 'file',
          via: 'session',
          timeout: duration(30_000),
        },
      ],
      creates: [],
      expect: [
        {
          siem: 'siem',
          sources: [execve],
          context: ['process', 'command-line', 'parent', 'user', 'host', 'script'],
          eventWithin: duration(60_000),
          rules: purpose === 'control' ? [] : [theRule],
          alertWithin: duration(60_000),
          observeFor: duration(120_000),
          stance: purpose === 'emulation' ? 'must-alert' : 'must-stay-quiet',
          attribution: 'exact',
          ...cast.expect,
        },
      ],
    };
    const one = { plan, execution };
    this.executed.push(one);
    return one;
  }

  control(edge: 'before' | 'after', at: number, cast: Cast = {}): Executed {
    return this.runs(at, { ...cast, purpose: 'control', phase: `control-${edge}` });
  }

  /** The event of an execution is in the SIEM, by default whole, a second after it happened. */
  arrives({ plan, execution }: Executed, more: Partial<EventHit> & { without?: keyof EventHit } = {}): EventHit {
    const truth = execution.receipt.finished;
    const { without, ...rest } = more;
    const hit: EventHit = {
      marker: execution.marker,
      matched: { by: 'marker', field: 'process.args' },
      source: plan.expect[0]?.sources[0] ?? execve,
      id: `event-${this.#events.length}`,
      time: execution.receipt.started?.time ?? execution.startedAt,
      ingested: this.#siemTime(shift(execution.startedAt, 1_200)),
      ...(truth === undefined ? {} : { pid: truth.pid }),
      fields:
        truth === undefined
          ? {}
          : {
              process: truth.executable,
              'command-line': truth.argv.join(' '),
              parent: truth.parentExecutable ?? '',
              user: truth.user,
              host: plan.target,
              script: truth.script ?? '',
              cwd: truth.cwd,
            },
      raw: evidence(`event ${this.#events.length}`),
      ...rest,
    };
    if (without !== undefined) Reflect.deleteProperty(hit, without);
    this.#events.push(hit);
    return hit;
  }

  /** The SIEM raises an alert about an execution, by default by the expected rule, `after` seconds. */
  alerts({ execution, plan }: Executed, after: number, more: Partial<AlertHit> = {}): AlertHit {
    const number = this.#alerts.length;
    const alert: AlertHit = {
      marker: execution.marker,
      matched: { by: 'marker', field: 'process.args' },
      rule: { id: theRule, name: 'The rule' },
      id: `alert-${number}`,
      time: this.#siemTime(shift(execution.startedAt, 200 + after * 1_000)),
      host: plan.target,
      techniques: ['T1059.006'],
      events: [],
      raw: evidence(`alert ${number}`),
      ...more,
    };
    this.#alerts.push(alert);
    return alert;
  }

  /** An alert of the expected rule at this second that is tied to nothing, by default on alpha. */
  raises(at: number, more: Partial<UntiedAlert> = {}): UntiedAlert {
    const number = this.#untied.length;
    const alert: UntiedAlert = {
      rule: { id: theRule, name: 'The rule' },
      id: `untied-${number}`,
      time: this.#siemTime(second(at)),
      hosts: ['alpha'],
      techniques: ['T1059.006'],
      eventTimes: [],
      raw: evidence(`untied ${number}`),
      ...more,
    };
    this.#untied.push(alert);
    return alert;
  }

  /** What the SIEM says of a rule; by default it ran all the time. Times on the SIEM's clock. */
  knows(rule = theRule, more: Partial<RuleHealth> = {}): void {
    this.#rules.push({
      rule,
      name: rule,
      enabled: 'all',
      ran: [{ from: this.#siemTime(second(-60)), to: this.#siemTime(second(2_000)) }],
      failures: [],
      raw: evidence(`rule ${rule}`),
      ...more,
    });
  }

  cutShort(...answers: readonly ('events' | 'alerts' | 'rules')[]): void {
    for (const answer of answers) this.#incomplete.add(answer);
  }

  withoutExchange(...answers: readonly ('events' | 'alerts' | 'rules')[]): void {
    this.#without = new Set(answers);
  }

  notAsked({ execution }: Executed): void {
    this.#unasked.add(execution.marker);
  }

  named(target: string, ...names: readonly string[]): void {
    this.#hosts[target] = names;
  }

  established(): Established {
    const observed = <H>(hits: readonly H[], answer: 'events' | 'alerts' | 'rules'): Observed<H> => ({
      hits,
      complete: this.#incomplete.has(answer) ? incomplete : { yes: true },
      exchanges: this.#without.has(answer) ? [] : [evidence(`exchange ${answer}`)],
    });
    const observation: Observation = {
      siem: 'siem',
      from: begin,
      until: this.until,
      asked: this.executed.map(({ execution }) => execution.marker).filter((marker) => !this.#unasked.has(marker)),
      ...(this.clock === undefined ? {} : { clock: this.clock }),
      polls: 1,
      events: observed(this.#events, 'events'),
      alerts: { ...observed(this.#alerts, 'alerts'), untied: this.#untied },
      rules: observed(this.#rules, 'rules'),
    };
    return establish({ executed: this.executed, observation, hosts: this.#hosts, standIns: this.standIns });
  }

  facts({ plan }: Executed): Facts {
    const facts = this.established().facts.get(plan.id);
    if (facts === undefined) throw new Error(`no facts of ${plan.id}`);
    return facts;
  }

  #siemTime(ours: Instant): Instant {
    return shift(ours, this.clock?.offsetMs ?? 0);
  }
}

function evidence(what: string): EvidenceRef {
  const sha256 = Buffer.from(what.padEnd(32).slice(0, 32)).toString('hex');
  return { sha256, bytes: what.length, mediaType: 'application/json' };
}
