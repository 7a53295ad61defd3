import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { Environment } from '../machine/environment.ts';
import type { Machine, Program } from '../machine/machine.ts';
import type { Sink, WinProcess } from '../machine/process.ts';
import { splitLine } from '../machine/command-line.ts';
import { findProgram } from '../machine/start-line.ts';

/** Debian 12's interpreter: Python 3.11, which the stand-in claims to have. */
const pythonHere = '/usr/bin/python3';

const port = z.int();
const requestSchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('created'), path: z.string() }),
  z.object({
    op: z.literal('connected'),
    protocol: z.enum(['tcp', 'udp']),
    sourceIp: z.string(),
    sourcePort: port,
    destinationIp: z.string(),
    destinationPort: port,
  }),
  z.object({ op: z.literal('exit'), code: z.int().nonnegative() }),
  z.object({
    op: z.literal('start'),
    line: z.string(),
    cwd: z.string(),
    image: z.string().nullable(),
    env: z.record(z.string(), z.string()),
  }),
  z.object({ op: z.literal('code'), ticket: z.string() }),
]);

/** python.exe: the machine's own CPython, which is made to see the stand-in. */
export const python: Program = (process, machine) => interpret(process, machine, false);

/** pythonw.exe, which has no standard streams. */
export const pythonWithoutConsole: Program = (process, machine) => interpret(process, machine, true);

async function interpret(process: WinProcess, machine: Machine, isWindowed: boolean): Promise<number> {
  const folder = path.join(machine.tree.root, 'python');
  const child = spawn(pythonHere, ['-I', '-S', '-B', path.join(folder, 'launch.py')], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    cwd: '/',
    env: { LANG: 'C.UTF-8' },
    detached: true,
    ...(machine.uid !== undefined && { uid: machine.uid, gid: machine.uid }),
  });
  const [stdin, stdout, stderr, channel] = child.stdio as unknown as [Writable, Readable, Readable, Duplex];
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null) return;
    try {
      globalThis.process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
  };
  process.signal.addEventListener('abort', kill, { once: true });
  if (process.signal.aborted) kill();
  // A child that reads no input, or no more, is no error; nor is one that is killed while it is written to.
  for (const stream of [stdin, channel]) stream.on('error', () => undefined);
  process.stdin.pipe(stdin);
  channel.write(`${JSON.stringify({ ...specOf(process, machine, folder), isWindowed })}\n`);
  const exit: { code?: number } = {};
  const talk = answer(channel, process, machine, exit);
  const code = await Promise.all([ended, copy(stdout, process.stdout), copy(stderr, process.stderr), talk]).then(
    ([own]) => own,
  );
  process.stdin.unpipe(stdin);
  process.signal.removeEventListener('abort', kill);
  return exit.code ?? code;
}

function specOf(process: WinProcess, machine: Machine, folder: string): object {
  return {
    argv: splitLine(process.commandLine),
    env: Object.fromEntries(process.env.entries()),
    cwd: process.cwd,
    pid: process.pid,
    ppid: process.parent?.pid ?? 0,
    image: process.image,
    drive: path.join(machine.tree.root, 'C'),
    user: process.logon.user,
    host: machine.name,
    python: pythonHere,
    bridge: path.join(folder, 'bridge.py'),
    door: machine.door.socket,
  };
}

/** Carries out what the interpreter asks for and writes down what it tells, in order, until it has gone. */
async function answer(channel: Duplex, process: WinProcess, machine: Machine, exit: { code?: number }): Promise<void> {
  try {
    for await (const line of createInterface({ input: channel, crlfDelay: Infinity })) {
      const request = requestSchema.parse(JSON.parse(line));
      const reply = (message: object): void => {
        channel.write(`${JSON.stringify(message)}\n`);
      };
      if (request.op === 'created') machine.fileCreated(process, request.path);
      else if (request.op === 'connected') machine.events.connected(process, request, Date.now());
      else if (request.op === 'exit') exit.code = request.code;
      else if (request.op === 'code') reply({ code: await machine.door.code(request.ticket) });
      else {
        const env = new Environment(Object.entries(request.env));
        const [name = ''] = splitLine(request.line);
        const search = process.env.get('Path') ?? '';
        const image = request.image ?? findProgram(machine, name, request.cwd, search, ['', '.exe']);
        const found = image !== undefined && machine.tree.isFile(image) && machine.tree.isFolder(request.cwd);
        if (!found) reply({});
        else
          reply({
            ticket: machine.door.issue({ image, commandLine: request.line, cwd: request.cwd, env, parent: process }),
          });
      }
    }
  } catch {
    // The interpreter was ended in the middle of a line.
  }
}

async function copy(from: Readable, to: Sink): Promise<void> {
  try {
    for await (const chunk of from) await to.write(chunk as Buffer);
  } catch {
    // Destroyed with the process.
  }
}
