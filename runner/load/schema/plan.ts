import { z } from 'zod';
import {
  type LeftOut,
  phases,
  type Plan,
  type PlannedExecution,
  type Sample,
  type SiemExpectation,
} from '../../domain/plan.ts';
import { channels, contextFields, interpreters, invocations, type PythonStep, vias } from '../../domain/scenario.ts';
import { durationMs, instant, nonEmpty, sha256 } from './base.ts';
import { heldTo } from './held-to.ts';

export const channel = z.enum(channels);
export const contextField = z.enum(contextFields);
export const purpose = z.enum(['emulation', 'twin', 'control']);

const pythonStep = heldTo<PythonStep>()(
  z
    .strictObject({
      script: z.string(),
      at: z.string(),
      args: z.array(z.string()),
      cwd: z.string().exactOptional(),
      interpreter: z.enum(interpreters),
      invocation: z.enum(invocations),
      via: z.enum(vias),
      launcher: z
        .strictObject({
          argv: z.array(z.string()),
          files: z.array(z.strictObject({ from: z.string(), at: z.string() })),
        })
        .exactOptional(),
      executable: z.string().exactOptional(),
      privilege: z.literal('admin').exactOptional(),
      timeout: durationMs,
    })
    .meta({ id: 'PythonStep' }),
);

export const siemExpectation = heldTo<SiemExpectation>()(
  z
    .strictObject({
      siem: z.string(),
      sources: nonEmpty(z.string()),
      context: z.array(contextField),
      file: z.strictObject({ sources: nonEmpty(z.string()), within: durationMs }).exactOptional(),
      eventWithin: durationMs,
      rules: z.array(z.string()),
      alertWithin: durationMs,
      observeFor: durationMs,
      stance: z.enum(['must-alert', 'must-stay-quiet', 'known-gap', 'not-collected']),
      because: z.string().exactOptional(),
      owner: z.string().exactOptional(),
      until: z.string().exactOptional(),
      attribution: z.enum(['exact', 'correlated']),
    })
    .meta({ id: 'SiemExpectation' }),
);

export const plannedExecution = heldTo<PlannedExecution>()(
  z
    .strictObject({
      id: z.string(),
      phase: z.enum(phases),
      purpose,
      scenario: z.string(),
      variant: z.string().exactOptional(),
      title: z.string(),
      analytic: z.string(),
      element: z.string().exactOptional(),
      target: z.string(),
      account: z.string(),
      channel,
      steps: nonEmpty(pythonStep),
      creates: z.array(z.string()),
      expect: z.array(siemExpectation),
    })
    .meta({ id: 'PlannedExecution' }),
);

export const leftOut = heldTo<LeftOut>()(
  z.strictObject({ what: z.string(), because: z.string() }).meta({ id: 'LeftOut' }),
);

const sample = heldTo<Sample>()(
  z.strictObject({
    perRoleAndZone: z.int(),
    seed: z.string(),
    always: z.string().exactOptional(),
    inScope: z.array(z.string()),
    chosen: z.array(z.string()),
  }),
);

/** `plan.json`, schema `detproof/plan/1`. */
export const planSchema = heldTo<Plan>()(
  z.strictObject({
    schema: z.literal('detproof/plan/1'),
    runId: z.string(),
    createdAt: instant,
    engagement: z.string(),
    inventory: z.strictObject({ file: z.string(), sha256 }),
    scenarios: z.array(z.strictObject({ id: z.string(), sha256 })),
    targets: z.array(
      z.strictObject({
        id: z.string(),
        until: instant,
        needs: durationMs.exactOptional(),
        wave: z.int().exactOptional(),
      }),
    ),
    executions: z.array(plannedExecution),
    leftOut: z.array(leftOut),
    sample: sample.exactOptional(),
  }),
);
