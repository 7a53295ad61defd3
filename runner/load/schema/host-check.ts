import { z } from 'zod';
import { checkSubjects, type HostCheck } from '../../domain/host-check.ts';
import { instant, nonEmpty } from './base.ts';
import { heldTo } from './held-to.ts';

export const hostCheck = heldTo<HostCheck>()(
  z
    .strictObject({
      target: z.string(),
      account: z.string(),
      when: z.enum(['before', 'after']),
      at: instant,
      items: nonEmpty(
        z.strictObject({
          what: z.enum(checkSubjects),
          sensor: z.string().exactOptional(),
          state: z.enum(['ok', 'trouble', 'unknown', 'to-confirm']),
          detail: z.string(),
        }),
      ),
    })
    .meta({ id: 'HostCheck' }),
);
