import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** What was run, as far as the events of a recording show it. */
const recordedExecution = z.object({
  /** `linux/web-request`, or with a variant `linux/web-request@invocation=-c`. */
  name: z.string(),
  purpose: z.enum(['control', 'twin', 'emulation']),
  marker: z.string(),
  run: z.string(),
  /** Names without ending of the files that the steps put in place. */
  payloads: z.array(z.string()),
});
export type RecordedExecution = z.infer<typeof recordedExecution>;

const recordedEvent = z.looseObject({
  event: z.looseObject({ id: z.string() }),
  process: z.looseObject({ executable: z.string().optional(), args: z.array(z.string()).optional() }).exactOptional(),
  message: z.string().exactOptional(),
});
/** An event as the lab's SIEM stored it; `event.original`, the same text in the audit system's encoding, is left out. */
export type RecordedEvent = z.infer<typeof recordedEvent>;

const folder = join(import.meta.dirname, 'recordings');
const files = { executions: join(folder, 'linux-lab.executions.ndjson'), events: join(folder, 'linux-lab.ndjson') };

/** One host's executions of a real lab run, and the events that carry their markers. */
export function readRecording(): {
  readonly executions: readonly RecordedExecution[];
  readonly events: readonly RecordedEvent[];
} {
  return { executions: readLines(files.executions, recordedExecution), events: readLines(files.events, recordedEvent) };
}

function readLines<T>(file: string, schema: z.ZodType<T>): readonly T[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => schema.parse(JSON.parse(line)));
}

function writeLines(file: string, values: readonly object[]): void {
  writeFileSync(file, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

/** Which execution an event belongs to: its own arguments or message hold the marker. */
export function executionOf(
  event: RecordedEvent,
  executions: readonly RecordedExecution[],
): RecordedExecution | undefined {
  const text = [...(event.process?.args ?? []), event.message ?? ''].join(' ');
  return executions.find(({ marker }) => text.includes(marker));
}

const runDocument = z.object({
  executions: z.array(
    z.object({
      plan: z.object({
        scenario: z.string(),
        variant: z.string().optional(),
        purpose: z.enum(['control', 'twin', 'emulation']),
        target: z.string(),
        steps: z.array(z.object({ at: z.string() })),
      }),
      execution: z.object({ marker: z.string(), run: z.string() }),
    }),
  ),
});

/** Makes the recording anew from a run's folder and the folder of the SIEM's store. */
function record(runFolder: string, storeFolder: string, target: string): void {
  const { executions } = runDocument.parse(JSON.parse(readFileSync(join(runFolder, 'run.json'), 'utf8')));
  const recorded = executions
    .filter(({ plan }) => plan.target === target)
    .map(({ plan, execution }): RecordedExecution => ({
      name: plan.variant === undefined ? plan.scenario : `${plan.scenario}@${plan.variant}`,
      purpose: plan.purpose,
      marker: execution.marker,
      run: execution.run,
      payloads: [...new Set(plan.steps.map(({ at }) => basename(at).replace(/\.py$/, '')))],
    }));
  const events = readLines(join(storeFolder, 'events.ndjson'), recordedEvent)
    .filter((event) => executionOf(event, recorded) !== undefined)
    .map((event) => ({ ...event, event: { ...event.event, original: undefined } }));
  mkdirSync(folder, { recursive: true });
  writeLines(files.executions, recorded);
  writeLines(files.events, events);
}

if (import.meta.main) {
  const [runFolder, storeFolder, target = 'lab-alpha'] = process.argv.slice(2);
  if (runFolder === undefined || storeFolder === undefined)
    throw new Error('usage: node test/scenarios/recording.ts RUN-FOLDER STORE-FOLDER [TARGET]');
  record(runFolder, storeFolder, target);
}
