/** The main job on this machine: lab up, one run of the whole library against it, lab down. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from './range/lab.ts';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs one command line of detproof with this terminal; resolves with its exit code. A Ctrl-C reaches the child by itself. */
function detproof(...args: readonly string[]): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(project, 'runner/main.ts'), ...args], {
      cwd: project,
      stdio: 'inherit',
    });
    child.once('error', fail);
    child.once('exit', (code, signal) => {
      done(code ?? (signal === null ? 1 : 130));
    });
  });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
const before = await status({ stateDir: join(project, 'out/lab') });
let exitCode = before.is === 'whole' ? 0 : await detproof('lab', 'up');
if (exitCode === 0) {
  exitCode = await detproof('run', '--yes', ...process.argv.slice(2));
  // A lab that somebody had brought up for themselves stays up.
  if (before.is !== 'whole') {
    const down = await detproof('lab', 'down');
    if (exitCode === 0) exitCode = down;
  }
}
process.exitCode = exitCode;
