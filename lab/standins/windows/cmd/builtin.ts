import type { Machine } from '../machine/machine.ts';
import type { WinProcess } from '../machine/process.ts';
import type { Streams } from './streams.ts';

/** The cmd.exe that a builtin belongs to. */
export type CmdShell = {
  readonly process: WinProcess;
  readonly machine: Machine;
  readonly errorLevel: number;
  /** Runs a line; its result is the exit code. */
  readonly line: (text: string, streams: Streams) => Promise<number>;
};

/** A command that cmd.exe carries out itself. Its result is the error level. */
export type Builtin = (call: BuiltinCall) => Promise<number>;
export type BuiltinCall = { readonly shell: CmdShell; readonly args: string; readonly streams: Streams };

/** Writes a line of output. */
export async function say(call: BuiltinCall, text: string): Promise<0> {
  await call.streams.stdout.write(Buffer.from(`${text}\r\n`));
  return 0;
}

/** Writes a line of errors. */
export async function fail(call: BuiltinCall, text: string): Promise<1> {
  await call.streams.stderr.write(Buffer.from(`${text}\r\n`));
  return 1;
}

/** The words of the arguments, without their quotes. */
export function words(args: string): readonly string[] {
  return [...args.matchAll(/"([^"]*)"?|[^\s"]+(?:"[^"]*"[^\s"]*)*/g)].map(
    ([whole, quoted]) => quoted ?? whole.replaceAll('"', ''),
  );
}
