import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  host: z.looseObject({ name: z.string() }),
  process: z
    .looseObject({
      executable: z.string().optional(),
      args: z.array(z.string()).optional(),
      command_line: z.string().optional(),
      parent: z.looseObject({ command_line: z.string().optional() }).optional(),
    })
    .exactOptional(),
  message: z.string().exactOptional(),
});
/** An event as the lab's SIEM stored it; `event.original`, the same text in the audit system's encoding, is left out. */
export type RecordedEvent = z.infer<typeof recordedEvent>;

const folder = join(import.meta.dirname, 'recordings');

/** A Linux host of the lab, and the stand-ins for the other platforms. */
const recordings = {
  'linux-lab': ['lab-alpha'],
  'stand-ins': ['lab-esxi', 'lab-macos', 'lab-windows', 'lab-windows-ssh'],
} as const;
type RecordingName = keyof typeof recordings;

function filesOf(name: RecordingName): { readonly executions: string; readonly events: string } {
  return { executions: join(folder, `${name}.executions.ndjson`), events: join(folder, `${name}.ndjson`) };
}

/** Executions of real lab runs, and the events that carry their markers. */
export function readRecordings(): {
  readonly executions: readonly RecordedExecution[];
  readonly events: readonly RecordedEvent[];
} {
  const names = Object.keys(recordings) as RecordingName[];
  return {
    executions: names.flatMap((name) => readLines(filesOf(name).executions, recordedExecution)),
    events: names.flatMap((name) => readLines(filesOf(name).events, recordedEvent)),
  };
}

function readLines<T>(file: string, schema: z.ZodType<T>): readonly T[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => schema.parse(JSON.parse(line)));
}

function writeLines(file: string, values: readonly object[]): void {
  writeFileSync(file, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

/** Which execution an event belongs to: its own arguments or message, or its parent's command line, hold the marker. */
export function executionOf(
  event: RecordedEvent,
  executions: readonly RecordedExecution[],
): RecordedExecution | undefined {
  const { args = [], command_line: line = '', parent } = event.process ?? {};
  const text = [...args, line, event.message ?? '', parent?.command_line ?? ''].join(' ');
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
        element: z.string().exactOptional(),
        steps: z.array(z.object({ at: z.string() })),
      }),
      execution: z.object({ marker: z.string(), run: z.string() }),
    }),
  ),
});

/** The name of a file without its folder and ending. */
function stem(at: string): string {
  return (at.split(/[\\/]/).pop() ?? '').replace(/\.py$/, '');
}

/** Makes a recording anew from a run's folder and the folder of the SIEM's store. */
function record(runFolder: string, storeFolder: string, name: RecordingName): void {
  const targets: readonly string[] = recordings[name];
  const { executions } = runDocument.parse(JSON.parse(readFileSync(join(runFolder, 'run.json'), 'utf8')));
  const recorded = executions
    .filter(({ plan }) => targets.includes(plan.target))
    .map(({ plan, execution }): RecordedExecution => ({
      name: plan.variant === undefined ? plan.scenario : `${plan.scenario}@${plan.variant}`,
      purpose: plan.purpose,
      marker: execution.marker,
      run: execution.run,
      // Where the name of the script is what is exercised, it is no name of ours.
      payloads: plan.element === 'ScriptName' ? [] : [...new Set(plan.steps.map(({ at }) => stem(at)))],
    }));
  const files = filesOf(name);
  const events = readLines(join(storeFolder, 'events.ndjson'), recordedEvent)
    .filter((event) => executionOf(event, recorded) !== undefined)
    // What no rule looks at, and what says again what another field says, is left out.
    .map((event) => ({ ...event, event: { ...event.event, original: undefined }, winlog: undefined, log: undefined }));
  mkdirSync(folder, { recursive: true });
  writeLines(files.executions, recorded);
  writeLines(files.events, events);
}

if (import.meta.main) {
  const [runFolder, storeFolder] = process.argv.slice(2);
  if (runFolder === undefined || storeFolder === undefined)
    throw new Error('usage: node test/scenarios/recording.ts RUN-FOLDER STORE-FOLDER');
  for (const name of Object.keys(recordings) as RecordingName[]) record(runFolder, storeFolder, name);
}
