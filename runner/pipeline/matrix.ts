import type { AttackFacts, LogSourceRef } from '../domain/attack.ts';
import type { Cell, ElementRow, ExecutionReport, Matrix, ScenarioRow, SourceRow } from '../domain/run-report.ts';
import { figures, type Subject } from './figures.ts';
import { acrossHosts, hostCell, ofSiem, type One } from './roll-up.ts';

/** Analytics, log sources, elements and targets against verdicts. Pure. Stand-ins are shown and never counted. */
export function makeMatrix(
  attack: AttackFacts,
  targets: readonly Subject[],
  siems: readonly string[],
  executions: readonly ExecutionReport[],
): Matrix {
  const bySiem = new Map(siems.map((siem) => [siem, ofSiem(siem, executions)]));
  const perSiem = <T>(make: (all: readonly One[]) => T): Record<string, T> =>
    Object.fromEntries([...bySiem].map(([siem, all]) => [siem, make(all)]));
  const standIns = new Set(targets.filter(({ fidelity }) => fidelity === 'stand-in').map(({ id }) => id));

  const elements: ElementRow[] = attack.analytics.flatMap((analytic) =>
    analytic.elements.map(({ field, gist }) => ({
      analytic: analytic.id,
      platform: analytic.platform,
      element: field,
      gist,
      cells: perSiem((all) =>
        acrossHosts(
          all.filter(
            ({ plan }) => plan.purpose === 'emulation' && plan.analytic === analytic.id && plan.element === field,
          ),
          standIns,
        ),
      ),
    })),
  );
  const sources: SourceRow[] = attack.analytics.flatMap((analytic) =>
    [
      ...analytic.logSources.map(({ ref }) => ({ ref, official: true })),
      ...analytic.supplementary.map(({ ref }) => ({ ref, official: false })),
    ].map(({ ref, official }) => ({
      analytic: analytic.id,
      platform: analytic.platform,
      source: ref,
      official,
      cells: perSiem((all) =>
        sourceCell(
          all.filter(({ plan }) => plan.analytic === analytic.id),
          ref,
          standIns,
        ),
      ),
    })),
  );
  return {
    elements,
    sources,
    scenarios: scenarioRows(executions, bySiem, standIns),
    figures: perSiem((all) => figures(all, targets, elements)),
  };
}

type HostState = SourceRow['cells'][string]['hosts'][number]['state'];
type Delivered = { readonly plan: One['plan']; readonly arrived: boolean; readonly silent: boolean };

function sourceCell(
  all: readonly One[],
  source: LogSourceRef,
  standIns: ReadonlySet<string>,
): SourceRow['cells'][string] {
  const deliveries = all.flatMap(({ plan, assessment }) =>
    (assessment?.facts.sources ?? [])
      .filter((one) => one.source === source)
      .map(({ delivered }): Delivered => {
        const silent = delivered.is === 'no' && delivered.proof.kind === 'source-silent';
        return { plan, arrived: delivered.is === 'yes', silent };
      }),
  );
  const hosts = [...new Set(deliveries.map(({ plan }) => plan.target))].sort().map((target) => ({
    target,
    state: hostState(deliveries.filter(({ plan }) => plan.target === target && plan.purpose === 'control')),
  }));
  const work = deliveries.filter(({ plan }) => plan.purpose !== 'control' && !standIns.has(plan.target));
  const states = new Set(hosts.flatMap(({ target, state }) => (standIns.has(target) ? [] : [state])));
  const [only] = states;
  return {
    state: only === undefined ? 'not-tested' : states.size === 1 ? only : states.has('alive') ? 'partly' : 'unclear',
    hosts,
    delivered: work.filter(({ arrived }) => arrived).length,
    expected: work.length,
  };
}

/** Alive when the controls of each account and channel were seen before and after; silent when none of any was. */
function hostState(controls: readonly Delivered[]): HostState {
  const ways = [...Map.groupBy(controls, ({ plan }) => `${plan.account} ${plan.channel}`).values()];
  const seen = (way: readonly Delivered[], phase: string): boolean =>
    way.some(({ plan, arrived }) => plan.phase === phase && arrived);
  if (ways.length > 0 && ways.every((way) => seen(way, 'control-before') && seen(way, 'control-after'))) return 'alive';
  return controls.some(({ silent }) => silent) && !controls.some(({ arrived }) => arrived) ? 'silent' : 'unclear';
}

/** One row per scenario and variant, one cell per target and SIEM. */
function scenarioRows(
  executions: readonly ExecutionReport[],
  bySiem: ReadonlyMap<string, readonly One[]>,
  standIns: ReadonlySet<string>,
): readonly ScenarioRow[] {
  const rowOf = ({ scenario, variant }: One['plan']): string => `${scenario}@${variant ?? ''}`;
  const cellOf = ({ plan }: Pick<One, 'plan'>): string => `${rowOf(plan)} ${plan.target}`;
  const cells = new Map([...bySiem].map(([siem, all]) => [siem, Map.groupBy(all, cellOf)]));
  const row = (reports: readonly ExecutionReport[]): readonly ScenarioRow[] => {
    const [first] = reports;
    if (first === undefined) return [];
    const { scenario, variant, title, analytic, element, purpose } = first.plan;
    const targets = [...new Set(reports.map(({ plan }) => plan.target))].sort();
    const cellsOn = (target: string): Record<string, Cell> =>
      Object.fromEntries(
        [...cells].map(([siem, byCell]) => [
          siem,
          hostCell(byCell.get(cellOf({ plan: { ...first.plan, target } })) ?? [], standIns),
        ]),
      );
    return [
      {
        scenario,
        ...(variant === undefined ? {} : { variant }),
        title,
        analytic,
        ...(element === undefined ? {} : { element }),
        purpose,
        cells: Object.fromEntries(targets.map((target) => [target, cellsOn(target)])),
      },
    ];
  };
  return [...Map.groupBy(executions, ({ plan }) => rowOf(plan)).values()].flatMap(row);
}
