import type { Readable } from 'node:stream';
import type { Logon } from './accounts.ts';
import type { Environment } from './environment.ts';

/** Where output goes. A promise asks to wait until it may go on. */
export type Sink = { readonly write: (bytes: Uint8Array) => void | Promise<void> };

/** What a process is started with. */
export type ProcessStart = {
  /** Windows path of the program's file. */
  readonly image: string;
  readonly commandLine: string;
  readonly cwd: string;
  readonly env: Environment;
  readonly logon: Logon;
  readonly parent: WinProcess | undefined;
  readonly stdin: Readable;
  readonly stdout: Sink;
  readonly stderr: Sink;
};

/** STATUS_CONTROL_C_EXIT (ntstatus.h): how a console program ends on Ctrl+C. */
export const controlCExit = 0xc000013a;

/** A process of the stand-in, from its start to its exit code. */
export class WinProcess {
  readonly pid: number;
  readonly guid: string;
  readonly image: string;
  readonly commandLine: string;
  readonly env: Environment;
  readonly logon: Logon;
  readonly parent: WinProcess | undefined;
  readonly stdin: Readable;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly startedMs: number;
  readonly children = new Set<WinProcess>();
  /** The process's folder now; where it was started is in its events. */
  cwd: string;
  readonly #ending = new AbortController();
  readonly #exited = Promise.withResolvers<number>();
  #killedWith: number | undefined;
  #isOver = false;
  /** Whose end is its end too: the parent, and after it the nearest ancestor that still runs, as in a job object. */
  #holder: WinProcess | undefined;

  constructor(pid: number, guid: string, start: ProcessStart, startedMs: number) {
    ({
      image: this.image,
      commandLine: this.commandLine,
      env: this.env,
      logon: this.logon,
      parent: this.parent,
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      cwd: this.cwd,
    } = start);
    this.pid = pid;
    this.guid = guid;
    this.startedMs = startedMs;
    this.#holder = start.parent;
    this.#holder?.children.add(this);
  }

  /** Aborted when the process is to end now. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** The exit code, 0 to 2^32-1. Never rejects. */
  get exited(): Promise<number> {
    return this.#exited.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  out(text: string): void | Promise<void> {
    return this.stdout.write(Buffer.from(text));
  }

  err(text: string): void | Promise<void> {
    return this.stderr.write(Buffer.from(text));
  }

  /** Ends this process and all that it started. */
  kill(exitCode: number): void {
    this.#killedWith ??= exitCode;
    for (const child of this.children) child.kill(exitCode);
    this.#ending.abort();
    this.over(exitCode);
  }

  over(exitCode: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#holder?.children.delete(this);
    for (const child of this.children) {
      child.#holder = this.#holder;
      this.#holder?.children.add(child);
    }
    this.#exited.resolve((this.#killedWith ?? exitCode) >>> 0);
  }
}
