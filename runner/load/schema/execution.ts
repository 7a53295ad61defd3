import { z } from 'zod';
import type { CleanupResult, CommandRecord, Execution, LeftBehind, ReceiptLine } from '../../domain/execution.ts';
import { clockOffset, evidenceRef, instant, marker, reason } from './base.ts';
import { heldTo } from './held-to.ts';
import { channel } from './plan.ts';

const receiptLine = heldTo<ReceiptLine>()(
  z
    .strictObject({
      receipt: z.enum(['started', 'finished']),
      marker,
      pid: z.int(),
      ppid: z.int(),
      parentExecutable: z.string().exactOptional(),
      parentName: z.string().exactOptional(),
      argv: z.array(z.string()),
      partialArgv: z.literal(true).exactOptional(),
      executable: z.string(),
      script: z.string().exactOptional(),
      cwd: z.string(),
      user: z.string(),
      host: z.string(),
      time: instant,
      version: z.string(),
      sha256: z.string().exactOptional(),
      destinations: z.array(z.string()).exactOptional(),
      did: z.string().exactOptional(),
    })
    .meta({ id: 'ReceiptLine' }),
);

const commandRecord = heldTo<CommandRecord>()(
  z
    .strictObject({
      purpose: z.string(),
      channel,
      sent: z.string(),
      exit: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('code'), code: z.int() }),
        z.strictObject({ kind: z.literal('signal'), signal: z.string() }),
        z.strictObject({ kind: z.literal('timeout'), survivors: z.array(z.int()) }),
      ]),
      stdout: evidenceRef,
      stderr: evidenceRef,
      truncated: z.boolean(),
      startedAt: instant,
      endedAt: instant,
    })
    .meta({ id: 'CommandRecord' }),
);

export const leftBehind = heldTo<LeftBehind>()(
  z
    .strictObject({
      target: z.string(),
      account: z.string(),
      what: z.string(),
      because: z.string(),
      hint: z.string(),
    })
    .meta({ id: 'LeftBehind' }),
);

const cleanupResult = heldTo<CleanupResult>()(
  z.strictObject({ done: z.array(z.string()), leftBehind: z.array(leftBehind) }),
);

export const execution = heldTo<Execution>()(
  z
    .strictObject({
      execution: z.string(),
      marker,
      run: z.string(),
      startedAt: instant,
      endedAt: instant,
      outcome: z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('finished') }),
        z.strictObject({ kind: z.literal('broken-off'), why: reason }),
        z.strictObject({ kind: z.literal('prevented'), blockSign: z.string(), evidence: evidenceRef }),
        z.strictObject({ kind: z.literal('not-run'), why: reason }),
      ]),
      commands: z.array(commandRecord),
      receipt: z.strictObject({
        started: receiptLine.exactOptional(),
        finished: receiptLine.exactOptional(),
        evidence: evidenceRef.exactOptional(),
      }),
      clock: clockOffset.exactOptional(),
      cleanup: cleanupResult,
    })
    .meta({ id: 'Execution' }),
);
