import { z } from 'zod';
import { contextFields } from '../../../runner/domain/scenario.ts';

const fieldName = z.string().regex(/^[@A-Za-z_][\w@.-]*$/, 'the dotted name of a field, as in process.command_line');

/** Settings of a SIEM of kind `files`. */
export const settings = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('Folder with events.ndjson, alerts.ndjson and rules.ndjson, and heartbeat.json while the SIEM lives.'),
  sources: z
    .record(z.string().regex(/^[^/]+\/.+$/, 'a log source reference, NAME/CHANNEL'), z.record(fieldName, z.string()))
    .describe('Which events are of which log source: every field named has the value given.'),
  fields: z
    .partialRecord(z.enum(contextFields), z.array(fieldName).min(1))
    .optional()
    .describe('Where the context fields are found, the first that is filled in counts; without it, in ECS.'),
  maxBytes: z
    .int()
    .positive()
    .default(256 * 1024 * 1024)
    .describe(
      'At most so much of a file is read, from its end; what lies before is not searched, and the answer says so.',
    ),
});

export type FilesSettings = z.infer<typeof settings>;
