import { duration } from '../../runner/domain/time.ts';
import type { Command, CommandOutcome } from '../../runner/ports.ts';
import { type LineHost, runExec, type RunLimit } from './run-line.ts';
import { checkSudo, throughSudo } from './sudo.ts';

const never = new AbortController().signal;

/** SIGKILL to what the account itself may not end, then says who is still there. */
const killScript =
  'kill -KILL "$@" 2>/dev/null; n=0; while [ $n -lt 20 ]; do l=; for p; do kill -0 "$p" 2>/dev/null && l="$l $p"; done; [ -z "$l" ] && break; n=$((n + 1)); sleep 0.1 2>/dev/null || sleep 1; done; echo "left$l"';

/** Runs commands on a host with a POSIX shell: Linux, macOS, ESXi's BusyBox. */
export class PosixHost {
  readonly #lines: LineHost;
  readonly #name: string;
  readonly #plain: (command: Command, limit: RunLimit) => Promise<CommandOutcome>;
  /** Whether the account is the administrator already. */
  #admin: Promise<boolean> | undefined;

  /** `plain` runs a command with the account's own rights, on its channel; `root`: these are all rights already. */
  constructor(
    lines: LineHost,
    host: { readonly name: string; readonly root: boolean },
    plain: (command: Command, limit: RunLimit) => Promise<CommandOutcome>,
  ) {
    this.#lines = lines;
    this.#name = host.name;
    this.#plain = plain;
    if (host.root) this.#admin = Promise.resolve(true);
  }

  async run(command: Command, limit: RunLimit): Promise<CommandOutcome> {
    if (command.privilege !== 'admin' || (await this.#isAdmin(limit.signal))) return this.#plain(command, limit);
    const outcome = await this.#plain(throughSudo(command), limit);
    checkSudo(outcome, this.#name, command.channel);
    const { exit } = outcome;
    if (exit.kind !== 'timeout' || exit.survivors.length === 0) return outcome;
    return { ...outcome, exit: { kind: 'timeout', survivors: await this.#endAsAdmin(exit.survivors) } };
  }

  /** Asked once per session; a host that does not say (ESXi has no `id`) is taken at the account's name. */
  async #isAdmin(signal: AbortSignal): Promise<boolean> {
    this.#admin ??= this.#plain(
      { argv: ['/bin/sh', '-c', 'id -u'], channel: 'exec' },
      { timeout: duration(20_000), signal },
    ).then(({ stdout }) => Buffer.from(stdout).toString('latin1').trim() === '0');
    try {
      return await this.#admin;
    } catch (error) {
      this.#admin = undefined;
      throw error;
    }
  }

  /** Processes that run as root are not the account's to end. */
  async #endAsAdmin(survivors: readonly number[]): Promise<readonly number[]> {
    try {
      const { stdout } = await runExec(
        { ...this.#lines, start: this.#lines.startAside },
        throughSudo({ argv: ['/bin/sh', '-c', killScript, 'sh', ...survivors.map(String)], channel: 'exec' }),
        { timeout: duration(10_000), signal: never },
      );
      const left = /^left((?: \d+)*)$/m.exec(Buffer.from(stdout).toString('latin1'))?.[1];
      return left === undefined ? survivors : left.split(' ').filter(Boolean).map(Number);
    } catch {
      return survivors;
    }
  }
}
