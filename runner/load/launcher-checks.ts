import type { Platform } from '../domain/attack.ts';
import type { Via } from '../domain/scenario.ts';
import { shown, suggest } from './problem.ts';
import type { Report } from './report-at.ts';
import { isCovered, pathFault } from './scenario-paths.ts';
import type { Path } from './source-file.ts';
import type { Place, StepForm } from './step-checks.ts';

/** Placeholders that a launcher's arguments may hold besides those of every argument. */
const launcherPlaceholder = /\{\{(?!run\}\}|home\}\}|marker\}\}|interpreter\}\}|script\}\})[^{}]{0,40}(?:\}\})?/;

/** A launcher starts a script that lies in a file, hands the marker on, and its own files are cleaned up. */
export function checkLauncher(
  { launcher, invocation, via, interpreter }: StepForm,
  path: Path,
  payloads: ReadonlySet<string>,
  { creates, platform }: Place,
  report: Report,
): void {
  if (launcher === undefined) return;
  const at: Path = [...path, 'launcher'];
  const say = (where: Path, found: string, hint: string): void => {
    report([...at, ...where], 'SCENARIO_LAUNCHER', found, hint);
  };
  if (!['file', 'zipapp', 'pyc'].includes(invocation))
    say(
      [],
      `a launcher with invocation ${invocation}`,
      'a launcher starts a script: use invocation file, zipapp or pyc',
    );
  if (via !== 'session') say([], `a launcher via ${via}`, 'use via session with a launcher');
  if (interpreter === 'shebang')
    say([], 'a launcher with interpreter shebang', 'name the interpreter in its argv: {{interpreter}}');
  const words = launcher.argv.join(' ');
  for (const needed of ['{{script}}', '{{marker}}'])
    if (!words.includes(needed)) say(['argv'], `a launcher without ${needed}`, `put '${needed}' among its arguments`);
  for (const [index, word] of launcher.argv.entries()) {
    const unknown = launcherPlaceholder.exec(word)?.[0];
    if (unknown !== undefined)
      say(
        ['argv', index],
        `unknown placeholder ${shown(unknown)}`,
        'only {{interpreter}}, {{script}}, {{marker}}, {{run}} and {{home}} are filled in',
      );
  }
  for (const [index, file] of launcher.files.entries()) {
    if (!payloads.has(file.from))
      say(['files', index, 'from'], `no payload ${shown(file.from)}`, suggest(file.from, payloads));
    const fault = pathFault(file.at, platform);
    if (fault !== undefined) say(['files', index, 'at'], `${shown(file.at)}: ${fault.found}`, fault.hint);
    else if (!isCovered(file.at, creates, platform))
      say(
        ['files', index, 'at'],
        `${shown(file.at)} lies neither in the run folder nor in what creates declares`,
        'use {{home}}/{{run}}/…, or declare its topmost new folder under creates',
      );
  }
}

const startedBy: Readonly<Record<Exclude<Via, 'session'>, readonly Platform[]>> = {
  cron: ['linux', 'macos'],
  launchd: ['macos'],
  task: ['windows'],
};

/** What a step asks for that its platform does not have. */
export function checkPlatform(
  { via, interpreter, invocation, executable }: StepForm,
  path: Path,
  { platform }: Place,
  report: Report,
): void {
  const say = (key: string, found: string, hint: string): void => {
    report([...path, key], 'SCENARIO_PLATFORM', found, hint);
  };
  if (via !== 'session' && !startedBy[via].includes(platform))
    say('via', `via ${via} on ${platform}`, `there is none; it is for ${startedBy[via].join(' and ')}`);
  if (platform === 'windows' && interpreter === 'shebang')
    say('interpreter', `interpreter ${interpreter} on windows`, 'only the launcher py.exe reads a first line there');
  if ((invocation === 'executable') !== (executable !== undefined))
    say(
      executable === undefined ? 'invocation' : 'executable',
      executable === undefined
        ? 'invocation executable without an executable'
        : `executable with invocation ${invocation}`,
      "name one of the target's executables, and use invocation executable with it",
    );
}
