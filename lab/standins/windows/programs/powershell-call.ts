import type { Machine } from '../machine/machine.ts';
import type { WinProcess } from '../machine/process.ts';

/** What a text of the harness works with. */
export type PowershellCall = {
  readonly process: WinProcess;
  readonly machine: Machine;
  /** All of standard input. */
  readonly input: () => Promise<string>;
};

/** `exit` in the middle of a text. */
export class PowershellExit extends Error {
  readonly code: number;

  constructor(code: number) {
    super('exit');
    this.code = code;
  }
}
