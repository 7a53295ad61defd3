import type { Problem } from './problem.ts';
import type { Path, SourceFile } from './source-file.ts';

/** Notes a problem of the value at a path of the file that is being checked. */
export type Report = (path: Path, code: string, found: string, hint: string) => void;

/** A {@link Report} on `source`, and the list that it fills. */
export function reportOn(source: SourceFile): { readonly report: Report; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const report: Report = (path, code, found, hint) => {
    problems.push({ file: source.file, ...source.at(path), code, found, hint });
  };
  return { report, problems };
}
