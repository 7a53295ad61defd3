import type { Inventory, Target, Window } from '../domain/inventory.ts';
import type { OwnerHost, OwnerPage, OwnerStep, OwnerWork } from '../domain/owner-page.ts';
import type { Plan, PlannedExecution } from '../domain/plan.ts';
import { posixCommandLine } from '../domain/posix-quote.ts';
import type { PythonStep, Scenario } from '../domain/scenario.ts';
import { duration } from '../domain/time.ts';
import { windowsCommandLine } from '../domain/windows-quote.ts';
import { dialectOf } from './dialect.ts';
import { type Fit, fitOf, tightText } from './estimate.ts';
import { type Invocation, invocation, type Payloads, type Place } from './invocation.ts';
import { longestMs } from './needs.ts';

export type OwnersRequest = {
  readonly plan: Plan;
  readonly inventory: Inventory;
  readonly scenarios: readonly Scenario[];
  readonly payloads: Payloads;
  readonly operator: string;
};

/** For each owner of a planned host what the plan does there, in the order of their names. Pure, as reading payloads is. */
export function ownerPages(request: OwnersRequest): readonly OwnerPage[] {
  const { plan, inventory, operator } = request;
  const { authorizedBy, changeTicket, contacts, id, sink } = inventory.engagement;
  const fits = new Map(fitOf(plan).map((fit) => [fit.target, fit]));
  const planned = inventory.targets.filter((target) => fits.has(target.id));
  const byTarget = Map.groupBy(plan.executions, ({ target }) => target);
  return [...Map.groupBy(planned, ({ owner }) => owner)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([owner, targets]) => {
      const own = new Set(inventory.targets.filter((target) => target.owner === owner).map((target) => target.id));
      return {
        owner,
        runId: plan.runId,
        createdAt: plan.createdAt,
        operator,
        engagement: { id, authorizedBy, contacts, sink, ...(changeTicket === undefined ? {} : { changeTicket }) },
        hosts: targets.flatMap((target) => hostOf(target, fits.get(target.id), byTarget.get(target.id) ?? [], request)),
        works: worksOf(targets, byTarget, request),
        leftOut: plan.leftOut.filter(({ what }) => own.has(what.split('/')[0] ?? '')),
      };
    });
}

function hostOf(
  target: Target,
  fit: Fit | undefined,
  executions: readonly PlannedExecution[],
  { plan, inventory }: OwnersRequest,
): readonly OwnerHost[] {
  if (fit === undefined) return [];
  const {
    id,
    address,
    platform,
    role,
    zone,
    criticality,
    fidelity,
    interpreter,
    sensors = [],
    jumpHosts = [],
  } = target;
  const { wave, until, needs } = fit;
  const windows = inventory.windows.filter(({ groups }) => groups.some((group) => target.groups.includes(group)));
  return [
    {
      ...{ id, address, platform, role, zone, criticality, fidelity, interpreter, sensors, wave, until, needs },
      accounts: [...new Set(executions.map(({ account }) => account))],
      reachedBy:
        jumpHosts.length === 0 ? target.transport.kind : `${target.transport.kind} through ${jumpHosts.join(', ')}`,
      waves: plan.targets.reduce((last, one) => Math.max(last, one.wave ?? 1), 1),
      ...(fit.fits ? {} : { tight: tightText(fit) }),
      windows: windows.flatMap(windowText),
    },
  ];
}

const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

function windowText({ id, open, freezes, cleanupReserve }: Window): readonly string[] {
  const clock = (minute: number): string =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  const when =
    open.kind === 'span'
      ? `from ${open.from} to ${open.to}`
      : `${open.days.map((day) => days[day - 1] ?? '').join(', ')} from ${clock(open.fromMinute)} to ${clock(open.toMinute)} ${open.timeZone}`;
  return [
    `${id}: ${when}, of which the last ${Math.round(cleanupReserve / 1_000)} s are kept for clean-up`,
    ...freezes.map(({ from, to, because }) => `${id} is frozen from ${from} to ${to}: ${because}`),
  ];
}

/** What is done, once for all hosts on which it is the same. */
function worksOf(
  targets: readonly Target[],
  byTarget: ReadonlyMap<string, readonly PlannedExecution[]>,
  request: OwnersRequest,
): OwnerPage['works'] {
  const of = ({ id }: Target): readonly PlannedExecution[] => byTarget.get(id) ?? [];
  const likeness = (target: Target): string =>
    JSON.stringify([
      target.platform,
      target.interpreter,
      target.executables,
      of(target).map(({ id }) => id.slice(target.id.length)),
    ]);
  return [...Map.groupBy(targets, likeness).values()].flatMap((alike) => {
    const [first] = alike;
    if (first === undefined) return [];
    const works = Map.groupBy(of(first), ({ scenario, variant, channel }) => `${scenario}@${variant ?? ''} ${channel}`);
    return {
      hosts: alike.map(({ id }) => id),
      items: [...works.values()].flatMap((same) => workOf(same, first, request)),
    };
  });
}

function workOf(
  executions: readonly PlannedExecution[],
  target: Target,
  { scenarios, payloads, inventory }: OwnersRequest,
): readonly OwnerWork[] {
  const [first] = executions;
  if (first === undefined) return [];
  const { scenario, variant, title, purpose, steps, creates } = first;
  const dialect = dialectOf(target.platform);
  const { sink } = inventory.engagement;
  const place: Place = {
    ...{ separator: dialect.separator, programSuffix: dialect.programSuffix, executables: target.executables },
    ...{ home: '{{home}}', run: '{{run}}', marker: '{{marker}}', alias: '{{name}}', interpreter: target.interpreter },
    receiptPath: ['{{home}}', '{{run}}', 'receipt.jsonl'].join(dialect.separator),
    ...(sink === 'loopback' ? {} : { sink }),
  };
  const done = steps.map((step) => stepOf(step, place, target, payloads));
  const harmless = scenarios.find(({ id }) => id === scenario)?.harmless;
  return [
    {
      scenario,
      ...(variant === undefined ? {} : { variant }),
      ...{ title, purpose },
      ...(harmless === undefined ? {} : { harmless }),
      accounts: [...new Set(executions.map(({ account }) => account))],
      times: executions.length,
      steps: done.map(({ shown }) => shown),
      makes: [...new Set([`{{home}}${dialect.separator}{{run}}`, ...creates, ...done.flatMap(({ makes }) => makes)])],
      network: steps.some(({ script }) => script !== 'receipt.py' && connects(payloads.read(script)))
        ? `TCP to ${sink === 'loopback' ? 'the host itself (loopback) only' : sink}`
        : 'none',
      longest: duration(longestMs(steps, target.platform)),
    },
  ];
}

/** Payloads connect to loopback or to the sink and nowhere else; one that names either is said to connect, which may be too much. */
function connects(source: string): boolean {
  return /\b(?:socket|http|urllib|asyncio|SINK|loopback|localhost)\b|127\.0\.0\.1/.test(source);
}

/** What is handed to the host's own scheduler; a dated entry bears a sample of a date. */
function scheduledText(ready: Invocation, { via }: PythonStep, platform: Target['platform']): string | undefined {
  if (via === 'session') return undefined;
  const { schedulers, separator } = dialectOf(platform);
  const { sampleAnswer = '', schedule } = schedulers[via] ?? {};
  const place = { folder: `{{home}}${separator}{{run}}`, name: '{{name}}', told: sampleAnswer, offsetMs: 0 };
  try {
    const scheduled = schedule?.(ready, place);
    if (scheduled === undefined) return undefined;
    const { shown, files } = scheduled;
    const dated = sampleAnswer === '' ? [] : ['(dated to one minute of the day it runs; here that is a sample)'];
    return [...dated, shown, ...files.map(({ bytes }) => new TextDecoder().decode(bytes))].join('\n');
  } catch (error) {
    if (error instanceof RangeError) return `(${via} will not take it: ${error.message})`;
    throw error;
  }
}

/** Above this many characters a word is shown apart. */
const longWord = 300;

function stepOf(
  step: PythonStep,
  place: Place,
  target: Target,
  payloads: Payloads,
): { readonly shown: OwnerStep; readonly makes: readonly string[] } {
  const by = step.via === 'session' ? 'the login session' : `${step.via}, once`;
  const startedBy = step.privilege === undefined ? by : `${by}, with the rights of an administrator`;
  // The operator's own executable is not read for this: its path and hash are in the inventory.
  const known = { ...payloads, executable: () => new Uint8Array() };
  const ready = invocation(step, place, known);
  const line = target.platform === 'windows' ? windowsCommandLine : posixCommandLine;
  const [program, ...rest] = ready.argv;
  const short: Invocation['argv'] = [
    program,
    ...rest.map((word) => (word.length > longWord ? '<the source below>' : word)),
  ];
  const long = ready.argv.find((word) => word.length > longWord);
  const source = long ?? (ready.stdin === undefined ? undefined : new TextDecoder().decode(ready.stdin));
  const lines = [
    ...ready.copies.map(({ kind, from, to }) => `(${kind} of ${from} as ${to})`),
    ...(ready.compile === undefined ? [] : [line(ready.compile)]),
    scheduledText({ ...ready, argv: short }, step, target.platform) ??
      `${line(short)}${ready.stdin === undefined ? '' : ' < the source below'}`,
  ];
  const ofFile = ready.files.find(({ path }) => path.endsWith('.py'));
  const text = source ?? (ofFile === undefined ? undefined : new TextDecoder().decode(ofFile.bytes));
  return {
    shown: {
      command: lines.join('\n'),
      ...(text === undefined ? {} : { source: text }),
      startedBy: ready.cwd === undefined ? startedBy : `${startedBy}, in ${ready.cwd}`,
    },
    makes: [...ready.files.map(({ path }) => path), ...ready.copies.map(({ to }) => to), place.receiptPath],
  };
}
