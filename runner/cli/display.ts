import { Listr } from 'listr2';
import { type Phase, phases } from '../domain/plan.ts';
import type { Progress } from '../domain/progress.ts';
import { findingsOf, type HostCheck, subjectText } from '../domain/host-check.ts';
import { formatDuration } from '../domain/time.ts';
import { visible } from '../load/problem.ts';
import type { App } from './app.ts';

/** Shows a run while it goes on. */
export interface Display {
  progress(progress: Progress): void;
  /** Ends the display; waits until the last of it is on the screen. */
  end(): Promise<void>;
}

const phaseNames: Readonly<Record<Phase, string>> = {
  'control-before': 'Controls before: is the log pipe open?',
  twins: 'Twins: legitimate work of the same shape',
  emulations: 'Emulations: what a rule should see',
  'control-after': 'Controls after: is it still open?',
};

/** A live display on a terminal, plain lines elsewhere. */
export function startDisplay(app: App): Display {
  return app.stderr.isTTY ? new LiveDisplay() : new PlainDisplay(app);
}

class PlainDisplay implements Display {
  readonly #app: App;
  /** Why hosts were not reached: said once, not again for each of their executions. */
  readonly #said = new Set<string>();

  constructor(app: App) {
    this.#app = app;
  }

  progress(progress: Progress): void {
    if (progress.kind === 'host' && progress.host.failure !== undefined) this.#said.add(progress.host.failure.detail);
    const line = describe(progress, this.#said);
    if (line !== undefined) this.#app.stderr.write(`${this.#app.redact(line)}\n`);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

/** One line for an event; what would only repeat itself (a poll, a start) has none. */
function describe(progress: Progress, said: ReadonlySet<string> = new Set()): string | undefined {
  switch (progress.kind) {
    case 'wave':
      return progress.of === 1
        ? undefined
        : `wave ${progress.number} of ${progress.of}: ${progress.targets.join(', ')}`;
    case 'host': {
      const { target, account, clock, failure } = progress.host;
      if (failure !== undefined) return `${target}: not reached as ${account}: ${visible(failure.detail)}`;
      const offset = clock === undefined ? '' : `, clock ${signed(clock.offsetMs)} (±${clock.uncertaintyMs} ms)`;
      return `${target}: reached as ${account}${offset}`;
    }
    case 'check':
      return checkLine(progress.check);
    case 'phase':
      return `${phaseNames[progress.phase]} (${progress.executions})`;
    case 'ended': {
      const { outcome } = progress.execution;
      const why =
        outcome.kind !== 'not-run' && outcome.kind !== 'broken-off'
          ? ''
          : said.has(outcome.why.detail)
            ? ' (host not reached)'
            : `: ${visible(outcome.why.detail)}`;
      return `  ${outcome.kind.padEnd(10)}  ${progress.plan.id}${why}`;
    }
    case 'stopping':
      return progress.because;
    case 'observing':
      return `Asking ${progress.siem} about ${progress.traces} executions, for ${formatDuration(progress.seconds * 1000)}`;
    case 'poll':
      return progress.trouble === undefined ? undefined : `  ${progress.siem}: ${visible(progress.trouble)}`;
    case 'started':
      return undefined;
  }
}

/** What of a check somebody has to look at; that a host was not reached has been said already. */
function checkLine(check: HostCheck): string | undefined {
  const of =
    check.when === 'before'
      ? findingsOf(check).filter(({ what }) => what === 'sensor' || what === 'clock' || what === 'ssh-service')
      : findingsOf(check);
  const seen = of.filter(({ state }) => check.when === 'after' || state === 'trouble');
  if (seen.length === 0) return undefined;
  const said = seen.map((item) => `${subjectText(item)}: ${visible(item.detail)}`).join('; ');
  return `${check.target}: ${check.when === 'before' ? 'before' : 'afterwards'}, ${said}`;
}

function signed(ms: number): string {
  return `${ms < 0 ? '−' : '+'}${formatDuration(Math.abs(ms))}`;
}

type Stage = {
  readonly title: string;
  readonly done: PromiseWithResolvers<undefined>;
  task?: { title: string; output: string };
};

/**
 * One task of listr2 per stage of the run, all shown from the start. With several waves a stage comes round again; it is
 * ticked off when the last wave has passed it.
 */
class LiveDisplay implements Display {
  readonly #stages = new Map<string, Stage>(
    [...phases.map((phase) => [phase, phaseNames[phase]] as const), ['observing', 'Asking the SIEM'] as const].map(
      ([key, title]) => [key, { title, done: Promise.withResolvers<undefined>() }],
    ),
  );
  readonly #running: Promise<unknown>;
  #now = 'control-before';
  #lastWave = true;
  #counts = { ended: 0, of: 0 };

  constructor() {
    const list = new Listr(
      [...this.#stages.values()].map((stage) => ({
        title: stage.title,
        task: (_: unknown, task: { title: string; output: string }) => {
          stage.task = task;
          return stage.done.promise;
        },
      })),
      { concurrent: true, registerSignalListeners: false },
    );
    this.#running = list.run();
  }

  progress(progress: Progress): void {
    switch (progress.kind) {
      case 'wave':
        this.#lastWave = progress.number === progress.of;
        return;
      case 'phase':
        this.#enter(progress.phase);
        this.#counts = { ended: 0, of: progress.executions };
        return;
      case 'observing':
        this.#lastWave = true;
        this.#enter('observing');
        return;
      case 'ended':
        this.#counts.ended += 1;
        this.#output(`${this.#counts.ended} of ${this.#counts.of}  ${progress.plan.id}`);
        return;
      case 'poll': {
        const trouble = progress.trouble === undefined ? '' : `; ${visible(progress.trouble)}`;
        const left = `${Math.ceil(progress.secondsLeft)} s left`;
        this.#output(`${progress.siem}: ${progress.events} events, ${progress.alerts} alerts; ${left}${trouble}`);
        return;
      }
      case 'host':
      case 'check':
      case 'started':
      case 'stopping': {
        const line = describe(progress);
        if (line !== undefined) this.#output(line.trim());
      }
    }
  }

  async end(): Promise<void> {
    for (const stage of this.#stages.values()) stage.done.resolve(undefined);
    await this.#running;
  }

  #enter(key: string): void {
    for (const [other, stage] of this.#stages) {
      if (other === key) break;
      if (this.#lastWave) stage.done.resolve(undefined);
    }
    this.#now = key;
  }

  #output(text: string): void {
    const task = this.#stages.get(this.#now)?.task;
    if (task !== undefined) task.output = text;
  }
}
