import { authorize, authorizeCleanup, type AuthorizedTarget } from '../domain/authorize.ts';
import type {
  Cleanup,
  CleanupResult,
  CleanupStep,
  CommandRecord,
  Execution,
  ExecutionOutcome,
  Intent,
  Receipt,
} from '../domain/execution.ts';
import type { Reason } from '../domain/fact.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { PlannedExecution } from '../domain/plan.ts';
import { posixCommandLine, posixQuote } from '../domain/posix-quote.ts';
import { parseReceipt } from '../domain/receipt.ts';
import type { PythonStep } from '../domain/scenario.ts';
import { duration, type DurationMs, elapsed, type Instant, instant } from '../domain/time.ts';
import {
  type Clock,
  type Command,
  type CommandOutcome,
  type EvidenceStore,
  type Journal,
  type Random,
  TransportFailure,
} from '../ports.ts';
import { undo } from './clean-up.ts';
import { failureReason, type Host, type Probe } from './host.ts';
import { addCrontabLine, cronTime, prepare } from './host-shell.ts';
import { fill, invocation, type Invocation, type Payloads, type Place } from './invocation.ts';

export type ExecuteDeps = {
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly evidence: EvidenceStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly payloads: Payloads;
};

export type Where = {
  readonly target: Target;
  readonly host: Host;
  readonly probe: Probe;
  /** Held while the account's crontab is read and written. */
  readonly crontab: <T>(work: () => Promise<T>) => Promise<T>;
};

/** Time for preparing, reading the receipt and cleaning up, besides the steps' own time-outs. */
const overheadMs = 15_000;
const receiptMaxBytes = 256 * 1024;

/**
 * One execution from intent to clean-up. Never throws for what the target does: every end is an {@link Execution}, which is in
 * the journal when this returns. Throws when the journal or the evidence store cannot be written.
 */
export async function executeOne(
  plan: PlannedExecution,
  where: Where,
  deps: ExecuteDeps,
  signal: AbortSignal,
): Promise<Execution> {
  const startedAt = deps.clock.now();
  const marker = deps.random.name(24);
  const run = deps.random.name(12);
  const needs = duration(plan.steps.reduce((sum, { timeout }) => sum + timeout, overheadMs));
  const allowed = authorize(deps.inventory, where.target, plan.account, startedAt, needs);
  const finish = async (rest: Pick<Execution, 'outcome' | 'commands' | 'receipt' | 'cleanup'>): Promise<Execution> => {
    const execution: Execution = {
      execution: plan.id,
      marker,
      run,
      startedAt,
      endedAt: deps.clock.now(),
      ...(where.probe.clock === undefined ? {} : { clock: where.probe.clock }),
      ...rest,
    };
    await deps.journal.append({ type: 'execution', data: execution });
    return execution;
  };
  if (allowed.is === 'refused')
    return finish({ outcome: { kind: 'not-run', why: allowed.why }, commands: [], receipt: {}, cleanup: nothing });

  const body = new Body(plan, where, deps, allowed.target, signal, { marker, run, at: startedAt });
  await body.declare();
  let outcome: ExecutionOutcome;
  try {
    outcome = await body.act();
  } catch (error) {
    // Ours, not the target's (a full disk, say): the target is tidied all the same.
    await body.cleanUp();
    throw error;
  }
  const cleanup = await body.cleanUp();
  return finish({ outcome, commands: body.commands, receipt: body.receipt, cleanup });
}

const nothing: CleanupResult = { done: [], leftBehind: [] };

/** An outcome reached early: thrown inside `act`, a value outside of it. */
class Ended extends Error {
  readonly outcome: ExecutionOutcome;
  constructor(outcome: ExecutionOutcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

class Body {
  readonly #plan: PlannedExecution;
  readonly #where: Where;
  readonly #deps: ExecuteDeps;
  readonly #target: AuthorizedTarget;
  readonly #signal: AbortSignal;
  readonly #base: { readonly marker: string; readonly run: string; readonly at: Instant };
  readonly #place: Omit<Place, 'receiptPath'>;
  readonly #fresh: readonly string[];
  readonly #parents: readonly string[];
  #steps: CleanupStep[];
  readonly commands: CommandRecord[] = [];
  receipt: Receipt = {};

  constructor(
    plan: PlannedExecution,
    where: Where,
    deps: ExecuteDeps,
    target: AuthorizedTarget,
    signal: AbortSignal,
    base: { readonly marker: string; readonly run: string; readonly at: Instant },
  ) {
    this.#plan = plan;
    this.#where = where;
    this.#deps = deps;
    this.#target = target;
    this.#signal = signal;
    this.#base = base;
    const { home } = where.probe;
    const interpreter = where.target.interpreter;
    this.#place = { home, run: base.run, marker: base.marker, interpreter, alias: deps.random.name(8) };
    this.#fresh = [`${home}/${base.run}`, ...plan.creates.map((path) => fill(path, this.#place))];
    this.#parents = missingParents(plan.creates, where.probe, home);
    this.#steps = [
      { kind: 'end-processes', marker: base.marker },
      ...this.#fresh.map((path) => ({ kind: 'remove' as const, path })),
      ...this.#parents.map((path) => ({ kind: 'remove-if-empty' as const, path })),
    ];
  }

  /** On disk before the first touch; again, with the crontab line, before that is written. */
  async declare(): Promise<void> {
    const cleanup: Cleanup = { kind: 'steps', steps: this.#steps };
    const intent: Intent = { execution: this.#plan.id, ...this.#base, cleanup };
    await this.#deps.journal.append({ type: 'intent', data: intent });
  }

  async act(): Promise<ExecutionOutcome> {
    try {
      for (const [index, step] of this.#plan.steps.entries()) await this.#step(step, index);
      return { kind: 'finished' };
    } catch (error) {
      if (error instanceof Ended) return error.outcome;
      if (!(error instanceof TransportFailure)) throw error;
      const why = failureReason(error);
      // Once a payload said that it started, or may have, nothing that follows can make it "not run".
      return this.receipt.started !== undefined || why.class === 'broken-off' || why.class === 'interrupted'
        ? { kind: 'broken-off', why }
        : { kind: 'not-run', why };
    }
  }

  async cleanUp(): Promise<CleanupResult> {
    const allowed = authorizeCleanup(
      this.#deps.inventory,
      this.#where.target,
      this.#plan.account,
      this.#deps.clock.now(),
    );
    if (allowed.is === 'refused') throw new Error(`clean-up was refused where the run was not: ${allowed.why.detail}`);
    const usesCrontab = this.#steps.some(({ kind }) => kind === 'remove-crontab-line');
    const work = (): Promise<CleanupResult> => undo(this.#where.host, allowed.target, this.#steps);
    return usesCrontab ? this.#where.crontab(work) : work();
  }

  async #step(step: PythonStep, index: number): Promise<void> {
    const receiptPath = `${this.#place.home}/${this.#place.run}/receipt${index === 0 ? '' : `-${index}`}.jsonl`;
    const ready = invocation(step, { ...this.#place, receiptPath }, this.#deps.payloads);
    await this.#prepare(ready, index === 0);
    for (const file of ready.files)
      await this.#where.host.use(this.#target, this.#signal, async (session) => {
        await session.put(file, this.#signal);
      });
    const exit =
      step.via === 'cron' ? await this.#schedule(step, ready, receiptPath) : await this.#start(step, ready, index);
    await this.#readReceipt(receiptPath);
    if (this.receipt.finished !== undefined) return;
    throw new Ended(this.#unfinished(exit));
  }

  async #prepare(ready: Invocation, first: boolean): Promise<void> {
    const inner = [...new Set(ready.files.map(({ path }) => path.slice(0, path.lastIndexOf('/'))))];
    const command = prepare(
      { fresh: first ? this.#fresh : [], parents: first ? this.#parents : [], inner },
      ready.copies,
    );
    const outcome = await this.#record('prepare', command, 20_000);
    if (outcome.exit.kind === 'code' && outcome.exit.code === 0) return;
    const text = decode(outcome.stdout).trim();
    if (!text.startsWith('exists '))
      throw new Ended({
        kind: 'not-run',
        why: {
          class: 'not-started',
          detail: `could not prepare: ${decode(outcome.stderr).trim() || describe(outcome)}`,
        },
      });
    // What was there before us is not ours to remove.
    this.#steps = this.#steps.filter(({ kind }) => kind === 'end-processes');
    throw new Ended({
      kind: 'not-run',
      why: { class: 'in-the-way', detail: `${text.slice(7)} is there already; it was left alone` },
    });
  }

  async #start(step: PythonStep, ready: Invocation, index: number): Promise<CommandOutcome> {
    const command: Command = {
      argv: ready.argv,
      channel: this.#plan.channel,
      ...(ready.cwd === undefined ? {} : { cwd: ready.cwd }),
      ...(ready.stdin === undefined ? {} : { stdin: ready.stdin }),
    };
    return this.#record(`step ${index + 1}`, command, step.timeout);
  }

  /** One line in the account's crontab, dated to one minute of one day and guarded by the year, so that it can fire once only. */
  async #schedule(step: PythonStep, ready: Invocation, receiptPath: string): Promise<CommandOutcome | undefined> {
    const { host, crontab } = this.#where;
    const told = decode((await this.#record('read the clock', cronTime(), 20_000)).stdout).split('\n');
    const match = /^(\d\d) (\d\d) (\d\d) (\d\d) (\d{12})$/.exec(told[0] ?? '');
    const fireAt = Number(told[1]) * 1_000 - (this.#where.probe.clock?.offsetMs ?? 0);
    if (match === null || !Number.isFinite(fireAt))
      throw new Ended({ kind: 'not-run', why: { class: 'protocol', detail: 'the host did not say what time it is' } });
    const [, minute, hour, day, month, guard] = match as unknown as [string, string, string, string, string, string];
    const go = `${ready.cwd === undefined ? '' : `cd ${posixQuote(ready.cwd)} && `}exec ${posixCommandLine(ready.argv)}`;
    // In a crontab `%` means a new line unless it is escaped (crontab(5)).
    const line =
      `${minute} ${hour} ${day} ${month} * [ "$(date +%Y%m%d%H%M)" = ${guard} ] && ${go} >/dev/null 2>&1`.replaceAll(
        '%',
        '\\%',
      );
    this.#steps = [{ kind: 'remove-crontab-line', line }, ...this.#steps];
    await this.declare();
    const outcome = await crontab(() => this.#record('schedule', addCrontabLine(line), 20_000, line));
    if (outcome.exit.kind !== 'code' || outcome.exit.code !== 0)
      throw new Ended({
        kind: 'not-run',
        why: {
          class: 'not-started',
          detail: `the crontab was refused: ${decode(outcome.stderr).trim() || describe(outcome)}`,
        },
      });
    const deadline = instant(fireAt + step.timeout);
    while (this.#deps.clock.now() < deadline && !this.#signal.aborted) {
      const left = elapsed(this.#deps.clock.now(), instant(fireAt));
      await this.#deps.clock.sleep(clamp(left, 1_000, 90_000), this.#signal).catch(() => undefined);
      const bytes = await host
        .use(this.#target, this.#signal, (session) =>
          session.get(receiptPath, { maxBytes: receiptMaxBytes, signal: this.#signal }),
        )
        .catch((error: unknown) => {
          if (error instanceof TransportFailure && error.class === 'not-found') return undefined;
          throw error;
        });
      if (bytes !== undefined && parseReceipt(decode(bytes), this.#base.marker).finished !== undefined) break;
    }
    return undefined;
  }

  async #readReceipt(path: string): Promise<void> {
    // The receipt is read even when the run was interrupted: it decides between "not run" and "broken off".
    const signal = AbortSignal.timeout(20_000);
    try {
      const bytes = await this.#where.host.use(this.#target, signal, (session) =>
        session.get(path, { maxBytes: receiptMaxBytes, signal }),
      );
      const evidence = await this.#deps.evidence.put(bytes, 'application/x-ndjson');
      this.receipt = { ...parseReceipt(decode(bytes), this.#base.marker), evidence };
    } catch (error) {
      if (!(error instanceof TransportFailure) || error.class !== 'not-found') throw error;
      this.receipt = {};
    }
  }

  /** No finished receipt: was it never started, or did it not come to its end? */
  #unfinished(outcome: CommandOutcome | undefined): ExecutionOutcome {
    const brokenOff = (detail: string, reasonClass: Reason['class'] = 'broken-off'): ExecutionOutcome => ({
      kind: 'broken-off',
      why: { class: reasonClass, detail },
    });
    if (this.receipt.started !== undefined)
      return brokenOff(
        `the payload started and did not finish (${outcome === undefined ? 'by its time-out' : describe(outcome)})`,
      );
    if (this.#signal.aborted) return brokenOff('the run was interrupted', 'interrupted');
    if (outcome === undefined) return brokenOff('the cron daemon did not run the entry within its time-out', 'timeout');
    // 126 and 127 are the shell's own words for "could not be executed" and "not found" (POSIX, XCU 2.8.2).
    if (outcome.exit.kind === 'code' && (outcome.exit.code === 126 || outcome.exit.code === 127))
      return {
        kind: 'not-run',
        why: {
          class: 'not-started',
          detail: `the shell could not start it: ${decode(outcome.stderr).trim() || describe(outcome)}`,
        },
      };
    return brokenOff(`no receipt (${describe(outcome)}): it may have been stopped, or never have come so far`);
  }

  async #record(
    purpose: string,
    command: Command,
    timeoutMs: DurationMs | number,
    shown?: string,
  ): Promise<CommandOutcome> {
    const outcome = await this.#where.host.run(this.#target, command, { timeoutMs, signal: this.#signal });
    this.commands.push({
      purpose,
      channel: command.channel,
      sent: shown ?? outcome.sent,
      exit: outcome.exit,
      stdout: await this.#deps.evidence.put(outcome.stdout, 'text/plain'),
      stderr: await this.#deps.evidence.put(outcome.stderr, 'text/plain'),
      truncated: outcome.truncated,
      startedAt: outcome.startedAt,
      endedAt: outcome.endedAt,
    });
    return outcome;
  }
}

/** Fixed folders above what is created, innermost first, that the probe did not find. */
export function fixedParents(creates: readonly string[]): readonly string[] {
  const parents = new Set<string>();
  for (const path of creates) {
    const fixed = path.replace(/^\{\{home\}\}/, '~').split('/');
    const firstOwn = fixed.findIndex((part) => part.includes('{{'));
    for (let depth = firstOwn === -1 ? fixed.length - 1 : firstOwn; depth > 1; depth -= 1)
      parents.add(fixed.slice(0, depth).join('/'));
  }
  return [...parents].sort((a, b) => b.length - a.length);
}

function missingParents(creates: readonly string[], probe: Probe, home: string): readonly string[] {
  return fixedParents(creates)
    .map((path) => path.replace(/^~/, home))
    .filter((path) => probe.absent.has(path));
}

function describe({ exit }: CommandOutcome): string {
  switch (exit.kind) {
    case 'code':
      return `exit code ${exit.code}`;
    case 'signal':
      return `ended by ${exit.signal}`;
    case 'timeout':
      return exit.survivors.length === 0
        ? 'ended at its time-out'
        : `ended at its time-out; still there: ${exit.survivors.join(', ')}`;
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function clamp(value: number, least: number, most: number): DurationMs {
  return duration(Math.min(most, Math.max(least, value)));
}
