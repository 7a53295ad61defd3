import { createHash } from 'node:crypto';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type YAMLError } from 'yaml';
import type { Problem } from './problem.ts';
import { type Path, type Position, readBytes, refuse, type SourceRead } from './source-file.ts';
import { toPlain } from './yaml-value.ts';

const maxSyntaxProblems = 5;

/**
 * Reads one YAML 1.2 file of at most `maxBytes`. Never throws for what a file can hold: an unreadable, too large, binary or
 * malformed file is a list of problems.
 */
export async function readYamlFile(file: string, maxBytes: number): Promise<SourceRead> {
  const { bytes, problems } = await readBytes(file, maxBytes);
  return bytes === undefined ? { problems } : readYaml(bytes, file);
}

/** As {@link readYamlFile}, for bytes that were read already. */
export function readYaml(bytes: Uint8Array, file: string): SourceRead {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse(file, 'FILE_NOT_UTF8', 'bytes that are not UTF-8 text', 'save the file as UTF-8');
  }
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), col: Math.max(1, col) };
  };
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    const before = text.slice(0, nul).split('\n');
    const at = { line: before.length, col: (before.at(-1)?.length ?? 0) + 1 };
    const found = { found: 'a NUL byte', hint: 'this is no text file, or it was damaged; remove the byte' };
    return { problems: [{ file, ...at, code: 'FILE_BINARY', ...found }] };
  }
  let documents: ReturnType<typeof parseAllDocuments>;
  try {
    documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: false });
  } catch (error) {
    // The parser recurses, so very deep nesting ends in a RangeError. Its message may quote the file: only the name is told.
    const name = error instanceof Error ? error.name : 'error';
    return refuse(file, 'YAML_TOO_DEEP', `nothing that the YAML parser can take in (${name})`, 'write it flatter');
  }
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return refuse(file, 'YAML_EMPTY', 'an empty file', 'write the content, or remove it');
  const problems: Problem[] = [];
  const report = (offset: number, code: string, found: string, hint: string): void => {
    problems.push({ file, ...position(offset), code, found, hint });
  };
  if (second !== undefined)
    report(
      second.contents?.range?.[0] ?? second.range?.[0] ?? 0,
      'YAML_DOCUMENTS',
      'more than one document',
      'remove the --- line, or make it two files',
    );
  // One broken bracket is followed by errors about all that is behind it: the first of each line, of a few lines, is enough.
  const linesTold = new Set<number>();
  for (const error of document.errors) {
    const { line } = position(error.pos[0]);
    if (linesTold.has(line) || linesTold.size >= maxSyntaxProblems) continue;
    linesTold.add(line);
    report(error.pos[0], ...syntaxProblem(error));
  }
  if (document.directives?.yaml.explicit === true)
    report(0, 'YAML_DIRECTIVE', 'a %YAML directive', 'remove it: files are read as YAML 1.2');
  const understood = (): boolean => problems.every((problem) => problem.code === 'YAML_DUPLICATE_KEY');
  if (!understood()) return { problems };
  const plain = toPlain(document.contents, report);
  if (!understood()) return { problems };
  return {
    problems,
    source: {
      file,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      value: plain.value,
      at: (path) => position(locate(document.contents, path, plain.anchors).value),
      keyAt: (path) => position(locate(document.contents, path, plain.anchors).key),
    },
  };
}

/** Codes whose message speaks of the grammar only; the others may quote the file, and so a secret in it. */
const safeMessages = new Set([
  'BAD_INDENT',
  'BLOCK_AS_IMPLICIT_KEY',
  'BLOCK_IN_FLOW',
  'KEY_OVER_1024_CHARS',
  'MISSING_CHAR',
  'MULTILINE_IMPLICIT_KEY',
]);

function syntaxProblem(error: YAMLError): [code: string, found: string, hint: string] {
  if (error.code === 'DUPLICATE_KEY')
    return ['YAML_DUPLICATE_KEY', 'a key that this map already has', 'keep one of the two'];
  if (error.code === 'TAB_AS_INDENT') return ['YAML_TAB', 'a tab in the indentation', 'indent with spaces'];
  if (error.code === 'BAD_DQ_ESCAPE')
    return ['YAML_SYNTAX', 'an unknown escape', 'write \\\\ for a backslash in double quotes, or use single quotes'];
  if (error.code === 'BAD_SCALAR_START')
    return ['YAML_SYNTAX', 'a text that begins with a reserved character', 'put the text in quotes'];
  return [
    'YAML_SYNTAX',
    safeMessages.has(error.code) ? error.message : `not valid YAML here (${error.code})`,
    'check quotes, colons, brackets and indentation on this line and the one before',
  ];
}

/** Walks the syntax tree along a path as far as it goes; offsets of the last key and value on it. */
function locate(
  root: Node | null,
  path: Path,
  anchors: ReadonlyMap<string, Node>,
): { readonly key: number; readonly value: number } {
  let node: Node | null = root;
  let key = startOf(root) ?? 0;
  for (const segment of path) {
    if (isAlias(node)) node = anchors.get(node.source) ?? null;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment));
      if (pair === undefined) return { key, value: key };
      key = startOf(pair.key as Node) ?? key;
      node = (pair.value ?? null) as Node | null;
    } else if (isSeq(node)) {
      const item = node.items[Number(segment)];
      if (item === undefined) return { key, value: key };
      node = item as Node;
      key = startOf(node) ?? key;
    } else return { key, value: key };
  }
  return { key, value: startOf(node) ?? key };
}

function startOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}
