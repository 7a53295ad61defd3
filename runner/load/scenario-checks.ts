import type { Analytic } from '../domain/attack.ts';
import { checkExpectation } from './expectation-checks.ts';
import { type Problem, shown, suggest } from './problem.ts';
import { type Report, reportOn } from './report-at.ts';
import type { ScenarioContext } from './scenario.ts';
import type { ScenarioFile } from './scenario-schema.ts';
import { checkCreates, checkSteps } from './step-checks.ts';
import { checkVariant } from './variant-checks.ts';
import type { SourceFile } from './source-file.ts';

type Fields = Partial<ScenarioFile>;

/** All that is wrong with a scenario besides its form. A field that is malformed is absent here, and what needs it is not checked. */
export function scenarioProblems(source: SourceFile, fields: Fields, context: ScenarioContext): readonly Problem[] {
  const { report, problems } = reportOn(source);
  const place = { creates: fields.creates ?? [], platform: context.platform };
  checkAttack(fields, context, report);
  checkCreates(place, report);
  if (fields.steps !== undefined) checkSteps(fields.steps, context.payloads, place, report);
  checkExpectation(fields, context.detections, report);
  for (const index of fields.variants?.keys() ?? []) checkVariant(fields, index, context.detections, place, report);
  return problems;
}

function checkAttack(
  { analytic: id, element, purpose, expect }: Fields,
  context: ScenarioContext,
  report: Report,
): void {
  const { attack, platform } = context;
  const own = attack.analytics.find((analytic) => analytic.platform === platform);
  if (own === undefined) return;
  if (id !== undefined && id !== own.id)
    report(
      ['analytic'],
      'SCENARIO_WRONG_ANALYTIC',
      `${id}, in the folder of ${platform}`,
      `use ${own.id}, or move the file to its platform's folder`,
    );
  checkElement(own, purpose, element, report);
  const sources = expect?.event.sources ?? [];
  const known = [...own.logSources, ...own.supplementary].map((source) => source.ref);
  for (const [index, ref] of sources.entries()) {
    const path = ['expect', 'event', 'sources', index];
    if (!known.includes(ref))
      report(path, 'SCENARIO_UNKNOWN_SOURCE', `${shown(ref)} is no log source of ${own.id}`, suggest(ref, known));
    if (sources.indexOf(ref) !== index)
      report(path, 'SCENARIO_DUPLICATE', `a second ${shown(ref)}`, 'name each log source once');
  }
  if (purpose === 'control' && sources.length > 1)
    report(
      ['expect', 'event', 'sources'],
      'SCENARIO_CONTROL_SOURCES',
      'a control of more than one log source',
      'write one control per log source, so that each pipe is proved open by itself',
    );
}

function checkElement(own: Analytic, purpose: Fields['purpose'], element: string | undefined, report: Report): void {
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
}
