import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Who may import what (docs/architecture.md). A folder's files may import each other; `own` names a plug-in's own folder, so
 * that no plug-in ever imports a sibling. Packages that are not named are refused.
 */
const table: readonly {
  readonly files: RegExp;
  readonly may: readonly RegExp[];
  readonly packages: readonly string[] | 'any';
}[] = [
  { files: /^runner\/domain\//, may: [], packages: [] },
  { files: /^runner\/ports\.ts$/, may: [/^runner\/domain\//], packages: [] },
  { files: /^runner\/(pipeline|wrap)\//, may: [/^runner\/domain\//, /^runner\/ports\.ts$/], packages: [] },
  {
    files: /^runner\/load\//,
    may: [/^runner\/domain\//, /^runner\/ports\.ts$/],
    packages: ['node:', 'zod', 'yaml', 'csv-parse'],
  },
  { files: /^runner\/store\//, may: [/^runner\/domain\//, /^runner\/ports\.ts$/], packages: ['node:'] },
  {
    files: /^runner\/cli\//,
    may: [/^runner\/(domain|load|pipeline)\//, /^runner\/ports\.ts$/],
    packages: ['node:', 'commander', 'listr2'],
  },
  {
    files: /^adapters\//,
    may: [/^runner\/domain\//, /^runner\/ports\.ts$/, /^adapters\/shared\//],
    packages: ['node:', 'zod', 'execa', 'ssh2', 'ssh-config', 'p-limit', 'undici', 'saxes'],
  },
  {
    files: /^reports\//,
    may: [/^runner\/domain\//, /^runner\/ports\.ts$/, /^reports\/[^/]+\//],
    packages: ['mustache'],
  },
  { files: /^(runner\/(main|compose|plugins)\.ts$|lab\/|test\/)/, may: [/./], packages: 'any' },
];

/** The part of a tree whose files belong together. */
function unit(file: string): string {
  const plugin = /^(adapters\/(?:transports|siems)\/[^/]+|adapters\/shared|reports)/.exec(file)?.[1];
  return plugin?.replace(/\.ts$/, '') ?? dirname(file).split('/').slice(0, 2).join('/');
}

function sources(folder: string): readonly string[] {
  return readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith('.ts'))
    .sort();
}

function importsOf(file: string): readonly string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(project, file), 'utf8'), true, true);
  return importedFiles.map(({ fileName }) => fileName);
}

/** What is imported to be run: types are gone by then, and may name each other freely. */
function valueImportsOf(file: string): readonly string[] {
  const source = ts.createSourceFile(file, readFileSync(join(project, file), 'utf8'), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const { importClause, moduleSpecifier } = statement;
    const named = importClause?.namedBindings;
    const onlyTypes =
      importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ||
      (importClause?.name === undefined &&
        named !== undefined &&
        ts.isNamedImports(named) &&
        named.elements.every(({ isTypeOnly }) => isTypeOnly));
    return onlyTypes ? [] : [moduleSpecifier.text];
  });
}

/** What is wrong with one import, or undefined. */
function fault(file: string, name: string): string | undefined {
  const rule = table.find(({ files }) => files.test(file));
  if (rule === undefined) return `${file} is in no row of the import table`;
  if (!name.startsWith('.')) {
    const allowed =
      rule.packages === 'any' ||
      rule.packages.some((one) => name === one || name.startsWith(one.endsWith(':') ? one : `${one}/`));
    return allowed ? undefined : `${file} imports the package ${name}`;
  }
  const target = relative(project, join(project, dirname(file), name));
  if (unit(target) === unit(file) || rule.may.some((one) => one.test(target))) return undefined;
  return `${file} imports ${target}`;
}

const files = ['runner', 'adapters', 'reports', 'lab', 'test'].flatMap(sources);

t.test('boundaries: every import is one that the table allows', (t) => {
  const faults = files.flatMap((file) => importsOf(file).flatMap((name) => fault(file, name) ?? []));
  t.same(faults, []);
  t.ok(files.length > 60, 'the sources were found');
  t.end();
});

t.test('boundaries: what must not be imported is noticed', (t) => {
  t.match(fault('runner/domain/x.ts', 'node:fs'), /imports the package/);
  t.match(fault('runner/pipeline/x.ts', '../store/journal.ts'), /imports runner\/store/);
  t.match(fault('adapters/siems/files/x.ts', '../opensearch.ts'), /imports adapters\/siems\/opensearch/);
  t.match(fault('adapters/transports/ssh/x.ts', '../local.ts'), /imports adapters\/transports\/local/);
  t.match(fault('reports/x.ts', 'node:fs'), /imports the package/);
  t.match(fault('runner/cli/x.ts', '../../lab/control.ts'), /imports lab/);
  t.equal(fault('adapters/transports/ssh/x.ts', './y.ts'), undefined);
  t.equal(fault('runner/cli/x.ts', '../domain/time.ts'), undefined);
  t.end();
});

t.test('boundaries: nothing imports in a circle', (t) => {
  const graph = new Map(
    files.map((file) => [
      file,
      valueImportsOf(file).flatMap((name) =>
        name.startsWith('.') ? [relative(project, join(project, dirname(file), name))] : [],
      ),
    ]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  t.same(circles, []);
  t.end();
});
