import type { Probe } from './host.ts';

/** Fixed folders above what is created, innermost first; the home is written `~`. */
export function fixedParents(creates: readonly string[]): readonly string[] {
  const parents = new Set<string>();
  for (const path of creates) {
    const fixed = path.replace(/^\{\{home\}\}/, '~').split('/');
    const firstOwn = fixed.findIndex((part) => part.includes('{{'));
    for (let depth = firstOwn === -1 ? fixed.length - 1 : firstOwn; depth > 1; depth -= 1)
      parents.add(fixed.slice(0, depth).join('/'));
  }
  return [...parents].sort((a, b) => b.length - a.length);
}

/** Those that the probe did not find: detproof makes them, and takes them away again when nothing is left in them. */
export function missingParents(creates: readonly string[], { home, absent }: Probe): readonly string[] {
  return fixedParents(creates)
    .map((path) => path.replace(/^~/, home))
    .filter((path) => absent.has(path));
}
