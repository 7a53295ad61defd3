import { join } from 'node:path';
import type { RecordLine } from '../domain/record.ts';
import { loadRun } from '../load/run-file.ts';
import { plannedAgain } from '../pipeline/resume.ts';
import { rendered } from '../pipeline/run.ts';
import { type App, BadInput, Exit, exitCodes } from './app.ts';
import { planOf } from './kept-run.ts';
import { columns, say, sayJson, tell } from './print.ts';

type LookOptions = { readonly out: string; readonly json?: boolean };

/** `report`: renders a run's document again, as the formats asked for; one format goes to stdout. */
export async function report(
  app: App,
  id: string | undefined,
  options: LookOptions & { readonly format?: string },
): Promise<number> {
  const kept = await app.runs(options.out).read(id);
  if (!kept.hasReport)
    throw new Exit(exitCodes.badInput, `${kept.path} has no run.json yet; finish it with: detproof observe ${kept.id}`);
  const read = await loadRun(join(kept.path, 'run.json'));
  if (read.is === 'refused') throw new BadInput(read.problems);
  const run = read.value;
  if (options.json === true) {
    sayJson(app, run);
    return 0;
  }
  const kind = options.format ?? 'terminal';
  const reporter = app.reports.get(kind)?.reporter;
  if (reporter === undefined)
    throw new Exit(
      exitCodes.badInput,
      `No report ${kind}; known: ${[...app.reports.keys()].join(', ')}, or --json for run.json.`,
    );
  for (const file of rendered([reporter], run)) app.stdout.write(file.text);
  return 0;
}

/** `stop`: asks the process that works on a run to stop. Clean-up is its work, and it is waited for by nobody. */
export async function stop(app: App, id: string | undefined, options: LookOptions): Promise<number> {
  const asked = await app.runs(options.out).askToStop(id);
  if (options.json === true)
    sayJson(app, { runId: asked.id, ...(asked.holder === undefined ? {} : { holder: asked.holder }) });
  else if (asked.holder === undefined)
    tell(app, `Nobody works on run ${asked.id}. If it was killed, finish it with: detproof resume ${asked.id}`);
  else tell(app, `Asked run ${asked.id} (process ${asked.holder}) to stop; it ends what runs, cleans up, and reports.`);
  return 0;
}

/**
 * `whose`: which run, host, scenario and operator a marker belongs to, and how to stop it. For a SOC analyst. That no run has it is
 * said only when all could be read; otherwise exit code 3.
 */
export async function whose(app: App, marker: string, options: LookOptions): Promise<number> {
  const runs = app.runs(options.out);
  const unread: string[] = [];
  const ids = await runs.list().catch((error: unknown) => {
    if (!(error instanceof Error) || error.name !== 'RunsUnread') throw error;
    throw new Exit(exitCodes.inconclusive, `${error.message} ${nothingToSay(marker)}`);
  });
  for (const id of ids.toReversed()) {
    const kept = await runs.read(id).catch(() => undefined);
    if (kept === undefined) unread.push(id);
    const intent = kept?.records.find((record) => record.type === 'intent' && record.data.marker === marker);
    if (kept === undefined || intent?.type !== 'intent') continue;
    const opened = kept.records.find((record) => record.type === 'run-opened');
    const { execution } = intent.data;
    const plan = await planOf(kept).catch(() => undefined);
    const planned = plan === undefined ? undefined : plannedAgain(plan, execution);
    const told = {
      marker,
      run: id,
      operator: opened?.type === 'run-opened' ? opened.data.operator : '',
      execution,
      host: planned?.target ?? '',
      account: planned?.account ?? '',
      scenario: planned?.scenario ?? '',
      what: planned?.title ?? '',
      purpose: planned?.purpose ?? '',
      since: intent.data.at,
      state: stateOf(kept.records, intent.data.execution),
      stop: `detproof stop ${id}`,
      folder: kept.path,
    };
    if (options.json === true) sayJson(app, told);
    else for (const line of columns(Object.entries(told))) say(app, line);
    return 0;
  }
  if (unread.length > 0)
    throw new Exit(
      exitCodes.inconclusive,
      [
        `No run in ${options.out}/runs that could be read has the marker ${marker}.`,
        `These could not be read, and one of them may have it: ${unread.join(', ')}. ${nothingToSay(marker)}`,
      ].join('\n'),
    );
  throw new Exit(
    exitCodes.badInput,
    `No run in ${options.out}/runs has the marker ${marker}. If it was seen in an alert, it is not from here: treat it as real.`,
  );
}

function nothingToSay(marker: string): string {
  return `Nothing can be said of the marker ${marker}: it may be from here, and it may not.`;
}

function stateOf(records: readonly RecordLine[], execution: string): string {
  const ended = records.find((record) => record.type === 'execution' && record.data.execution === execution);
  return ended?.type === 'execution' ? `${ended.data.outcome.kind} at ${ended.data.endedAt}` : 'under way, or killed';
}
