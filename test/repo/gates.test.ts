import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);

async function gate(command: string, ...args: readonly string[]): Promise<string> {
  const bin = join(project, 'node_modules/.bin');
  const env = { ...process.env, NODE_OPTIONS: '', PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  return run(join(bin, command), args, { cwd: project, env, maxBuffer: 1 << 24 }).then(
    () => '',
    (error: unknown) => {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      return `${stdout ?? ''}${stderr ?? ''}` || String(error);
    },
  );
}

t.test('gates: the compiler finds nothing', async (t) => {
  t.equal(await gate('tsc'), '');
});
t.test('gates: eslint finds nothing', async (t) => {
  t.equal(await gate('eslint', '--max-warnings', '0', '.'), '');
});
t.test('gates: prettier would change nothing', async (t) => {
  t.equal(await gate('prettier', '--check', '--log-level', 'warn', '.'), '');
});
t.test('gates: knip finds no unused file, export or dependency', async (t) => {
  t.equal(await gate('knip', '--no-progress'), '');
});

/** Tracked and new files that git does not ignore. */
async function tracked(): Promise<readonly string[]> {
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard'], { cwd: project });
  return stdout.split('\n').filter((name) => name !== '');
}

t.test('tidiness: sources stay short, and hold nothing that was put off', async (t) => {
  const files = await tracked().catch(() => []);
  if (files.length === 0) {
    t.pass('not a git checkout', { skip: 'not a git checkout, so its files cannot be listed' });
    return;
  }
  const sources = files.filter((name) => name.endsWith('.ts') && !name.startsWith('test/'));
  const long = sources.filter((name) => readFileSync(join(project, name), 'utf8').split('\n').length > 330);
  t.same(long, [], 'no file over 330 lines');
  const later = new RegExp(
    ['TO' + 'DO', 'FIX' + 'ME', '@ts-' + 'ignore', 'eslint-' + 'disable', 'not ' + 'implemented'].join('|'),
  );
  t.same(
    sources.filter((name) => later.test(readFileSync(join(project, name), 'utf8'))),
    [],
    'nothing put off',
  );
  const lock = readFileSync(join(project, 'package-lock.json'), 'utf8');
  t.notMatch(lock, /"resolved": "https?:/, 'the lock file names no download addresses');
});
