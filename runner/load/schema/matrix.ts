import { z } from 'zod';
import type { Cell, Figure, Matrix } from '../../domain/run-report.ts';
import { controlVerdicts, emulationVerdicts, twinVerdicts, type VerdictKind } from '../../domain/verdict.ts';
import { count, durationMs, platform } from './base.ts';
import { heldTo } from './held-to.ts';
import { purpose } from './plan.ts';

export const verdictKind = heldTo<VerdictKind>()(
  z.enum([...new Set([...emulationVerdicts, ...twinVerdicts, ...controlVerdicts])]).meta({ id: 'Verdict' }),
);

const figure = heldTo<Figure>()(
  z
    .strictObject({
      share: count,
      of: count,
      inconclusive: count,
      notTested: count,
      hostsTested: count,
      hostsInScope: count,
    })
    .meta({ id: 'Figure' }),
);

const cell = heldTo<Cell>()(
  z
    .strictObject({
      verdict: z.union([verdictKind, z.literal('not-tested')]),
      counts: z.record(z.string(), count),
      executions: z.array(z.string()),
      standIns: count,
      onStandIns: z
        .strictObject({
          verdict: z.union([verdictKind, z.literal('not-tested')]),
          counts: z.record(z.string(), count),
        })
        .exactOptional(),
    })
    .meta({ id: 'Cell' }),
);

const cells = z.record(z.string(), cell);

const sourceCell = z.strictObject({
  state: z.enum(['alive', 'partly', 'silent', 'unclear', 'not-tested']),
  hosts: z.array(z.strictObject({ target: z.string(), state: z.enum(['alive', 'silent', 'unclear']) })),
  delivered: count,
  expected: count,
});

const figures = z.strictObject({
  detected: figure,
  detectedByReferenceRules: figure,
  logged: figure,
  gaps: figure,
  twinsQuiet: figure,
  elementsDetected: figure,
  alertLatencyMs: z.strictObject({ median: durationMs, p90: durationMs, max: durationMs }).exactOptional(),
  byPlatform: z.partialRecord(platform, z.strictObject({ detected: figure, elements: figure })),
});

export const matrix = heldTo<Matrix>()(
  z.strictObject({
    elements: z.array(z.strictObject({ analytic: z.string(), platform, element: z.string(), gist: z.string(), cells })),
    sources: z.array(
      z.strictObject({
        analytic: z.string(),
        platform,
        source: z.string(),
        official: z.boolean(),
        cells: z.record(z.string(), sourceCell),
      }),
    ),
    scenarios: z.array(
      z.strictObject({
        scenario: z.string(),
        variant: z.string().exactOptional(),
        title: z.string(),
        analytic: z.string(),
        element: z.string().exactOptional(),
        purpose,
        cells: z.record(z.string(), cells),
      }),
    ),
    figures: z.record(z.string(), figures),
  }),
);
