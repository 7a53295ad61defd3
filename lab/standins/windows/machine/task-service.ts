import { Readable } from 'node:stream';
import { startLine } from './start-line.ts';
import type { Logon } from './accounts.ts';
import type { Machine } from './machine.ts';
import type { WinProcess } from './process.ts';

/** A scheduled task: a command line, and the logon it runs with. */
export type Task = {
  readonly name: string;
  readonly commandLine: string;
  readonly logon: Logon;
  readonly cwd: string;
  lastResult: number | undefined;
  process: WinProcess | undefined;
};

/** The task scheduler: starts tasks as children of its own svchost.exe. Tasks are forgotten with the stand-in. */
export class TaskService {
  readonly #machine: Machine;
  readonly #tasks = new Map<string, Task>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get all(): readonly Task[] {
    return [...this.#tasks.values()];
  }

  find(name: string): Task | undefined {
    return this.#tasks.get(key(name));
  }

  /** Replaces one of the same name. `atMs` undefined: only when it is asked to run. */
  create(task: { name: string; commandLine: string; logon: Logon; cwd: string }, atMs?: number): void {
    this.remove(task.name);
    this.#tasks.set(key(task.name), { ...task, lastResult: undefined, process: undefined });
    if (atMs === undefined) return;
    const timer = setTimeout(
      () => {
        void this.run(task.name);
      },
      Math.min(Math.max(0, atMs - Date.now()), 2 ** 31 - 1),
    );
    timer.unref();
    this.#timers.set(key(task.name), timer);
  }

  /** Starts the task now. False: there is none, or its program cannot be found. */
  run(name: string): boolean {
    const task = this.find(name);
    if (task === undefined) return false;
    const nothing = { write: () => undefined };
    const started = startLine(this.#machine, task.commandLine, {
      cwd: task.cwd,
      env: this.#machine.environment(task.logon),
      logon: task.logon,
      parent: this.#machine.service('schedule'),
      stdin: Readable.from([]),
      stdout: nothing,
      stderr: nothing,
    });
    if (started === undefined) {
      task.lastResult = 0x80070002;
      return false;
    }
    task.process = started;
    void started.exited.then((code) => {
      Object.assign(task, { process: undefined, lastResult: code });
    });
    return true;
  }

  /** Ends what the task has started and what still runs. */
  stop(name: string): void {
    this.find(name)?.process?.kill(1);
  }

  /** False: there was none. What it has started goes on. */
  remove(name: string): boolean {
    clearTimeout(this.#timers.get(key(name)));
    this.#timers.delete(key(name));
    return this.#tasks.delete(key(name));
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}

function key(name: string): string {
  return name.replace(/^\\/, '').toUpperCase();
}
