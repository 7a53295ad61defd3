import { z } from 'zod';
import { glob } from '../domain/glob.ts';
import { checkObject, isRecord } from './check.ts';
import { type InventoryFile, targetEntry } from './inventory-schema.ts';
import type { FieldRule, FromColumn, Mapping } from './mapping.ts';
import { isPluginSetting, type Plugins, targetSettings } from './plugin-settings.ts';
import { kindOf, type Problem, shown, suggest } from './problem.ts';
import type { Path, Position, SourceFile } from './source-file.ts';
import type { Cell, Row, Table } from './table.ts';

/** A target as the inventory would write it, and as it was understood. */
export type ImportedTarget = {
  readonly written: Readonly<Record<string, unknown>>;
  readonly read: InventoryFile['targets'][number];
  readonly transportSettings: unknown;
};

export type Imported = {
  readonly targets: readonly ImportedTarget[];
  readonly skipped: number;
  readonly problems: readonly Problem[];
};

type Draft = {
  readonly value: Readonly<Record<string, unknown>>;
  readonly places: ReadonlyMap<string, Position>;
  readonly at: Position;
  /** Places of fields that could not be made; their problems have been told. */
  readonly failed: readonly Position[];
};

/** The hosts of a file as targets, by the mapping; or everything that is wrong with them, at the cell or rule that it comes from. Pure. */
export function importTargets(table: Table, mapping: Mapping, plugins: Plugins): Imported {
  const missing = missingColumns(table, mapping);
  if (missing.length > 0) return { targets: [], skipped: 0, problems: missing };
  const rows = table.rows.filter((row) => !isSkipped(row, mapping));
  const problems: Problem[] = [];
  const drafts = rows.map((row) => draftOf(row, table.file, mapping, problems));
  const source = sourceOf(table.file, drafts);
  const targets = drafts.flatMap((draft, index): ImportedTarget[] => {
    const path: Path = ['targets', index];
    const checked = checkObject(source, path, targetEntry, { quiet: isPluginSetting });
    const settings = targetSettings(source, path, plugins.transports);
    const found = [checked, settings.transport, ...settings.accounts].flatMap((part) => part.problems);
    // Of a field that could not be made it has been said why.
    problems.push(...found.filter(({ line, col }) => !draft.failed.some((at) => at.line === line && at.col === col)));
    if (checked.whole === undefined) return [];
    return [{ written: draft.value, read: checked.whole, transportSettings: settings.transport.value }];
  });
  problems.push(...doubles(drafts, table.file));
  return { targets, skipped: table.rows.length - rows.length, problems: once(problems, mapping.source.file) };
}

/**
 * What can be said of a file by the fields of a mapping that are right, while others are not: not that one of those is missing. Pure.
 */
export function importProblems(table: Table, usable: Mapping, plugins: Plugins): readonly Problem[] {
  return importTargets(table, usable, plugins).problems.filter(({ code }) => code !== 'KEY_MISSING');
}

/** Columns that the mapping names and a CSV file does not have; of JSON, each object has its own keys. */
function missingColumns({ columns, file }: Table, { fields, skip, source }: Mapping): readonly Problem[] {
  if (columns === undefined) return [];
  const named = [
    ...Object.keys(skip).map((column) => ({ column, path: ['skip', column] })),
    ...[...fields].flatMap(([name, rule]) => columnsOf(rule).map((column) => ({ column, path: ['fields', name] }))),
  ];
  return named
    .filter(({ column }) => !columns.includes(column))
    .map(({ column, path }) => ({
      file: source.file,
      ...source.at(path),
      code: 'IMPORT_NO_COLUMN',
      found: `${file} has no column ${shown(column)}`,
      hint: suggest(column, columns),
    }));
}

const placeholder = /\{\{([^{}]+)\}\}/g;

function columnsOf(rule: FieldRule): readonly string[] {
  const within = (value: unknown): readonly string[] => {
    if (typeof value === 'string') return [...value.matchAll(placeholder)].map(([, column = '']) => column);
    if (Array.isArray(value)) return value.flatMap(within);
    return isRecord(value) ? Object.values(value).flatMap(within) : [];
  };
  if (rule.from === 'constant') return within(rule.value);
  const { column, map = {}, default: otherwise } = rule.rule;
  return [column, ...within(map), ...within(otherwise)];
}

function isSkipped(row: Row, { skip }: Mapping): boolean {
  return Object.entries(skip).some(([column, patterns]) => {
    const text = textOf(row.cell(column));
    return patterns.some((pattern) => glob(pattern, text));
  });
}

function draftOf(row: Row, file: string, mapping: Mapping, problems: Problem[]): Draft {
  const value: Record<string, unknown> = {};
  const places = new Map<string, Position>();
  const failed: Position[] = [];
  for (const [name, rule] of mapping.fields) {
    const report: Tell = (at, code, found, hint) => {
      problems.push({ file, line: at.line, col: at.col, code, found, hint });
      failed.push(places.get(name) ?? at);
    };
    const fill = (constant: unknown): unknown => filled(constant, row, report);
    const ofMapping = { file: mapping.source.file, ...mapping.source.at(['fields', name]) };
    if (rule.from === 'constant') {
      places.set(name, columnsOf(rule).length === 0 ? ofMapping : row.at);
      value[name] = fill(rule.value);
      continue;
    }
    const cell = row.cell(rule.rule.column);
    const isEmpty = textOf(cell) === '' && !Array.isArray(cell?.value);
    places.set(name, isEmpty && rule.rule.default !== undefined ? ofMapping : (cell?.at ?? row.at));
    const found = isEmpty ? fill(rule.rule.default) : fromCell(name, rule.rule, cell, fill, report);
    if (found !== undefined) value[name] = found;
  }
  return { value, places, at: row.at, failed };
}

type Tell = (at: Position, code: string, found: string, hint: string) => void;

function fromCell(
  name: string,
  { column, map, split, lower }: FromColumn,
  cell: Cell | undefined,
  fill: (value: unknown) => unknown,
  report: Tell,
): unknown {
  if (cell === undefined) return undefined;
  const raw: readonly unknown[] = Array.isArray(cell.value)
    ? cell.value
    : split === undefined
      ? [cell.value]
      : textOf(cell)
          .split(split)
          .map((part) => part.trim())
          .filter((part) => part !== '');
  if (raw.some((part) => typeof part === 'object')) {
    report(cell.at, 'IMPORT_VALUE', `${column} holds ${kindOf(cell.value)}`, 'name a key within it, as KEY.KEY');
    return undefined;
  }
  const values = raw.map((part) => {
    const text = lower ? String(part).toLowerCase() : String(part);
    if (map === undefined) return text;
    const key = Object.keys(map).find((pattern) => glob(pattern, text));
    if (key !== undefined) return fill(map[key]);
    report(
      cell.at,
      'IMPORT_UNMAPPED',
      `${column} is ${shown(text)}, which the map of ${name} does not know`,
      `${suggest(text, Object.keys(map))}; add it there, or '*' for all others`,
    );
    return undefined;
  });
  if (values.includes(undefined)) return undefined;
  return Array.isArray(cell.value) || split !== undefined ? values : fitted(name, values[0]);
}

/** A text as the field wants it: itself, a list of it, or a number. */
function fitted(name: string, value: unknown): unknown {
  const schema: unknown = (targetEntry.shape as Record<string, unknown>)[name];
  if (!(schema instanceof z.ZodType) || typeof value !== 'string') return value;
  const ways = [value, [value], ...(/^\d+$/.test(value) ? [Number(value)] : [])];
  return ways.find((way) => schema.safeParse(way).success) ?? value;
}

/** A constant with the columns that its texts name; an empty cell is a problem, since a name with a hole in it is none. */
function filled(constant: unknown, row: Row, report: Tell): unknown {
  if (typeof constant === 'string')
    return constant.replace(placeholder, (whole, column: string) => {
      const text = textOf(row.cell(column));
      if (text !== '') return text;
      report(
        row.cell(column)?.at ?? row.at,
        'IMPORT_EMPTY',
        `an empty ${shown(column)}, which ${whole} needs`,
        'fill it in, or take it from another column',
      );
      return '';
    });
  if (Array.isArray(constant)) return constant.map((value) => filled(value, row, report));
  if (!isRecord(constant)) return constant;
  return Object.fromEntries(Object.entries(constant).map(([key, value]) => [key, filled(value, row, report)]));
}

function textOf(cell: Cell | undefined): string {
  const { value } = cell ?? {};
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value).trim()
    : '';
}

/** The drafts as one file, which knows of each field where it came from. */
function sourceOf(file: string, drafts: readonly Draft[]): SourceFile {
  const at = ([, index, field]: Path): Position => {
    const draft = typeof index === 'number' ? drafts[index] : undefined;
    const { line, col, file: of = file } = draft?.places.get(String(field)) ?? draft?.at ?? { line: 1, col: 1 };
    return { line, col, file: of };
  };
  return { file, sha256: '', value: { targets: drafts.map(({ value }) => value) }, at, keyAt: at };
}

/** Compared without case, as in an inventory. */
function doubles(drafts: readonly Draft[], file: string): readonly Problem[] {
  const seen = new Map<string, Position>();
  return drafts.flatMap(({ value, places, at }): Problem[] => {
    const { id } = value;
    if (typeof id !== 'string') return [];
    const here = places.get('id') ?? at;
    const first = seen.get(id.toLowerCase());
    if (first === undefined) {
      seen.set(id.toLowerCase(), here);
      return [];
    }
    const found = `a second ${shown(id)}; the first is in line ${first.line}`;
    return [
      {
        file,
        line: here.line,
        col: here.col,
        code: 'INVENTORY_DUPLICATE',
        found,
        hint: 'give each host its own id, or skip one',
      },
    ];
  });
}

/** What is wrong with a rule of the mapping is said once, not for each row. */
function once(problems: readonly Problem[], mappingFile: string): readonly Problem[] {
  const said = new Set<string>();
  return problems.filter(({ file, line, col, code }) => {
    if (file !== mappingFile) return true;
    const key = `${line}:${col} ${code}`;
    if (said.has(key)) return false;
    said.add(key);
    return true;
  });
}
