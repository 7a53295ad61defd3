import type { Plan } from '../../runner/domain/plan.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import type { RecordLine } from '../../runner/domain/record.ts';
import type { EventHit, Question } from '../../runner/domain/siem.ts';
import { shift } from '../../runner/domain/time.ts';
import type { KeptRun, OpenRun, OutputFile } from '../../runner/ports.ts';
import type { Conductor } from '../../runner/pipeline/run.ts';
import { attackFacts } from './attack-facts.ts';
import { ScriptedSiem, whole } from './scripted-siem.ts';
import { payloads, type Site } from './site.ts';

/** A run folder in memory, on the journal and evidence of a site. */
export class MemoryRun implements OpenRun {
  readonly id = 'run-1';
  readonly path = '/out/runs/run-1';
  readonly setAside: string | undefined = undefined;
  plan: unknown;
  report: RunReport | undefined;
  files: readonly OutputFile[] = [];
  readonly #site: Site;

  constructor(site: Site) {
    this.#site = site;
  }

  get journal(): OpenRun['journal'] {
    return this.#site.journal;
  }

  get evidence(): OpenRun['evidence'] {
    return this.#site.evidence;
  }

  keepPlan(plan: unknown): Promise<string> {
    this.plan = plan;
    return Promise.resolve('f'.repeat(64));
  }

  keepReport(report: unknown, files: readonly OutputFile[]): Promise<void> {
    this.report = report as RunReport;
    this.files = files;
    return Promise.resolve();
  }

  stopAsked(): Promise<boolean> {
    return Promise.resolve(false);
  }

  read(): Promise<KeptRun> {
    const { records } = this.#site.journal;
    return Promise.resolve({
      id: this.id,
      path: this.path,
      planSha256: this.plan === undefined ? '' : 'f'.repeat(64),
      hasReport: this.report !== undefined,
      records: [...records],
      head: { lines: records.length, headSha256: '0'.repeat(64) },
      evidence: this.evidence,
      excerpt: (ref) => ({ text: ref.sha256.slice(0, 8), cut: false }),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A conductor over a site, with one SIEM. */
export function conductorOf(site: Site, run: OpenRun, siem: ScriptedSiem): Conductor {
  return {
    run,
    inventory: site.inventory,
    attack: attackFacts,
    clock: site.clock,
    random: site.random,
    payloads,
    operator: 'tester@here',
    toolVersion: '0.0.0',
    referenceRules: new Set(),
    transports: ({ id }) => site.host(id).transport,
    siems: new Map([['siem', siem]]),
    reporters: [{ render: (report) => [{ path: 'x.txt', mediaType: 'text/plain', text: report.outcome.sentence }] }],
    progress: (progress) => site.progress.push(progress),
    interrupt: site.interrupt.signal,
    halt: AbortSignal.any([site.halt.signal, site.interrupt.signal]),
  };
}

/** A SIEM that is well: every event arrives whole, the rule alerts on every emulation and on nothing else. */
export function wellSiem(site: Site, plan: Plan): ScriptedSiem {
  const siem = new ScriptedSiem();
  siem.serverTime = () => site.clock.now();
  const raw = { sha256: 'b'.repeat(64), bytes: 2, mediaType: 'application/json' };
  const of = (marker: string): Extract<RecordLine, { type: 'execution' }>['data'] | undefined =>
    site.journal.of('execution').find((one) => one.marker === marker);
  const events = (question: Question): readonly EventHit[] =>
    question.traces.flatMap(({ marker, hosts }): readonly EventHit[] => {
      const execution = of(marker);
      if (execution?.receipt.finished === undefined) return [];
      const at = shift(execution.startedAt, 500);
      const matched = { by: 'marker', field: 'process.args' } as const;
      return [
        {
          marker,
          matched,
          source: 'auditd:SYSCALL/execve',
          id: `event of ${marker}`,
          time: at,
          ingested: at,
          pid: 77,
          fields: { host: hosts[0], process: '/usr/bin/python3' },
          raw,
        },
      ];
    });
  siem.onEvents = (question) => whole(events(question));
  siem.onAlerts = (question) =>
    whole(
      events(question).flatMap(({ marker, matched, time }) =>
        plan.executions.find(({ id }) => id === of(marker)?.execution)?.purpose === 'emulation'
          ? [
              {
                ...{ marker, matched, time, raw, id: `alert on ${marker}`, rule: { id: 'the-rule', name: 'The rule' } },
                ...{ techniques: [], events: [] },
              },
            ]
          : [],
      ),
    );
  siem.onRules = ({ rules, window }) =>
    whole(rules.map((rule) => ({ rule, name: rule, enabled: 'all', ran: [window], failures: [], raw })));
  return siem;
}
