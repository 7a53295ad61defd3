import { z } from 'zod';
import { type Selector, targetFields } from '../domain/selector.ts';
import { readSelector } from './selector.ts';
import { durationText, idText, line } from './texts.ts';

/** An expression over targets: `role=web-server and not zone=dmz`. */
const selector = z
  .string()
  .transform((text, context): Selector => {
    const read = readSelector(text, Object.keys(targetFields));
    if (read.is === 'read') return read.selector;
    for (const { col, found, hint } of read.faults)
      context.addIssue({ code: 'custom', message: `column ${col} of the expression, ${found}: ${hint}` });
    return z.NEVER;
  })
  .describe('Expression over id, platform, group, role, zone, owner, criticality, fidelity, transport');

const hosts = z.int().min(1).max(10_000);

export const groupsSection = z
  .record(idText, selector)
  .default({})
  .describe('Groups by expression, besides those that targets name; an expression may name the groups before it');

export const limitsSection = z.strictObject({
  hosts: hosts.default(8).describe('Hosts at the same time'),
  perZone: hosts.default(8),
  perRole: hosts.exactOptional(),
  perJumpHost: hosts.describe('Of the hosts that are reached through the same jump host').exactOptional(),
  caps: z
    .array(z.strictObject({ targets: selector, hosts }))
    .min(1, 'name a cap, or leave the key out')
    .max(100)
    .describe('Of the hosts that an expression means, at most so many at the same time')
    .exactOptional(),
});

export const wavesSection = z
  .strictObject({
    first: hosts.describe('Hosts in the first wave').exactOptional(),
    firstFrom: selector.describe('Whom the first wave is taken from').exactOptional(),
    then: hosts.describe('Hosts in each wave after the first').exactOptional(),
    abortAfter: z
      .union([
        z.strictObject({ failedHosts: z.int().min(0).max(10_000) }),
        z.strictObject({ percent: z.number().gt(0).max(100) }),
      ])
      .describe('When more hosts of a wave fail than this, no further wave starts')
      .exactOptional(),
  })
  .describe('Waves of hosts, one after the other')
  .exactOptional();

export const paceSection = z
  .strictObject({
    perRuleAndHost: durationText('1s', '1d').describe(
      'Between two executions on a host that the same rule watches: longer than rules stay silent after an alert',
    ),
  })
  .exactOptional();

export const sampleSection = z
  .strictObject({
    perRoleAndZone: hosts.describe('Hosts of each role in each zone'),
    seed: line(100).describe('What decides which; the id of the run when not given').exactOptional(),
    always: selector.describe('Those that are taken whatever the sample says').exactOptional(),
  })
  .describe('Not all hosts but some of each kind')
  .exactOptional();

export const sensorsField = z
  .array(line(100))
  .min(1, 'name a process, or leave the key out')
  .max(50)
  .describe("Names of the processes of the host's sensors; looked for before and after")
  .exactOptional();

export const targetsFromField = z
  .array(line(1_000))
  .min(1, 'name a file, or leave the key out')
  .max(1_000)
  .describe('Files with more targets, relative to the inventory')
  .exactOptional();

export const pythonSection = z
  .array(
    z.strictObject({
      targets: selector.exactOptional(),
      path: line(400).describe('Path of interpreters, with * for any text'),
      version: line(50).describe('Version, with * for any text; any without it').exactOptional(),
      owner: line(200).describe('Whose they are'),
      because: line(300).describe('What they are there for, and until when').exactOptional(),
    }),
  )
  .max(1_000)
  .default([])
  .describe('Python policy: which interpreters are expected where; discover holds what it finds against it');
