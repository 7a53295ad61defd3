import { setTimeout as sleep } from 'node:timers/promises';
import { TransportFailure } from '../../runner/ports.ts';
import { endProcessGroup, type Left } from './end-process-group.ts';
import { parseProcessTable, type ProcessRow, processTree, tableCommand } from './process-table.ts';
import type { StartLine } from './pipes.ts';
import { ShellTalk } from './shell-talk.ts';

/** How long processes have to act on SIGTERM, and how long to wait for the kernel to remove what got SIGKILL. */
const graceMs = 1_000;
const goneMs = 3_000;

/**
 * Ends a command with everything it started, and returns the ids of what is still there. `start` must give its line to a
 * child of the same parent as the command's (of the same sshd process, of this process): that is how a process id that has
 * passed to somebody else is told from the command's. A process that had left its parents and its session before (a daemon)
 * is not found, since nothing on the host ties it to the command any more. Throws `TransportFailure` when the host cannot be asked.
 */
export async function endProcessTree(start: StartLine, pid: number): Promise<Left> {
  using shell = await ShellTalk.open(start);
  const parent = /^(\d+)\n$/.exec(await shell.ask('echo $PPID'))?.[1];
  if (parent === undefined)
    throw new TransportFailure('protocol', 'a shell on the host does not know its parent process');
  // Each has a process namespace of its own, so the ids of one say nothing to the other.
  if (parent === '0') return 'unseen';
  const root = { pid, parent: Number(parent) };
  const known = new Map<string, ProcessRow>();
  const look = async (): Promise<readonly ProcessRow[]> => {
    const tree = processTree(parseProcessTable(await shell.ask(tableCommand)), root, [...known.values()]);
    for (const row of tree) known.set(`${row.pid} ${row.started}`, row);
    return tree;
  };
  const send = async (signal: string, tree: readonly ProcessRow[]): Promise<void> => {
    if (tree.length > 0) await shell.ask(`kill -${signal} ${tree.map((row) => row.pid).join(' ')} 2>/dev/null`);
  };
  const waitUntilGone = async (limitMs: number): Promise<readonly ProcessRow[]> => {
    let tree = await look();
    for (let waitedMs = 0, pauseMs = 20; tree.length > 0 && waitedMs < limitMs; pauseMs = Math.min(pauseMs * 2, 250)) {
      await sleep(pauseMs);
      waitedMs += pauseMs;
      tree = await look();
    }
    return tree;
  };

  // A table without a single process is none, and says nothing of what is there.
  if (parseProcessTable(await shell.ask(tableCommand)).length === 0) return await endProcessGroup(shell, pid);
  let tree = await look();
  if (tree.length === 0) return 'unseen';
  await send('TERM', tree);
  // A stopped process acts on SIGTERM only once it goes on.
  await send('CONT', tree);
  tree = await waitUntilGone(graceMs);
  for (let round = 0; tree.length > 0 && round < 3; round += 1) {
    // Stopped processes start no others, so the kill that follows misses none.
    for (let before = -1; known.size > before;) {
      before = known.size;
      await send('STOP', tree);
      tree = await look();
    }
    await send('KILL', tree);
    tree = await waitUntilGone(goneMs / 3);
  }
  return tree.map((row) => row.pid);
}
