import type { Figure, RunReport } from '../../runner/domain/run-report.ts';
import { elapsed, formatDuration } from '../../runner/domain/time.ts';
import { type Funnel, funnel } from './pipeline.ts';
import { base, fraction, percentage } from '../shared/figures.ts';
import { utcSeconds } from '../shared/times.ts';
import { exitWords, platformWords } from '../shared/words.ts';

type FigureView = {
  readonly label: string;
  readonly note: string;
  readonly fraction: string;
  readonly percentage: string | false;
  readonly base: string;
  readonly tone: 'good' | 'bad' | 'apart';
  readonly bar:
    { readonly segments: readonly { readonly kind: string; readonly x: string; readonly width: string }[] } | false;
};

export type Overview = {
  readonly tone: 'as-expected' | 'worse' | 'inconclusive' | 'stopped';
  readonly sentence: string;
  readonly exit: string;
  readonly scope: readonly { readonly name: string; readonly value: string }[];
  readonly siems: readonly {
    readonly siem: string;
    readonly unqualified: boolean;
    readonly figures: readonly FigureView[];
    readonly latency: string | false;
    readonly funnel: Funnel | false;
    readonly platforms: readonly { readonly platform: string; readonly detected: string; readonly elements: string }[];
  }[];
};

export function overview(run: RunReport): Overview {
  return {
    tone: toneOf(run.outcome.exitCode),
    sentence: run.outcome.sentence,
    exit: `Exit code ${run.outcome.exitCode}: ${exitWords(run.outcome.exitCode)}`,
    scope: scopeOf(run),
    siems: run.siems.map(({ id, qualified }) => ({ siem: id, unqualified: !qualified, ...figuresOf(run, id) })),
  };
}

function toneOf(exitCode: number): Overview['tone'] {
  if (exitCode === 0) return 'as-expected';
  if (exitCode === 3) return 'inconclusive';
  return exitCode === 1 || exitCode === 5 ? 'worse' : 'stopped';
}

function scopeOf(run: RunReport): Overview['scope'] {
  const real = run.targets.filter(({ fidelity }) => fidelity === 'real');
  const standIns = run.targets.length - real.length;
  const { engagement, attack } = run;
  const ticket = engagement.changeTicket === undefined ? '' : `, change ${engagement.changeTicket}`;
  const resumed = run.run.resumed === 0 ? '' : `, resumed ${run.run.resumed}×`;
  return [
    { name: 'Run', value: `${run.run.id}, ${run.run.state}${resumed}` },
    {
      name: 'When',
      value: `${utcSeconds(run.run.startedAt)}, for ${formatDuration(elapsed(run.run.startedAt, run.run.endedAt))}`,
    },
    { name: 'Engagement', value: `${engagement.id}, authorized by ${engagement.authorizedBy}${ticket}` },
    { name: 'Operator', value: run.run.operator },
    {
      name: 'Hosts',
      value: `${real.filter(({ reached }) => reached).length} of ${real.length} in scope reached${standIns === 0 ? '' : `; ${standIns} stand-in${standIns === 1 ? '' : 's'}, never counted`}`,
    },
    {
      name: 'SIEM',
      value: run.siems
        .map(({ id, kind, qualified }) => `${id} (${kind}${qualified ? '' : ', unqualified'})`)
        .join(', '),
    },
    {
      name: 'ATT&CK',
      value: `version ${attack.version}, ${attack.strategy.id}, ${attack.technique.id} ${attack.technique.name}`,
    },
    { name: 'Tool', value: `${run.tool.name} ${run.tool.version}` },
  ];
}

function figuresOf(run: RunReport, siem: string): Omit<Overview['siems'][number], 'siem' | 'unqualified'> {
  const figures = run.matrix.figures[siem];
  if (figures === undefined) return { figures: [], latency: false, funnel: false, platforms: [] };
  const latency = figures.alertLatencyMs;
  const platforms = Object.entries(figures.byPlatform).filter(([, { detected }]) => detected.hostsInScope > 0);
  // Of a single platform there is nothing to say that the figures above do not.
  const inScope = platforms.length > 1 ? platforms : [];
  return {
    figures: [
      figureView('Detected in time', 'emulations, by the site’s own rules', figures.detected, 'good'),
      figureView('Gaps', 'emulations logged, logged-thin, recorded-only, missed or blind', figures.gaps, 'bad'),
      figureView(
        'Elements detected',
        'elements of DET0063 with every emulation detected, by whichever rules, or prevented',
        figures.elementsDetected,
        'good',
      ),
      figureView('Event arrived whole', 'emulations whose event came with its context', figures.logged, 'good'),
      figureView('Twins quiet', 'legitimate look-alikes that raised nothing', figures.twinsQuiet, 'good'),
      figureView(
        'By reference rules',
        'emulations, by rules that detproof ships; counted apart',
        figures.detectedByReferenceRules,
        'apart',
      ),
    ],
    latency:
      latency === undefined
        ? false
        : `Time to alert: median ${formatDuration(latency.median)}, 90th percentile ${formatDuration(latency.p90)}, longest ${formatDuration(latency.max)}.`,
    funnel: funnel(run, siem),
    platforms: inScope
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([platform, { detected, elements }]) => ({
        platform: platformWords[platform as keyof typeof platformWords],
        detected: sentence(detected),
        elements: sentence(elements),
      })),
  };
}

/** A figure in one line: `4 of 13 (31 %), 3 inconclusive, 1 not tested, hosts 2 of 3`. */
function sentence(figure: Figure): string {
  const percent = percentage(figure);
  return `${fraction(figure)}${percent === undefined ? '' : ` (${percent})`}, ${base(figure)}`;
}

function figureView(label: string, note: string, figure: Figure, tone: FigureView['tone']): FigureView {
  return {
    label,
    note,
    fraction: fraction(figure),
    percentage: percentage(figure) ?? false,
    base: base(figure),
    tone,
    bar: bar(figure),
  };
}

function bar(figure: Figure): FigureView['bar'] {
  const parts = [
    { kind: 'share', count: figure.share },
    { kind: 'rest', count: figure.of - figure.share },
    { kind: 'inconclusive', count: figure.inconclusive },
    { kind: 'not-tested', count: figure.notTested },
  ].filter(({ count }) => count > 0);
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return false;
  let x = 0;
  const segments = parts.map(({ kind, count }) => {
    const width = (100 * count) / total;
    const segment = { kind, x: x.toFixed(2), width: width.toFixed(2) };
    x += width;
    return segment;
  });
  return { segments };
}
