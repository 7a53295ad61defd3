import type { Target } from '../domain/inventory.ts';
import type { Looked } from '../pipeline/look-at.ts';
import { type PythonRow, pythonRows } from '../pipeline/python-policy.ts';
import { visible } from '../load/problem.ts';
import { type App, exitCodes } from './app.ts';
import { csv } from './csv.ts';
import { lookAtTargets } from './look-at-targets.ts';
import { type Choice, chosenTargets, loadMaterial } from './material.ts';
import { columns, say, sayJson, tell } from './print.ts';

export type DiscoverOptions = Choice & {
  readonly inventory: string;
  readonly library?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
};

/**
 * `discover`: the Python interpreters of each target against what the inventory says is expected there and whose it is. Exit code 1
 * when there is one that nobody declared (or declared in another version), 3 when a target could not be looked at.
 */
export async function discover(app: App, options: DiscoverOptions): Promise<number> {
  const material = await loadMaterial(app, options);
  const targets = chosenTargets(material, options);
  const looks = await lookAtTargets(app, material.inventory, options.inventory, targets, (looked) => {
    if (options.json !== true && options.csv !== true) tell(app, progress(looked));
  });
  const byTarget = Map.groupBy(looks, ({ target }) => target);
  const rows = [...byTarget].flatMap(([target, own]) =>
    own.some(({ look }) => look !== undefined)
      ? pythonRows(
          target,
          own.flatMap(({ look }) => look ?? []),
          material.inventory.python,
        )
      : [],
  );
  const unknown = [...byTarget]
    .filter(([, own]) => own.every(({ look }) => look === undefined))
    .map(([target, own]) => ({
      target: target.id,
      because: own.map(({ trouble }) => trouble?.detail ?? '').join('; '),
    }));
  if (options.json === true) sayJson(app, { interpreters: rows, notLookedAt: unknown });
  else if (options.csv === true) app.stdout.write(app.redact(csv([heads, ...rows.map(cells)])));
  else print(app, rows, unknown, targets);
  if (rows.some(({ state }) => state === 'undeclared' || state === 'other-version')) return exitCodes.worse;
  return unknown.length > 0 ? exitCodes.inconclusive : exitCodes.asExpected;
}

const heads = ['target', 'platform', 'state', 'path', 'also as', 'version', 'package', 'owner', 'detail'];

function cells(row: PythonRow): readonly string[] {
  const { target, platform, state, path, alsoAs, version = '', owner = '', detail } = row;
  return [target, platform, state, path, alsoAs.join(' '), version, row.package ?? '', owner, detail].map(visible);
}

function print(
  app: App,
  rows: readonly PythonRow[],
  unknown: readonly { readonly target: string; readonly because: string }[],
  targets: readonly Target[],
): void {
  const short = rows.map((row) => {
    const [target = '', , state = '', path = '', , version = '', own = '', owner = ''] = cells(row);
    return [target, state, path, version || '–', own || '–', owner || '–'];
  });
  if (rows.length > 0)
    for (const line of columns([['TARGET', 'STATE', 'INTERPRETER', 'VERSION', 'PACKAGE', 'OWNER'], ...short]))
      say(app, line);
  const findings = rows.filter(
    ({ state }) => state === 'undeclared' || state === 'other-version' || state === 'missing',
  );
  for (const { target, path, detail } of findings) say(app, `finding: ${target} ${visible(path)}: ${visible(detail)}`);
  for (const { target, because } of unknown) say(app, `not looked at: ${target}: ${visible(because)}`);
  const count = (state: PythonRow['state']): number => rows.filter((row) => row.state === state).length;
  say(
    app,
    `${rows.length} interpreters on ${targets.length - unknown.length} of ${targets.length} targets: ${count('undeclared')} undeclared, ${count('other-version')} of another version, ${count('missing')} missing, ${count('stub')} stubs.`,
  );
}

function progress({ target, account, trouble }: Looked): string {
  return `${target.id}/${account.name}: ${trouble === undefined ? 'looked at' : visible(trouble.detail)}`;
}
