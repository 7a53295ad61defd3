import { isRunning } from '../pipeline/host-checks.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import type { Scenario } from '../domain/scenario.ts';
import { processesOfSource } from '../domain/source-processes.ts';
import { type Instant, shift } from '../domain/time.ts';
import type { Looked } from '../pipeline/look-at.ts';
import { formatProblem, type Problem, visible } from '../load/problem.ts';
import type { SiemAdapter } from '../ports.ts';
import { type App, BadInput, type Check, exitCodes } from './app.ts';
import { lookAtTargets, withoutEvidence } from './look-at-targets.ts';
import { type Choice, chosenTargets, loadMaterial, type Material } from './material.ts';
import { columns, say, sayJson, tell } from './print.ts';

export type DoctorOptions = Choice & {
  readonly inventory: string;
  readonly library?: string;
  readonly out: string;
  readonly json?: boolean;
  /** False: looks at this machine and the SIEMs only. */
  readonly hosts: boolean;
};

/** So far back failures are asked about: a rule that is scheduled once an hour has run in it. */
const healthMs = 3_600_000;
/** So far back it is asked whether a rule is on: that it was switched on a while ago is no trouble. */
const nowMs = 10_000;

const stateWords: Readonly<Record<Check['state'], string>> = { ok: 'ok', trouble: 'NO', unknown: '??' };

/**
 * `doctor`: can this machine, the SIEMs and the targets do their part? Targets are logged in to and looked at, within engagement and
 * window; nothing is put there. Exit code 3 when something is missing; what could not be looked at is said to be unknown. What is
 * wrong with the user's files is told besides the checks, as `lint` does, and is exit code 2.
 */
export async function doctor(app: App, options: DoctorOptions): Promise<number> {
  const checks: Check[] = [...(await app.machine(options.out))];
  let material: Material | undefined;
  let problems: readonly Problem[] = [];
  try {
    material = await loadMaterial(app, options);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    ({ problems } = error);
    const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
    checks.push({ what: 'inventory and scenarios', state: 'trouble', detail: `${count}, told on stderr` });
  }
  if (material !== undefined) {
    const { scenarios, inventory } = material;
    const detail = `${inventory.targets.length} targets, ${inventory.siems.length} SIEMs, ${scenarios.length} scenarios`;
    checks.push({ what: 'inventory and scenarios', state: 'ok', detail });
    const adapters = app.siems(inventory, withoutEvidence(app, inventory, options.inventory));
    for (const [id, adapter] of adapters) checks.push(...(await siemChecks(app, id, adapter, inventory, scenarios)));
    if (options.hosts) {
      const targets = chosenTargets(material, options);
      for (const looked of await lookAtTargets(app, inventory, options.inventory, targets))
        checks.push(...targetChecks(looked, scenarios));
    }
  }
  if (options.json === true) sayJson(app, checks);
  else
    for (const line of columns(checks.map(({ what, state, detail }) => [stateWords[state], what, visible(detail)])))
      say(app, line);
  for (const problem of problems) tell(app, formatProblem(problem));
  if (problems.length > 0) return exitCodes.badInput;
  return checks.some(({ state }) => state === 'trouble') ? exitCodes.inconclusive : exitCodes.asExpected;
}

async function siemChecks(
  app: App,
  id: string,
  adapter: SiemAdapter,
  { expectations }: Inventory,
  scenarios: readonly Scenario[],
): Promise<readonly Check[]> {
  const what = `SIEM ${id}`;
  const failed = (error: unknown): Check => ({
    what,
    state: 'trouble',
    detail: error instanceof Error ? error.message : String(error),
  });
  try {
    const { serverTime } = await adapter.ping(AbortSignal.timeout(10_000));
    const answers: Check = {
      what,
      state: 'ok',
      detail: serverTime === undefined ? 'answers' : `answers; its clock says ${serverTime}`,
    };
    const rules = [
      ...scenarios.flatMap(({ expect, variants }) =>
        [expect, ...variants.map((one) => one.expect)].flatMap(({ alert }) => alert.rules),
      ),
      ...expectations.filter(({ siems }) => siems?.includes(id) ?? true).flatMap((entry) => entry.rules ?? []),
    ];
    return [answers, await ruleCheck(adapter, what, [...new Set(rules)].sort(), app.clock.now())];
  } catch (error) {
    return [failed(error)];
  }
}

async function ruleCheck(adapter: SiemAdapter, what: string, rules: readonly string[], now: Instant): Promise<Check> {
  const over = (ms: number): ReturnType<SiemAdapter['rules']> =>
    adapter.rules({ rules, window: { from: shift(now, -ms), to: now } }, AbortSignal.timeout(30_000));
  const { hits, complete } = await over(healthMs);
  const off = (await over(nowMs)).hits.filter(({ enabled }) => enabled === 'none');
  const known = new Set(hits.map(({ rule }) => rule));
  const named = (label: string, list: readonly string[]): readonly string[] =>
    list.length === 0 ? [] : [`${list.length} ${label}: ${list.slice(0, 5).join(', ')}${list.length > 5 ? ' …' : ''}`];
  const trouble = [
    ...named(
      'not known to it',
      rules.filter((rule) => !known.has(rule)),
    ),
    ...named(
      'switched off',
      off.map(({ rule }) => rule),
    ),
    ...named(
      'failed in the last hour',
      hits.filter(({ failures }) => failures.length > 0).map(({ rule }) => rule),
    ),
    ...(complete.yes ? [] : [complete.because.detail]),
  ];
  return {
    what: `${what}, rules`,
    state: trouble.length === 0 ? 'ok' : 'trouble',
    detail: [`${known.size} of ${rules.length} rules that scenarios and site name are there`, ...trouble].join('; '),
  };
}

/** One line a question: how far did it come, and what is there. */
function targetChecks(
  { target, account, clock, look, trouble }: Looked,
  scenarios: readonly Scenario[],
): readonly Check[] {
  const check = (what: string, state: Check['state'], detail: string): Check => ({
    what: `${target.id}/${account.name}, ${what}`,
    state,
    detail,
  });
  if (look === undefined) return [check('reached', 'trouble', trouble?.detail ?? 'it was not looked at')];
  const found = look.pythons.map(({ path, version = '?', owner, stub }) =>
    stub === true ? `${path} (a stub)` : `${path} ${version}${owner === undefined ? '' : ` (${owner})`}`,
  );
  const runs = (what: string, processes: readonly string[], why: string): Check => {
    const running = processes.filter((name) => isRunning(name, look.processes.join('\n')));
    if (running.length > 0) return check(what, 'ok', `${running.join(', ')} runs`);
    const names = processes.join(', ');
    if (look.processesOfOthers === 'hidden')
      return check(what, 'unknown', `${names}: the host may hide the processes of others from ${look.user}`);
    return target.fidelity === 'stand-in'
      ? check(what, 'unknown', `${names}: not running, and a stand-in may write it without`)
      : check(what, 'trouble', `${names}: not running${why}`);
  };
  return [
    check('reached', 'ok', `address, host key and login are right; as ${look.user}`),
    check('interpreter', trouble === undefined ? 'ok' : 'trouble', trouble?.detail ?? target.interpreter),
    check('interpreters', found.length > 0 ? 'ok' : 'trouble', found.join(', ') || 'none was found'),
    look.admin === undefined
      ? check('rights', 'unknown', 'not told')
      : check('rights', 'ok', look.admin ? 'an administrator' : 'no administrator'),
    clock === undefined
      ? check('clock', 'unknown', 'the host did not say what time it is there')
      : check('clock', 'ok', `${clock.offsetMs} ms off ours (±${clock.uncertaintyMs} ms)`),
    ...(target.sensors ?? []).map((sensor) => runs(`sensor ${sensor}`, [sensor], '')),
    ...sourcesOf(target, scenarios).map(({ source, processes }) =>
      runs(`log source ${source}`, processes, ', so its events cannot be expected'),
    ),
  ];
}

/** The log sources that scenarios of the platform expect events of, where a process of their own writes them. */
function sourcesOf(
  { platform }: Target,
  scenarios: readonly Scenario[],
): readonly { readonly source: string; readonly processes: readonly string[] }[] {
  const sources = scenarios.filter((one) => one.platform === platform).flatMap(({ expect }) => expect.event.sources);
  return [...new Set(sources)]
    .sort()
    .map((source) => ({ source, processes: processesOfSource(source) }))
    .filter(({ processes }) => processes.length > 0);
}
