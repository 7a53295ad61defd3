import type { ProcessRef } from '../range/processes.ts';

/**
 * A host of the lab that plays another platform: never counted as that platform. A folder `lab/standins/<platform>/` whose
 * index.ts exports `standIns` joins the lab; there is no list to add it to. A folder may bring several hosts.
 *
 * There is no `stop`: the lab ends every process in a mount namespace that bears its mark ({@link StandInContext.open} and
 * {@link StandInContext.start} see to that, and children inherit it) and removes the folders of {@link StandInFolders}, which
 * works as well after `kill -9` and without a state file. Whatever a stand-in does outside its own processes, mount namespaces
 * and these folders would stay, so it must not.
 */
export interface StandIn {
  /** Host name, in the SIEM, in the inventory and inside the host; begins with `lab-` and is nobody else's. */
  readonly name: `lab-${string}`;
  readonly platform: 'esxi' | 'macos' | 'windows';
  /** TCP ports that it listens on, on the lab's address. `up` is refused when one is taken. */
  readonly ports: readonly number[];
  readonly accounts: readonly StandInAccount[];
  /** Debian packages; `up` installs those that are missing, and they stay. Where that fails the stand-in is left out, with the reason. */
  readonly packages: readonly string[];
  /** User and group ids of the machine that it uses; `up` leaves the stand-in out, with the reason, when one is in use. */
  readonly ids?: { readonly first: number; readonly count: number };
  /** How its log lines reach the lab's SIEM. */
  readonly logs: readonly StandInLog[];
  /** What else keeps it from running on this machine, in words that say what to do; undefined for nothing. Changes nothing. Asked after the packages are there. */
  readonly obstacle?: () => Promise<string | undefined>;
  /**
   * Brings it up, and returns when it can be logged in to and its logs reach the SIEM (which listens already). What it started
   * is recorded by the context. An error is the whole `up`'s: everything is undone.
   */
  readonly start: (context: StandInContext) => Promise<void>;
}

/** A login of a stand-in. */
export interface StandInAccount {
  readonly name: string;
  /** As the inventory says it. */
  readonly role: string;
}

/**
 * Where the SIEM finds lines of a stand-in. `format` names the module `lab/siem/<format>-normalise.ts`, which exports
 * `normaliser` (lab/siem/collected-line.ts).
 */
export type StandInLog =
  /** A file in {@link StandInFolders.logs}, followed through rotation by renaming; one line is one event. It need not exist yet. */
  | { readonly via: 'file'; readonly file: string; readonly format: string }
  /** Datagrams to {@link StandInContext.syslog} whose header bears the stand-in's name. */
  | { readonly via: 'syslog'; readonly format: string };

/** The folders of one stand-in; they exist when it starts. */
export interface StandInFolders {
  /** Passable for every account of the machine, writable for root; below /run; gone after `down`. Copies of programs and settings go here: accounts may not be able to read the checkout. */
  readonly runtime: string;
  /** `<state folder>/<name>`, mode 700; what a client needs to log in: secrets, certificates. Gone after `down`. */
  readonly secrets: string;
  /** `<state folder>/logs/<name>`, mode 700; stays until the logs are dropped. */
  readonly logs: string;
}

/** What the lab does for a stand-in. */
export interface StandInContext {
  readonly standIn: StandIn;
  readonly folders: StandInFolders;
  /** The one address to listen on. */
  readonly address: string;
  /** Where the SIEM listens for syslog datagrams (UDP). */
  readonly syslog: { readonly address: string; readonly port: number };
  /** The public key of the lab's client key (`<state folder>/id_ed25519`), a line as in authorized_keys(5). */
  readonly clientPublicKey: string;
  /** One line of progress or of something that is missing, for the person who runs `up`. */
  readonly log: (line: string) => void;
  /**
   * A password for an account, made at random (letters and digits) and written to `<state folder>/<name>/<account>.password`
   * (mode 600, no line feed), where the inventory refers to it. The same at every call of one `up`.
   */
  readonly password: (account: string) => string;
  /** Adds host keys (lines of a `.pub` file) for a port to the lab's known_hosts. */
  readonly trust: (port: number, publicKeys: readonly string[]) => void;
  /**
   * Opens a mount and a UTS namespace of the stand-in's own: marked as the lab's, with the stand-in's host name, held open by a
   * process that is recorded as `<name> holder`; then runs `setup` in them as root, to its end. Throws with what it said when it fails.
   */
  readonly open: (setup: readonly [string, ...string[]]) => Promise<ProcessRef>;
  /**
   * Starts a process that outlives `up` and records it as `what` for `status`, which shows whether it runs. Output goes to
   * `<name>.<what>.log`. It runs in the namespaces that `door` holds, or, without one, in marked ones of its own in which
   * everything of the machine is as it was. Never give it a secret as an argument.
   */
  readonly start: (what: string, argv: readonly [string, ...string[]], options?: StartOptions) => Promise<ProcessRef>;
  /** Waits until something listens on this port of loopback, or throws with the end of `process`'s log. */
  readonly listening: (port: number, process: ProcessRef) => Promise<void>;
}

/** See {@link StandInContext.start}. */
export interface StartOptions {
  readonly door?: ProcessRef;
  /** Whether the door's user namespace is entered as well. */
  readonly user?: boolean;
}
