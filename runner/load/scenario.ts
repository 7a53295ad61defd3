import type { AttackFacts, Platform } from '../domain/attack.ts';
import { nonEmpty, type NonEmpty } from '../domain/non-empty.ts';
import type { Expectation, PythonStep, Scenario, Variant } from '../domain/scenario.ts';
import { checkObject } from './check.ts';
import type { Problem } from './problem.ts';
import { scenarioProblems } from './scenario-checks.ts';
import { axisNames, defaultStance, scenarioFile, type ScenarioFile, type VariantFile } from './scenario-schema.ts';
import type { SourceFile } from './source-file.ts';

/** What a scenario may refer to besides its own file. */
export type ScenarioContext = {
  readonly id: string;
  readonly platform: Platform;
  readonly attack: AttackFacts;
  /** Names of the rules in scenarios/detections, without `.yml`. */
  readonly detections: ReadonlySet<string>;
  /** Names of the files in scenarios/payloads. */
  readonly payloads: ReadonlySet<string>;
};

/** One scenario file → the scenario, or all that is wrong with it in itself. */
export function readScenario(
  source: SourceFile,
  context: ScenarioContext,
): { readonly scenario?: Scenario; readonly problems: readonly Problem[] } {
  const checked = checkObject(source, [], scenarioFile);
  const problems = [...checked.problems, ...scenarioProblems(source, checked.fields, context)];
  const file = checked.whole;
  const scenario = file === undefined || problems.length > 0 ? undefined : toScenario(file, source, context);
  return { ...(scenario !== undefined && { scenario }), problems };
}

function toScenario(file: ScenarioFile, source: SourceFile, { id, platform }: ScenarioContext): Scenario | undefined {
  const steps = nonEmpty(file.steps.map((step) => toStep(step, platform)));
  const expect = toExpectation(file);
  if (steps === undefined || expect === undefined) return undefined;
  return {
    ...file,
    id,
    platform,
    channel: file.channel ?? (file.purpose === 'control' ? 'any' : 'exec'),
    steps,
    expect,
    variants: file.variants.map((variant) => toVariant(variant, steps, expect)),
    file: source.file,
    sha256: source.sha256,
  };
}

function toStep({ python, timeout }: ScenarioFile['steps'][number], platform: Platform): PythonStep {
  const at = python.at ?? (platform === 'windows' ? '{{home}}\\{{run}}\\run.py' : '{{home}}/{{run}}/run.py');
  return { ...python, at, timeout };
}

function toExpectation({ purpose, expect }: ScenarioFile): Expectation | undefined {
  const sources = nonEmpty(expect.event.sources);
  if (sources === undefined) return undefined;
  const { within, stance = defaultStance(purpose) } = expect.alert;
  const created = nonEmpty(expect.file?.sources ?? []);
  return {
    ...(expect.file !== undefined &&
      created !== undefined && { file: { sources: created, within: expect.file.within } }),
    event: { sources, within: expect.event.within, context: expect.event.context },
    alert: { rules: rulesOf(expect.alert) ?? [], within, stance, ...reasons(expect.alert) },
  };
}

function toVariant(variant: VariantFile, steps: NonEmpty<PythonStep>, base: Expectation): Variant {
  const axis = axisNames.find((name) => variant[name] !== undefined) ?? 'interpreter';
  const change = { [axis]: variant[axis] };
  const [first, ...rest] = steps;
  const { rules, within, stance, ...kept } = base.alert;
  return {
    name: `${axis}=${variant[axis] ?? ''}`,
    steps: [{ ...first, ...change }, ...rest.map((step) => ({ ...step, ...change }))],
    expect: {
      ...(base.file !== undefined && { file: base.file }),
      event: { ...base.event, context: variant.context ?? base.event.context },
      alert: {
        rules: rulesOf(variant) ?? rules,
        within,
        stance: variant.stance ?? stance,
        // The reasons belong to the stance: with a stance of its own, a variant has reasons of its own.
        ...(variant.stance === undefined && kept),
        ...reasons(variant),
      },
    },
  };
}

type Reasons = Pick<Expectation['alert'], 'because' | 'owner' | 'until'>;

function reasons({ because, owner, until }: Reasons): Reasons {
  return {
    ...(because !== undefined && { because }),
    ...(owner !== undefined && { owner }),
    ...(until !== undefined && { until }),
  };
}

function rulesOf({
  rule,
  rules,
}: {
  readonly rule?: string;
  readonly rules?: readonly string[];
}): readonly string[] | undefined {
  return rules ?? (rule === undefined ? undefined : [rule]);
}
