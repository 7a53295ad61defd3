/** The main job on this machine: lab up, one run of the whole library against it, lab down. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Exit, exitCodes } from '../runner/cli/app.ts';
import { downLines, refusing, statusLines } from './control.ts';
import { packExecutable } from './packer.ts';
import { down, status, up } from './range/lab.ts';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const stateDir = join(project, 'out/lab');

/** Runs the command line with this terminal; resolves with its exit code. A Ctrl-C reaches the child by itself. */
function run(...args: readonly string[]): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(project, 'runner/main.ts'), 'run', '--yes', ...args], {
      cwd: project,
      stdio: 'inherit',
    });
    child.once('error', fail);
    child.once('exit', (code) => {
      done(code ?? exitCodes.interrupted);
    });
  });
}

function tell(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}

async function demo(): Promise<number> {
  // A lab that somebody had brought up for themselves stays up.
  const before = await status({ stateDir });
  if (before.is === 'whole' && before.stateDir === stateDir) return run(...process.argv.slice(2));
  tell([
    'Bringing up the lab: two Linux hosts with sshd and cron, kernel audit, stand-ins for ESXi, macOS and Windows, and a small SIEM (docs/lab.md).',
  ]);
  const log = (line: string): void => {
    tell([`  ${line}`]);
  };
  // Tied: should this process be killed, the next `up` takes the lab for abandoned and removes it.
  tell(statusLines(await refusing(() => up({ stateDir, tied: true, waitMs: 5_000, log }))));
  let exitCode: number;
  try {
    await packExecutable(stateDir, log);
    exitCode = await run(...process.argv.slice(2));
  } finally {
    const report = await down({ stateDir });
    tell(downLines(report));
    if (report.leftBehind.length > 0) process.exitCode = exitCodes.leftBehind;
  }
  return process.exitCode === exitCodes.leftBehind ? exitCodes.leftBehind : exitCode;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
try {
  process.exitCode = await demo();
} catch (error) {
  if (!(error instanceof Exit)) throw error;
  tell([error.message]);
  process.exitCode = error.exitCode;
}
