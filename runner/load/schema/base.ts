import { z } from 'zod';
import type { EvidenceRef } from '../../domain/evidence.ts';
import { markerPattern } from '../../domain/execution.ts';
import type { Reason } from '../../domain/fact.ts';
import { type ClockOffset, type DurationMs, duration, type Instant } from '../../domain/time.ts';
import { heldTo } from './held-to.ts';

/** As detproof writes it: UTC, with milliseconds. */
export const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'not a moment in UTC with milliseconds')
  .meta({ id: 'Instant' })
  .transform((text) => text as Instant);

export const durationMs = z.number().transform((ms): DurationMs => duration(ms));

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hex');
export const marker = z.string().regex(markerPattern, 'not a marker');
export const count = z.int().min(0);

/** A list with at least one element, as the domain's NonEmpty. */
export function nonEmpty<S extends z.ZodType>(element: S) {
  return z.tuple([element], element);
}

export const evidenceRef = heldTo<EvidenceRef>()(
  z.strictObject({ sha256, bytes: count, mediaType: z.string() }).meta({ id: 'EvidenceRef' }),
);

export const reason = heldTo<Reason>()(
  z
    .strictObject({
      class: z.enum([
        'unreachable',
        'refused',
        'throttled',
        'timeout',
        'protocol',
        'cut-short',
        'source-not-alive',
        'not-observable-on-loopback',
        'still-waiting',
        'rule-failed',
        'rule-not-run',
        'rule-unknown',
        'suppressed',
        'ambiguous',
        'clocks-disagree',
        'broken-off',
        'not-started',
        'out-of-scope',
        'out-of-window',
        'interrupted',
        'no-interpreter',
        'host-key',
        'login',
        'in-the-way',
        'too-many-failures',
      ]),
      detail: z.string(),
    })
    .meta({ id: 'Reason' }),
);

export const clockOffset = heldTo<ClockOffset>()(
  z.strictObject({ offsetMs: z.number(), uncertaintyMs: z.number() }).meta({ id: 'ClockOffset' }),
);

export const platform = z.enum(['windows', 'macos', 'linux', 'esxi']);
