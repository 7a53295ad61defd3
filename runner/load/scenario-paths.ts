import type { Platform } from '../domain/attack.ts';
import { isPrintable } from './problem.ts';

/** What is wrong with a path, and what to do; undefined when nothing is. */
export type PathFault = { readonly code: string; readonly found: string; readonly hint: string };

const runFolder = '{{home}}/{{run}}';

/** `creates` may not lie in these, whatever an account could write there. */
const systemFolders = [
  /^\/(?:bin|boot|dev(?!\/shm\/)|etc|lib\w*|proc|root|run(?!\/user\/)|sbin|sys|usr(?!\/local\/))(?:\/|$)/,
  /^\/(?:System|private\/etc|bootbank|altbootbank|locker|store|productLocker)(?:\/|$)/,
  /^[a-z]:\/windows(?!\/temp\/)(?:\/|$)/i,
  /^(?:[a-z]:)?\/[^/]*$/i,
];

/** A path that a step uses: from the root or from `{{home}}`, and the same in every shell and program. */
export function pathFault(path: string, platform: Platform): PathFault | undefined {
  const fault = (found: string, hint: string): PathFault => ({ code: 'SCENARIO_PATH', found, hint });
  const plain = withSlashes(path, platform);
  const unknown = unknownPlaceholder(path);
  if (unknown !== undefined)
    return {
      code: 'SCENARIO_PLACEHOLDER',
      found: `unknown placeholder ${unknown}`,
      hint: 'only {{run}} and {{home}} are filled in here',
    };
  if (path.includes('{{marker}}'))
    return {
      code: 'SCENARIO_MARKER_IN_PATH',
      found: 'the marker in a path, where a rule could key on it',
      hint: 'use {{run}} in paths; the marker goes among the arguments',
    };
  const bare = plain
    .replaceAll('{{run}}', 'run')
    .replace(/^\{\{home\}\}(?=\/|$)/, platform === 'windows' ? 'C:/home' : '/home');
  if (bare.includes('{{')) return fault('{{home}} inside a path', 'begin the path with {{home}}, or leave it out');
  if (!(platform === 'windows' ? /^[A-Za-z]:\// : /^\//).test(bare))
    return fault(
      'a path that is not absolute',
      platform === 'windows' ? 'begin it with a drive or {{home}}' : 'begin it with / or {{home}}',
    );
  if (!isPrintable(bare) || /[*?[\]{}~$`"'<>|;&!#%^\\]/.test(bare) || bare.replace(/^[A-Za-z]:/, '').includes(':'))
    return fault(
      'a character that shells or programs read as more than itself',
      'use letters, digits, spaces, . _ - + = @ ,',
    );
  const segments = bare.split('/').slice(1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..' || segment.trim() !== segment))
    return fault('an empty segment, . or ..', 'write the path straight, without a / at its end');
  if (segments.some((segment) => segment.length > 200)) return fault('a segment that is too long', 'shorten it');
  return undefined;
}

/**
 * A path that is created and later removed with all that is in it. It must be new by construction: its last segment, and no
 * other, holds `{{run}}`, so it can never name something that others share, and nothing above it is created or left behind.
 */
export function createsFault(path: string, platform: Platform): PathFault | undefined {
  const fault = pathFault(path, platform);
  if (fault !== undefined) return fault;
  const plain = withSlashes(path, platform);
  const segments = plain.split('/');
  const withRun = segments.flatMap((segment, index) => (segment.includes('{{run}}') ? [index] : []));
  const [first] = withRun;
  if (first === undefined)
    return {
      code: 'SCENARIO_CREATES_SHARED',
      found: 'a path without {{run}}, which could belong to somebody else and would be removed',
      hint: 'put {{run}} into its last segment, such as /tmp/{{run}}',
    };
  if (withRun.length > 1 || first !== segments.length - 1)
    return {
      code: 'SCENARIO_CREATES_DEEP',
      found: 'a path that goes on after {{run}}, so that its upper part would be left behind',
      hint: `declare the topmost folder that is new: ${segments.slice(0, first + 1).join('/')}`,
    };
  if (plain === runFolder)
    return {
      code: 'SCENARIO_CREATES_RUN_FOLDER',
      found: 'the neutral run folder, which detproof makes and removes itself',
      hint: 'remove the entry',
    };
  if (systemFolders.some((folder) => folder.test(plain)))
    return {
      code: 'SCENARIO_CREATES_SYSTEM',
      found: 'a folder of the system',
      hint: 'use {{home}}, /tmp, /var/tmp or /dev/shm',
    };
  return undefined;
}

/** True when the path lies in the neutral run folder or in (or is) one of the declared ones. */
export function isCovered(path: string, creates: readonly string[], platform: Platform): boolean {
  const plain = withSlashes(path, platform);
  return (
    plain.startsWith(`${runFolder}/`) ||
    creates.map((created) => withSlashes(created, platform)).some((top) => plain === top || plain.startsWith(`${top}/`))
  );
}

/** The first `{{…}}` that is not filled in, also one that is written with spaces or not closed. */
export function unknownPlaceholder(text: string): string | undefined {
  for (const [placeholder] of text.matchAll(/\{\{[^{}]{0,40}(?:\}\})?/g))
    if (!['{{run}}', '{{home}}', '{{marker}}'].includes(placeholder)) return placeholder;
  return undefined;
}

function withSlashes(path: string, platform: Platform): string {
  return platform === 'windows' ? path.replaceAll('\\', '/') : path;
}
