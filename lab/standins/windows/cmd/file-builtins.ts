import {
  copyFileSync,
  createReadStream,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import path from 'node:path';
import { wildcard } from '../machine/paths.ts';
import type { Builtin, BuiltinCall } from './builtin.ts';
import { fail, say, words } from './builtin.ts';

const notFound = 'The system cannot find the file specified.';
const noPath = 'The system cannot find the path specified.';
const syntax = 'The syntax of the command is incorrect.';

/** Switches and names of a command line: `/s /q name`. */
function read(args: string): { names: readonly string[]; switches: ReadonlySet<string> } {
  const all = words(
    args.replace(/(\S)(\/[a-z])/gi, (whole, before: string, flag: string) =>
      before === '/' ? whole : `${before} ${flag}`,
    ),
  );
  return {
    names: all.filter((word) => !/^\/[a-z?](?::.*)?$/i.test(word)),
    switches: new Set(all.filter((word) => /^\/[a-z?]/i.test(word)).map((word) => word.slice(1, 2).toLowerCase())),
  };
}

function full(call: BuiltinCall, name: string): string {
  return call.shell.machine.tree.resolve(name, call.shell.process.cwd);
}

function real(call: BuiltinCall, windowsPath: string): string {
  return call.shell.machine.tree.real(windowsPath) ?? '/nonexistent';
}

/** The files that a name with wildcards, or a plain one, stands for; folders are left out. */
function filesOf(call: BuiltinCall, name: string): readonly string[] {
  const { tree } = call.shell.machine;
  const windowsPath = full(call, name);
  const pattern = wildcard(path.win32.basename(windowsPath));
  if (pattern === undefined) return tree.isFile(windowsPath) || tree.isLink(windowsPath) ? [windowsPath] : [];
  const folder = path.win32.dirname(windowsPath);
  if (!tree.isFolder(folder)) return [];
  return readdirSync(real(call, folder))
    .filter((entry) => pattern.test(entry))
    .map((entry) => path.win32.join(folder, entry))
    .filter((file) => tree.isFile(file));
}

async function attempt(call: BuiltinCall, act: () => Promise<number> | number): Promise<number> {
  try {
    return await act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return fail(call, noPath);
    if (code === 'ENOTEMPTY') return fail(call, 'The directory is not empty.');
    if (code === 'ENOSPC') return fail(call, 'There is not enough space on the disk.');
    if (code === undefined) throw error;
    return fail(call, 'Access is denied.');
  }
}

const dir: Builtin = (call) =>
  attempt(call, async () => {
    const { names, switches } = read(call.args);
    const { tree } = call.shell.machine;
    const windowsPath = full(call, names[0] ?? '.');
    const isFolder = tree.isFolder(windowsPath);
    const folder = isFolder ? windowsPath : path.win32.dirname(windowsPath);
    if (!tree.isFolder(folder)) return fail(call, 'File Not Found');
    const name = path.win32.basename(windowsPath);
    const pattern = isFolder
      ? /./
      : (wildcard(name) ?? new RegExp(`^${name.replace(/[.+^${}()|[\]\\*?]/g, '\\$&')}$`, 'i'));
    const entries = readdirSync(real(call, folder))
      .filter((entry) => pattern.test(entry))
      .sort();
    if (entries.length === 0 && !isFolder) return fail(call, 'File Not Found');
    if (switches.has('b')) return entries.length === 0 ? 0 : say(call, entries.join('\r\n'));
    const lines = entries.map((entry) => {
      const info = lstatSync(path.join(real(call, folder), entry));
      const kind = info.isSymbolicLink()
        ? '<SYMLINK>'
        : info.isDirectory()
          ? '<DIR>'
          : info.size.toLocaleString('en-US');
      const stamp = info.mtime.toISOString();
      return `${stamp.slice(5, 7)}/${stamp.slice(8, 10)}/${stamp.slice(0, 4)}  ${stamp.slice(11, 16)}    ${kind.padStart(14)} ${entry}`;
    });
    return say(call, [' Volume in drive C has no label.', '', ` Directory of ${folder}`, '', ...lines].join('\r\n'));
  });

const type: Builtin = (call) =>
  attempt(call, async () => {
    const { names } = read(call.args);
    if (names.length === 0) return fail(call, syntax);
    for (const name of names) {
      const files = filesOf(call, name);
      if (files.length === 0) return fail(call, notFound);
      for (const file of files)
        for await (const chunk of createReadStream(real(call, file))) await call.streams.stdout.write(chunk as Buffer);
    }
    return 0;
  });

/** `del` of what is not there says so and is no error, as in cmd. */
const del: Builtin = (call) =>
  attempt(call, async () => {
    const { names, switches } = read(call.args);
    if (names.length === 0) return fail(call, syntax);
    for (const name of names) {
      const { tree } = call.shell.machine;
      const files =
        tree.isFolder(full(call, name)) && !tree.isLink(full(call, name))
          ? filesOf(call, `${name}\\*`)
          : filesOf(call, name);
      if (files.length === 0 && !switches.has('q')) await fail(call, `Could Not Find ${full(call, name)}`);
      for (const file of files) unlinkSync(real(call, file));
    }
    return 0;
  });

const rd: Builtin = (call) =>
  attempt(call, async () => {
    const { names, switches } = read(call.args);
    if (names.length === 0) return fail(call, syntax);
    for (const name of names) {
      const folder = full(call, name);
      const { tree } = call.shell.machine;
      if (!tree.isFolder(folder)) return fail(call, notFound);
      if (tree.isLink(folder)) unlinkSync(real(call, folder));
      else if (switches.has('s')) rmSync(real(call, folder), { recursive: true });
      else rmdirSync(real(call, folder));
    }
    return 0;
  });

const md: Builtin = (call) =>
  attempt(call, async () => {
    const { names } = read(call.args);
    if (names.length === 0) return fail(call, syntax);
    for (const name of names) {
      const folder = full(call, name);
      if (call.shell.machine.tree.exists(folder)) return fail(call, `A subdirectory or file ${name} already exists.`);
      call.shell.machine.tree.makeFolder(folder);
    }
    return 0;
  });

const copy: Builtin = (call) =>
  attempt(call, async () => {
    const { names } = read(call.args);
    const [from, to = '.'] = names;
    if (from === undefined || names.length > 2) return fail(call, syntax);
    const files = filesOf(call, from);
    if (files.length === 0) return fail(call, notFound);
    for (const file of files) {
      const target = destination(call, file, to);
      const isNew = !call.shell.machine.tree.exists(target);
      copyFileSync(real(call, file), real(call, target));
      call.shell.machine.tree.own(real(call, target));
      if (isNew) call.shell.machine.fileCreated(call.shell.process, target);
    }
    return say(call, `        ${files.length} file(s) copied.`);
  });

const move: Builtin = (call) =>
  attempt(call, async () => {
    const { names } = read(call.args);
    const [from, to] = names;
    if (from === undefined || to === undefined) return fail(call, syntax);
    const { tree } = call.shell.machine;
    const sources = tree.isFolder(full(call, from)) ? [full(call, from)] : filesOf(call, from);
    if (sources.length === 0) return fail(call, notFound);
    for (const source of sources) renameSync(real(call, source), real(call, destination(call, source, to)));
    return say(call, `        ${sources.length} file(s) moved.`);
  });

const ren: Builtin = (call) =>
  attempt(call, async () => {
    const [from, to] = read(call.args).names;
    if (from === undefined || to === undefined || /[\\/:]/.test(to)) return fail(call, syntax);
    const source = full(call, from);
    if (!call.shell.machine.tree.exists(source)) return fail(call, notFound);
    renameSync(real(call, source), real(call, path.win32.join(path.win32.dirname(source), to)));
    return 0;
  });

const mklink: Builtin = (call) =>
  attempt(call, async () => {
    const { names, switches } = read(call.args);
    const [name, to] = names;
    if (name === undefined || to === undefined) return fail(call, syntax);
    const link = full(call, name);
    const target = call.shell.machine.tree.resolve(to, path.win32.dirname(link));
    if (call.shell.machine.tree.exists(link)) return fail(call, 'Cannot create a file when that file already exists.');
    if (switches.has('h')) {
      linkSync(real(call, target), real(call, link));
      return say(call, `Hardlink created for ${name} <<===>> ${to}`);
    }
    // As with developer mode on: accounts that are no administrators may do this too.
    symlinkSync(real(call, target), real(call, link));
    call.shell.machine.tree.own(real(call, link));
    return say(call, `symbolic link created for ${name} <<===>> ${to}`);
  });

function destination(call: BuiltinCall, source: string, to: string): string {
  const target = full(call, to);
  return call.shell.machine.tree.isFolder(target) ? path.win32.join(target, path.win32.basename(source)) : target;
}

/** The commands of cmd.exe that are about files. */
export const fileBuiltins: readonly (readonly [string, Builtin])[] = [
  ['dir', dir],
  ['type', type],
  ['del', del],
  ['erase', del],
  ['rd', rd],
  ['rmdir', rd],
  ['md', md],
  ['mkdir', md],
  ['copy', copy],
  ['move', move],
  ['ren', ren],
  ['rename', ren],
  ['mklink', mklink],
];
