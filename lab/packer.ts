import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensurePackages } from './range/packages.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const cache = join(project, 'node_modules/.cache/detproof-packer');
const packer = 'pyinstaller==6.22.3';
/** What PyInstaller needs of Debian besides Python itself: the interpreter as a library, and objdump. */
const debian = ['binutils', 'libpython3.11', 'python3-pip'];
const python = '/usr/bin/python3';

/**
 * Makes, as an operator would (docs/scenarios.md), the single-file executable that scenarios on the lab's Linux hosts run:
 * `STATEDIR/collector`, and `STATEDIR/collector.sha256` as sha256sum(1) writes it. Packed once, by PyInstaller from PyPI, and kept
 * in the cache of node_modules. Where that cannot be, says why and does without: those scenarios are then left out.
 */
export async function packExecutable(stateDir: string, log: (line: string) => void): Promise<void> {
  const source = `${payload('single-file.py')}${payload('receipt.py')}\nmain()\n`;
  const name = createHash('sha256').update(`${packer}\n${source}`).digest('hex').slice(0, 16);
  const packed = join(cache, name);
  try {
    if (!existsSync(packed)) await pack(source, packed, log);
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    copyFileSync(packed, join(stateDir, 'collector'));
    const sha256 = createHash('sha256').update(readFileSync(packed)).digest('hex');
    writeFileSync(join(stateDir, 'collector.sha256'), `${sha256}  collector\n`);
  } catch (error) {
    log(`no single-file executable, so its scenarios are left out: ${error instanceof Error ? error.message : ''}`);
  }
}

function payload(name: string): string {
  return readFileSync(join(project, 'scenarios/payloads', name), 'utf8');
}

async function pack(source: string, packed: string, log: (line: string) => void): Promise<void> {
  await ensurePackages(debian, log);
  log(`packing a single-file executable with ${packer} from PyPI (once)`);
  const library = join(cache, 'library');
  const work = join(cache, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--upgrade'];
  await execa(python, [...pip, '--target', library, packer], { stdin: 'ignore' });
  writeFileSync(join(work, 'collector.py'), source);
  const options = ['--onefile', '--runtime-tmpdir', '.', '--log-level', 'ERROR', '--noconfirm'];
  await execa(python, ['-m', 'PyInstaller', ...options, 'collector.py'], {
    cwd: work,
    stdin: 'ignore',
    env: { PYTHONPATH: library, PYINSTALLER_CONFIG_DIR: join(cache, 'config') },
  });
  copyFileSync(join(work, 'dist/collector'), packed);
  rmSync(work, { recursive: true, force: true });
}
