import { z } from 'zod';
import type { AlertHit, EventHit, RuleHealth } from '../../domain/siem.ts';
import { evidenceRef, instant, marker } from './base.ts';
import { heldTo } from './held-to.ts';
import { contextField } from './plan.ts';

const matchedBy = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('marker'), field: z.string() }),
  z.strictObject({ by: z.literal('host-process-time') }),
  z.strictObject({ by: z.literal('host-file-time') }),
]);

export const eventHit = heldTo<EventHit>()(
  z
    .strictObject({
      marker,
      matched: matchedBy,
      source: z.string(),
      id: z.string(),
      time: instant,
      ingested: instant.exactOptional(),
      pid: z.int().exactOptional(),
      fields: z.partialRecord(contextField, z.string()),
      raw: evidenceRef,
    })
    .meta({ id: 'EventHit' }),
);

export const alertHit = heldTo<AlertHit>()(
  z
    .strictObject({
      marker,
      matched: matchedBy,
      rule: z.strictObject({ id: z.string(), name: z.string() }),
      id: z.string(),
      time: instant,
      host: z.string().exactOptional(),
      techniques: z.array(z.string()),
      severity: z.string().exactOptional(),
      events: z.array(z.string()),
      raw: evidenceRef,
    })
    .meta({ id: 'AlertHit' }),
);

export const ruleHealth = heldTo<RuleHealth>()(
  z
    .strictObject({
      rule: z.string(),
      name: z.string(),
      enabled: z.enum(['all', 'part', 'none']),
      ran: z.array(z.strictObject({ from: instant, to: instant })),
      failures: z.array(z.strictObject({ at: instant, error: z.string() })),
      suppression: z.string().exactOptional(),
      raw: evidenceRef,
    })
    .meta({ id: 'RuleHealth' }),
);
