import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** So much is held in memory and sent to a host; PyInstaller's single files of a small program have 7 to 12 MB. */
const maxBytes = 128 * 1024 * 1024;

/**
 * The operator's single-file executable, exactly as the inventory names it by its SHA-256. Throws RangeError, with what to do, when
 * it cannot be read, is too large or is another file.
 */
export function readExecutable({ path, sha256 }: { readonly path: string; readonly sha256: string }): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new RangeError(`the executable ${path} cannot be read: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
  if (bytes.length > maxBytes) throw new RangeError(`the executable ${path} has more than ${maxBytes} bytes`);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256)
    throw new RangeError(
      `the executable ${path} is another file than the inventory says: its SHA-256 is ${found}. Build it again, or correct the inventory`,
    );
  return bytes;
}
