import type { AuthorizedTarget } from '../../runner/domain/authorize.ts';
import { markerPattern } from '../../runner/domain/execution.ts';
import { duration, epochMs, instant } from '../../runner/domain/time.ts';
import {
  type Command,
  type CommandOutcome,
  type Session,
  type Transport,
  TransportFailure,
} from '../../runner/ports.ts';
import { addCrontabLine, cleanUp, cronTime, prepare, probe, processNames } from '../../runner/pipeline/host-shell.ts';
import type { FakeClock } from './fake-clock.ts';

export type Act =
  'connect' | 'probe' | 'list' | 'prepare' | 'put' | 'step' | 'read the clock' | 'schedule' | 'get' | 'clean-up';

/** One touch of a host. `about`: what it was given on standard input, or its path. */
export type Touch = { readonly host: string; readonly act: Act; readonly about: string; readonly command?: Command };

/**
 * What a touch does instead of working: fails, ends otherwise, outlives its time-out (`hang`), or `vanish`es: ends well without a
 * receipt. `begin` leaves a receipt that is not finished.
 */
export type Twist = TransportFailure | Partial<CommandOutcome> | 'hang' | 'vanish' | 'begin';

const acts: ReadonlyMap<string | undefined, Act> = new Map([
  [probe('', []).argv[2], 'probe'],
  [prepare({ fresh: [], parents: [], inner: [] }, []).argv[2], 'prepare'],
  [cronTime().argv[2], 'read the clock'],
  [addCrontabLine('', '').argv[2], 'schedule'],
  [cleanUp([]).argv[2], 'clean-up'],
  [processNames().argv[2], 'list'],
]);

/** A host in memory: folders, a crontab and payloads that write their receipt. Every touch takes `touchMs` of the fake clock. */
export class ScriptedHost {
  readonly id: string;
  readonly home: string;
  readonly paths = new Map<string, Uint8Array | 'folder'>();
  readonly absent = new Set<string>();
  crontab: string[] = [];
  connections = 0;
  disposed = 0;
  running = 0;
  mostRunning = 0;
  offsetMs = 0;
  touchMs = 10;
  stepMs = 100;
  hasPython = true;
  hasCron = true;
  /** Names of the processes that run on it. */
  processes: readonly string[] = ['systemd', 'sshd'];
  /** Called before each touch; `count` = how often this act happened before. */
  twist: (touch: Touch, count: number) => Twist | undefined = () => undefined;
  readonly #clock: FakeClock;
  readonly #log: (touch: Touch) => void;
  readonly #counts = new Map<Act, number>();

  constructor(id: string, clock: FakeClock, log: (touch: Touch) => void) {
    this.id = id;
    this.home = `/home/${id}`;
    this.#clock = clock;
    this.#log = log;
  }

  get transport(): Transport {
    return {
      connect: async (target, signal) => {
        await this.#touch({ host: this.id, act: 'connect', about: target.account.name }, signal);
        this.connections += 1;
        return this.#session(target);
      },
    };
  }

  #session(target: AuthorizedTarget): Session {
    let isOpen = true;
    const open = (): void => {
      if (!isOpen) throw new TransportFailure('lost', `the session of ${target.account.name} is closed`);
    };
    return {
      run: async (command, limit) => {
        open();
        return this.#run(command, limit);
      },
      put: async (file, signal) => {
        open();
        await this.#touch({ host: this.id, act: 'put', about: file.path }, signal);
        this.paths.set(file.path, file.bytes);
      },
      get: async (path, { signal }) => {
        open();
        await this.#touch({ host: this.id, act: 'get', about: path }, signal);
        this.#cron();
        const bytes = this.paths.get(path);
        if (bytes === undefined || bytes === 'folder') throw new TransportFailure('not-found', `${path} is not there`);
        return bytes;
      },
      [Symbol.asyncDispose]: () => {
        isOpen = false;
        this.disposed += 1;
        return Promise.resolve();
      },
    };
  }

  async #run(command: Command, limit: { timeout: number; signal: AbortSignal }): Promise<CommandOutcome> {
    const act = acts.get(command.argv[2]) ?? 'step';
    const about = new TextDecoder().decode(command.stdin);
    const startedAt = this.#clock.now();
    if (act === 'step') {
      this.running += 1;
      this.mostRunning = Math.max(this.mostRunning, this.running);
    }
    try {
      const twisted = await this.#touch({ host: this.id, act, about, command }, limit.signal);
      if (act === 'step') await this.#clock.sleep(duration(this.stepMs), new AbortController().signal);
      if (twisted === 'hang') return await this.#hang(command, limit, startedAt);
      const usual =
        twisted === 'vanish'
          ? { exit: { kind: 'code' as const, code: 0 }, stdout: '' }
          : this.#work(act, command, about, twisted);
      return {
        exit: usual.exit,
        stdout: new TextEncoder().encode(usual.stdout),
        stderr: new Uint8Array(),
        truncated: false,
        sent: command.argv.join(' '),
        startedAt,
        endedAt: this.#clock.now(),
        ...(typeof twisted === 'object' ? twisted : {}),
      };
    } finally {
      if (act === 'step') this.running -= 1;
    }
  }

  async #touch(touch: Touch, signal: AbortSignal): Promise<Exclude<Twist, TransportFailure> | undefined> {
    const count = this.#counts.get(touch.act) ?? 0;
    this.#counts.set(touch.act, count + 1);
    this.#log(touch);
    const twisted = this.twist(touch, count);
    await this.#clock.sleep(duration(this.touchMs), new AbortController().signal);
    if (twisted instanceof TransportFailure) throw twisted;
    if (signal.aborted) throw new TransportFailure('aborted', 'interrupted');
    return twisted;
  }

  async #hang(
    command: Command,
    { timeout, signal }: { timeout: number; signal: AbortSignal },
    startedAt: CommandOutcome['startedAt'],
  ): Promise<CommandOutcome> {
    await this.#clock.sleep(duration(timeout), signal).catch(() => undefined);
    const nothing = new Uint8Array();
    return {
      exit: { kind: 'timeout', survivors: [] },
      stdout: nothing,
      stderr: nothing,
      truncated: false,
      sent: command.argv.join(' '),
      startedAt,
      endedAt: this.#clock.now(),
    };
  }

  #work(
    act: Act,
    command: Command,
    about: string,
    twisted: Twist | undefined,
  ): { exit: CommandOutcome['exit']; stdout: string } {
    const said = (lines: readonly string[], code = 0) => ({
      exit: { kind: 'code' as const, code },
      stdout: lines.map((line) => `${line}\n`).join(''),
    });
    // An act that was made to end otherwise has done nothing.
    if (typeof twisted === 'object') return said([]);
    const lines = about.split('\n').slice(0, -1);
    const now = epochMs(this.#clock.now()) + this.offsetMs;
    switch (act) {
      case 'probe':
        return said([
          `home ${this.home}`,
          `clock ${(now / 1_000).toFixed(9)}`,
          ...(this.hasPython ? ['interpreter /usr/bin/python3'] : []),
          ...lines
            .slice(1)
            .filter((path) => this.absent.has(path))
            .map((path) => `absent ${path}`),
        ]);
      case 'prepare':
        return this.#prepare(lines, said);
      case 'read the clock': {
        const at = new Date(Math.ceil((now + 8_000) / 60_000) * 60_000);
        const [day, time] = at.toISOString().split('T') as [string, string];
        const [year, month, date] = day.split('-') as [string, string, string];
        const [hour, minute] = time.split(':') as [string, string];
        const guard = `${year}${month}${date}${hour}${minute}`;
        return said([`${minute} ${hour} ${date} ${month} ${guard}`, String(at.getTime() / 1_000)]);
      }
      case 'schedule':
        this.crontab.push(...lines.slice(0, 1));
        return said([]);
      case 'clean-up':
        return said(pairs(lines).map(([kind, argument]) => this.#undo(kind, argument)));
      case 'list':
        return said(this.processes);
      case 'step':
        this.#payload(`${command.argv.join('\0')}\0${about}`, command.argv, twisted === 'begin');
        return said(['the payload says hello']);
      case 'connect':
      case 'put':
      case 'get':
        throw new Error(`${act} is no command`);
    }
  }

  #prepare(
    lines: readonly string[],
    said: (lines: readonly string[], code?: number) => { exit: CommandOutcome['exit']; stdout: string },
  ): { exit: CommandOutcome['exit']; stdout: string } {
    const steps = pairs(lines);
    const inTheWay = steps.find(([kind, path]) => kind === 'new' && this.paths.has(path));
    if (inTheWay !== undefined) return said([`exists ${inTheWay[1]}`], 17);
    for (const [kind, path] of steps) if (kind !== 'new' && kind !== 'from') this.paths.set(path, 'folder');
    return said(steps.filter(([kind]) => kind === 'make').map(([, path]) => `made ${path}`));
  }

  #undo(kind: string, argument: string): string {
    if (kind === 'end-processes') return `done ${kind}`;
    if (kind === 'remove-crontab-line') {
      this.crontab = this.crontab.filter((line) => line !== argument);
      return `done ${kind}`;
    }
    const inside = [...this.paths.keys()].filter((path) => path === argument || path.startsWith(`${argument}/`));
    if (kind === 'remove' || inside.length === 1) for (const path of inside) this.paths.delete(path);
    return `done ${kind} ${argument}`;
  }

  /** Runs what the crontab says should have run by now. */
  #cron(): void {
    if (!this.hasCron) return;
    for (const line of this.crontab) {
      const [, minute, hour, day, month, guard] = /^(\d\d) (\d\d) (\d\d) (\d\d) \* .*= (\d{12}) \]/.exec(line) ?? [];
      const due = Date.UTC(Number(guard?.slice(0, 4)), Number(month) - 1, Number(day), Number(hour), Number(minute));
      if (Number.isNaN(due) || epochMs(this.#clock.now()) + this.offsetMs < due) continue;
      this.#payload(line, line.split(/[ ']/), false);
    }
  }

  /** What receipt.py does, for whichever source the command names: on the command line, on standard input or in a file. */
  #payload(text: string, argv: readonly string[], begun: boolean): void {
    const named = [...this.paths].filter(([path]) =>
      argv.some((word) => word === path || path.endsWith(`/${word}.py`)),
    );
    const sources = [text, ...named.map(([, bytes]) => (bytes === 'folder' ? '' : new TextDecoder().decode(bytes)))];
    const path = sources.map((source) => /RECEIPT_PATH = "([^"]*)"/.exec(source)?.[1]).find((one) => one !== undefined);
    const marker = argv.find((word) => markerPattern.test(word));
    if (path === undefined || marker === undefined) throw new Error(`no receipt or no marker in ${argv.join(' ')}`);
    const time = instant(epochMs(this.#clock.now()) + this.offsetMs);
    const line = (receipt: string): string =>
      `${JSON.stringify({
        ...{ receipt, marker, pid: 77, ppid: 1, argv, executable: '/usr/bin/python3', cwd: this.home },
        ...{ user: 'tester', host: this.id, time, version: '3.11' },
      })}\n`;
    const bytes = new TextEncoder().encode(begun ? line('started') : `${line('started')}${line('finished')}`);
    this.paths.set(path, bytes);
  }
}

function pairs(lines: readonly string[]): readonly (readonly [string, string])[] {
  return lines.flatMap((line, index) => (index % 2 === 0 ? [[line, lines[index + 1] ?? ''] as const] : []));
}
