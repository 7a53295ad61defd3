import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** Packages from PyPI that tests use as clients, peers and parsers that nobody here wrote; exact versions, so that a test means the same tomorrow. */
const packages = [
  'parso==0.7.1',
  'pypsrp==0.9.1',
  'pyspnego==0.12.4',
  'tree-sitter==0.26.1',
  'tree-sitter-powershell==0.26.4',
];

/** The folder that they are installed in, outside of what is checked in: for PYTHONPATH. */
export const pythonPackages = fileURLToPath(new URL('../node_modules/.cache/detproof-python-peers', import.meta.url));

const stamp = join(pythonPackages, '.installed');
const wanted = createHash('sha256').update(packages.join()).digest('hex');

/** The system's own interpreter: others on a machine may be older or built without TLS. */
export const python = '/usr/bin/python3';

/** Installs them once; says nothing when they are there. Throws with pip's words when it cannot. */
export async function installPythonPackages(log: (line: string) => void): Promise<void> {
  if (pythonPackagesMissing() === undefined) return;
  rmSync(pythonPackages, { recursive: true, force: true });
  mkdirSync(pythonPackages, { recursive: true });
  log(`installing from PyPI: ${packages.join(' ')}`);
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-input',
    '--target',
    pythonPackages,
  ];
  await execa(python, [...pip, ...packages], { stdin: 'ignore' });
  writeFileSync(stamp, wanted);
}

/** Why a test that needs them cannot run; undefined when they are all there. */
export function pythonPackagesMissing(): string | undefined {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
    ? undefined
    : 'the Python packages of the tests are not installed; node test/prepare.ts installs them from PyPI';
}
