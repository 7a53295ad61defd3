import { z } from 'zod';
import type { AttackFacts } from '../../domain/attack.ts';
import { hops } from '../../domain/facts.ts';
import type { Assessment, ExecutionReport, RunReport } from '../../domain/run-report.ts';
import { clockOffset, count, durationMs, evidenceRef, instant, platform, reason, sha256 } from './base.ts';
import { execution, leftBehind } from './execution.ts';
import { facts } from './facts.ts';
import { heldTo } from './held-to.ts';
import { hostCheck } from './host-check.ts';
import { matrix, verdictKind } from './matrix.ts';
import { leftOut, plannedExecution, siemExpectation } from './plan.ts';

const logSource = z
  .strictObject({
    ref: z.string(),
    name: z.string(),
    channel: z.string(),
    dataComponent: z.strictObject({ id: z.string(), name: z.string() }),
  })
  .meta({ id: 'LogSource' });

const attackFacts = heldTo<AttackFacts>()(
  z
    .strictObject({
      version: z.string(),
      notice: z.string(),
      technique: z.strictObject({ id: z.string(), name: z.string(), tactic: z.string() }),
      strategy: z.strictObject({ id: z.string(), name: z.string(), url: z.string() }),
      analytics: z.array(
        z.strictObject({
          id: z.string(),
          platform,
          summary: z.string(),
          url: z.string(),
          logSources: z.array(logSource),
          supplementary: z.array(logSource),
          elements: z.array(z.strictObject({ field: z.string(), gist: z.string() })),
        }),
      ),
    })
    .meta({ id: 'AttackFacts' }),
);

const assessment = heldTo<Assessment>()(
  z
    .strictObject({
      verdict: verdictKind,
      brokeAt: z.enum(hops).exactOptional(),
      sentence: z.string(),
      why: reason.exactOptional(),
      score: z.enum(['as-expected', 'worse', 'better', 'inconclusive']),
      byReferenceRule: z.boolean(),
      notes: z.array(z.string()),
      siem: z.string(),
      expect: siemExpectation,
      facts,
      eventLatencyMs: durationMs.exactOptional(),
      alertLatencyMs: durationMs.exactOptional(),
    })
    .meta({ id: 'Assessment' }),
);

const executionReport = heldTo<ExecutionReport>()(
  z.strictObject({ plan: plannedExecution, execution: execution.exactOptional(), assessments: z.array(assessment) }),
);

/** `run.json`, schema `detproof/run/1`. */
export const runSchema = heldTo<RunReport>()(
  z.strictObject({
    schema: z.literal('detproof/run/1'),
    tool: z.strictObject({ name: z.literal('detproof'), version: z.string() }),
    run: z.strictObject({
      id: z.string(),
      startedAt: instant,
      endedAt: instant,
      state: z.enum(['complete', 'stopped', 'interrupted']),
      resumed: count,
      operator: z.string(),
      planSha256: sha256,
      journal: z.strictObject({ lines: count, headSha256: sha256 }),
      sample: z
        .strictObject({
          perRoleAndZone: count,
          seed: z.string(),
          always: z.string().exactOptional(),
          hostsInScope: count,
          hostsSampled: count,
        })
        .exactOptional(),
    }),
    engagement: z.strictObject({
      id: z.string(),
      authorizedBy: z.string(),
      changeTicket: z.string().exactOptional(),
      contacts: z.array(z.string()),
    }),
    attack: attackFacts,
    siems: z.array(
      z.strictObject({
        id: z.string(),
        kind: z.string(),
        qualified: z.boolean(),
        clock: clockOffset.exactOptional(),
        observedFrom: instant.exactOptional(),
        observedUntil: instant.exactOptional(),
        polls: count,
        exchanges: z.array(evidenceRef),
        trouble: z.string().exactOptional(),
      }),
    ),
    targets: z.array(
      z.strictObject({
        id: z.string(),
        platform,
        address: z.string(),
        role: z.string(),
        owner: z.string(),
        zone: z.string(),
        criticality: z.string(),
        fidelity: z.enum(['real', 'stand-in']),
        reached: z.boolean(),
        trouble: z.string().exactOptional(),
        clock: clockOffset.exactOptional(),
        remarks: z.array(z.string()).exactOptional(),
      }),
    ),
    executions: z.array(executionReport),
    matrix,
    harnessRules: z.record(z.string(), z.array(z.string())),
    leftOut: z.array(leftOut),
    leftBehind: z.array(leftBehind),
    hostChecks: z.array(hostCheck).exactOptional(),
    aborted: z.string().exactOptional(),
    excerpts: z.record(sha256, z.strictObject({ text: z.string(), cut: z.boolean() })),
    outcome: z.strictObject({ exitCode: count, sentence: z.string() }),
  }),
);
