import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const folder = new URL('../../../../node_modules/.cache/detproof-kerberos/', import.meta.url);

/** The optional package `kerberos`, which is native code and no dependency; for the tests it lies in a folder of its own. */
export const kerberosPackage = new URL('node_modules/kerberos/lib/index.js', folder);

const built = fileURLToPath(new URL('node_modules/kerberos/build/Release/kerberos.node', folder));

/** Why the tests of Kerberos cannot run; undefined when the package is there. */
export function kerberosPackageMissing(): string | undefined {
  return existsSync(built)
    ? undefined
    : 'the npm package kerberos is not built; node test/prepare.ts builds it (Debian: libkrb5-dev, g++, make)';
}

/** Builds it once, with the headers of the Node that runs this. Throws with npm's words when it cannot. */
export async function buildKerberosPackage(log: (line: string) => void): Promise<void> {
  if (kerberosPackageMissing() === undefined) return;
  log('building the optional npm package kerberos for the tests');
  const prefix = fileURLToPath(folder);
  await rm(prefix, { recursive: true, force: true });
  const headers = dirname(dirname(process.execPath));
  await execa('npm', ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--no-save', 'kerberos@7.0.0'], {
    stdin: 'ignore',
    env: existsSync(join(headers, 'include/node/node_api.h')) ? { npm_config_nodedir: headers } : {},
  });
  if (!existsSync(built)) throw new Error('npm installed the package kerberos without building it');
}
