import { z } from 'zod';
import { contextFields, type Stance } from '../domain/scenario.ts';
import { dateText, durationText, line, prose, ruleId } from './texts.ts';

const filePath = line(400);
const context = z
  .array(z.enum(contextFields))
  .min(1, 'name at least one field')
  .describe('Fields that must be filled in and agree with what really happened');
const stance = z
  .enum(['must-alert', 'must-stay-quiet', 'known-gap', 'not-collected'])
  .describe('What is expected; a known gap needs because and owner');
const axes = {
  interpreter: z
    .enum(['plain', 'renamed', 'symlink', 'shebang'])
    .describe(
      'How the interpreter is found: as inventoried, as a copy or link under another name, or by the first line',
    ),
  invocation: z.enum(['file', '-c', 'stdin', 'module', 'zipapp']).describe('How the code reaches the interpreter'),
  via: z.enum(['session', 'cron']).describe('What starts the interpreter: the login session, or cron, once'),
  at: filePath.describe('Where the script is placed; by default {{home}}/{{run}}/run.py'),
  cwd: filePath.describe('Working folder'),
};

/** What a variant may change; exactly one of them. */
export const axisNames = ['interpreter', 'invocation', 'via', 'at', 'cwd'] as const;

const stanceFields = {
  stance: stance.exactOptional(),
  because: line(500).exactOptional(),
  owner: line(100).exactOptional(),
  until: dateText.exactOptional(),
};
const ruleFields = {
  rule: ruleId.exactOptional(),
  rules: z.array(ruleId).min(1, 'name a rule, or leave the key out').max(20).exactOptional(),
};

const step = z.strictObject({
  python: z.strictObject({
    script: line(100).regex(/^[a-z][a-z0-9_-]*\.py$/, 'name a file of scenarios/payloads, such as receipt.py'),
    at: axes.at.exactOptional(),
    args: z
      .array(z.string().max(4_000, 'use at most 4000 characters'))
      .max(50)
      .default([])
      .describe('One of them is {{marker}}; {{run}} and {{home}} are filled in too'),
    cwd: axes.cwd.exactOptional(),
    interpreter: axes.interpreter.default('plain'),
    invocation: axes.invocation.default('file'),
    via: axes.via.default('session'),
  }),
  timeout: durationText('1s', '15m').prefault('30s'),
});

const variant = z.strictObject({
  interpreter: axes.interpreter.exactOptional(),
  invocation: axes.invocation.exactOptional(),
  via: axes.via.exactOptional(),
  at: axes.at.exactOptional(),
  cwd: axes.cwd.exactOptional(),
  context: context.exactOptional(),
  ...stanceFields,
  ...ruleFields,
});

/** A file below scenarios/PLATFORM, as the user writes it. */
export const scenarioFile = z.strictObject({
  title: line(120).describe('Begins with a verb: Run a script from a hidden directory'),
  analytic: z
    .string()
    .regex(/^AN\d{4}$/, 'use the id of an analytic, such as AN0174')
    .describe('The analytic of the folder'),
  element: line(50)
    .describe('The mutable element of the analytic that is exercised; none for a control')
    .exactOptional(),
  purpose: z
    .enum(['emulation', 'twin', 'control'])
    .describe('emulation: a rule should fire; twin: legitimate work of the same shape; control: the harness alone'),
  why: prose(1_000).describe('Where the behaviour was seen, or what the scenario is for'),
  twinOf: line(200).describe('Id of the emulation whose legitimate counterpart this twin is').exactOptional(),
  channel: z.enum(['exec', 'shell']).default('exec').describe('How commands reach the host'),
  steps: z.array(step).min(1, 'write at least one step').max(20),
  creates: z
    .array(filePath)
    .max(20)
    .default([])
    .describe(
      'Everything that is created outside {{home}}/{{run}}; must be new (last segment with {{run}}) and is removed',
    ),
  variants: z.array(variant).max(50).default([]).describe('The scenario with one axis changed each'),
  expect: z.strictObject({
    event: z.strictObject({
      sources: z.array(line(300)).min(1, 'name at least one log source').max(20),
      within: durationText('1s', '1d').prefault('60s'),
      context,
    }),
    alert: z
      .strictObject({ ...ruleFields, within: durationText('1s', '7d').prefault('5m'), ...stanceFields })
      .prefault({}),
  }),
});

/** What is expected of an alert where the file does not say. */
export function defaultStance(purpose: ScenarioFile['purpose']): Stance {
  return purpose === 'emulation' ? 'must-alert' : 'must-stay-quiet';
}

export type ScenarioFile = z.output<typeof scenarioFile>;
export type StepFile = ScenarioFile['steps'][number];
export type VariantFile = ScenarioFile['variants'][number];
