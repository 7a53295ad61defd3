import type { AuthorizedTarget } from '../domain/authorize.ts';
import type { Reason } from '../domain/fact.ts';
import { type ClockOffset, duration, elapsed, epochMs } from '../domain/time.ts';
import { type Command, type CommandOutcome, type Session, type Transport, TransportFailure } from '../ports.ts';
import { dialectOf } from './dialect.ts';

/** What was learnt of a host when it was first reached. */
export type Probe = {
  readonly home: string;
  readonly clock?: ClockOffset;
  /** Folders that were asked about and did not exist. */
  readonly absent: ReadonlySet<string>;
};

/** How often a host is connected to again after its connection was lost. */
const reconnects = 3;

/** A session and how many are using it. Disposing of it twice is the first disposal again. */
type Held = { readonly opened: Promise<Session>; users: number; disposal?: Promise<void> };

function dispose(held: Held): Promise<void> {
  held.disposal ??= held.opened.then(
    (session) => session[Symbol.asyncDispose](),
    () => undefined,
  );
  return held.disposal;
}

/**
 * One account on one host for the whole run: the connection is made when first needed and again after it was lost. A refused
 * login or host key is final.
 */
export class Host implements AsyncDisposable {
  readonly #transport: Transport;
  #session: Held | undefined;
  /** Sessions that were given up and are, or will be, disposed of. */
  readonly #givenUp = new Set<Held>();
  #refused: TransportFailure | undefined;
  #losses = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Why the login, or the host's key, was refused: it is not tried again. */
  get refusal(): TransportFailure | undefined {
    return this.#refused;
  }

  /** Throws {@link TransportFailure}. */
  async session(target: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    return this.#hold(target, signal).opened;
  }

  /** Runs `use` on the session; after a lost connection the next call connects anew, three times at most. */
  async use<T>(target: AuthorizedTarget, signal: AbortSignal, use: (session: Session) => Promise<T>): Promise<T> {
    const held = this.#hold(target, signal);
    held.users += 1;
    try {
      return await use(await held.opened);
    } catch (error) {
      // What was under way when a connection broke fails together, and is one loss.
      if (
        error instanceof TransportFailure &&
        error.class === 'lost' &&
        this.#session === held &&
        this.#losses < reconnects
      ) {
        this.#losses += 1;
        this.#session = undefined;
        this.#givenUp.add(held);
      }
      throw error;
    } finally {
      held.users -= 1;
      // Not while others use it: it need not be the connection that was lost, and disposing of it would end their commands.
      if (held.users === 0 && this.#givenUp.has(held)) dispose(held).catch(() => undefined);
    }
  }

  #hold(target: AuthorizedTarget, signal: AbortSignal): Held {
    if (this.#refused !== undefined) throw this.#refused;
    if (this.#session !== undefined) return this.#session;
    const held: Held = { opened: this.#transport.connect(target, signal), users: 0 };
    this.#session = held;
    held.opened.catch((error: unknown) => {
      if (this.#session === held) this.#session = undefined;
      if (error instanceof TransportFailure && (error.class === 'login' || error.class === 'host-key'))
        this.#refused = error;
    });
    return held;
  }

  run(
    target: AuthorizedTarget,
    command: Command,
    limit: { timeoutMs: number; signal: AbortSignal },
  ): Promise<CommandOutcome> {
    // What the harness does itself goes the transport's own way to run one command.
    const channel = command.channel === 'exec' ? target.target.transport.channels[0] : command.channel;
    return this.use(target, limit.signal, (session) =>
      session.run({ ...command, channel }, { timeout: duration(limit.timeoutMs), signal: limit.signal }),
    );
  }

  /** First touch: home, clock, interpreter, which folders are there. Throws {@link TransportFailure}; `not-started` without Python. */
  async probe(target: AuthorizedTarget, folders: readonly string[], signal: AbortSignal): Promise<Probe> {
    const { interpreter, platform } = target.target;
    const outcome = await this.run(target, dialectOf(platform).probe(interpreter, folders), {
      timeoutMs: 20_000,
      signal,
    });
    const text = new TextDecoder().decode(outcome.stdout).replaceAll('\r\n', '\n');
    const value = (key: string): string | undefined =>
      text
        .split('\n')
        .find((line) => line.startsWith(`${key} `))
        ?.slice(key.length + 1);
    const home = value('home');
    if (home === undefined || !/^(?:\/|[A-Za-z]:\\)/.test(home))
      throw new TransportFailure(
        'protocol',
        `${target.target.id} did not say where the home of ${target.account.name} is`,
      );
    if (value('interpreter') === undefined)
      throw new TransportFailure(
        'not-started',
        `${target.target.id} has no executable ${interpreter}; set interpreter in the inventory`,
      );
    const clock = offset(value('clock'), outcome);
    return {
      home,
      ...(clock === undefined ? {} : { clock }),
      absent: new Set(text.split('\n').flatMap((line) => (line.startsWith('absent ') ? [line.slice(7)] : []))),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#givenUp, ...(this.#session === undefined ? [] : [this.#session])].map(dispose));
  }
}

/** The host's clock was read somewhere between the start and the end of the command: half of that is the uncertainty. */
function offset(seconds: string | undefined, outcome: CommandOutcome): ClockOffset | undefined {
  const theirs = Number.parseFloat(seconds ?? '') * 1_000;
  if (!Number.isFinite(theirs)) return undefined;
  const half = elapsed(outcome.startedAt, outcome.endedAt) / 2;
  // BusyBox and BSD have no %N: whole seconds add half a second of doubt.
  const coarse = /^\d+\.\d{3,}$/.test(seconds ?? '') ? 0 : 500;
  return {
    offsetMs: Math.round(theirs + coarse - (epochMs(outcome.startedAt) + half)),
    uncertaintyMs: Math.ceil(half + coarse),
  };
}

/** A transport's failure as a reason why something was not run. */
export function failureReason(error: TransportFailure): Reason {
  switch (error.class) {
    case 'unreachable':
    case 'protocol':
    case 'cut-short':
      return { class: error.class, detail: error.message };
    case 'host-key':
    case 'login':
    case 'not-started':
      return { class: error.class, detail: error.message };
    case 'lost':
      return { class: 'broken-off', detail: error.message };
    case 'aborted':
      return { class: 'interrupted', detail: error.message };
    case 'not-found':
    case 'file':
      return { class: 'not-started', detail: error.message };
  }
}
