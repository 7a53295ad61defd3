import { authorizeCleanup, type AuthorizedTarget } from '../domain/authorize.ts';
import type {
  CleanupResult,
  CleanupStep,
  CommandRecord,
  ExecutionOutcome,
  Intent,
  Receipt,
} from '../domain/execution.ts';
import type { PlannedExecution } from '../domain/plan.ts';
import { parseReceipt } from '../domain/receipt.ts';
import type { PythonStep } from '../domain/scenario.ts';
import { duration, elapsed, shift } from '../domain/time.ts';
import { type Command, type CommandOutcome, TransportFailure } from '../ports.ts';
import { undo, undoUnderWay } from './clean-up.ts';
import { type Dialect, dialectOf, type Scheduled } from './dialect.ts';
import type { ExecuteDeps, Minted, Where } from './execute-deps.ts';
import { failureReason } from './host.ts';
import { complaint, Ended, notRun, refusedByShell, unfinished } from './how-it-ended.ts';
import { fill, invocation, type Invocation, type Place } from './invocation.ts';
import { missingParents } from './parents.ts';

const receiptMaxBytes = 256 * 1024;
const harnessTimeoutMs = 20_000;

/** What is done on the target for one execution: make room, put, start, read the receipt, tidy. */
export class Body {
  readonly #plan: PlannedExecution;
  readonly #where: Where;
  readonly #deps: ExecuteDeps;
  readonly #target: AuthorizedTarget;
  readonly #signal: AbortSignal;
  readonly #minted: Minted;
  readonly #dialect: Dialect;
  readonly #place: Omit<Place, 'receiptPath'>;
  readonly #fresh: readonly string[];
  readonly #parents: readonly string[];
  #steps: readonly CleanupStep[];
  /** From here on nothing can make it "not run" any more. */
  #mayHaveStarted = false;
  /** A scheduler was told something, and nobody knows whether the host is done with it. */
  #isOrderUnderWay = false;
  readonly commands: CommandRecord[] = [];
  receipt: Receipt = {};

  constructor(
    plan: PlannedExecution,
    where: Where,
    deps: ExecuteDeps,
    target: AuthorizedTarget,
    signal: AbortSignal,
    minted: Minted,
  ) {
    this.#plan = plan;
    this.#where = where;
    this.#deps = deps;
    this.#target = target;
    this.#signal = signal;
    this.#minted = minted;
    const { home } = where.probe;
    const { interpreter, executables, platform } = where.target;
    const { sink } = deps.inventory.engagement;
    this.#dialect = dialectOf(platform);
    const { separator, programSuffix } = this.#dialect;
    this.#place = {
      ...{ home, run: minted.run, marker: minted.marker, interpreter, executables, separator, programSuffix },
      alias: deps.random.name(8),
      ...(sink === 'loopback' ? {} : { sink }),
    };
    this.#fresh = [`${home}${separator}${minted.run}`, ...plan.creates.map((path) => fill(path, this.#place))];
    this.#parents = missingParents(plan.creates, where.probe, this.#dialect);
    this.#steps = this.#undoing(this.#fresh);
  }

  /** On disk before the first touch; again, with what is scheduled, before that is. */
  async declare(): Promise<void> {
    const intent: Intent = {
      execution: this.#plan.id,
      ...this.#minted,
      cleanup: { kind: 'steps', steps: this.#steps },
    };
    await this.#deps.journal.append({ type: 'intent', data: intent });
  }

  async act(): Promise<ExecutionOutcome> {
    try {
      for (const [index, step] of this.#plan.steps.entries()) await this.#step(step, index);
      return { kind: 'finished' };
    } catch (error) {
      if (!(error instanceof Ended) && !(error instanceof TransportFailure)) throw error;
      const outcome =
        error instanceof Ended ? error.outcome : ({ kind: 'not-run', why: failureReason(error) } as const);
      if (outcome.kind !== 'not-run') return outcome;
      const { why } = outcome;
      return this.#mayHaveStarted || why.class === 'broken-off' || why.class === 'interrupted'
        ? { kind: 'broken-off', why }
        : outcome;
    }
  }

  async cleanUp(): Promise<CleanupResult> {
    const { inventory, clock } = this.#deps;
    const { target, host, schedule } = this.#where;
    const allowed = authorizeCleanup(inventory, target, this.#plan.account, clock.now());
    if (allowed.is === 'refused') throw new Error(`clean-up was refused where the run was not: ${allowed.why.detail}`);
    const undoing = this.#isOrderUnderWay ? undoUnderWay : undo;
    const work = (): Promise<CleanupResult> => undoing(host, allowed.target, this.#steps);
    return this.#plan.steps.some(({ via }) => via !== 'session') ? schedule(work) : work();
  }

  #undoing(made: readonly string[]): readonly CleanupStep[] {
    return [
      { kind: 'end-processes', marker: this.#minted.marker },
      ...made.map((path) => ({ kind: 'remove' as const, path })),
      ...this.#parents.map((path) => ({ kind: 'remove-if-empty' as const, path })),
    ];
  }

  async #step(step: PythonStep, index: number): Promise<void> {
    const { home, run, separator } = this.#place;
    const receiptPath = `${home}${separator}${run}${separator}receipt${index === 0 ? '' : `-${index}`}.jsonl`;
    const ready = this.#ready(step, receiptPath);
    await this.#prepare(ready, index === 0);
    await this.#put(ready.files);
    if (ready.compile !== undefined) await this.#compile(ready.compile);
    let outcome: CommandOutcome | undefined;
    if (step.via === 'session') outcome = await this.#start(step, ready, index);
    else await this.#schedule(step, step.via, ready, receiptPath);
    await this.#readReceipt(receiptPath);
    if (this.receipt.finished === undefined) throw new Ended(unfinished(outcome, this.receipt, this.#signal.aborted));
  }

  #ready(step: PythonStep, receiptPath: string): Invocation {
    try {
      return invocation(step, { ...this.#place, receiptPath }, this.#deps.payloads);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Ended(notRun('not-started', error.message));
    }
  }

  async #put(files: Invocation['files']): Promise<void> {
    for (const file of files)
      await this.#where.host.use(this.#target, this.#signal, async (session) => {
        await session.put(file, this.#signal);
      });
  }

  async #compile(argv: Command['argv']): Promise<void> {
    const outcome = await this.#record('compile', { argv, channel: 'exec' }, harnessTimeoutMs);
    if (outcome.exit.kind !== 'code' || outcome.exit.code !== 0)
      throw new Ended(notRun('not-started', `could not compile: ${complaint(outcome)}`));
  }

  async #prepare(ready: Invocation, first: boolean): Promise<void> {
    const { separator } = this.#place;
    const inner = [...new Set(ready.files.map(({ path }) => path.slice(0, path.lastIndexOf(separator))))];
    const command = this.#dialect.prepare(
      { fresh: first ? this.#fresh : [], parents: first ? this.#parents : [], inner },
      ready.copies,
    );
    const outcome = await this.#record('prepare', command, harnessTimeoutMs);
    if (outcome.exit.kind === 'code' && outcome.exit.code === 0) return;
    const lines = decode(outcome.stdout).split(/\r?\n/);
    const inTheWay = lines.find((line) => line.startsWith('exists '))?.slice('exists '.length);
    // What was there before us is not ours to remove.
    if (first && inTheWay !== undefined)
      this.#steps = this.#undoing(this.#fresh.filter((path) => lines.includes(`made ${path}`)));
    throw new Ended(
      inTheWay === undefined
        ? notRun('not-started', `could not prepare: ${complaint(outcome)}`)
        : notRun('in-the-way', `${inTheWay} is there already; it was left alone`),
    );
  }

  async #start(step: PythonStep, ready: Invocation, index: number): Promise<CommandOutcome> {
    const command: Command = {
      argv: ready.argv,
      channel: this.#plan.channel,
      ...(ready.cwd === undefined ? {} : { cwd: ready.cwd }),
      ...(ready.stdin === undefined ? {} : { stdin: ready.stdin }),
      // On Windows the rights came with the login.
      ...(step.privilege === undefined || this.#where.target.platform === 'windows'
        ? {}
        : { privilege: step.privilege }),
    };
    const outcome = await this.#starting(() => this.#record(`step ${index + 1}`, command, step.timeout));
    if (!refusedByShell(outcome)) this.#mayHaveStarted = true;
    return outcome;
  }

  /** Has the host itself start the step, once, and waits for the receipt of what it starts. */
  async #schedule(
    step: PythonStep,
    via: Exclude<PythonStep['via'], 'session'>,
    ready: Invocation,
    receiptPath: string,
  ): Promise<void> {
    const { clock, random } = this.#deps;
    const scheduler = this.#dialect.schedulers[via];
    if (scheduler === undefined)
      throw new Ended(notRun('not-started', `there is no ${via} on ${this.#where.target.platform}`));
    const told =
      scheduler.ask === undefined
        ? ''
        : decode((await this.#record('read the clock', scheduler.ask(), harnessTimeoutMs)).stdout);
    const { home, run, separator } = this.#place;
    const offsetMs = this.#where.probe.clock?.offsetMs ?? 0;
    let scheduled: Scheduled | undefined;
    try {
      const folder = `${home}${separator}${run}`;
      scheduled = scheduler.schedule(ready, { folder, name: random.name(12), told, offsetMs });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Ended(notRun('not-started', error.message));
    }
    if (scheduled === undefined) throw new Ended(notRun('protocol', 'the host did not say what time it is'));
    const { undo: undoing, files, add, shown, fireAt = clock.now() } = scheduled;
    this.#steps = [undoing, ...this.#steps];
    await this.declare();
    await this.#put(files);
    this.#isOrderUnderWay = true;
    const outcome = await this.#starting(() =>
      this.#where.schedule(() => this.#record('schedule', add, harnessTimeoutMs, shown)),
    );
    this.#isOrderUnderWay = outcome.exit.kind !== 'code';
    if (outcome.exit.kind !== 'code' || outcome.exit.code !== 0)
      throw new Ended(notRun('not-started', `${via} refused it: ${complaint(outcome)}`));
    this.#mayHaveStarted = true;
    const deadline = shift(fireAt, step.timeout);
    while (clock.now() < deadline && !this.#signal.aborted) {
      const wait = Math.min(90_000, Math.max(1_000, elapsed(clock.now(), fireAt)));
      await clock.sleep(duration(wait), this.#signal).catch(() => undefined);
      if (await this.#finished(receiptPath)) return;
    }
  }

  async #finished(receiptPath: string): Promise<boolean> {
    try {
      const bytes = await this.#where.host.use(this.#target, this.#signal, (session) =>
        session.get(receiptPath, { maxBytes: receiptMaxBytes, signal: this.#signal }),
      );
      return parseReceipt(decode(bytes), this.#minted.marker).finished !== undefined;
    } catch (error) {
      if (error instanceof TransportFailure && (error.class === 'not-found' || error.class === 'aborted')) return false;
      throw error;
    }
  }

  async #readReceipt(path: string): Promise<void> {
    // The receipt is read even when the run was interrupted: it decides between "not run" and "broken off".
    const signal = AbortSignal.timeout(harnessTimeoutMs);
    this.receipt = {};
    try {
      const bytes = await this.#where.host.use(this.#target, signal, (session) =>
        session.get(path, { maxBytes: receiptMaxBytes, signal }),
      );
      const evidence = await this.#deps.evidence.put(bytes, 'application/x-ndjson');
      this.receipt = { ...parseReceipt(decode(bytes), this.#minted.marker), evidence };
      if (this.receipt.started !== undefined) this.#mayHaveStarted = true;
    } catch (error) {
      if (!(error instanceof TransportFailure) || error.class !== 'not-found') throw error;
    }
  }

  /** Failures that come before a command is under way say that it was not; after any other it may have been. */
  async #starting<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const before = ['unreachable', 'host-key', 'login', 'not-started'];
      if (!(error instanceof TransportFailure && before.includes(error.class))) this.#mayHaveStarted = true;
      throw error;
    }
  }

  async #record(purpose: string, command: Command, timeoutMs: number, shown?: string): Promise<CommandOutcome> {
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

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
