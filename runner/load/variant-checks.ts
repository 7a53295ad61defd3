import { checkReasons, checkRules, checkScriptContext, checkStance } from './expectation-checks.ts';
import { shown } from './problem.ts';
import type { Report } from './report-at.ts';
import { axisNames, type ScenarioFile, type VariantFile } from './scenario-schema.ts';
import { checkInvocation, checkPlaces, type Place, type StepForm } from './step-checks.ts';
import type { Path } from './source-file.ts';

/** One variant: it changes one axis, and what it expects fits what it then is. */
export function checkVariant(
  fields: Partial<ScenarioFile>,
  index: number,
  detections: ReadonlySet<string>,
  place: Place,
  report: Report,
): void {
  const { steps = [], expect, purpose, variants = [] } = fields;
  const variant = variants[index];
  if (variant === undefined) return;
  const path: Path = ['variants', index];
  if (purpose === 'control')
    report(path, 'SCENARIO_CONTROL_VARIANT', 'a variant of a control', 'remove it: a control is always the same');
  const axis = checkAxis(fields, variant, path, report);
  checkRules(variant, path, detections, report);
  if (variant.stance !== undefined) {
    checkReasons(variant.stance, variant, path, report);
    if (purpose !== undefined) checkStance(purpose, variant.stance, [...path, 'stance'], report);
    const hasRule = [variant, expect?.alert].some((alert) => alert?.rule !== undefined || alert?.rules !== undefined);
    if (variant.stance === 'must-alert' && expect !== undefined && !hasRule)
      report(path, 'SCENARIO_NO_RULE', 'must-alert without a rule', 'name the rule that must fire: rule: …');
  }
  if (axis === undefined) return;
  const changed = steps.map((step) => ({ ...step, python: { ...step.python, [axis]: variant[axis] } }));
  const ownPlace = axis === 'at' || axis === 'cwd';
  for (const [position, { python }] of changed.entries()) {
    // What is wrong with the step as it is written is not told again for each of its variants.
    const before = stepFaults(steps[position]?.python ?? python, place);
    const onlyNew: Report = (at, code, ...rest) => {
      if (!before.has(code)) report(at, code, ...rest);
    };
    checkInvocation(python, path, onlyNew);
    checkPlaces(python, path, place, ownPlace ? report : onlyNew);
  }
  if (steps.length > 1 && axis !== 'interpreter' && axis !== 'invocation')
    report(
      [...path, axis],
      'SCENARIO_VARIANT_STEPS',
      `a variant of ${axis} for several steps`,
      'write a scenario of its own instead',
    );
  if (axis === 'invocation' || variant.context !== undefined)
    checkScriptContext(variant.context ?? expect?.event.context ?? [], changed, path, report);
}

function stepFaults(python: StepForm, place: Place): ReadonlySet<string> {
  const codes = new Set<string>();
  const note: Report = (_path, code) => {
    codes.add(code);
  };
  checkInvocation(python, [], note);
  checkPlaces(python, [], place, note);
  return codes;
}

/** The axis that the variant changes, when it is exactly one. */
function checkAxis(
  { steps = [], variants = [] }: Partial<ScenarioFile>,
  variant: VariantFile,
  path: Path,
  report: Report,
): (typeof axisNames)[number] | undefined {
  const [axis, second] = axisNames.filter((name) => variant[name] !== undefined);
  if (axis === undefined || second !== undefined) {
    const found =
      axis === undefined ? 'a variant that changes nothing' : `a variant that changes ${axis} and ${String(second)}`;
    report(path, 'SCENARIO_VARIANT_AXIS', found, `change exactly one of ${axisNames.join(', ')}`);
    return undefined;
  }
  const isSame = steps.length > 0 && steps.every(({ python }) => python[axis] === variant[axis]);
  const isSecond = variants.find((other) => other[axis] === variant[axis]) !== variant;
  if (isSame || isSecond)
    report(
      [...path, axis],
      isSame ? 'SCENARIO_VARIANT_SAME' : 'SCENARIO_DUPLICATE',
      `${axis} ${shown(variant[axis])}, which ${isSame ? 'the scenario itself' : 'another variant'} has already`,
      'remove the variant, or change something',
    );
  return axis;
}
