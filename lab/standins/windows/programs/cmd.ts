import { CmdExit } from '../cmd/exit.ts';
import { Interpreter } from '../cmd/interpreter.ts';
import { commandOf } from '../cmd/parse.ts';
import type { Program } from '../machine/machine.ts';

/** cmd.exe: one command line (`/c`, `/k`), or without one the lines of its input. */
export const cmd: Program = async (process, machine) => {
  const shell = new Interpreter(process, machine);
  const { stdin, stdout, stderr } = process;
  const text = commandOf(process.commandLine, (name) => machine.tree.isFile(machine.tree.resolve(name, process.cwd)));
  try {
    if (text !== undefined) return await shell.line(text, { stdin, stdout, stderr });
    for await (const line of linesOf(stdin)) await shell.line(line, { stdin, stdout, stderr });
    return shell.errorLevel;
  } catch (error) {
    if (error instanceof CmdExit) return error.code;
    throw error;
  }
};

async function* linesOf(input: AsyncIterable<unknown>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + (chunk as Buffer).toString('utf8')).split(/\r?\n/);
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
