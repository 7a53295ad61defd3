import { z } from 'zod';
import type { ControlSeen, Facts, NotAlertedProof, NotDeliveredProof, NotUsableProof } from '../../domain/facts.ts';
import { durationMs, evidenceRef, instant, nonEmpty, reason } from './base.ts';
import { heldTo } from './held-to.ts';
import { contextField } from './plan.ts';
import { alertHit, eventHit, ruleHealth } from './siem.ts';

function fact<Yes extends z.ZodType, No extends z.ZodType>(yes: Yes, no: No) {
  return z.discriminatedUnion('is', [
    z.strictObject({ is: z.literal('yes'), evidence: nonEmpty(yes) }),
    z.strictObject({ is: z.literal('no'), proof: no }),
    z.strictObject({ is: z.literal('unknown'), why: reason }),
    z.strictObject({ is: z.literal('not-asked'), because: z.string() }),
  ]);
}

const controlSeen = heldTo<ControlSeen>()(
  z
    .strictObject({
      execution: z.string(),
      phase: z.enum(['control-before', 'control-after']),
      source: z.string(),
      event: z.string(),
      raw: evidenceRef,
    })
    .meta({ id: 'ControlSeen' }),
);

const notDelivered = heldTo<NotDeliveredProof>()(
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('absent'),
      controls: z.tuple([controlSeen, controlSeen]),
      answer: nonEmpty(evidenceRef),
      observedUntil: instant,
    }),
    z.strictObject({
      kind: z.literal('source-silent'),
      others: nonEmpty(controlSeen),
      answer: nonEmpty(evidenceRef),
      observedUntil: instant,
    }),
  ]),
);

const notUsable = heldTo<NotUsableProof>()(
  z.strictObject({
    event: z.string(),
    raw: evidenceRef,
    problems: nonEmpty(
      z.strictObject({
        field: contextField,
        problem: z.enum(['missing', 'contradicts']),
        receipt: z.string(),
        siem: z.string(),
      }),
    ),
  }),
);

const notAlerted = heldTo<NotAlertedProof>()(
  z.strictObject({
    kind: z.enum(['rule-ran', 'rule-disabled']),
    rules: nonEmpty(ruleHealth),
    answer: nonEmpty(evidenceRef),
    observedUntil: instant,
  }),
);

const attributed = z.strictObject({
  alert: z.string(),
  rule: z.string(),
  grade: z.enum(['exact', 'correlated', 'other-rule']),
});

const inTime = z.strictObject({ latencyMs: durationMs, withinMs: durationMs, uncertaintyMs: z.number() });

const delivered = fact(z.strictObject({ hit: eventHit, latencyMs: durationMs }), notDelivered);

export const facts = heldTo<Facts>()(
  z
    .strictObject({
      ran: fact(z.strictObject({ receipt: evidenceRef }), z.strictObject({ answer: z.string() })),
      prevented: fact(z.strictObject({ sign: z.string(), evidence: evidenceRef }), z.never()),
      recorded: fact(z.never(), z.never()),
      sources: nonEmpty(
        z.strictObject({
          source: z.string(),
          delivered,
          usable: fact(z.strictObject({ event: z.string(), agreed: z.array(contextField) }), notUsable),
        }),
      ),
      created: delivered.exactOptional(),
      alerted: fact(z.strictObject({ alert: alertHit, latencyMs: durationMs }), notAlerted),
      attributed: fact(attributed, z.strictObject({ alerts: nonEmpty(attributed) })),
      inTime: fact(inTime, inTime),
      alerts: z.array(
        attributed.extend({
          latencyMs: durationMs,
          raw: evidenceRef,
          name: z.string(),
          techniques: z.array(z.string()),
        }),
      ),
      alertsRead: fact(evidenceRef, z.never()),
      byHarness: z.array(z.string()),
    })
    .meta({ id: 'Facts' }),
);
