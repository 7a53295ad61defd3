import { stringify } from 'yaml';
import type { ImportedTarget } from './import-targets.ts';
import { visible } from './problem.ts';

/** How a file begins that an import wrote, and that it may therefore write over. */
export const importHeader = '# Written by detproof import';

/** Imported targets as the YAML file that an inventory includes with `targetsFrom`. */
export function targetsText(file: string, mapping: string, targets: readonly ImportedTarget[]): string {
  const body = stringify(
    { targets: targets.map(({ written }) => written) },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return `${importHeader} from ${visible(file)} by ${visible(mapping)}: change those, not this.\n${body}`;
}
