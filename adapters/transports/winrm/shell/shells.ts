import { TransportFailure } from '../../../../runner/ports.ts';
import { Lifeline } from '../../../shared/lifeline.ts';
import { WsmanFault } from './fault.ts';
import { codes } from './fault-codes.ts';
import { isUnknown, RemoteShell } from './remote-shell.ts';
import type { Wsman } from './wsman.ts';

/** A host counts what ran in a shell against the account until the shell is closed, and the lowest limit seen is 15. */
const commandsPerShell = 10;

/** A shell that was idle for longer may be gone by now: the host closes it after 300 s. */
const staleAfterMs = 200_000;

/** A command that the host has taken, and the shell that it runs in. */
export type Started = { readonly shell: RemoteShell; readonly commandId: string };

/** The shells of one session. Each runs one command at a time, and a bounded number of them. */
export class Shells {
  readonly #wsman: Wsman;
  readonly #idle: { readonly shell: RemoteShell; readonly since: number }[] = [];
  #inUse = 0;
  #released = Promise.withResolvers<undefined>();

  constructor(wsman: Wsman) {
    this.#wsman = wsman;
  }

  /** Makes a shell and keeps it for later: shows that the account may have one. */
  async warmUp(signal: AbortSignal): Promise<void> {
    this.#keep(await RemoteShell.create(this.#wsman, undefined, signal));
  }

  /**
   * Has a line run. A host that refuses it for its quota, or because it knows the shell no more, did not take it: then it
   * is tried once more, in a new shell. A command of which nobody knows whether the host took it is never sent again.
   */
  async start(line: string, cwd: string | undefined, signal: AbortSignal): Promise<Started> {
    try {
      return await this.#try(line, await this.#lease(cwd, signal));
    } catch (error) {
      if (!(error instanceof WsmanFault) || !wasRefused(error)) throw error;
      await this.close();
      return this.#try(line, await this.#lease(cwd, signal));
    }
  }

  /** For the next command; `reusable` is false where it started in a folder of its own, or it is not known what it left. */
  async giveBack(shell: RemoteShell, reusable: boolean): Promise<void> {
    if (reusable && shell.commands < commandsPerShell) this.#keep(shell);
    else await shell.delete();
    this.#release();
  }

  /** Closes those that nobody uses. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ shell }) => shell.delete()));
  }

  #keep(shell: RemoteShell): void {
    this.#idle.push({ shell, since: performance.now() });
  }

  #release(): void {
    this.#inUse -= 1;
    this.#released.resolve(undefined);
    this.#released = Promise.withResolvers();
  }

  /** A host that has no room for another shell is asked again when one of ours is free; it is not asked for more than it has. */
  async #lease(cwd: string | undefined, signal: AbortSignal): Promise<RemoteShell> {
    for (;;) {
      const { promise: released } = this.#released;
      this.#inUse += 1;
      try {
        return (cwd === undefined ? await this.#fromIdle() : undefined) ?? (await this.#create(cwd, signal));
      } catch (error) {
        this.#inUse -= 1;
        if (!(error instanceof WsmanFault) || !hasNoRoom(error)) throw error;
        if (this.#idle.length > 0) await this.close();
        else if (this.#inUse === 0) throw error;
        else
          await new Lifeline().wait<undefined>((resolve) => void released.then(resolve), {
            signal,
            stopped: () => new TransportFailure('aborted', `stopped before ${this.#wsman.target} had room for a shell`),
          });
      }
    }
  }

  async #fromIdle(): Promise<RemoteShell | undefined> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (performance.now() - idle.since < staleAfterMs) return idle.shell;
      await idle.shell.delete();
    }
    return undefined;
  }

  async #create(cwd: string | undefined, signal: AbortSignal): Promise<RemoteShell> {
    try {
      return await RemoteShell.create(this.#wsman, cwd, signal);
    } catch (error) {
      if (cwd !== undefined && error instanceof WsmanFault && error.code === codes.noSuchFolder)
        throw new TransportFailure('not-started', `${cwd}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  async #try(line: string, shell: RemoteShell): Promise<Started> {
    try {
      return { shell, commandId: await shell.command(line) };
    } catch (error) {
      const closed = await shell.delete();
      this.#release();
      if (!(error instanceof TransportFailure) || !mayHaveStarted(error)) throw error;
      throw new TransportFailure('lost', outcomeUnknown(error, closed, 'whether the command was started'), {
        cause: error,
      });
    }
  }
}

function wasRefused(fault: WsmanFault): boolean {
  const quota = fault.code === codes.maxOperations || fault.code === codes.maxOperationsPerPlugin;
  return quota || (fault.action === 'Command' && isUnknown(fault));
}

function hasNoRoom({ code }: WsmanFault): boolean {
  return code === codes.maxShells || code === codes.maxShellsPerPlugin;
}

/** After other failures the host had not got the whole request, or has said that it did not act on it. */
function mayHaveStarted(error: TransportFailure): boolean {
  if (error instanceof WsmanFault) return error.code === codes.operationTimedOut;
  return error.class === 'lost' || error.class === 'aborted' || error.class === 'protocol';
}

/** What is said when nobody can know how a command went. */
export function outcomeUnknown(error: Error, shellClosed: boolean, what: string): string {
  return (
    `${error.message.trim().replace(/[^.!?]$/, '$&.')} Outcome unknown: ${what} cannot be told, and it is not sent again. ` +
    (shellClosed
      ? 'Its shell was closed, which ends what ran in it'
      : 'Its shell could not be closed: it may still be running, until the host closes the idle shell after 300 s')
  );
}
