import type { Platform } from '../../runner/domain/attack.ts';
import type { Clock, Command, CommandOutcome } from '../../runner/ports.ts';
import { PosixHost } from './posix-host.ts';
import type { LineHost, RunLimit } from './run-line.ts';
import { WindowsHost } from './windows-host.ts';

/** What a session over SSH must know of its host. `root`: the account's name says that it has all rights. */
export type HostTraits = {
  readonly host: string;
  readonly clock: Clock;
  readonly shell: 'posix' | 'cmd' | 'powershell';
  readonly platform: Platform;
  readonly root: boolean;
};

/** How commands are run on a host, by the shell that it hands a line to. `plain` is for POSIX: with the account's own rights, on the command's channel. */
export function commandsOf(
  { host, shell, root }: HostTraits,
  lines: LineHost,
  plain: (command: Command, limit: RunLimit) => Promise<CommandOutcome>,
): { run(command: Command, limit: RunLimit): Promise<CommandOutcome> } {
  return shell === 'posix' ? new PosixHost(lines, { name: host, root }, plain) : new WindowsHost(lines, host, shell);
}
