import { isMap, parseAllDocuments, visit } from 'yaml';
import type { Document, LineCounter, YAMLMap } from 'yaml';
import type { ProblemList } from './problem.ts';

/** Larger files are refused unread. */
const maxFileLength = 1_000_000;

/** The top-level map of a file with exactly one YAML document; otherwise adds the problems and returns undefined. */
export function parseDocument(text: string, lines: LineCounter, problems: ProblemList): YAMLMap | undefined {
  if (text.length > maxFileLength) {
    const found = `a file of ${text.length} characters`;
    problems.add(0, { code: 'SIGMA_TOO_LARGE', found, hint: `keep a rule under ${maxFileLength}` });
    return undefined;
  }
  const documents = parseAll(text, lines);
  if (documents === undefined) {
    problems.add(0, { code: 'SIGMA_YAML', found: 'YAML that is nested too deeply', hint: 'flatten it' });
    return undefined;
  }
  for (const error of documents.flatMap((document) => [...document.errors, ...document.warnings])) {
    problems.add(error.pos[0], { code: 'SIGMA_YAML', found: error.message, hint: 'correct the YAML' });
  }
  const [first, second] = documents;
  if (second !== undefined) {
    const found = `${documents.length} documents in one file`;
    problems.add(second.range[0], { code: 'SIGMA_MULTI_DOCUMENT', found, hint: 'give every rule a file of its own' });
  }
  if (first !== undefined) refuseAliases(first, problems);
  if (!problems.isEmpty) return undefined;
  if (first !== undefined && isMap(first.contents)) return first.contents;
  const hint = 'write a map with title, id, level, logsource and detection';
  problems.add(first?.contents ?? 0, { code: 'SIGMA_WRONG_TYPE', found: 'no rule in the file', hint });
  return undefined;
}

/** Undefined when the nesting exhausts the parser's stack. */
function parseAll(text: string, lines: LineCounter): readonly Document.Parsed[] | undefined {
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
    return 'empty' in documents ? [] : documents;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function refuseAliases(document: Document.Parsed, problems: ProblemList): void {
  visit(document, {
    Alias(_key, alias) {
      problems.add(alias, { code: 'SIGMA_ALIAS', found: `the alias *${alias.source}`, hint: 'write the value out' });
    },
  });
}
