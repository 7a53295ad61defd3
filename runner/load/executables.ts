import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Target } from '../domain/inventory.ts';
import type { InventoryFile } from './inventory-schema.ts';

type Entries = InventoryFile['targets'][number]['executables'];

/** The executables that the operator has supplied: those whose hash is known. Whether the files are there is seen when they are run. */
export function suppliedExecutables(entries: Entries, folder: string): Target['executables'] {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, { path, sha256, sha256File }]) => {
      const known = sha256 ?? (sha256File === undefined ? undefined : firstHash(resolve(folder, sha256File)));
      return known === undefined ? [] : [[name, { path: resolve(folder, path), sha256: known }]];
    }),
  );
}

/** The hash at the beginning of a file as sha256sum(1) writes it. */
function firstHash(file: string): string | undefined {
  try {
    return /^[0-9a-f]{64}(?=\s|$)/.exec(readFileSync(file, 'utf8'))?.[0];
  } catch {
    return undefined;
  }
}
