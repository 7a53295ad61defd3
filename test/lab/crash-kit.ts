import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { RecordLine } from '../../runner/domain/record.ts';
import type { ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { readJournal } from '../../runner/store/journal.ts';
import { findRun } from '../../runner/store/run-folder.ts';
import type { Ended, Lab } from './lab-kit.ts';

/** Where the SIEM tells of the start of a program, once for each. */
const startsOfPrograms: ReadonlySet<string> = new Set([
  'auditd.execve',
  'macos.endpointsecurity.exec',
  'windows.sysmon_operational',
]);

/** Python by its own name, and the copies of it that bear another and lie in the home of an account. */
const payloadPrograms = /python|^\/home\/|^\/Users\/|\\Users\\/;

/** The journal of the only run in a folder; none as long as there is no run in it. */
export async function recordsIn(out: string): Promise<readonly RecordLine[]> {
  try {
    return (await readJournal((await findRun(out, undefined)).journal)).records;
  } catch {
    return [];
  }
}

/** Ids that a journal has an intent for, with their markers; a second intent of one execution bears the same marker. */
export async function markers(out: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for (const record of await recordsIn(out))
    if (record.type === 'intent') {
      const { execution, marker } = record.data;
      found.set(execution, (found.get(execution) ?? new Set()).add(marker));
    }
  return found;
}

/** Process ids of the payloads with this marker that the sensors saw start: the SIEM's own record of what ran. */
export function starts(lab: Lab, marker: string): ReadonlySet<number> {
  type Started = { event: { dataset: string }; process?: { pid: number; executable: string; args?: string[] } };
  const pids = readFileSync(join(lab.stateDir, 'siem/events.ndjson'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"${marker}"`))
    .map((line) => JSON.parse(line) as Started)
    .flatMap(({ event, process }) =>
      process?.args?.includes(marker) === true &&
      startsOfPrograms.has(event.dataset) &&
      payloadPrograms.test(process.executable)
        ? [process.pid]
        : [],
    );
  return new Set(pids);
}

/** Runs detproof and kills it, and nothing that it started, when `moment` has come, unless it ends by itself before. */
export async function killed(
  lab: Lab,
  args: readonly string[],
  moment: (ended: AbortSignal) => Promise<unknown>,
): Promise<Ended> {
  const over = new AbortController();
  try {
    return await lab.detproof(args, {
      onStart: (pid) => {
        void moment(over.signal)
          .then(() => {
            if (!over.signal.aborted) process.kill(pid, 'SIGKILL');
          })
          // It was done before.
          .catch(() => undefined);
      },
    });
  } finally {
    over.abort();
  }
}

/** Resolves when the journal has come so far; rejects when detproof has ended. */
export async function untilJournal(
  out: string,
  ended: AbortSignal,
  isSoFar: (records: readonly RecordLine[]) => boolean,
): Promise<void> {
  while (!isSoFar(await recordsIn(out))) await sleep(25, undefined, { signal: ended });
}

/**
 * Resumes the only run in a folder, whose detproof was killed, and holds what becomes of it against what is promised: the journal
 * verifies, the run ends with nothing left, nothing ran twice, and nothing is concluded of what was broken off.
 */
export async function resumesWell(
  t: Test,
  lab: Lab,
  { inventory, out, when }: { readonly inventory: string; readonly out: string; readonly when: string },
): Promise<RunReport> {
  const { journal } = await findRun(out, undefined);
  await t.resolves(readJournal(journal), `killed ${when}: the journal verifies`);
  const resumed = await lab.detproof(['resume', '-i', inventory, '-o', out, '--json']);
  t.ok([0, 1, 3].includes(resumed.exitCode ?? -1), `resume ends with ${String(resumed.exitCode)}\n${resumed.stderr}`);
  const report = JSON.parse(resumed.stdout) as RunReport;
  await t.resolves(readJournal(journal), 'the journal still verifies');
  t.equal(report.run.state, 'complete');
  t.same(report.leftBehind, []);
  t.same(
    report.executions.filter(({ execution }) => execution === undefined).map(({ plan }) => plan.id),
    [],
    'every planned execution has an end',
  );
  nothingIsMadeUp(t, report);
  const minted = [...(await markers(out))];
  const idsWhere = (holds: (marker: string) => boolean): readonly string[] =>
    minted.filter(([, of]) => [...of].some(holds)).map(([id]) => id);
  t.same(
    minted.filter(([, of]) => of.size !== 1).map(([id]) => id),
    [],
    'one marker for each execution',
  );
  t.same(
    idsWhere((marker) => starts(lab, marker).size > 1),
    [],
    `none of ${minted.length} ran more than once`,
  );
  const receipts = new Map(report.executions.map(({ execution }) => [execution?.marker, execution?.receipt.started]));
  t.same(
    idsWhere((marker) => [...starts(lab, marker)].some((pid) => pid !== (receipts.get(marker)?.pid ?? pid))),
    [],
    'what was seen to start is what left the receipt',
  );
  t.ok(idsWhere((marker) => starts(lab, marker).size > 0).length > 0, 'the sensors do tell of payloads');
  return report;
}

/** Of what was broken off or not run, no verdict speaks; the verdicts that need a receipt have one. */
function nothingIsMadeUp(t: Test, { executions }: RunReport): void {
  const verdictsOf = (kind: string): readonly string[] =>
    executions
      .filter(({ execution }) => execution?.outcome.kind === kind)
      .flatMap(({ plan, assessments }) => assessments.map(({ verdict }) => `${plan.id}: ${verdict}`));
  const brokenOff = verdictsOf('broken-off');
  t.same(
    brokenOff.filter((said) => !said.endsWith(': inconclusive')),
    [],
    `${brokenOff.length} were broken off, and are inconclusive`,
  );
  t.same(
    verdictsOf('not-run').filter((said) => !said.endsWith(': not-run')),
    [],
    'what was not run is called so',
  );
  const open: ReadonlySet<string> = new Set(['inconclusive', 'not-run']);
  const isProved = ({ execution }: ExecutionReport): boolean => execution?.receipt.finished !== undefined;
  t.same(
    executions
      .filter((one) => !isProved(one) && one.assessments.some(({ verdict }) => !open.has(verdict)))
      .map(({ plan }) => plan.id),
    [],
    'there is a receipt for whatever a verdict speaks of',
  );
}
