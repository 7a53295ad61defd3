import type { Inventory, Target } from '../domain/inventory.ts';
import type { OwnerPage } from '../domain/owner-page.ts';
import type { RunReport } from '../domain/run-report.ts';
import type { Plugins } from '../load/plugin-settings.ts';
import type { Problem } from '../load/problem.ts';
import type { Payloads } from '../pipeline/invocation.ts';
import type {
  Clock,
  OutputFile,
  PluginDeps,
  Random,
  ReportPlugin,
  Reporter,
  RunStore,
  SiemAdapter,
  Transport,
} from '../ports.ts';

/** Everything the command line is given by the composition root. */
export interface App {
  readonly version: string;
  readonly operator: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Payloads of a library folder. */
  readonly payloads: (library: string) => Payloads;
  readonly plugins: Plugins;
  readonly reports: ReadonlyMap<string, { readonly plugin: ReportPlugin; readonly reporter: Reporter }>;
  /** What a run came to, for a person at this terminal. */
  readonly summary: (run: RunReport) => string;
  /** A page for each owner of a planned host. */
  readonly ownerPages: (pages: readonly OwnerPage[]) => readonly OutputFile[];
  /**
   * Owners' pages into a folder, which is made when it is not there. Throws what says that it cannot be written, or that a file of
   * somebody else would be written over.
   */
  readonly writeFiles: (folder: string, files: readonly OutputFile[]) => Promise<void>;
  /** Folder of the scenario library that comes with detproof. */
  readonly library: string;
  readonly runs: (out: string) => RunStore;
  /** What plug-ins may use; secrets and paths are relative to the inventory's folder. Variables with secrets leave the environment. */
  readonly pluginDeps: (inventory: Inventory, folder: string, keep: PluginDeps['keep']) => PluginDeps;
  readonly transports: (deps: PluginDeps) => (target: Target) => Transport;
  readonly siems: (inventory: Inventory, deps: PluginDeps) => ReadonlyMap<string, SiemAdapter>;
  /** Takes secrets out of what is shown. */
  readonly redact: (text: string) => string;
  readonly lab: LabControl;
  /** Checks of this machine, for `doctor`. */
  readonly machine: (out: string) => Promise<readonly Check[]>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
}

/** The small range on this machine, as far as the command line is concerned. Throws {@link Exit} with code 4 when it refuses. */
export interface LabControl {
  up(stateDir: string, log: (line: string) => void): Promise<Told>;
  down(stateDir: string): Promise<Told & { readonly restored: boolean }>;
  status(stateDir: string): Promise<Told>;
}

/** Lines for a person, and the same for machines. */
export type Told = { readonly lines: readonly string[]; readonly json: unknown };

/** One line of `doctor`. `unknown`: it could not be looked at, which is neither well nor trouble. */
export type Check = {
  readonly what: string;
  readonly state: 'ok' | 'trouble' | 'unknown';
  readonly detail: string;
};

/** Exit codes are API; the first that applies, in this order, wins. */
export const exitCodes = {
  interrupted: 130,
  badInput: 2,
  leftBehind: 5,
  refused: 4,
  worse: 1,
  inconclusive: 3,
  asExpected: 0,
} as const;

/** Ends a command with an exit code and a message (none when everything was said). */
export class Exit extends Error {
  override readonly name: string = 'Exit';
  readonly exitCode: number;

  constructor(exitCode: number, message = '') {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Wrong files: all their problems. */
export class BadInput extends Exit {
  override readonly name = 'BadInput';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(exitCodes.badInput);
    this.problems = problems;
  }
}
