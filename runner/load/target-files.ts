import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { checkValue, isRecord, listAt, valueAt } from './check.ts';
import type { Problem } from './problem.ts';
import type { Path, Position, SourceFile } from './source-file.ts';
import { readYamlFile } from './yaml-file.ts';

/** As for an inventory: 3,000 hosts have some 2 MB. */
const maxBytes = 16_777_216;

const targetFile = z.strictObject({ targets: z.array(z.unknown()) });

type Part = { readonly from: number; readonly to: number; readonly source: SourceFile };

/**
 * The inventory with the targets of the files that `targetsFrom` names behind its own, as one file that still knows where each was
 * written. Its hash is then that of the lines that `sha256sum INVENTORY FILE…` prints, so that a change of any of them is a change
 * of the inventory.
 */
export async function withTargetFiles(inventory: SourceFile): Promise<{
  readonly source: SourceFile;
  readonly problems: readonly Problem[];
  /** False: of a file no targets could be read, so what refers to its targets would seem wrong. */
  readonly whole: boolean;
}> {
  const names = listAt(inventory.value, ['targetsFrom']).filter((name) => typeof name === 'string');
  if (names.length === 0 || !isRecord(inventory.value)) return { source: inventory, problems: [], whole: true };
  const own = listAt(inventory.value, ['targets']);
  const targets: unknown[] = [...own];
  const parts: Part[] = [];
  const problems: Problem[] = [];
  let whole = true;
  const sums = [`${inventory.sha256}  ${basename(inventory.file)}\n`];
  for (const [index, name] of names.entries()) {
    const file = join(dirname(inventory.file), name);
    if (names.indexOf(name) < index) {
      const found = { found: 'a file that is named twice', hint: 'name each file once' };
      problems.push({
        file: inventory.file,
        ...inventory.at(['targetsFrom', index]),
        code: 'INVENTORY_DUPLICATE',
        ...found,
      });
      continue;
    }
    const read = await readYamlFile(file, maxBytes);
    problems.push(...read.problems);
    if (read.source === undefined) {
      whole = false;
      continue;
    }
    const checked = checkValue(read.source, [], targetFile, read.source.value);
    problems.push(...checked.problems);
    if (!Array.isArray(valueAt(read.source.value, ['targets']))) whole = false;
    const list = listAt(read.source.value, ['targets']);
    parts.push({ from: targets.length, to: targets.length + list.length, source: read.source });
    targets.push(...list);
    sums.push(`${read.source.sha256}  ${name}\n`);
  }
  const placed = (path: Path, of: 'at' | 'keyAt'): Position => {
    const [list, index, ...rest] = path;
    const part =
      list === 'targets' && typeof index === 'number'
        ? parts.find(({ from, to }) => from <= index && index < to)
        : undefined;
    if (part === undefined || typeof index !== 'number') return inventory[of](path);
    return { file: part.source.file, ...part.source[of](['targets', index - part.from, ...rest]) };
  };
  return {
    source: {
      file: inventory.file,
      sha256: createHash('sha256').update(sums.join('')).digest('hex'),
      value: { ...inventory.value, targets },
      at: (path) => placed(path, 'at'),
      keyAt: (path) => placed(path, 'keyAt'),
    },
    problems,
    whole,
  };
}
