import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { fileCodes, getScript, putScript } from '../../../../adapters/shared/windows-files.ts';
import {
  cleanUpText,
  inspectText,
  prepareText,
  probeText,
  processesText,
  scheduleText,
} from '../../../../runner/pipeline/windows-shell.ts';
import { endTreeScript } from '../../../../adapters/shared/windows-processes.ts';
import { endTree } from './end-tree.ts';
import { PowershellExit } from './powershell-call.ts';
import type { PowershellCall } from './powershell-call.ts';
import { quoteArgument } from '../machine/command-line.ts';
import { readProgram } from '../machine/program-file.ts';

type Text = (call: PowershellCall) => Promise<number>;

async function linesOf(call: PowershellCall): Promise<readonly string[]> {
  return (await call.input()).split(/\r?\n/);
}

/** The lines in pairs: an operation and what it is about. */
async function pairsOf(call: PowershellCall): Promise<readonly (readonly [string, string])[]> {
  const lines = await linesOf(call);
  return lines.flatMap((line, at) =>
    at % 2 === 0 && at + 1 < lines.length ? [[line, lines[at + 1] ?? ''] as const] : [],
  );
}

function say(call: PowershellCall, text: string): void | Promise<void> {
  return call.process.out(`${text}\n`);
}

function full(call: PowershellCall, name: string): string {
  return call.machine.tree.resolve(name, call.process.cwd);
}

function real(call: PowershellCall, name: string): string {
  return call.machine.tree.real(full(call, name)) ?? '/nonexistent';
}

/** Node's error in words that name no path of this machine. */
function wordsOf(error: unknown, subject: string): string {
  const { code } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOENT: `Could not find a part of the path '${subject}'.`,
    ENOTDIR: `Could not find a part of the path '${subject}'.`,
    EACCES: `Access to the path '${subject}' is denied.`,
    ENOSPC: 'There is not enough space on the disk.',
    EEXIST: `The file '${subject}' already exists.`,
  };
  return known[code ?? ''] ?? `The stand-in failed at '${subject}': ${code ?? 'unknown'}`;
}

const probe: Text = async (call) => {
  const [interpreter = '', ...folders] = await linesOf(call);
  const home = call.process.env.get('USERPROFILE') ?? '';
  await say(call, `home ${home}`);
  await say(call, `clock ${(Date.now() / 1000).toFixed(3)}`);
  if (call.machine.tree.isFile(full(call, interpreter))) await say(call, `interpreter ${interpreter}`);
  for (const folder of folders.filter(Boolean)) {
    const meant = folder.startsWith('~\\') ? home + folder.slice(1) : folder;
    if (!call.machine.tree.exists(full(call, meant))) await say(call, `absent ${meant}`);
  }
  return 0;
};

const prepare: Text = async (call) => {
  const { tree } = call.machine;
  let from = '';
  const free = async (name: string): Promise<void> => {
    if (!tree.exists(full(call, name))) return;
    await say(call, `exists ${name}`);
    throw new PowershellExit(17);
  };
  for (const [operation, subject] of await pairsOf(call)) {
    try {
      if (operation === 'new') await free(subject);
      else if (operation === 'parent' || operation === 'inner') tree.makeFolder(full(call, subject));
      else if (operation === 'make') {
        await free(subject);
        tree.makeFolder(full(call, subject));
        await say(call, `made ${subject}`);
      } else if (operation === 'from') from = subject;
      else if (operation === 'copy') copyInterpreter(call, from, subject);
      else if (operation === 'link') {
        symlinkSync(real(call, from), real(call, subject));
        tree.own(real(call, subject));
      }
    } catch (error) {
      if (error instanceof PowershellExit) throw error;
      await call.process.err(`${wordsOf(error, subject)}\r\n`);
      return 18;
    }
  }
  return 0;
};

function copyInterpreter(call: PowershellCall, from: string, to: string): void {
  const { tree } = call.machine;
  const [source, target] = [path.win32.dirname(full(call, from)), path.win32.dirname(full(call, to))];
  const libraries = readdirSync(real(call, source)).filter((name) => /^(?:python3.*|vcruntime.*)\.dll$/i.test(name));
  const copies = [
    [full(call, from), full(call, to)],
    ...libraries.map((name) => [`${source}\\${name}`, `${target}\\${name}`]),
  ];
  for (const [one = '', other = ''] of copies) {
    copyFileSync(real(call, one), real(call, other));
    tree.own(real(call, other));
    call.machine.fileCreated(call.process, other);
  }
  writeFileSync(real(call, `${target}\\pyvenv.cfg`), `home = ${source}`);
  tree.own(real(call, `${target}\\pyvenv.cfg`));
}

const schedule: Text = async (call) => {
  const [name = '', program = '', args = '', cwd = '', runFolder = ''] = await linesOf(call);
  if (program === '') {
    await call.process.err("Cannot bind argument to parameter 'Execute' because it is an empty string.\r\n");
    return 19;
  }
  const commandLine = args === '' ? quoteArgument(program) : `${quoteArgument(program)} ${args}`;
  const { logon } = call.process;
  const folder = cwd === '' ? 'C:\\Windows\\System32' : cwd;
  call.machine.tasks.create({ name, commandLine, logon, cwd: folder });
  if (!call.machine.tree.exists(full(call, runFolder))) {
    call.machine.tasks.remove(name);
    await call.process.err(`${runFolder} is gone\r\n`);
    return 19;
  }
  if (call.machine.tasks.run(name)) return 0;
  await call.process.err('The system cannot find the file specified.\r\n');
  return 19;
};

const cleanUp: Text = async (call) => {
  for (const [operation, subject] of await pairsOf(call)) {
    try {
      await say(call, undo(call, operation, subject));
    } catch (error) {
      await say(call, `left ${operation} ${subject}: ${wordsOf(error, subject)}`);
    }
  }
  return 0;
};

function undo(call: PowershellCall, operation: string, subject: string): string {
  const { tree, processes, tasks } = call.machine;
  const place = real(call, subject);
  const there = (): boolean => tree.exists(full(call, subject)) || tree.isLink(full(call, subject));
  switch (operation) {
    case 'end-processes':
      for (const process of processes.values())
        if (process !== call.process && process.commandLine.includes(subject)) process.kill(0xffffffff);
      return `done ${operation}`;
    case 'remove':
      if (there()) rmSync(place, { recursive: true });
      return there() ? `left ${operation} ${subject}: it is still there` : `done ${operation} ${subject}`;
    case 'remove-if-empty':
      if (tree.isFolder(full(call, subject)) && readdirSync(place).length === 0) rmdirSync(place);
      return `done ${operation} ${subject}`;
    case 'remove-task':
      tasks.stop(subject);
      tasks.remove(subject);
      return `done ${operation}`;
    default:
      return `left ${operation} ${subject}: there is no such thing on this host`;
  }
}

const processes: Text = async (call) => {
  for (const { image } of call.machine.processes.values())
    await say(call, `${path.win32.basename(image).replace(/\.exe$/i, '')}.exe`);
  return 0;
};

const inspect: Text = async (call) => {
  const { tree } = call.machine;
  const integrity = call.process.logon.integrity;
  await say(call, `user ${call.process.env.get('USERNAME') ?? ''}`);
  await say(call, `admin ${integrity === 'Medium' ? 'no' : 'yes'}`);
  const folders = (call.process.env.get('PATH') ?? '').split(';').filter(Boolean);
  for (const folder of folders)
    for (const name of ['python.exe', 'python3.exe', 'pypy3.exe']) {
      const found = full(call, path.win32.join(folder, name));
      if (!tree.isFile(found)) continue;
      const { version = '', company = '' } = readProgram(real(call, found)) ?? {};
      await say(call, `python ${[found, found, version, company].join('\t')}`);
    }
  for (const { image } of call.machine.processes.values()) await say(call, `process ${path.win32.basename(image)}`);
  return 0;
};

const put: Text = async (call) => {
  const [encoded = '', want = '', ...lines] = await linesOf(call);
  const { tree } = call.machine;
  const target = full(call, Buffer.from(encoded, 'base64').toString('utf8'));
  if (!tree.isFolder(path.win32.dirname(target))) return fileCodes.absent;
  if (tree.exists(target)) return fileCodes.exists;
  const file = real(call, target);
  let isMade = false;
  try {
    const bytes = Buffer.concat(lines.map((line) => Buffer.from(line, 'base64')));
    closeSync(openSync(file, 'wx', 0o644));
    isMade = true;
    writeFileSync(file, bytes);
    call.machine.fileCreated(call.process, target);
    if (createHash('sha256').update(readFileSync(file)).digest('hex') !== want) {
      unlinkSync(file);
      return fileCodes.differs;
    }
    tree.own(file);
    return 0;
  } catch (error) {
    if (isMade) rmSync(file, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return fileCodes.full;
    await call.process.err(`${wordsOf(error, target)}\r\n`);
    return fileCodes.failed;
  }
};

const get: Text = async (call) => {
  const [encoded = '', most = ''] = await linesOf(call);
  const { tree } = call.machine;
  const target = full(call, Buffer.from(encoded, 'base64').toString('utf8'));
  if (tree.isFolder(target)) return fileCodes.unreadable;
  if (!tree.isFile(target)) return fileCodes.absent;
  if (statSync(real(call, target)).size > Number(most)) return fileCodes.tooLong;
  const bytes = readFileSync(real(call, target));
  for (let at = 0; at < bytes.length; at += 300_000)
    await call.process.out(`${bytes.toString('base64', at, Math.min(at + 300_000, bytes.length))}\r\n`);
  await call.process.out(`sha256 ${createHash('sha256').update(bytes).digest('hex')}\r\n`);
  return 0;
};

/** What the stand-in does for each text. */
export const harnessTexts: ReadonlyMap<string, Text> = new Map([
  [probeText, probe],
  [prepareText, prepare],
  [scheduleText, schedule],
  [cleanUpText, cleanUp],
  [processesText, processes],
  [inspectText, inspect],
  [putScript, put],
  [getScript, get],
  [endTreeScript, endTree],
]);
