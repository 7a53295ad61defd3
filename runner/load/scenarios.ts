import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AttackFacts, Platform } from '../domain/attack.ts';
import type { Scenario } from '../domain/scenario.ts';
import { type Loaded, loaded, type Problem, shown, suggest } from './problem.ts';
import { readScenario } from './scenario.ts';
import type { SourceFile } from './source-file.ts';
import { readYamlFile } from './yaml-file.ts';

const platforms: readonly Platform[] = ['windows', 'macos', 'linux', 'esxi'];
const maxBytes = 262_144;

/** What scenarios may refer to: names of rules (without `.yml`) and of payload files. */
export type Library = { readonly detections: ReadonlySet<string>; readonly payloads: ReadonlySet<string> };

/** The library that lies beside the scenarios: `FOLDER/detections/*.yml` and `FOLDER/payloads/*.py`. */
export async function readLibrary(folder: string): Promise<Library> {
  const names = async (sub: string, extension: RegExp): Promise<readonly string[]> =>
    (await filesBelow(join(folder, sub))).filter((name) => extension.test(name));
  const rules = await names('detections', /\.ya?ml$/);
  const payloads = await names('payloads', /\.(?:py|js|vbs|hta|sh|cmd)$/);
  return { detections: new Set(rules.map((name) => name.replace(/\.ya?ml$/, ''))), payloads: new Set(payloads) };
}

/**
 * Every scenario file in and below `FOLDER/PLATFORM/`, sorted by id; or every problem of every file. Never throws for what
 * the files hold.
 */
export async function loadScenarios(
  folder: string,
  attack: AttackFacts,
  library: Library,
): Promise<Loaded<readonly Scenario[]>> {
  const problems: Problem[] = [];
  const scenarios: { readonly scenario: Scenario; readonly source: SourceFile }[] = [];
  let files = 0;
  for (const platform of platforms)
    for (const name of await filesBelow(join(folder, platform))) {
      const file = join(folder, platform, name);
      files += 1;
      if (!/^(?:[a-z0-9][a-z0-9-]*\/)*[a-z0-9][a-z0-9-]*\.yaml$/.test(name)) {
        const found = `a file that is named ${shown(basename(name))}`;
        const hint = 'name it in small letters, digits and -, with .yaml at the end: its path is the id';
        problems.push({ file, line: 1, col: 1, code: 'SCENARIO_FILE_NAME', found, hint });
        continue;
      }
      const id = `${platform}/${name.replace(/\.yaml$/, '')}`;
      const { source, problems: unreadable } = await readYamlFile(file, maxBytes);
      problems.push(...unreadable);
      if (source === undefined) continue;
      const read = readScenario(source, { id, platform, attack, ...library });
      problems.push(...read.problems);
      if (read.scenario !== undefined) scenarios.push({ scenario: read.scenario, source });
    }
  if (files === 0) {
    const found = 'no scenario file';
    const hint = `put files into ${platforms.join('/, ')}/ below it, or name the folder that holds them`;
    problems.push({ file: folder, line: 1, col: 1, code: 'SCENARIO_NONE', found, hint });
  }
  problems.push(...twinProblems(scenarios, problems));
  return loaded(
    scenarios.map(({ scenario }) => scenario).sort((a, b) => (a.id < b.id ? -1 : 1)),
    problems,
  );
}

/** A twin and its emulation are two files; a file that is broken itself is not also called missing. */
function twinProblems(
  scenarios: readonly { readonly scenario: Scenario; readonly source: SourceFile }[],
  broken: readonly Problem[],
): Problem[] {
  const emulations = scenarios.flatMap(({ scenario }) => (scenario.purpose === 'emulation' ? [scenario] : []));
  return scenarios.flatMap(({ scenario, source }) => {
    const { twinOf, analytic } = scenario;
    if (twinOf === undefined || broken.some(({ file }) => file.endsWith(`/${twinOf}.yaml`))) return [];
    const of = emulations.find(({ id }) => id === twinOf);
    if (of?.analytic === analytic) return [];
    const at = { file: source.file, ...source.at(['twinOf']) };
    const candidates = emulations.filter((emulation) => emulation.analytic === analytic).map(({ id }) => id);
    const found = of === undefined ? `no emulation ${shown(twinOf)}` : `${shown(twinOf)} belongs to ${of.analytic}`;
    return [{ ...at, code: 'SCENARIO_UNKNOWN_TWIN', found, hint: suggest(twinOf, candidates) }];
  });
}

/** Relative paths (with `/`) of the files below a folder, sorted; none when there is no such folder. Hidden files are left out. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'))
    .filter((name) => !name.split('/').some((segment) => segment.startsWith('.')))
    .sort();
}
