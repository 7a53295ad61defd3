import { CsvError, parse } from 'csv-parse/sync';
import { isRecord, valueAt } from './check.ts';
import { readJson } from './json-file.ts';
import type { Problem } from './problem.ts';
import { type Path, type Position, readBytes, refuse } from './source-file.ts';

/** One value of a row, and where it was written. */
export type Cell = { readonly value: unknown; readonly at: Position };

/** Hosts of a file as they were written: a line of CSV or an object of JSON each. */
export type Table = {
  readonly file: string;
  /** Names of the columns of a CSV file; an object of JSON may have any keys. */
  readonly columns?: readonly string[];
  readonly rows: readonly Row[];
};

export type Row = {
  readonly at: Position;
  /** The cell of a column; in JSON `a.b` is the key `b` of the map `a`. Undefined where there is none. */
  readonly cell: (column: string) => Cell | undefined;
};

export type TableShape = { readonly format: 'csv' | 'json'; readonly delimiter: string; readonly list?: string };

type Read = { readonly table?: Table; readonly problems: readonly Problem[] };

const maxBytes = 67_108_864;

/** Reads a file of hosts. Never throws for what the file can hold. */
export async function readTable(file: string, shape: TableShape): Promise<Read> {
  const { bytes, problems } = await readBytes(file, maxBytes);
  if (bytes === undefined) return { problems };
  return shape.format === 'csv' ? readCsv(bytes, file, shape.delimiter) : readJsonTable(bytes, file, shape.list);
}

/** CSV as RFC 4180 has it, with a first line that names the columns; lines that hold nothing are passed over. */
export function readCsv(bytes: Uint8Array, file: string, delimiter: string): Read {
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const text = Buffer.from(bytes.subarray(mark));
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch {
    return refuse(file, 'FILE_NOT_UTF8', 'bytes that are not UTF-8 text', 'save the file as CSV in UTF-8');
  }
  const place = placer(text);
  const lines: Cell[][] = [];
  let line: Cell[] = [];
  let end = 0;
  try {
    parse(text, {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      cast: (value, context) => {
        const { index } = context;
        const { bytes: upTo } = context as unknown as { readonly bytes: number };
        let start = index === 0 ? end : end + 1;
        while (isBlank(text[start], index === 0)) start += 1;
        if (index === 0) lines.push((line = []));
        line.push({ value, at: place(start) });
        end = upTo;
        return value;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // Its message quotes the file, which may hold anything; only its kind is told.
    const found = csvFaults[error.code] ?? `no valid CSV (${error.code})`;
    const lineNumber = typeof error.lines === 'number' ? error.lines : 1;
    const hint = 'quote a value as "…", with "" for a quote in it; is it the right delimiter?';
    return { problems: [{ file, line: lineNumber, col: 1, code: 'CSV_SYNTAX', found, hint }] };
  }
  const [head, ...rest] = lines;
  if (head === undefined) return refuse(file, 'CSV_EMPTY', 'an empty file', 'begin with a line that names the columns');
  const columns = head.map(({ value }) => String(value));
  const whole = rest.filter((row) => row.length === head.length);
  return { table: { file, columns, rows: whole.map(rowOf(columns)) }, problems: csvProblems(file, head, rest) };
}

const csvFaults: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote that is not closed',
  INVALID_OPENING_QUOTE: 'a quote within a value that does not begin with one',
  CSV_INVALID_CLOSING_QUOTE: 'something behind the closing quote of a value',
};

function csvProblems(file: string, head: readonly Cell[], rows: readonly (readonly Cell[])[]): readonly Problem[] {
  const names = head.map(({ value }) => String(value));
  const problem = (at: Position, code: string, found: string, hint: string): Problem => ({
    file,
    ...at,
    code,
    found,
    hint,
  });
  return [
    ...head.flatMap(({ value, at }, index) =>
      value === '' || names.indexOf(String(value)) < index
        ? [problem(at, 'CSV_COLUMN', 'a column without a name of its own', 'give each column another name')]
        : [],
    ),
    ...rows.flatMap((row) => {
      const [first] = row;
      if (first === undefined || row.length === head.length) return [];
      const found = `${row.length} values, where there are ${head.length} columns`;
      return [problem(first.at, 'CSV_COLUMNS', found, 'quote a value that holds the delimiter')];
    }),
  ];
}

function rowOf(columns: readonly string[]): (cells: readonly Cell[]) => Row {
  const index = new Map(columns.map((name, position) => [name, position]));
  return (cells) => ({
    at: cells[0]?.at ?? { line: 1, col: 1 },
    cell: (column) => cells[index.get(column) ?? -1],
  });
}

/** Spaces and tabs before a value, and before the first of a line also the ends of the lines before it. */
function isBlank(byte: number | undefined, first: boolean): boolean {
  return byte === 0x20 || byte === 0x09 || (first && (byte === 0x0a || byte === 0x0d));
}

/** Offset of a byte → line and column in characters. Made for offsets that grow. */
function placer(text: Buffer): (offset: number) => Position {
  let line = 1;
  let begins = 0;
  return (offset) => {
    for (let next = text.indexOf(10, begins); next !== -1 && next < offset; next = text.indexOf(10, begins)) {
      line += 1;
      begins = next + 1;
    }
    return { line, col: text.subarray(begins, offset).toString('utf8').length + 1 };
  };
}

function readJsonTable(bytes: Uint8Array, file: string, list: string | undefined): Read {
  const { source, problems } = readJson(bytes, file);
  if (source === undefined) return { problems };
  const base: Path = list === undefined ? [] : list.split('.');
  const { at } = source;
  const hosts = valueAt(source.value, base);
  if (!Array.isArray(hosts)) {
    const hint = 'name the list of hosts in the mapping: list: KEY, or KEY.KEY';
    return {
      problems: [
        { file, ...at(base), code: 'JSON_NO_LIST', found: `no list at ${list ?? 'the top of the file'}`, hint },
      ],
    };
  }
  const wrong = hosts.flatMap((host, index): Problem[] =>
    isRecord(host)
      ? []
      : [
          {
            file,
            ...at([...base, index]),
            code: 'JSON_NO_HOST',
            found: 'no map of keys and values',
            hint: 'remove it',
          },
        ],
  );
  const rows = hosts.flatMap((host: unknown, index): Row[] => {
    if (!isRecord(host)) return [];
    const path = [...base, index];
    const cell = (column: string): Cell | undefined => {
      const keys = Object.hasOwn(host, column) ? [column] : column.split('.');
      const value = valueAt(host, keys);
      if (value === undefined || value === null) return undefined;
      const place = [...path, ...keys];
      return { value, at: lazily(() => at(place)) };
    };
    return [{ at: lazily(() => at(path)), cell }];
  });
  return { table: { file, rows }, problems: wrong };
}

/** A place that is looked up when somebody asks for it. */
function lazily(find: () => Position): Position {
  let found: Position | undefined;
  const place = (): Position => (found ??= find());
  return {
    get line() {
      return place().line;
    },
    get col() {
      return place().col;
    },
  };
}
