import type { Readable, Writable } from 'node:stream';
import type { TransportFailure } from '../../runner/ports.ts';

/**
 * `ifNotStarted`: the exit code may be that of a client in between instead, and then this is what happened. A command that is
 * known to have started has the code itself.
 */
export type PipesEnd =
  | { readonly kind: 'code'; readonly code: number; readonly ifNotStarted?: TransportFailure }
  | { readonly kind: 'signal'; readonly signal: string };

/** A shell that was given one line, seen as its pipes. */
export type Pipes = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** When it has ended and its output was read to the end. Rejects with a `TransportFailure` `lost` when the connection breaks. */
  readonly ended: Promise<PipesEnd>;
  /** Lets go of the pipes, whatever still holds their other ends. */
  release(): void;
};

/** Gives one line to a new shell of the account. Throws `TransportFailure` `not-started`, `lost` or `aborted`. */
export type StartLine = (line: string, signal: AbortSignal) => Promise<Pipes>;
