import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where the tests' Python packages are, for PYTHONPATH: outside what is checked in. */
export const PYTHON_PEERS = fileURLToPath(new URL('../../../../node_modules/.cache/detproof/python-peers', import.meta.url));

/** What is wanted there from PyPI. */
const packages = ['pyspnego==0.12.4'];

/**
 * Puts the packages into {@link PYTHON_PEERS} for Debian's own Python, whole or not at all, unless they are there. Throws,
 * with pip's words, when they cannot be had.
 */
export async function installPythonPeers(log: (line: string) => void): Promise<void> {
  const made = `${PYTHON_PEERS}/packages.txt`;
  const wanted = `${packages.join('\n')}\n`;
  if ((await readFile(made, 'utf8').catch(() => '')) === wanted) return;
  log(`installing Python packages for the tests below node_modules: ${packages.join(' ')}`);
  const fresh = `${PYTHON_PEERS}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true });
    await promisify(execFile)('/usr/bin/python3', [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action', 'ignore'],
      ...['--only-binary', ':all:', '--target', fresh, ...packages],
    ]);
    await writeFile(`${fresh}/packages.txt`, wanted);
    await rm(PYTHON_PEERS, { recursive: true, force: true });
    await rename(fresh, PYTHON_PEERS);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
