import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvidenceRef } from '../domain/evidence.ts';
import type { EvidenceStore } from '../ports.ts';
import type { Redactor } from './redact.ts';

/** Evidence in a folder, one file per content, named by its SHA-256. */
export class EvidenceFolder implements EvidenceStore {
  readonly #folder: string;
  readonly #redactor: Redactor;

  constructor(folder: string, redactor: Redactor) {
    this.#folder = folder;
    this.#redactor = redactor;
  }

  async put(bytes: Uint8Array, mediaType: string): Promise<EvidenceRef> {
    const clean = this.#redactor.bytes(bytes);
    const sha256 = createHash('sha256').update(clean).digest('hex');
    const path = join(this.#folder, sha256);
    if (!(await exists(path))) {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const partial = `${path}.${randomUUID()}.part`;
      const file = await open(partial, 'wx', 0o600);
      try {
        await file.writeFile(clean);
        await file.datasync();
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      } finally {
        await file.close();
      }
      await rename(partial, path);
    }
    return { sha256, bytes: clean.byteLength, mediaType };
  }

  async get(ref: EvidenceRef): Promise<Uint8Array> {
    const path = join(this.#folder, ref.sha256);
    const bytes = await readFile(path);
    if (createHash('sha256').update(bytes).digest('hex') !== ref.sha256)
      throw new Error(`${path} was changed: its bytes no longer hash to its name`);
    return bytes;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
