/** One run for the benchmark of size, in a process of its own: its order as JSON in the first argument, what it cost as JSON on standard output. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { resourceUsage } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { zipSync, zlibSync } from 'fflate';
import ssh from '../../adapters/transports/ssh/index.ts';
import type { Execution } from '../../runner/domain/execution.ts';
import type { Plan, PlannedExecution } from '../../runner/domain/plan.ts';
import type { Question } from '../../runner/domain/siem.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import { begin, carryOut, conclude, watch } from '../../runner/pipeline/run.ts';
import { discoverReports } from '../../runner/plugins.ts';
import type { Clock } from '../../runner/ports.ts';
import { Redactor } from '../../runner/store/redact.ts';
import { runsIn } from '../../runner/store/runs.ts';
import { realDeps } from '../contract/authorized-target.ts';
import { attackFacts } from '../fakes/attack-facts.ts';
import { ScriptedSiem, whole } from '../fakes/scripted-siem.ts';
import { Site } from '../fakes/site.ts';

export type ScaleOrder = {
  readonly addresses: readonly string[];
  readonly scenarios: number;
  readonly port: number;
  readonly key: string;
  readonly knownHosts: readonly string[];
  readonly out: string;
};
export type ScaleCost = {
  readonly executions: number;
  readonly detected: number;
  readonly seconds: { readonly execute: number; readonly observe: number; readonly conclude: number };
  readonly cpuSeconds: number;
  readonly peakMiB: number;
};

const project = fileURLToPath(new URL('../..', import.meta.url));
const order = JSON.parse(process.argv[2] ?? '') as ScaleOrder;
const account = 'user';
const clock: Clock = {
  now: () => instant(Date.now()),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, { signal });
  },
};

/** The inventory of a site in memory, with hosts that are there; all of them are worked on at once. */
function makeSite(): Site {
  const { addresses, port, key, knownHosts } = order;
  const host = (address: string) => ({
    address,
    transport: { kind: 'ssh', settings: { port, knownHosts }, channels: ['exec'] as const },
    accounts: [{ name: account, role: 'standard', settings: { key: `file:${key}` } }],
  });
  const limits = { hosts: addresses.length, perZone: addresses.length };
  const site = new Site(Object.fromEntries(addresses.map((address) => [address, host(address)])), limits);
  const open = { kind: 'span', from: instant(0), to: shift(clock.now(), 86_400_000) } as const;
  site.inventory = { ...site.inventory, windows: site.inventory.windows.map((window) => ({ ...window, open })) };
  return site;
}

/** On each host a control before, the scenarios, and a control after. */
function makePlan(site: Site): Plan {
  const names = Array.from({ length: order.scenarios }, (_, index) => `scenario-${index}`);
  const soon = (planned: PlannedExecution): PlannedExecution => ({
    ...planned,
    expect: planned.expect.map((one) => ({ ...one, observeFor: duration(1_000), alertWithin: duration(60_000) })),
  });
  const executions = order.addresses.flatMap((target) => [
    site.planned('control#before', { target, account, phase: 'control-before' }),
    ...names.map((name) => site.planned(name, { target, account })),
    site.planned('control#after', { target, account, phase: 'control-after' }),
  ]);
  const plan = site.plan(executions.map(soon));
  const until = shift(clock.now(), 3_600_000);
  return { ...plan, createdAt: clock.now(), targets: plan.targets.map((target) => ({ ...target, until })) };
}

/** In memory, and at once: every event is there as soon as it is asked for, and every emulation has its alert. */
function makeSiem(executions: ReadonlyMap<string, Execution>, plan: Plan): ScriptedSiem {
  const purposes = new Map(plan.executions.map(({ id, purpose }) => [id, purpose]));
  const raw = { sha256: 'b'.repeat(64), bytes: 2, mediaType: 'application/json' };
  const matched = { by: 'marker', field: 'process.args' } as const;
  const found = ({ traces }: Question) =>
    traces.flatMap(({ marker, hosts }) => {
      const execution = executions.get(marker);
      const truth = execution?.receipt.finished;
      return execution === undefined || truth === undefined ? [] : [{ marker, host: hosts[0], execution, truth }];
    });
  const siem = new ScriptedSiem();
  siem.serverTime = () => clock.now();
  siem.onEvents = (question) =>
    whole(
      found(question).map(({ marker, host, truth }) => ({
        ...{ marker, matched, raw, source: 'auditd:SYSCALL/execve', id: `event of ${marker}` },
        ...{ time: truth.time, ingested: truth.time, pid: truth.pid, fields: { host, process: truth.executable } },
      })),
    );
  siem.onAlerts = (question) =>
    whole(
      found(question).flatMap(({ marker, execution, truth }) =>
        purposes.get(execution.execution) === 'emulation'
          ? [
              {
                ...{ marker, matched, raw, id: `alert on ${marker}`, time: truth.time, techniques: [], events: [] },
                rule: { id: 'the-rule', name: 'The rule' },
              },
            ]
          : [],
      ),
    );
  siem.onRules = ({ rules, window }) =>
    whole(rules.map((rule) => ({ rule, name: rule, enabled: 'all', ran: [window], failures: [], raw })));
  return siem;
}

const site = makeSite();
const plan = makePlan(site);
const redactor = new Redactor();
const kept = await runsIn(order.out, { clock, redactor }).create(plan.runId);
const executions = new Map<string, Execution>();
const run: typeof kept = {
  ...kept,
  journal: {
    async append(record) {
      if (record.type === 'execution') executions.set(record.data.marker, record.data);
      return kept.journal.append(record);
    },
  },
};
const transport = ssh.open({ ...realDeps, clock });
const never = new AbortController().signal;
const letters = 'abcdefghijklmnopqrstuvwxyz';
const conductor: Parameters<typeof begin>[0] & Parameters<typeof carryOut>[0] = {
  run,
  inventory: site.inventory,
  attack: attackFacts,
  clock,
  random: { name: (length) => Array.from({ length }, () => letters[randomInt(26)] ?? 'a').join('') },
  payloads: {
    read: (name) => readFileSync(join(project, 'scenarios/payloads', basename(name)), 'utf8'),
    zip: (entries) => zipSync(entries, { level: 0 }),
    deflate: (bytes) => zlibSync(bytes),
    executable: () => new Uint8Array(),
  },
  operator: 'bench@here',
  toolVersion: '0.0.0',
  referenceRules: new Set(),
  transports: () => transport,
  siems: new Map([['siem', makeSiem(executions, plan)]]),
  reporters: [...(await discoverReports(join(project, 'reports'))).values()].map(({ reporter }) => reporter),
  progress: () => undefined,
  interrupt: never,
  halt: never,
};

const times = [performance.now()];
const lap = (): number => {
  const now = performance.now();
  const before = times.at(-1) ?? now;
  times.push(now);
  return (now - before) / 1_000;
};
await begin(conductor, plan);
await carryOut(conductor, plan);
const execute = lap();
await watch(conductor, plan);
const observe = lap();
const report = await conclude(conductor, plan);
const seconds = { execute, observe, conclude: lap() };
await kept[Symbol.asyncDispose]();
const { user, system } = process.cpuUsage();
const cost: ScaleCost = {
  executions: report.executions.filter(({ execution }) => execution?.outcome.kind === 'finished').length,
  detected: report.executions.filter(({ assessments }) => assessments[0]?.verdict === 'detected').length,
  seconds,
  cpuSeconds: (user + system) / 1e6,
  peakMiB: resourceUsage().maxRSS / 1024,
};
process.stdout.write(JSON.stringify(cost));
