import { sha256 } from './sha256.ts';

/**
 * A reference to a secret as messages and reports show it: `env:` and `file:` as they are; of `exec:` not the command, which may
 * hold what is as good as the secret, but enough to tell one from another.
 */
export function describeReference(reference: string): string {
  return reference.startsWith('exec:')
    ? `exec:… (sha256 ${sha256(Buffer.from(reference.slice('exec:'.length))).slice(0, 8)})`
    : reference;
}
