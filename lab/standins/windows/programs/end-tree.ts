import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WinProcess } from '../machine/process.ts';
import type { PowershellCall } from './powershell-call.ts';

/** How often, and how many milliseconds apart, the text looks whether what it ended has gone. */
const looks = { count: 15, pauseMs: 200 } as const;

/**
 * What the harness's text for ending one command of an SSH connection does, on the stand-in's own processes: by the same rules, and
 * in the same words.
 */
export async function endTree(call: PowershellCall): Promise<number> {
  const { processes } = call.machine;
  const [older = '', encoded = ''] = (await call.input()).split(/\r?\n/);
  const line = plain(Buffer.from(encoded, 'base64').toString('utf8'));
  let own = call.process;
  while (own.parent !== undefined && !isSshd(own.parent)) own = own.parent;
  const sshd = own.parent;
  if (sshd === undefined) return say(call, 'unknown');
  const found = [...processes.values()].filter(
    (one) => one.parent === sshd && one !== own && plain(one.commandLine).includes(line),
  );
  const root = found[Number(older)];
  if (root === undefined) return say(call, 'gone');
  const tree: readonly WinProcess[] = withDescendants(root, [...processes.values()]);
  for (const one of tree) one.kill(1);
  const left = (): readonly WinProcess[] => tree.filter((one) => processes.get(one.pid) === one);
  for (let look = 1; look < looks.count && left().length > 0; look += 1) await sleep(looks.pauseMs);
  return say(call, ['left', ...left().map(({ pid }) => String(pid))].join(' '));
}

/** A process whose parent has ended is nobody's child for Windows either. */
function withDescendants(root: WinProcess, all: readonly WinProcess[]): readonly WinProcess[] {
  const children = all.filter(({ parent }) => parent === root);
  return [root, ...children.flatMap((child) => withDescendants(child, all))];
}

function isSshd({ image }: WinProcess): boolean {
  return path.win32.basename(image).toLowerCase().startsWith('sshd');
}

function plain(text: string): string {
  return text.replace(/["\\]/g, '');
}

async function say(call: PowershellCall, text: string): Promise<number> {
  await call.process.out(`${text}\r\n`);
  return 0;
}
