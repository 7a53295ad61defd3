import { basename, dirname, extname, relative, resolve } from 'node:path';
import { type Imported, importProblems, importTargets } from '../load/import-targets.ts';
import { loadInventory } from '../load/inventory.ts';
import { loadMapping } from '../load/mapping.ts';
import { inOrder, visible } from '../load/problem.ts';
import { type Reconciliation, reconcile } from '../load/reconcile.ts';
import { readTable } from '../load/table.ts';
import { targetsText } from '../load/targets-text.ts';
import { type App, BadInput, exitCodes } from './app.ts';
import { say, sayJson, tell } from './print.ts';
import { writeTargetsFile } from './targets-file.ts';

export type ImportOptions = {
  readonly inventory: string;
  readonly map: string;
  readonly into?: string;
  readonly json?: boolean;
};

/**
 * `import`: the hosts of a CSV or JSON file as targets, and what the file and the inventory say differently. Touches no target;
 * writes the one file that `--into` names, and only over one that it wrote itself.
 */
export async function importFile(app: App, file: string, options: ImportOptions): Promise<number> {
  const imported = await importedFrom(app, file, options.map);
  if (options.into !== undefined && imported.targets.length === 0) {
    const found = imported.skipped === 0 ? 'no host' : `no host but the ${imported.skipped} that the mapping skips`;
    const hint = `nothing was written to ${options.into}; is it the right file? without --into it is only compared`;
    throw new BadInput([{ file, line: 1, col: 1, code: 'IMPORT_NO_HOST', found, hint }]);
  }
  const inventory = await loadInventory(options.inventory, app.plugins);
  const difference = inventory.is === 'loaded' ? reconcile(imported.targets, inventory.value.targets) : undefined;
  if (options.into !== undefined)
    await writeTargetsFile(options.into, targetsText(basename(file), basename(options.map), imported.targets));
  const { targets, skipped } = imported;
  if (options.json === true)
    sayJson(app, {
      file,
      targets: targets.length,
      skipped,
      ...(options.into !== undefined && { into: options.into }),
      ...(difference === undefined ? { inventory: 'not loaded' } : { inventory: options.inventory, ...difference }),
    });
  else {
    const left = skipped === 0 ? '' : `; ${skipped} rows were skipped, as the mapping says`;
    say(app, `${file}: ${targets.length} target${targets.length === 1 ? '' : 's'}${left}.`);
    if (difference !== undefined) for (const line of listLines(difference, options.inventory)) say(app, line);
  }
  if (difference === undefined)
    tell(app, `${options.inventory} could not be compared with: see detproof lint --inventory ${options.inventory}`);
  if (options.into !== undefined)
    tell(
      app,
      `Written to ${options.into}; the inventory includes it with: ${includedAs(options.into, options.inventory)}`,
    );
  return exitCodes.asExpected;
}

/** Throws {@link BadInput} with what is wrong with file and mapping; also of a wrong mapping as much as possible of the file. */
async function importedFrom(app: App, file: string, map: string): Promise<Imported> {
  const read = await loadMapping(map);
  const mapping = read.is === 'loaded' ? read.value : read.usable;
  if (mapping === undefined) throw new BadInput(read.is === 'refused' ? read.problems : []);
  const { list, delimiter } = mapping;
  const format = mapping.format ?? (extname(file).toLowerCase() === '.json' ? 'json' : 'csv');
  const { table, problems } = await readTable(file, { format, delimiter, ...(list !== undefined && { list }) });
  if (read.is === 'refused') {
    const more = table === undefined ? [] : importProblems(table, mapping, app.plugins);
    throw new BadInput(inOrder([...read.problems, ...problems, ...more]));
  }
  if (table === undefined) throw new BadInput(problems);
  const imported = importTargets(table, mapping, app.plugins);
  const wrong = inOrder([...problems, ...imported.problems]);
  if (wrong.length > 0) throw new BadInput(wrong);
  return imported;
}

/** The line of the inventory that includes a file: paths in it are relative to its folder. */
function includedAs(into: string, inventory: string): string {
  const path = relative(dirname(resolve(inventory)), resolve(into));
  return `targetsFrom: [${/^[\w./-]+$/.test(path) ? path : JSON.stringify(path)}]`;
}

/** The reconciliation for a person. */
function listLines(list: Reconciliation, inventory: string): readonly string[] {
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${visible(line)}`)];
  const { onlyInFile, onlyInInventory, different, same } = list;
  return [
    ...section(`In the file and not in ${inventory}: ${onlyInFile.length}`, onlyInFile),
    ...section(`In ${inventory} and not in the file: ${onlyInInventory.length}`, onlyInInventory),
    ...section(
      `Different: ${different.length}`,
      different.flatMap(({ id, fields }) =>
        fields.map(({ field, inFile, inInventory }) =>
          inFile === inInventory
            ? `${id}  ${field}: other settings`
            : `${id}  ${field}: file "${inFile}", inventory "${inInventory}"`,
        ),
      ),
    ),
    `The same in both: ${same}`,
  ];
}
