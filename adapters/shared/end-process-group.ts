import type { ShellTalk } from './shell-talk.ts';

/** The ids of what is still there; `unseen`: the host showed nothing of the command from the start. */
export type Left = readonly number[] | 'unseen';

/** Long enough for a command that ends on SIGTERM, and for the kernel after SIGKILL. */
const tries = 10;

/**
 * For hosts that show no process table (neither /proc nor a ps that is understood): ends the process group of a command, which
 * sshd makes for each. What left the group is not seen; `[pid]` when any of it is still there.
 */
export async function endProcessGroup(shell: ShellTalk, pid: number): Promise<Left> {
  const alive = `kill -0 -${pid} 2>/dev/null || kill -0 ${pid} 2>/dev/null`;
  const answer = await shell.ask(
    `${alive} || echo unseen
for s in TERM KILL; do kill -$s -${pid} 2>/dev/null || kill -$s ${pid} 2>/dev/null; n=0
while [ $n -lt ${tries} ] && { ${alive}; }; do n=$((n + 1)); sleep 0.1 2>/dev/null || sleep 1; done; done
if ${alive}; then echo there; else echo gone; fi`,
  );
  if (/^unseen$/m.test(answer)) return 'unseen';
  return /^gone$/m.test(answer) ? [] : [pid];
}
