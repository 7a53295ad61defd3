import { z } from 'zod';
import { contextFields, interpreters, invocations, type Stance, vias } from '../domain/scenario.ts';
import { dateText, durationText, idText, line, prose, ruleId } from './texts.ts';

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
    .enum(interpreters)
    .describe(
      'How the interpreter is found: as inventoried, as a copy or link under another name, or by the first line',
    ),
  invocation: z
    .enum(invocations)
    .describe('How the code reaches the interpreter; executable: a single file of the operator, without one'),
  via: z
    .enum(vias)
    .describe('What starts the interpreter: the login session, or once each: cron, a launchd job, a scheduled task'),
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

const launcher = z.strictObject({
  argv: z
    .array(line(1_000))
    .min(1, 'name the program that starts the interpreter')
    .max(50)
    .describe(
      'The program and its arguments; {{interpreter}}, {{script}}, {{marker}}, {{run}} and {{home}} are filled in',
    ),
  files: z
    .array(
      z.strictObject({
        from: line(100).regex(/^[a-z][a-z0-9_-]*\.[a-z]{1,5}$/, 'name a file of scenarios/payloads, such as start.js'),
        at: filePath.describe('Where it is placed'),
      }),
    )
    .max(5)
    .default([])
    .describe('Files that it needs, put in place as they are'),
});

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
    launcher: launcher.describe('A program that starts the interpreter in the place of the session').exactOptional(),
    executable: idText.describe("Name in the target's executables, for invocation executable").exactOptional(),
    privilege: z
      .literal('admin')
      .describe('Runs with the rights of an administrator: through sudo -n, unless the account has them')
      .exactOptional(),
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
  why: prose(1_000).describe('Which intrusion reports it stands for (ids of groups or software), or what it is for'),
  harmless: prose(600).describe('Why running it does no harm; a control needs none').exactOptional(),
  couldShow: z
    .array(line(300))
    .max(20)
    .default([])
    .describe('Log sources, official and supplementary, that could show it beside those that are expected to'),
  twinOf: line(200).describe('Id of the emulation whose legitimate counterpart this twin is').exactOptional(),
  channel: z
    .enum(['exec', 'shell'])
    .describe(
      'How commands reach the host: one command (the default), or typed into a terminal; a control without it runs over all',
    )
    .exactOptional(),
  account: idText
    .describe('Role of the accounts that run it; standard without it; a control runs as each')
    .exactOptional(),
  when: z
    .enum(['in-maintenance', 'outside-maintenance'])
    .describe("Runs only when that holds by the target's maintenance window")
    .exactOptional(),
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
    file: z
      .strictObject({
        sources: z.array(line(300)).min(1, 'name at least one log source').max(20),
        within: durationText('1s', '1d').prefault('60s'),
      })
      .describe('For a scenario that drops a .py file: is its creation in the SIEM? A question of its own')
      .exactOptional(),
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
