import type { Analytic, LogSource } from '../../runner/domain/attack.ts';
import type { Cell, RunReport, SourceRow } from '../../runner/domain/run-report.ts';
import { platformWords } from '../shared/words.ts';
import { badge, type Badge } from './badge.ts';

type SourceCell = SourceRow['cells'][string];

type SourceView = {
  readonly name: string;
  readonly channel: string;
  readonly component: string;
  readonly cells: readonly {
    readonly siem: string;
    readonly state: SourceCell['state'];
    readonly word: string;
    readonly detail: string | false;
  }[];
};

type AnalyticView = {
  readonly id: string;
  readonly url: string | false;
  readonly platform: string;
  readonly summary: string;
  readonly tested: boolean;
  readonly base: string;
  readonly siems: readonly string[];
  readonly elements: readonly {
    readonly element: string;
    readonly gist: string;
    readonly cells: readonly {
      readonly siem: string;
      readonly badge: Badge;
      readonly counts: string | false;
      /** What stand-ins came to, kept apart from the badge. */
      readonly standIn: string | false;
    }[];
  }[];
  readonly sources: readonly SourceView[];
  readonly supplementary: { readonly siems: readonly string[]; readonly rows: readonly SourceView[] } | false;
};

export type Strategy = {
  readonly id: string;
  readonly name: string;
  readonly url: string | false;
  readonly base: string;
  readonly analytics: readonly AnalyticView[];
};

/** The four analytics with all their elements and official sources, tested in this run or not; supplementary ones apart. */
export function strategy(run: RunReport): Strategy {
  const { strategy: facts, analytics } = run.attack;
  const views = analytics.map((analytic) => analyticView(analytic, run));
  const elements = views.flatMap((view) => view.elements);
  const sources = views.flatMap((view) => view.sources);
  const tested = elements.filter(({ cells }) => cells.some((cell) => cell.badge.verdict !== 'not-tested')).length;
  const imitated = elements.filter(({ cells }) => cells.some((cell) => cell.standIn !== false)).length;
  const asked = sources.filter(({ cells }) => cells.some((cell) => cell.state !== 'not-tested')).length;
  return {
    id: facts.id,
    name: facts.name,
    url: linkable(facts.url),
    base: `${tested} of ${elements.length} elements and ${asked} of ${sources.length} official log sources were tested on real hosts in this run${imitated === 0 ? '' : `; ${imitated} elements were shown on stand-ins, which count for none`}.`,
    analytics: [...views.filter(({ tested: yes }) => yes), ...views.filter(({ tested: yes }) => !yes)],
  };
}

function analyticView(analytic: Analytic, run: RunReport): AnalyticView {
  const siems = run.siems.map(({ id }) => id);
  const targets = run.targets.filter(({ platform }) => platform === analytic.platform);
  const real = targets.filter(({ fidelity }) => fidelity === 'real');
  const standIns = targets.length - real.length;
  const reached = real.filter((target) => target.reached).length;
  const elements = analytic.elements.map(({ field, gist }) => {
    const row = run.matrix.elements.find((one) => one.analytic === analytic.id && one.element === field);
    return { element: field, gist, cells: siems.map((siem) => elementCell(siem, row?.cells[siem])) };
  });
  const sources = analytic.logSources.map((source) => sourceView(analytic.id, source, true, run));
  const supplementary = analytic.supplementary.map((source) => sourceView(analytic.id, source, false, run));
  return {
    id: analytic.id,
    url: linkable(analytic.url),
    platform: platformWords[analytic.platform],
    summary: analytic.summary,
    tested: elements.some(({ cells }) => cells.some((cell) => cell.badge.verdict !== 'not-tested')),
    base: [
      real.length === 0 ? 'no real host in scope' : `${reached} of ${real.length} hosts in scope reached`,
      ...(standIns === 0 ? [] : [`${standIns} stand-in${standIns === 1 ? '' : 's'}, never counted`]),
    ].join('; '),
    siems,
    elements,
    sources,
    supplementary: supplementary.length === 0 ? false : { siems, rows: supplementary },
  };
}

function elementCell(siem: string, cell: Cell | undefined): AnalyticView['elements'][number]['cells'][number] {
  return {
    siem,
    badge: badge(cell?.verdict ?? 'not-tested'),
    counts: cell === undefined || Object.keys(cell.counts).length === 0 ? false : countWords(cell),
    standIn:
      cell?.onStandIns === undefined
        ? false
        : `on a stand-in, not counted: ${words(cell.onStandIns.counts).join(', ')}`,
  };
}

/** `3 logged`, `1 detected`: the most frequent first. */
function words(counts: Cell['counts']): readonly string[] {
  return Object.entries(counts)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([verdict, count]) => `${count} ${verdict}`);
}

/** `worst of 4: 3 logged, 1 detected` */
function countWords({ counts }: Cell): string {
  const all = words(counts);
  const of = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return all.length > 1 ? `worst of ${of}: ${all.join(', ')}` : all.join(', ');
}

const stateWords: Readonly<Record<SourceCell['state'], string>> = {
  alive: 'alive',
  partly: 'alive on some hosts',
  silent: 'silent',
  unclear: 'could not tell',
  'not-tested': 'not tested',
};

function sourceView(analytic: string, source: LogSource, official: boolean, run: RunReport): SourceView {
  const row = run.matrix.sources.find(
    (one) => one.analytic === analytic && one.source === source.ref && one.official === official,
  );
  return {
    name: source.name,
    channel: source.channel,
    component: `${source.dataComponent.id} ${source.dataComponent.name}`,
    cells: run.siems.map(({ id }) => {
      const cell = row?.cells[id];
      const state = cell?.state ?? 'not-tested';
      const hosts = (cell?.hosts ?? []).map(
        (host) =>
          `${host.target}${isStandIn(host.target, run) ? ' (stand-in)' : ''}: ${host.state === 'unclear' ? 'could not tell' : host.state}`,
      );
      const delivered =
        cell === undefined || cell.expected === 0
          ? []
          : [`${cell.delivered} of ${cell.expected} expected events delivered`];
      const detail = [...delivered, ...hosts].join('; ');
      return { siem: id, state, word: stateWords[state], detail: detail === '' ? false : detail };
    }),
  };
}

function isStandIn(id: string, { targets }: RunReport): boolean {
  return targets.some((target) => target.id === id && target.fidelity === 'stand-in');
}

/** Only a web address becomes a link. */
function linkable(url: string): string | false {
  return url.startsWith('https://') ? url : false;
}
