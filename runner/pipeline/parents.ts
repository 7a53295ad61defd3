import type { Dialect } from './dialect.ts';
import type { Probe } from './host.ts';

/** Fixed folders above what is created, innermost first; the home is written `~`. */
export function fixedParents(creates: readonly string[], { separator }: Pick<Dialect, 'separator'>): readonly string[] {
  const parents = new Set<string>();
  for (const path of creates) {
    const fixed = path.replace(/^\{\{home\}\}/, '~').split(separator);
    const firstOwn = fixed.findIndex((part) => part.includes('{{'));
    for (let depth = firstOwn === -1 ? fixed.length - 1 : firstOwn; depth > 1; depth -= 1)
      parents.add(fixed.slice(0, depth).join(separator));
  }
  return [...parents].sort((a, b) => b.length - a.length);
}

/** Those that the probe did not find: detproof makes them, and takes them away again when nothing is left in them. */
export function missingParents(
  creates: readonly string[],
  { home, absent }: Probe,
  dialect: Pick<Dialect, 'separator'>,
): readonly string[] {
  return fixedParents(creates, dialect)
    .map((path) => path.replace(/^~/, () => home))
    .filter((path) => absent.has(path));
}
