import { createHash } from 'node:crypto';
import { readBytes, refuse, type SourceFile, type SourceRead } from './source-file.ts';
import { readYaml } from './yaml-file.ts';

/** Up to here a file with problems is parsed a second time to say where they are: a second and 100 MB of memory for each MiB. */
const maxLocatedBytes = 4_194_304;

/** Reads one JSON file of at most `maxBytes`. Never throws for what a file can hold. */
export async function readJsonFile(file: string, maxBytes: number): Promise<SourceRead> {
  const { bytes, problems } = await readBytes(file, maxBytes);
  return bytes === undefined ? { problems } : readJson(bytes, file);
}

/** As {@link readJsonFile}, for bytes that were read already. */
export function readJson(bytes: Uint8Array, file: string): SourceRead {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    // V8's message quotes the file, which may hold anything; only the place is taken from it.
    const place = /\(line (\d+) column (\d+)\)/.exec(error instanceof Error ? error.message : '');
    const { problems } = refuse(
      file,
      'JSON_SYNTAX',
      'not valid JSON',
      'was it cut or edited? take the file as it was written',
    );
    const at = place === null ? {} : { line: Number(place[1]), col: Number(place[2]) };
    return { problems: problems.map((problem) => ({ ...problem, ...at })) };
  }
  // JSON is YAML with other rules for a few escapes; where the two disagree there is no place, but still a problem.
  let located: { readonly source?: SourceFile } | undefined;
  const locate = (): SourceFile | undefined =>
    (located ??= bytes.length > maxLocatedBytes ? {} : readYaml(bytes, file)).source;
  const start = { line: 1, col: 1 };
  return {
    problems: [],
    source: {
      file,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      value,
      at: (path) => locate()?.at(path) ?? start,
      keyAt: (path) => locate()?.keyAt(path) ?? start,
    },
  };
}
