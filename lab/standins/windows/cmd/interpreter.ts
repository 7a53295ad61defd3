import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { ProgramNotFound } from '../machine/program-file.ts';
import type { Machine } from '../machine/machine.ts';
import type { WinProcess } from '../machine/process.ts';
import { findProgram } from '../machine/start-line.ts';
import { builtins } from './builtins.ts';
import { CmdExit } from './exit.ts';
import { CmdSyntaxError, expandVariables, parseCmd } from './parse.ts';
import type { CmdNode, Condition } from './parse.ts';
import { RedirectError, redirected } from './streams.ts';
import type { Streams } from './streams.ts';

/** Exit code of a batch file's line that names no program; from `cmd /c` it is 1. */
const notFoundInBatch = 9009;

/** A running cmd.exe: its folder, its variables and the result of the last command. */
export class Interpreter {
  readonly process: WinProcess;
  readonly machine: Machine;
  errorLevel = 0;
  /** The arguments of the batch file that runs, its own name first. */
  #batch: readonly string[] | undefined;

  constructor(process: WinProcess, machine: Machine) {
    this.process = process;
    this.machine = machine;
  }

  /** Runs a line; its result is the exit code. */
  async line(text: string, streams: Streams): Promise<number> {
    const expanded = expandVariables(text, (name) => this.#variable(name), this.#batch);
    try {
      const node = parseCmd(expanded);
      if (node !== undefined) this.errorLevel = await this.#run(node, streams);
    } catch (error) {
      if (!(error instanceof CmdSyntaxError)) throw error;
      await streams.stderr.write(Buffer.from(`${error.message}\r\n`));
      this.errorLevel = 1;
    }
    return this.errorLevel;
  }

  /** Runs a batch file. Labels, `goto` and `call :label` are not known to it. */
  async batch(file: string, args: readonly string[], streams: Streams): Promise<number> {
    const before = this.#batch;
    this.#batch = [file, ...args];
    try {
      const text = readFileSync(this.machine.tree.real(file) ?? '', 'utf8');
      for (const line of text.split(/\r?\n/)) {
        if (/^\s*(?:@?rem\b|::|:|$)/i.test(line)) continue;
        if (this.process.signal.aborted) break;
        await this.line(line, streams);
      }
      return this.errorLevel;
    } catch (error) {
      if (error instanceof CmdExit) return error.code;
      throw error;
    } finally {
      this.#batch = before;
    }
  }

  /** Starts a program and waits for it. */
  async program(image: string, commandLine: string, streams: Streams): Promise<number> {
    const { process, machine } = this;
    try {
      const { cwd, logon } = process;
      const env = process.env.copy();
      return await machine.start({ image, commandLine, cwd, env, logon, parent: process, ...streams }).exited;
    } catch (error) {
      if (!(error instanceof ProgramNotFound)) throw error;
      await streams.stderr.write(Buffer.from(`The stand-in cannot run ${image}: it is no program of its own.\r\n`));
      return 1;
    }
  }

  async #run(node: CmdNode, streams: Streams): Promise<number> {
    if (this.process.signal.aborted) return 1;
    switch (node.kind) {
      case 'then':
        this.errorLevel = await this.#run(node.left, streams);
        return this.#run(node.right, streams);
      case 'and':
        this.errorLevel = await this.#run(node.left, streams);
        return this.errorLevel === 0 ? this.#run(node.right, streams) : this.errorLevel;
      case 'or':
        this.errorLevel = await this.#run(node.left, streams);
        return this.errorLevel === 0 ? 0 : this.#run(node.right, streams);
      case 'pipe':
        return this.#pipe(node.left, node.right, streams);
      case 'if': {
        if (this.#holds(node.condition) !== node.negated) return this.#run(node.then, streams);
        return node.otherwise === undefined ? this.errorLevel : this.#run(node.otherwise, streams);
      }
      case 'group':
      case 'command':
        return this.#redirected(node, streams);
    }
  }

  async #redirected(node: CmdNode & { kind: 'group' | 'command' }, outer: Streams): Promise<number> {
    let own: ReturnType<typeof redirected>;
    try {
      own = redirected(outer, node.redirects, this.process, this.machine);
    } catch (error) {
      if (!(error instanceof RedirectError)) throw error;
      await outer.stderr.write(Buffer.from(`${error.message}\r\n`));
      return 1;
    }
    try {
      return node.kind === 'group'
        ? await this.#run(node.body, own.streams)
        : await this.#command(node.text, own.streams);
    } finally {
      own.close();
    }
  }

  async #pipe(left: CmdNode, right: CmdNode, streams: Streams): Promise<number> {
    const between = new PassThrough();
    const sink = {
      write: (bytes: Uint8Array): Promise<void> | undefined =>
        between.destroyed || between.write(bytes) ? undefined : drained(between),
    };
    const [, code] = await Promise.all([
      this.#run(left, { ...streams, stdout: sink }).finally(() => between.end()),
      this.#run(right, { ...streams, stdin: between }).finally(() => between.destroy()),
    ]);
    return code;
  }

  async #command(text: string, streams: Streams): Promise<number> {
    const quoted = /^"([^"]*)"?(.*)$/s.exec(text);
    const [name, rest] = quoted === null ? splitName(text) : [quoted[1] ?? '', quoted[2] ?? ''];
    if (name === '' || /^c:$/i.test(name)) return this.errorLevel;
    if (/^[a-z]:$/i.test(name)) {
      await streams.stderr.write(Buffer.from('The system cannot find the drive specified.\r\n'));
      return 1;
    }
    const builtin = quoted === null ? builtins.get(name.toLowerCase()) : undefined;
    if (builtin !== undefined) return builtin({ shell: this, args: rest, streams });
    const { process, machine } = this;
    const extensions = (process.env.get('PATHEXT') ?? '.EXE').split(';');
    const given = /\.[^.\\/]+$/.test(name) ? ['', ...extensions] : extensions;
    const file = findProgram(machine, name, process.cwd, process.env.get('Path') ?? '', given);
    if (file === undefined) {
      const message =
        /[\\/]/.test(name) && !machine.tree.isFolder(machine.tree.resolve(`${name}\\..`, process.cwd))
          ? 'The system cannot find the path specified.'
          : `'${text.startsWith('"') ? `"${name}"` : name}' is not recognized as an internal or external command,\r\noperable program or batch file.`;
      await streams.stderr.write(Buffer.from(`${message}\r\n`));
      return this.#batch === undefined ? 1 : notFoundInBatch;
    }
    if (/\.(?:bat|cmd)$/i.test(file)) return this.batch(file, rest.match(/(?:"[^"]*"|[^\s"])+/g) ?? [], streams);
    if (/\.pyw?$/i.test(file))
      return this.program('C:\\Windows\\py.exe', `"C:\\Windows\\py.exe" "${file}"${rest}`, streams);
    return this.program(file, text.trimEnd(), streams);
  }

  #holds(condition: Condition): boolean {
    const { process, machine } = this;
    switch (condition.is) {
      case 'exist':
        return machine.tree.exists(machine.tree.resolve(condition.what, process.cwd));
      case 'defined':
        return process.env.get(condition.what) !== undefined;
      case 'errorlevel':
        return this.errorLevel >= Number(condition.what);
      case 'equal':
        return condition.ignoreCase
          ? condition.left.toUpperCase() === condition.right.toUpperCase()
          : condition.left === condition.right;
    }
  }

  #variable(name: string): string | undefined {
    const own: Readonly<Record<string, () => string>> = {
      CD: () => this.process.cwd,
      ERRORLEVEL: () => String(this.errorLevel | 0),
      CMDCMDLINE: () => this.process.commandLine,
      DATE: () => new Date().toLocaleDateString('en-US', { timeZone: 'UTC' }),
      TIME: () => new Date().toISOString().slice(11, 22),
      RANDOM: () => String(Math.floor(Math.random() * 32768)),
    };
    return this.process.env.get(name) ?? own[name.toUpperCase()]?.();
  }
}

/** A command's name ends at a delimiter; that of a builtin also before a dot, a backslash or a colon (`echo.`, `cd\`). */
function splitName(text: string): readonly [string, string] {
  const glued = /^([a-z]+)([.\\:(].*)$/is.exec(text);
  if (glued !== null && builtins.has((glued[1] ?? '').toLowerCase())) return [glued[1] ?? '', glued[2] ?? ''];
  const match = /^([^\s,;=/]+)(.*)$/s.exec(text.replace(/^[\s,;=]+/, ''));
  return [match?.[1] ?? '', match?.[2] ?? ''];
}

function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go).off('close', go);
      resolve();
    };
    stream.on('drain', go).on('close', go);
  });
}
