import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Machine } from '../machine/machine.ts';
import type { Sink, WinProcess } from '../machine/process.ts';
import type { Redirect } from './parse.ts';

/** The three streams of a command. */
export type Streams = { readonly stdin: Readable; readonly stdout: Sink; readonly stderr: Sink };

/** A redirection that cannot be made; the message is what cmd.exe prints. */
export class RedirectError extends Error {}

/** The streams after these redirections, from left to right, and how to let go of their files. */
export function redirected(
  streams: Streams,
  redirects: readonly Redirect[],
  process: WinProcess,
  machine: Machine,
): { streams: Streams; close: () => void } {
  let { stdin, stdout, stderr } = streams;
  const open: number[] = [];
  const toFile = (redirect: Redirect & { kind: 'write' | 'append' }): Sink => {
    if (/^nul:?$/i.test(redirect.file)) return { write: () => undefined };
    const windowsPath = machine.tree.resolve(redirect.file, process.cwd);
    const isNew = !machine.tree.exists(windowsPath);
    try {
      const real = machine.tree.real(windowsPath) ?? '';
      const fd = openSync(real, redirect.kind === 'write' ? 'w' : 'a', 0o644);
      open.push(fd);
      if (isNew) machine.tree.own(real);
      if (isNew) machine.fileCreated(process, windowsPath);
      return {
        write: (bytes) => {
          writeSync(fd, bytes);
        },
      };
    } catch (error) {
      throw new RedirectError(
        (error as NodeJS.ErrnoException).code === 'ENOENT'
          ? 'The system cannot find the path specified.'
          : 'Access is denied.',
      );
    }
  };
  for (const redirect of redirects) {
    const set = (sink: Sink): void => {
      if (redirect.handle === 1) stdout = sink;
      else if (redirect.handle === 2) stderr = sink;
    };
    if (redirect.kind === 'same-as') set(redirect.other === 2 ? stderr : stdout);
    else if (redirect.kind === 'read') stdin = input(redirect.file, process, machine);
    else set(toFile({ ...redirect, kind: redirect.kind }));
  }
  return {
    streams: { stdin, stdout, stderr },
    close: () => {
      for (const fd of open) closeSync(fd);
    },
  };
}

function input(file: string, process: WinProcess, machine: Machine): Readable {
  if (/^nul:?$/i.test(file)) return Readable.from([]);
  const windowsPath = machine.tree.resolve(file, process.cwd);
  if (!machine.tree.isFile(windowsPath)) throw new RedirectError('The system cannot find the file specified.');
  return createReadStream(machine.tree.real(windowsPath) ?? '');
}
