import { glob } from '../domain/glob.ts';
import type { FoundPython, HostLook } from '../domain/host-look.ts';
import type { ExpectedPython, Target } from '../domain/inventory.ts';
import { isSelected } from '../domain/selector.ts';

/**
 * `declared`: the inventory expects it. `undeclared`: nobody said it is theirs. `other-version`: expected, in another version.
 * `missing`: expected by its whole path, and not there. `stub`: only stands in for an interpreter.
 */
export type PythonState = 'declared' | 'undeclared' | 'other-version' | 'missing' | 'stub';

/** One interpreter of one target, under all of its names. */
export type PythonRow = {
  readonly target: string;
  readonly platform: Target['platform'];
  readonly state: PythonState;
  /** The file itself. */
  readonly path: string;
  readonly alsoAs: readonly string[];
  readonly version?: string;
  /** What the platform says it belongs to. */
  readonly package?: string;
  /** Who declared it. */
  readonly owner?: string;
  readonly detail: string;
};

/** What was found on a target against what the inventory expects there. Pure; the worst first. */
export function pythonRows(
  target: Target,
  looks: readonly HostLook[],
  policy: readonly ExpectedPython[],
): readonly PythonRow[] {
  const of = { target: target.id, platform: target.platform };
  const own = policy.filter(({ targets }) => targets === undefined || isSelected(targets, target));
  const files = Map.groupBy(
    looks.flatMap(({ pythons }) => pythons),
    ({ path, realPath }) => realPath ?? path,
  );
  const rows = [...files].map(([path, found]): PythonRow => {
    const names = [...new Set(found.map((one) => one.path))].filter((name) => name !== path).sort();
    const [first] = found;
    const seen = { ...of, path, alsoAs: names, ...told(first) };
    if (found.every(({ stub }) => stub === true))
      return { ...seen, state: 'stub', detail: 'it only stands in for an interpreter, and was not called' };
    return { ...seen, ...judged([path, ...names], first?.version, own, target) };
  });
  const everything = [...files].flatMap(([path, found]) => [path, ...found.map((one) => one.path)]);
  const missing = own
    .filter(({ path }) => !path.includes('*') && !everything.some((one) => glob(path, one)))
    .map(({ path, owner }): PythonRow => ({
      ...of,
      state: 'missing',
      path,
      alsoAs: [],
      owner,
      detail: 'expected here and not found: correct the inventory, or ask its owner',
    }));
  return [...rows, ...missing].sort(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.path < b.path ? -1 : 1),
  );
}

const order: readonly PythonState[] = ['undeclared', 'other-version', 'missing', 'stub', 'declared'];

function told(found: FoundPython | undefined): Pick<PythonRow, 'version' | 'package'> {
  return {
    ...(found?.version === undefined ? {} : { version: found.version }),
    ...(found?.owner === undefined ? {} : { package: found.owner }),
  };
}

function judged(
  names: readonly string[],
  version: string | undefined,
  policy: readonly ExpectedPython[],
  target: Target,
): Pick<PythonRow, 'state' | 'owner' | 'detail'> {
  const matching = policy.filter(({ path }) => names.some((name) => glob(path, name)));
  const right = matching.find((entry) => entry.version === undefined || glob(entry.version, version ?? ''));
  if (right !== undefined) return { state: 'declared', owner: right.owner, detail: right.because ?? 'as declared' };
  const [other] = matching;
  if (other !== undefined)
    return {
      state: 'other-version',
      owner: other.owner,
      detail: `declared in version ${other.version ?? ''}: correct the inventory, or ask its owner`,
    };
  return names.includes(target.interpreter)
    ? { state: 'declared', owner: target.owner, detail: 'the interpreter that detproof uses' }
    : {
        state: 'undeclared',
        detail: 'nobody declared it: find its owner, then add it to python in the inventory, or remove it',
      };
}
