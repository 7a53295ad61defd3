import { z } from 'zod';
import { checkObject, isRecord } from './check.ts';
import { targetEntry } from './inventory-schema.ts';
import { type Loaded, loaded, type Problem, shown, suggest } from './problem.ts';
import { reportOn } from './report-at.ts';
import type { SourceFile } from './source-file.ts';
import { readYamlFile } from './yaml-file.ts';

const maxBytes = 1_048_576;

const fromColumn = z.strictObject({
  column: z.string().min(1, 'name a column'),
  default: z.unknown().describe('When the cell is empty').optional(),
  map: z
    .record(z.string(), z.unknown())
    .describe('What stands in the cell, with * for any text → what it means; the first that matches')
    .exactOptional(),
  split: z.string().min(1).max(10).describe('What stands between the values of a list').exactOptional(),
  lower: z.boolean().default(false).describe('true: in small letters'),
});
export type FromColumn = z.output<typeof fromColumn>;

const mappingFile = z.strictObject({
  format: z.enum(['csv', 'json']).describe('By the ending of the file when not given').exactOptional(),
  delimiter: z.string().length(1, 'use one character').default(','),
  list: z.string().min(1).describe('JSON: where the list of hosts is, KEY or KEY.KEY').exactOptional(),
  skip: z
    .record(z.string(), z.array(z.string()).min(1))
    .describe('Rows with one of these values, with * for any text, in this column are left out')
    .default({}),
  fields: z.record(z.string(), z.unknown()),
});

/** How a field of a target comes about. A constant's texts may hold `{{COLUMN}}`. */
export type FieldRule =
  { readonly from: 'column'; readonly rule: FromColumn } | { readonly from: 'constant'; readonly value: unknown };

export type Mapping = Omit<z.output<typeof mappingFile>, 'fields'> & {
  readonly source: SourceFile;
  readonly fields: ReadonlyMap<string, FieldRule>;
};

/** `usable`: when something is wrong with single fields only, the mapping with those that are right. */
type MappingRead = Loaded<Mapping> & { readonly usable?: Mapping };

/** Reads the file that says which column means which field of a target; everything that is wrong with it at once. */
export async function loadMapping(file: string): Promise<MappingRead> {
  const { source, problems } = await readYamlFile(file, maxBytes);
  if (source === undefined) return loaded<Mapping>(undefined, problems);
  const checked = checkObject(source, [], mappingFile);
  const { report, problems: own } = reportOn(source);
  const fields = new Map<string, FieldRule>();
  const known = Object.keys(targetEntry.shape);
  const more: Problem[] = [];
  for (const [name, value] of Object.entries(checked.fields.fields ?? {})) {
    const isKnown = known.includes(name);
    if (!isKnown)
      more.push({
        file,
        ...source.keyAt(['fields', name]),
        code: 'KEY_UNKNOWN',
        found: `a target has no field ${shown(name)}`,
        hint: suggest(name, known),
      });
    if (!isRecord(value) || value['column'] === undefined) {
      if (isKnown) fields.set(name, { from: 'constant', value });
      continue;
    }
    const rule = checkObject(source, ['fields', name], fromColumn);
    more.push(...rule.problems);
    if (isKnown && rule.whole !== undefined) fields.set(name, { from: 'column', rule: rule.whole });
  }
  if (checked.fields.fields !== undefined)
    for (const [name, schema] of Object.entries(targetEntry.shape))
      if (!Object.hasOwn(checked.fields.fields, name) && !z.object({ [name]: schema }).safeParse({}).success)
        report(
          ['fields'],
          'IMPORT_NO_FIELD',
          `nothing says what ${name} of a target is`,
          `add ${name}: { column: … }, or a constant`,
        );
  const { whole } = checked;
  const all = [...problems, ...checked.problems, ...more, ...own];
  const usable = whole === undefined ? undefined : { ...whole, source, fields };
  return { ...loaded<Mapping>(usable, all), ...(usable !== undefined && { usable }) };
}
