import type { Stance } from '../domain/scenario.ts';
import { shown, suggest } from './problem.ts';
import type { Report } from './report-at.ts';
import { defaultStance, type ScenarioFile, type StepFile, type VariantFile } from './scenario-schema.ts';
import type { Path } from './source-file.ts';

type AlertFields = Pick<VariantFile, 'rule' | 'rules' | 'because' | 'owner' | 'until'>;

/** What a scenario in its plain form expects. */
export function checkExpectation(
  { purpose, twinOf, expect, steps = [] }: Partial<ScenarioFile>,
  detections: ReadonlySet<string>,
  report: Report,
): void {
  if (purpose === 'twin' && twinOf === undefined)
    report(['twinOf'], 'SCENARIO_NO_TWIN', 'a twin without twinOf', 'name the emulation that it is the counterpart of');
  if (purpose !== undefined && purpose !== 'twin' && twinOf !== undefined)
    report(['twinOf'], 'SCENARIO_TWIN_OF', `twinOf on a ${purpose}`, 'remove it: only a twin has one');
  if (expect === undefined) return;
  const { alert } = expect;
  const path: Path = ['expect', 'alert'];
  checkRules(alert, path, detections, report);
  checkScriptContext(expect.event.context, steps, ['expect', 'event', 'context'], report);
  if (purpose === undefined) return;
  const stance = alert.stance ?? defaultStance(purpose);
  checkReasons(stance, alert, path, report);
  checkStance(purpose, stance, [...path, 'stance'], report);
  if (stance === 'must-alert' && purpose === 'emulation' && alert.rule === undefined && alert.rules === undefined)
    report(path, 'SCENARIO_NO_RULE', 'must-alert without a rule', 'name the rule that must fire: alert: { rule: … }');
}

export function checkStance(purpose: ScenarioFile['purpose'], stance: Stance, path: Path, report: Report): void {
  const allowed: readonly Stance[] =
    purpose === 'emulation' ? ['must-alert', 'known-gap', 'not-collected'] : ['must-stay-quiet'];
  if (!allowed.includes(stance))
    report(path, 'SCENARIO_STANCE', `${stance} with purpose ${purpose}`, `use ${allowed.join(' or ')}`);
}

export function checkRules(
  { rule, rules }: AlertFields,
  path: Path,
  detections: ReadonlySet<string>,
  report: Report,
): void {
  if (rule !== undefined && rules !== undefined)
    report([...path, 'rules'], 'SCENARIO_RULES', 'both rule and rules', 'keep one of them');
  const named = [
    ...(rule === undefined ? [] : [{ id: rule, at: [...path, 'rule'] }]),
    ...(rules ?? []).map((id, index) => ({ id, at: [...path, 'rules', index] })),
  ];
  for (const { id, at } of named)
    if (!detections.has(id))
      report(at, 'SCENARIO_UNKNOWN_RULE', `no rule ${shown(id)} in scenarios/detections`, suggest(id, detections));
}

/** A gap is excused only with a reason and somebody who owns it. */
export function checkReasons(stance: Stance, { because, owner, until }: AlertFields, path: Path, report: Report): void {
  const excused = stance === 'known-gap' || stance === 'not-collected';
  if (excused && because === undefined)
    report([...path, 'stance'], 'SCENARIO_NO_REASON', `${stance} without a reason`, 'add because: …');
  if (stance === 'known-gap' && owner === undefined)
    report([...path, 'stance'], 'SCENARIO_NO_OWNER', 'known-gap without an owner', 'add owner: who is to close it');
  if (stance !== 'known-gap' && until !== undefined)
    report([...path, 'until'], 'SCENARIO_UNTIL', `until with ${stance}`, 'remove it: only a known gap has an end date');
}

/** A script path that does not exist cannot be asked for. */
export function checkScriptContext(
  context: readonly string[],
  steps: readonly StepFile[],
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
