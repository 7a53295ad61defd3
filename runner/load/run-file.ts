import type { RunReport } from '../domain/run-report.ts';
import { checkValue } from './check.ts';
import { readJson, readJsonFile } from './json-file.ts';
import { type Loaded, loaded, type Problem } from './problem.ts';
import { runSchema } from './schema/run.ts';

/** Node cannot hold a longer text. */
const maxBytes = 500_000_000;

/** Reads `run.json`, schema `detproof/run/1`. */
export async function loadRun(file: string): Promise<Loaded<RunReport>> {
  const { source, problems } = await readJsonFile(file, maxBytes);
  if (source === undefined) return loaded<RunReport>(undefined, problems);
  const checked = checkValue(source, [], runSchema, source.value);
  return loaded<RunReport>(checked.value, [...problems, ...checked.problems]);
}

/** What is wrong with the text of a run, by the schema that is published: nothing, unless detproof itself is wrong. */
export function runProblems(text: string, file: string): readonly Problem[] {
  const { source, problems } = readJson(new TextEncoder().encode(text), file);
  return source === undefined ? problems : checkValue(source, [], runSchema, source.value).problems;
}
