import type { Inventory, Target } from '../../runner/domain/inventory.ts';
import type { Plan, PlannedExecution } from '../../runner/domain/plan.ts';
import type { Progress } from '../../runner/domain/progress.ts';
import type { RecordLine } from '../../runner/domain/record.ts';
import type { PythonStep } from '../../runner/domain/scenario.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import type { Random } from '../../runner/ports.ts';
import { execute } from '../../runner/pipeline/execute.ts';
import type { Payloads } from '../../runner/pipeline/invocation.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryEvidence, MemoryJournal } from './memory-store.ts';
import { ScriptedHost, type Touch } from './scripted-host.ts';

/** What happened, in order: a line of the journal, or a touch of a host. */
export type Happened = { readonly record: RecordLine } | { readonly touch: Touch };

/** Names that count up: the first letter says what they are not. */
class CountingRandom implements Random {
  #count = 0;

  name(length: number): string {
    this.#count += 1;
    return `n${String(this.#count).padStart(length - 1, '0')}`;
  }
}

export const payloads: Payloads = {
  read: (name) => `# ${name}`,
  zip: (entries) =>
    new TextEncoder().encode(
      Object.values(entries)
        .map((bytes) => new TextDecoder().decode(bytes))
        .join(),
    ),
  deflate: (bytes) => bytes,
  executable: ({ path }) => new TextEncoder().encode(path),
};

export const step: PythonStep = {
  script: 'receipt.py',
  at: '{{home}}/{{run}}/run.py',
  args: ['{{marker}}'],
  interpreter: 'plain',
  invocation: 'file',
  via: 'session',
  timeout: duration(30_000),
};

type Ask = {
  readonly target?: string;
  readonly account?: string;
  readonly phase?: PlannedExecution['phase'];
  readonly steps?: PlannedExecution['steps'];
  readonly creates?: readonly string[];
};

/** Hosts, clock, journal and evidence of a run in memory, and what happened to them. */
export class Site {
  readonly clock = new FakeClock();
  readonly happened: Happened[] = [];
  readonly journal = new MemoryJournal(this.clock, (record) => this.happened.push({ record }));
  readonly evidence = new MemoryEvidence();
  readonly random = new CountingRandom();
  readonly hosts = new Map<string, ScriptedHost>();
  readonly interrupt = new AbortController();
  readonly halt = new AbortController();
  readonly progress: Progress[] = [];
  inventory: Inventory;

  constructor(targets: Readonly<Record<string, Partial<Target>>> = { alpha: {} }, limits = { hosts: 8, perZone: 8 }) {
    for (const id of Object.keys(targets))
      this.hosts.set(id, new ScriptedHost(id, this.clock, (touch) => this.happened.push({ touch })));
    this.inventory = {
      file: 'inventory.yaml',
      sha256: '0'.repeat(64),
      engagement: {
        id: 'e-1',
        authorizedBy: 'ciso',
        contacts: [],
        signedPlans: false,
        neverTouch: [],
        sink: 'loopback',
      },
      windows: [
        {
          id: 'today',
          groups: ['all'],
          open: { kind: 'span', from: instant(0), to: shift(this.clock.now(), 86_400_000) },
          freezes: [],
          cleanupReserve: duration(60_000),
        },
      ],
      targets: Object.entries(targets).map(([id, more]) => ({
        id,
        platform: 'linux',
        address: `${id}.example.org`,
        transport: { kind: 'scripted', settings: {}, channels: ['exec', 'shell'] },
        accounts: [{ name: 'alice', role: 'standard', settings: {} }],
        executables: {},
        interpreter: '/usr/bin/python3',
        groups: ['all'],
        role: 'web-server',
        owner: 'platform',
        criticality: 'low',
        zone: 'zone',
        names: { siem: [id] },
        fidelity: 'real',
        parallel: 4,
        ...more,
      })),
      siems: [{ id: 'siem', kind: 'scripted', settings: {} }],
      expectations: [],
      limits,
      python: [],
    };
  }

  host(id = 'alpha'): ScriptedHost {
    const host = this.hosts.get(id);
    if (host === undefined) throw new Error(`no host ${id}`);
    return host;
  }

  planned(name: string, ask: Ask = {}): PlannedExecution {
    const { target = 'alpha', account = 'alice', phase = 'emulations', steps = [step], creates = [] } = ask;
    return {
      id: `${target}/${account}/${name}`,
      phase,
      purpose: phase === 'twins' ? 'twin' : phase === 'emulations' ? 'emulation' : 'control',
      scenario: `linux/${name}`,
      title: name,
      analytic: 'AN0174',
      target,
      account,
      channel: 'exec',
      steps,
      creates,
      expect: [
        {
          siem: 'siem',
          sources: ['auditd:SYSCALL/execve'],
          context: ['host'],
          eventWithin: duration(1_000),
          rules: phase === 'emulations' ? ['the-rule'] : [],
          alertWithin: duration(5_000),
          observeFor: duration(10_000),
          stance: phase === 'emulations' ? 'must-alert' : 'must-stay-quiet',
          attribution: 'exact',
        },
      ],
    };
  }

  plan(executions: readonly PlannedExecution[]): Plan {
    const { file, sha256, targets, engagement } = this.inventory;
    return {
      schema: 'detproof/plan/1',
      runId: 'run-1',
      createdAt: this.clock.now(),
      engagement: engagement.id,
      inventory: { file, sha256 },
      scenarios: [],
      targets: targets.map(({ id }) => ({ id, until: shift(this.clock.now(), 86_400_000) })),
      executions,
      leftOut: [],
    };
  }

  execute(executions: readonly PlannedExecution[]): ReturnType<typeof execute> {
    const { inventory, journal, evidence, clock, random } = this;
    return execute({
      plan: this.plan(executions),
      done: new Set(),
      transports: ({ id }) => this.host(id).transport,
      deps: { inventory, journal, evidence, clock, random, payloads },
      interrupt: this.interrupt.signal,
      halt: AbortSignal.any([this.halt.signal, this.interrupt.signal]),
      progress: (progress) => this.progress.push(progress),
    });
  }

  get touches(): readonly Touch[] {
    return this.happened.flatMap((one) => ('touch' in one ? [one.touch] : []));
  }
}
