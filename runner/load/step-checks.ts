import type { Platform } from '../domain/attack.ts';
import type { PythonStep } from '../domain/scenario.ts';
import { pathText } from './check.ts';
import { checkLauncher, checkPlatform } from './launcher-checks.ts';
import type { Report } from './report-at.ts';
import { shown, suggest } from './problem.ts';
import { createsFault, isCovered, pathFault, unknownPlaceholder } from './scenario-paths.ts';
import type { ScenarioFile } from './scenario-schema.ts';
import type { Path } from './source-file.ts';

/** A step of a scenario file, or of a plan. */
export type StepForm = Omit<PythonStep, 'at' | 'timeout'> & { readonly at?: string };

/** What a path of a step is held against. */
export type Place = { readonly creates: readonly string[]; readonly platform: Platform };

/** The steps of a scenario, in their plain form. */
export function checkSteps(
  steps: ScenarioFile['steps'],
  payloads: ReadonlySet<string>,
  place: Place,
  report: Report,
): void {
  const carriesMarker = steps.map(({ python }) => python.args.includes('{{marker}}') || python.launcher !== undefined);
  const hint = "put '{{marker}}' among the args, as an argument of its own";
  if (!carriesMarker.includes(true))
    report(['steps'], 'SCENARIO_NO_MARKER', 'no step carries {{marker}}, so nothing could be tied to this run', hint);
  else
    for (const [index, carries] of carriesMarker.entries())
      if (!carries)
        report(
          ['steps', index],
          'SCENARIO_NO_MARKER',
          'this step does not carry {{marker}}, so it has no receipt',
          hint,
        );
  if (steps.length > 1 && steps.some(({ python }) => python.via !== 'session'))
    report(
      ['steps'],
      'SCENARIO_VIA_STEPS',
      'a step that the host itself starts, among others',
      'a scenario via cron, launchd or task has exactly one step',
    );
  for (const [index, { python }] of steps.entries()) {
    const path: Path = ['steps', index, 'python'];
    if (!payloads.has(python.script))
      report(
        [...path, 'script'],
        'SCENARIO_NO_PAYLOAD',
        `no payload ${shown(python.script)}`,
        suggest(python.script, payloads),
      );
    checkArguments(python, path, report);
    checkPlaces(python, path, place, report);
    checkInvocation(python, path, report);
    checkLauncher(python, path, payloads, place, report);
    checkPlatform(python, path, place, report);
  }
}

export function checkArguments({ args }: StepForm, path: Path, report: Report): void {
  for (const [index, argument] of args.entries()) {
    const at = [...path, 'args', index];
    const unknown = unknownPlaceholder(argument);
    if (unknown !== undefined)
      report(
        at,
        'SCENARIO_PLACEHOLDER',
        `unknown placeholder ${shown(unknown)}`,
        'only {{run}}, {{home}} and {{marker}} are filled in',
      );
    if (/[\0\n\r]/.test(argument))
      report(at, 'SCENARIO_ARGUMENT', 'a NUL byte or a line break in an argument', 'put it into the payload instead');
  }
}

/** `at` and `cwd` are paths without surprises, and what the step makes is cleaned up. */
export function checkPlaces(python: StepForm, path: Path, place: Place, report: Report): void {
  const { at, cwd } = python;
  let isSound = true;
  for (const [key, value] of Object.entries({ at, cwd })) {
    const fault = value === undefined ? undefined : pathFault(value, place.platform);
    if (fault === undefined) continue;
    isSound = false;
    report([...path, key], fault.code, `${pathText([...path, key])} is ${shown(value)}: ${fault.found}`, fault.hint);
  }
  if (!isSound) return;
  const made = { at: placed(python), cwd: cwd?.includes('{{run}}') === true ? cwd : undefined };
  for (const [key, value] of Object.entries(made))
    if (value !== undefined && !isCovered(value, place.creates, place.platform))
      report(
        [...path, key],
        'SCENARIO_NOT_DECLARED',
        `${shown(value)} lies neither in the run folder nor in what creates declares, so it would be left behind`,
        'use {{home}}/{{run}}/…, or declare its topmost new folder under creates',
      );
}

/** The file that a step puts in place, when the scenario says where: a zipapp has an ending of its own. */
function placed({ at, invocation }: StepForm): string | undefined {
  const ending = { zipapp: '.pyz', executable: '' }[invocation as string];
  return at === undefined || ending === undefined ? at : at.replace(/\.py$/, '') + ending;
}

/** Which interpreters, invocations and ways to start go together. */
export function checkInvocation(python: StepForm, path: Path, report: Report): void {
  const { interpreter, invocation, via, at, cwd } = python;
  if (interpreter === 'shebang' && invocation !== 'file' && invocation !== 'zipapp')
    report(
      path,
      'SCENARIO_SHEBANG',
      `interpreter shebang with invocation ${invocation}`,
      'a first line is read from a file: use invocation file or zipapp',
    );
  if (via !== 'session' && invocation === 'stdin')
    report(path, 'SCENARIO_VIA_STDIN', `${via} with invocation stdin`, `use another invocation with ${via}`);
  if (invocation !== 'module') return;
  if (at !== undefined && !/(?:^|[/\\])[A-Za-z_][A-Za-z0-9_]*\.py$/.test(at))
    report(
      path,
      'SCENARIO_MODULE_NAME',
      `invocation module with the file ${shown(at)}, whose name Python cannot import`,
      'name the file NAME.py, with letters, digits and _ only',
    );
  if (cwd !== undefined)
    report(
      path,
      'SCENARIO_MODULE_CWD',
      'invocation module with a cwd',
      'remove cwd: a module is started in its own folder',
    );
}

/** What a scenario makes outside the run folder, and detproof removes. */
export function checkCreates({ creates, platform }: Place, report: Report): void {
  for (const [index, path] of creates.entries()) {
    const fault = createsFault(path, platform);
    if (fault !== undefined) report(['creates', index], fault.code, `${shown(path)}: ${fault.found}`, fault.hint);
    if (creates.indexOf(path) !== index)
      report(['creates', index], 'SCENARIO_DUPLICATE', `a second ${shown(path)}`, 'declare each path once');
  }
}
