import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { faultsDigest, noFaults } from './faults.ts';
import { faultSchema } from './fault-settings.ts';
import type { Faults } from './fault-settings.ts';

/** What the control file says now. A file that cannot be understood switches nothing, and says why. */
export type FaultState = { readonly digest: string; readonly faults: Faults; readonly problem?: string };

/** Reads the control file; no file = no faults. `before` is kept when the file has not changed. */
export function readFaults(file: string, before: FaultState): FaultState {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return before.digest === noFaults ? before : { digest: noFaults, faults: {} };
    throw error;
  }
  const digest = faultsDigest(text);
  if (digest === before.digest) return before;
  try {
    return { digest, faults: faultSchema.parse(JSON.parse(text)) };
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    return { digest, faults: before.faults, problem };
  }
}
