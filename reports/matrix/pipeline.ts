import type { Fact } from '../../runner/domain/fact.ts';
import { type Hop, hops } from '../../runner/domain/facts.ts';
import type { Assessment, RunReport } from '../../runner/domain/run-report.ts';
import { hopWords } from '../shared/words.ts';

export type State = Fact<unknown, unknown>['is'];

/**
 * How far one execution went through the pipeline, a state for each hop in order; of several sources the best. The hop
 * at which the judgement says that it broke is `broke`.
 */
export function hopStates({
  facts,
  brokeAt,
}: Assessment): readonly { readonly hop: Hop; readonly state: State | 'broke' }[] {
  const best = (states: readonly State[]): State =>
    (['yes', 'no', 'unknown', 'not-asked'] as const).find((state) => states.includes(state)) ?? 'not-asked';
  const states: Readonly<Record<Hop, State>> = {
    ran: facts.ran.is,
    recorded: facts.recorded.is,
    delivered: best(facts.sources.map(({ delivered }) => delivered.is)),
    usable: best(facts.sources.map(({ usable }) => usable.is)),
    alerted: facts.alerted.is,
    attributed: facts.attributed.is,
    'in-time': facts.inTime.is,
  };
  return hops.map((hop) => ({ hop, state: hop === brokeAt ? 'broke' : states[hop] }));
}

type FunnelStep = {
  readonly name: string;
  readonly counts: readonly { readonly kind: 'yes' | 'broke' | 'no' | 'unknown' | 'none'; readonly words: string }[];
  readonly bars: readonly { readonly kind: string; readonly y: string; readonly height: string }[];
};

export type Funnel = { readonly of: number; readonly steps: readonly FunnelStep[] };

/** Where the emulations of real hosts stand at each hop, as one SIEM tells it. */
export function funnel(run: RunReport, siem: string): Funnel | false {
  const real = new Set(run.targets.filter(({ fidelity }) => fidelity === 'real').map(({ id }) => id));
  const all = run.executions
    .filter(({ plan }) => plan.purpose === 'emulation' && real.has(plan.target))
    .flatMap(({ assessments }) => assessments.filter((one) => one.siem === siem).map(hopStates));
  if (all.length === 0) return false;
  const steps = hops.map((hop, index): FunnelStep => {
    const count = (state: State | 'broke'): number => all.filter((states) => states[index]?.state === state).length;
    const parts = [
      { kind: 'yes' as const, count: count('yes'), words: 'yes' },
      { kind: 'broke' as const, count: count('broke'), words: 'broke here' },
      { kind: 'no' as const, count: count('no'), words: 'no' },
      { kind: 'unknown' as const, count: count('unknown'), words: 'could not tell' },
    ].filter((part) => part.count > 0);
    let y = 100;
    return {
      name: hopWords[hop].name,
      counts:
        parts.length === 0
          ? [{ kind: 'none', words: 'not asked' }]
          : parts.map((part) => ({ kind: part.kind, words: `${part.count} ${part.words}` })),
      bars: parts.map((part) => {
        const tall = (100 * part.count) / all.length;
        y -= tall;
        return { kind: part.kind, y: y.toFixed(2), height: tall.toFixed(2) };
      }),
    };
  });
  return { of: all.length, steps };
}
