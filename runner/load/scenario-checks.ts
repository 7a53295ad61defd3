import type { Analytic } from '../domain/attack.ts';
import type { Stance } from '../domain/scenario.ts';
import { pathText } from './check.ts';
import { type Problem, shown, suggest } from './problem.ts';
import type { ScenarioContext } from './scenario.ts';
import { createsFault, isCovered, pathFault, unknownPlaceholder } from './scenario-paths.ts';
import { axisNames, type ScenarioFile, type StepFile, type VariantFile } from './scenario-schema.ts';
import type { Path, YamlFile } from './yaml-file.ts';

type Fields = Partial<ScenarioFile>;
type Report = (path: Path, code: string, found: string, hint: string) => void;

/** All that is wrong with a scenario besides its form. A field that is malformed is absent here, and what needs it is not checked. */
export function scenarioProblems(source: YamlFile, fields: Fields, context: ScenarioContext): readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, code, found, hint) => {
    problems.push({ file: source.file, ...source.at(path), code, found, hint });
  };
  checkAttack(fields, context, report);
  checkSteps(fields, context, report);
  checkCreates(fields, context, report);
  checkExpectation(fields, context, report);
  for (const [index, variant] of (fields.variants ?? []).entries())
    checkVariant(fields, variant, ['variants', index], context, report);
  return problems;
}

function checkAttack(
  { analytic: id, element, purpose, expect }: Fields,
  context: ScenarioContext,
  report: Report,
): void {
  const { attack, platform } = context;
  const own = attack.analytics.find((analytic) => analytic.platform === platform);
  if (id !== undefined && id !== own?.id)
    report(
      ['analytic'],
      'SCENARIO_WRONG_ANALYTIC',
      `${id}, in the folder of ${platform}`,
      own === undefined ? `no analytic covers ${platform}` : `use ${own.id}, or move the file to its platform's folder`,
    );
  if (own === undefined) return;
  const elements = own.elements.map(({ field }) => field);
  if (purpose === 'control' && element !== undefined)
    report(['element'], 'SCENARIO_CONTROL_ELEMENT', 'an element on a control', 'remove it: a control exercises none');
  else if (purpose !== undefined && purpose !== 'control' && element === undefined)
    report(['element'], 'SCENARIO_NO_ELEMENT', `${purpose} without an element`, `add element: ${elements.join(', ')}`);
  else if (element !== undefined && !elements.includes(element))
    report(
      ['element'],
      'SCENARIO_UNKNOWN_ELEMENT',
      `${shown(element)} is no element of ${own.id}`,
      suggest(element, elements),
    );
  for (const [index, ref] of (expect?.event.sources ?? []).entries()) checkSource(own, ref, index, expect, report);
  if (purpose === 'control' && (expect?.event.sources.length ?? 1) > 1)
    report(
      ['expect', 'event', 'sources'],
      'SCENARIO_CONTROL_SOURCES',
      'a control of more than one log source',
      'write one control per log source, so that each pipe is proved open by itself',
    );
}

function checkSource(own: Analytic, ref: string, index: number, expect: Fields['expect'], report: Report): void {
  const known = [...own.logSources, ...own.supplementary].map((source) => source.ref);
  const path = ['expect', 'event', 'sources', index];
  if (!known.includes(ref))
    report(path, 'SCENARIO_UNKNOWN_SOURCE', `${shown(ref)} is no log source of ${own.id}`, suggest(ref, known));
  if (expect?.event.sources.indexOf(ref) !== index)
    report(path, 'SCENARIO_DUPLICATE', `a second ${shown(ref)}`, 'name each log source once');
}

function checkSteps({ steps, creates = [] }: Fields, context: ScenarioContext, report: Report): void {
  if (steps === undefined) return;
  if (!steps.some(({ python }) => python.args.includes('{{marker}}')))
    report(
      ['steps'],
      'SCENARIO_NO_MARKER',
      'no step carries {{marker}} as an argument of its own, so nothing could be tied to this run',
      "put '{{marker}}' among the args of a step",
    );
  if (steps.length > 1 && steps.some(({ python }) => python.via === 'cron'))
    report(['steps'], 'SCENARIO_CRON_STEPS', 'a cron step among others', 'a scenario via cron has exactly one step');
  for (const [index, step] of steps.entries()) {
    const path: Path = ['steps', index, 'python'];
    const { script, args, at, cwd } = step.python;
    if (!context.payloads.has(script))
      report(
        [...path, 'script'],
        'SCENARIO_NO_PAYLOAD',
        `no payload ${shown(script)}`,
        suggest(script, context.payloads),
      );
    for (const [position, argument] of args.entries()) {
      const unknown = unknownPlaceholder(argument);
      if (unknown !== undefined)
        report(
          [...path, 'args', position],
          'SCENARIO_PLACEHOLDER',
          `unknown placeholder ${shown(unknown)}`,
          'only {{run}}, {{home}} and {{marker}} are filled in',
        );
      if (argument.includes('\0')) report([...path, 'args', position], 'SCENARIO_ARGUMENT', 'a NUL byte', 'remove it');
    }
    if (at !== undefined) checkPath(at, [...path, 'at'], creates, context, report);
    if (cwd !== undefined) checkPath(cwd, [...path, 'cwd'], creates, context, report);
    checkInvocation(step.python, path, report);
  }
}

/** Where a script is put must be cleaned up; a working folder only if it is new. */
function checkPath(
  value: string,
  path: Path,
  creates: readonly string[],
  context: ScenarioContext,
  report: Report,
): void {
  const fault = pathFault(value, context.platform);
  if (fault !== undefined) {
    report(path, fault.code, `${pathText(path)} is ${shown(value)}: ${fault.found}`, fault.hint);
    return;
  }
  const isNew = path.at(-1) === 'at' || (value.includes('{{run}}') && value !== '{{home}}/{{run}}');
  if (isNew && !isCovered(value, creates, context.platform))
    report(
      path,
      'SCENARIO_NOT_DECLARED',
      `${shown(value)} lies neither in the run folder nor in what \`creates\` declares, so it would be left behind`,
      'use {{home}}/{{run}}/…, or declare its topmost new folder under creates',
    );
}

function checkInvocation(python: StepFile['python'], path: Path, report: Report): void {
  const { interpreter, invocation, via } = python;
  if (interpreter === 'shebang' && invocation !== 'file' && invocation !== 'zipapp')
    report(
      path,
      'SCENARIO_SHEBANG',
      `interpreter shebang with invocation ${invocation}`,
      'a first line is read from a file: use invocation file or zipapp',
    );
  if (via === 'cron' && invocation === 'stdin')
    report(
      path,
      'SCENARIO_CRON_STDIN',
      'a cron step that is fed by standard input',
      'use another invocation with cron',
    );
}

function checkCreates({ creates = [] }: Fields, { platform }: ScenarioContext, report: Report): void {
  for (const [index, path] of creates.entries()) {
    const fault = createsFault(path, platform);
    if (fault !== undefined) report(['creates', index], fault.code, `${shown(path)}: ${fault.found}`, fault.hint);
    if (creates.indexOf(path) !== index)
      report(['creates', index], 'SCENARIO_DUPLICATE', `a second ${shown(path)}`, 'declare each path once');
  }
}

function checkExpectation(
  { purpose, twinOf, expect, steps = [] }: Fields,
  context: ScenarioContext,
  report: Report,
): void {
  if (purpose === 'twin' && twinOf === undefined)
    report(
      ['twinOf'],
      'SCENARIO_NO_TWIN',
      'a twin without twinOf',
      'name the emulation whose legitimate counterpart it is',
    );
  if (purpose !== undefined && purpose !== 'twin' && twinOf !== undefined)
    report(['twinOf'], 'SCENARIO_TWIN_OF', `twinOf on a ${purpose}`, 'remove it: only a twin has one');
  if (expect === undefined) return;
  const { alert } = expect;
  const path: Path = ['expect', 'alert'];
  checkRules(alert, path, context, report);
  checkReasons(alert.stance, alert, path, report);
  checkScriptContext(expect.event.context, steps, ['expect', 'event', 'context'], report);
  if (purpose === undefined) return;
  checkStance(purpose, alert.stance, [...path, 'stance'], report);
  if (purpose === 'emulation' && alert.stance === 'must-alert' && alert.rule === undefined && alert.rules === undefined)
    report(path, 'SCENARIO_NO_RULE', 'must-alert without a rule', 'name the rule that must fire: rule: …');
}

function checkStance(purpose: ScenarioFile['purpose'], stance: Stance, path: Path, report: Report): void {
  const allowed: readonly Stance[] =
    purpose === 'emulation' ? ['must-alert', 'known-gap', 'not-collected'] : ['must-stay-quiet'];
  if (!allowed.includes(stance))
    report(
      path,
      'SCENARIO_STANCE',
      `${stance} on a${purpose === 'emulation' ? 'n' : ''} ${purpose}`,
      `use ${allowed.join(' or ')}`,
    );
}

type AlertFields = Pick<VariantFile, 'rule' | 'rules' | 'because' | 'owner' | 'until'>;

function checkRules({ rule, rules }: AlertFields, path: Path, context: ScenarioContext, report: Report): void {
  if (rule !== undefined && rules !== undefined)
    report([...path, 'rules'], 'SCENARIO_RULES', 'both rule and rules', 'keep one of them');
  const named = [
    ...(rule === undefined ? [] : [{ id: rule, at: [...path, 'rule'] }]),
    ...(rules ?? []).map((id, index) => ({ id, at: [...path, 'rules', index] })),
  ];
  for (const { id, at } of named)
    if (!context.detections.has(id))
      report(
        at,
        'SCENARIO_UNKNOWN_RULE',
        `no rule ${shown(id)} in scenarios/detections`,
        suggest(id, context.detections),
      );
}

/** A gap is excused only with a reason and somebody who owns it. */
function checkReasons(stance: Stance, { because, owner, until }: AlertFields, path: Path, report: Report): void {
  const excused = stance === 'known-gap' || stance === 'not-collected';
  if (excused && because === undefined)
    report([...path, 'stance'], 'SCENARIO_NO_REASON', `${stance} without a reason`, 'add because: …');
  if (stance === 'known-gap' && owner === undefined)
    report([...path, 'stance'], 'SCENARIO_NO_OWNER', 'known-gap without an owner', 'add owner: who is to close it');
  if (stance !== 'known-gap' && until !== undefined)
    report([...path, 'until'], 'SCENARIO_UNTIL', `until with ${stance}`, 'remove it: only a known gap has an end date');
}

function checkScriptContext(
  context: readonly string[],
  steps: readonly { readonly python: { readonly invocation: string } }[],
  path: Path,
  report: Report,
): void {
  const without = steps.find(({ python }) => python.invocation === '-c' || python.invocation === 'stdin');
  if (without !== undefined && context.includes('script'))
    report(
      path,
      'SCENARIO_NO_SCRIPT_PATH',
      `the context asks for script, and with invocation ${without.python.invocation} no script path exists`,
      'give a context without script',
    );
}

function checkVariant(
  fields: Fields,
  variant: VariantFile,
  path: Path,
  context: ScenarioContext,
  report: Report,
): void {
  const { steps = [], expect, purpose, variants = [], creates = [] } = fields;
  const [axis, second] = axisNames.filter((name) => variant[name] !== undefined);
  if (purpose === 'control')
    report(path, 'SCENARIO_CONTROL_VARIANT', 'a variant of a control', 'remove it: a control is always the same');
  if (axis === undefined || second !== undefined) {
    report(
      path,
      'SCENARIO_VARIANT_AXIS',
      axis === undefined ? 'a variant that changes nothing' : `a variant that changes ${axis} and ${String(second)}`,
      `change exactly one of ${axisNames.join(', ')}`,
    );
    return;
  }
  const value = variant[axis];
  const isFirst = variants.findIndex((other) => other[axis] === value) === path.at(-1);
  if (!isFirst || (steps.length > 0 && steps.every(({ python }) => python[axis] === value)))
    report(
      [...path, axis],
      isFirst ? 'SCENARIO_VARIANT_SAME' : 'SCENARIO_DUPLICATE',
      `${axis} ${shown(value)}, which ${isFirst ? 'the scenario itself' : 'another variant'} has already`,
      'remove the variant, or change something',
    );
  if ((axis === 'at' || axis === 'cwd') && value !== undefined) {
    checkPath(value, [...path, axis], creates, context, report);
    if (steps.length > 1)
      report(
        [...path, axis],
        'SCENARIO_VARIANT_STEPS',
        `${axis} for several steps`,
        'write a scenario of its own instead',
      );
  }
  const changed = steps.map(({ python }) => ({ python: { ...python, [axis]: value } }));
  for (const { python } of changed) checkInvocation(python, path, report);
  if (steps.length > 1 && variant.via === 'cron')
    report(
      [...path, 'via'],
      'SCENARIO_CRON_STEPS',
      'cron for several steps',
      'a scenario via cron has exactly one step',
    );
  checkRules(variant, path, context, report);
  if (variant.stance !== undefined) {
    checkReasons(variant.stance, variant, path, report);
    if (purpose !== undefined) checkStance(purpose, variant.stance, [...path, 'stance'], report);
  }
  const required = variant.context ?? expect?.event.context ?? [];
  if (axis === 'invocation' || variant.context !== undefined) checkScriptContext(required, changed, path, report);
  const hasRule = [variant, expect?.alert].some((alert) => alert?.rule !== undefined || alert?.rules !== undefined);
  if (variant.stance === 'must-alert' && expect !== undefined && !hasRule)
    report(path, 'SCENARIO_NO_RULE', 'must-alert without a rule', 'name the rule that must fire: rule: …');
}
