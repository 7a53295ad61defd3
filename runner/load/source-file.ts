import { open, stat } from 'node:fs/promises';
import type { Problem } from './problem.ts';

export type Path = readonly (string | number)[];
/** `file`: when it is another one than that of the {@link SourceFile}, because that one includes it. */
export type Position = { readonly line: number; readonly col: number; readonly file?: string };

/** A file of the user as plain values, which still knows where each of them was written. */
export type SourceFile = {
  /** As it is shown to the user. */
  readonly file: string;
  /** Lower-case hex SHA-256 of the file's bytes. */
  readonly sha256: string;
  readonly value: unknown;
  /** Where the value at `path` begins; for a path that does not exist: the key (or item) under which it would be. */
  readonly at: (path: Path) => Position;
  /** Where the key of the value at `path` begins. */
  readonly keyAt: (path: Path) => Position;
};

/** `source` is absent when the file could not be understood; with only a doubled key, further checks can go on. */
export type SourceRead = { readonly source?: SourceFile; readonly problems: readonly Problem[] };

/** A file with one problem, which has no place within it. */
export function refuse(
  file: string,
  code: string,
  found: string,
  hint: string,
): { readonly problems: readonly Problem[] } {
  return { problems: [{ file, line: 1, col: 1, code, found, hint }] };
}

/** The bytes of a regular file of at most `maxBytes`; what is wrong otherwise. */
export async function readBytes(
  file: string,
  maxBytes: number,
): Promise<{ readonly bytes?: Uint8Array; readonly problems: readonly Problem[] }> {
  try {
    // Opening a pipe would wait for somebody to write to it.
    if (!(await stat(file)).isFile())
      return refuse(file, 'FILE_UNREADABLE', 'something that is no regular file', 'name a regular file');
    const bytes = await readAtMost(file, maxBytes + 1);
    if (bytes.length <= maxBytes) return { bytes, problems: [] };
    return refuse(file, 'FILE_TOO_LARGE', `more than ${maxBytes} bytes`, 'is it the right file? split it if it is');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const found = code === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${code})`;
    return refuse(file, 'FILE_UNREADABLE', found, 'name a file that exists and that you may read');
  }
}

async function readAtMost(file: string, maxBytes: number): Promise<Uint8Array> {
  await using handle = await open(file, 'r');
  const chunks: Uint8Array[] = [];
  for (let total = 0; total < maxBytes;) {
    const chunk = new Uint8Array(Math.min(65_536, maxBytes - total));
    const { bytesRead } = await handle.read(chunk);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    total += bytesRead;
  }
  return Buffer.concat(chunks);
}
