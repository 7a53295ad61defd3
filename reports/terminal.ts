import type { ReportPlugin } from '../runner/ports.ts';
import type { Figure, RunReport } from '../runner/domain/run-report.ts';
import { elapsed, formatDuration } from '../runner/domain/time.ts';
import { fit, wrap } from './shared/columns.ts';
import { base, fraction, percentage } from './shared/figures.ts';
import { type Finding, findings, placeOf, titleOf, harnessRules } from './shared/findings.ts';
import { clockWords, utcSeconds } from './shared/times.ts';
import { visible } from './shared/visible.ts';
import { exitWords, hopWords, platformWords } from './shared/words.ts';
import { hostChecks } from './terminal/host-checks.ts';
import { type Paint, paints, type Paints } from './terminal/paint.ts';
import { scenarioTable } from './terminal/table.ts';

export type SummaryOptions = {
  /** ANSI styles around words; they are never the only carrier of a meaning. */
  readonly color: boolean;
  /** Columns, at least 60. */
  readonly width: number;
  /** Where the page with the evidence is, for the last lines. */
  readonly page?: string;
};

/** What a run came to, for people: plain lines without a line feed at the end of the last one. Pure. */
export function renderSummary(run: RunReport, options: SummaryOptions): string {
  const width = Math.max(60, options.width);
  const paint = paints(options.color);
  const found = findings(run);
  const sections = [
    header(run, width, paint),
    ...(['emulation', 'twin', 'control'] as const).map((purpose) => scenarioTable(run, purpose, width, paint)),
    titled('! worse than expected, + better, ~ known gap, ? could not be told, . not planned there', width, paint.dim),
    listed('WORSE THAN EXPECTED', found.worse, run, width, paint.bad, paint),
    listed('COULD NOT BE TOLD', found.untold, run, width, paint.unsure, paint),
    listed('KNOWN GAPS, AS DECLARED', found.knownGaps, run, width, paint.bold, paint, declaredOf),
    listed('BETTER THAN EXPECTED', found.better, run, width, paint.bold, paint),
    noTurn(found.noTurn, width, paint),
    figures(run, width, paint),
    harness(run, width, paint),
    leftOut(run, width, paint),
    hostChecks(run, width, paint),
    leftBehind(run, width, paint),
    footer(run, width, paint, options.page),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const plugin: ReportPlugin = {
  kind: 'terminal',
  summary: 'the end-of-run summary as plain text (summary.txt)',
  templates: [],
  open: () => ({
    render: (run) => [
      {
        path: 'summary.txt',
        mediaType: 'text/plain; charset=utf-8',
        text: `${renderSummary(run, { color: false, width: 100 })}\n`,
      },
    ],
  }),
};
export default plugin;

function titled(text: string, width: number, color: Paint): string[] {
  return wrap(visible(text), width).map(color);
}

/** `name` in its own column, `value` beside it, on as many lines as it needs. */
function named(name: string, value: string, width: number, paint: Paints, nameWidth = 13): string[] {
  const lines = wrap(visible(value), width - nameWidth - 2);
  const label = fit(visible(name), nameWidth);
  return lines.map((line, index) => `  ${index === 0 ? paint.dim(label) : ' '.repeat(nameWidth)}${line}`);
}

function header(run: RunReport, width: number, paint: Paints): string[] {
  const { engagement, attack } = run;
  const ticket = engagement.changeTicket === undefined ? '' : `, change ${engagement.changeTicket}`;
  const resumed = run.run.resumed === 0 ? '' : `, resumed ${run.run.resumed} times`;
  const real = run.targets.filter(({ fidelity }) => fidelity === 'real');
  const reached = real.filter((target) => target.reached).length;
  return [
    ...titled(`${run.tool.name} ${run.tool.version}: run ${run.run.id}, ${run.run.state}${resumed}`, width, paint.bold),
    ...named(
      'when',
      `${utcSeconds(run.run.startedAt)}, for ${formatDuration(elapsed(run.run.startedAt, run.run.endedAt))}`,
      width,
      paint,
    ),
    ...named('engagement', `${engagement.id}, authorized by ${engagement.authorizedBy}${ticket}`, width, paint),
    ...named('operator', run.run.operator, width, paint),
    ...named(
      'tested',
      `${attack.strategy.id} (${attack.technique.id} ${attack.technique.name}), ATT&CK ${attack.version}`,
      width,
      paint,
    ),
    ...run.siems.flatMap(({ id, kind, qualified, trouble }, index) =>
      named(
        index === 0 ? 'SIEM' : '',
        `${id} (${kind}${qualified ? '' : ', adapter not qualified on this site'})${trouble === undefined ? '' : `: ${trouble}`}`,
        width,
        paint,
      ),
    ),
    ...sampled(run, width, paint),
    ...named(
      'hosts',
      `${reached} of ${real.length} ${run.run.sample === undefined ? 'in scope' : 'in the sample'} reached`,
      width,
      paint,
    ),

    ...run.targets.flatMap((target) =>
      named(
        '',
        [
          `${target.id} (${platformWords[target.platform]}, ${target.role})`,
          target.fidelity === 'stand-in' ? 'stand-in, never counted' : '',
          target.reached ? '' : `NOT REACHED: ${target.trouble ?? 'no reason given'}`,
          target.clock === undefined ? '' : `clock ${clockWords(target.clock)}`,
          ...(target.remarks ?? []),
        ]
          .filter((part) => part !== '')
          .join(', '),
        width,
        paint,
      ),
    ),
  ];
}

/** Which hosts stand for which, so that no figure is taken for one about all of them. */
function sampled({ run: { sample } }: RunReport, width: number, paint: Paints): string[] {
  if (sample === undefined) return [];
  const { hostsSampled, hostsInScope, perRoleAndZone, seed, always } = sample;
  const besides = always === undefined ? '' : `, and all of ${always}`;
  const text = `${hostsSampled} of ${hostsInScope} hosts, ${perRoleAndZone} of each role in each zone${besides}, seed ${seed}`;
  return named('sample', text, width, paint);
}

const verdictWidth = 17;

function listed(
  title: string,
  list: readonly Finding[],
  run: RunReport,
  width: number,
  color: Paint,
  paint: Paints,
  reason: (finding: Finding) => string = reasonOf,
): string[] {
  if (list.length === 0) return [];
  const results = list.reduce((sum, { executions }) => sum + executions.length, 0);
  const indented = (text: string): string[] =>
    wrap(visible(text), width - verdictWidth - 2).map((line) => `  ${' '.repeat(verdictWidth)}${paint.dim(line)}`);
  return [
    ...titled(`${title}: ${results}`, width, color),
    ...list.flatMap((finding) => {
      const where = finding.executions.map(({ plan }) => placeOf(plan)).join(', ');
      const siem = run.siems.length > 1 ? `, ${finding.siem}` : '';
      const [first = '', ...rest] = wrap(visible(`${finding.scenario} on ${where}${siem}`), width - verdictWidth - 2);
      return [
        `  ${color(fit(finding.verdict, verdictWidth))}${first}`,
        ...rest.map((line) => `  ${' '.repeat(verdictWidth)}${line}`),
        ...indented([reason(finding), ...owned(finding)].join('; ')),
      ];
    }),
  ];
}

function reasonOf({ brokeAt, sentence, why }: Finding): string {
  const broke = brokeAt === undefined ? '' : `broke at ${hopWords[brokeAt].name}: `;
  return `${broke}${sentence}${why === undefined ? '' : ` (${why})`}`;
}

/** Of a known gap the declared reason is what counts; the rest is in the page. */
function declaredOf({ brokeAt, why, sentence }: Finding): string {
  return `${brokeAt === undefined ? '' : `broke at ${hopWords[brokeAt].name}; `}${why ?? sentence}`;
}

function owned({ expect }: Finding): string[] {
  return [
    ...(expect.owner === undefined ? [] : [`owner ${expect.owner}`]),
    ...(expect.until === undefined ? [] : [`excused until ${expect.until}`]),
  ];
}

function noTurn(reports: ReturnType<typeof findings>['noTurn'], width: number, paint: Paints): string[] {
  if (reports.length === 0) return [];
  return [
    ...titled(
      `NEVER HAD THEIR TURN: ${reports.length} (the run ended before; nothing is known of them)`,
      width,
      paint.unsure,
    ),
    ...reports.flatMap(({ plan }) =>
      wrap(visible(`${placeOf(plan)}: ${titleOf(plan)}`), width - 2).map((line) => `  ${line}`),
    ),
  ];
}

function figures(run: RunReport, width: number, paint: Paints): string[] {
  return run.siems.flatMap(({ id }) => {
    const own = run.matrix.figures[id];
    if (own === undefined) return [];
    const line = (label: string, figure: Figure): string[] =>
      named(label, `${fit(fraction(figure), 13)}${fit(percentage(figure) ?? '', 7)}${base(figure)}`, width, paint, 31);
    const latency = own.alertLatencyMs;
    return [
      ...titled(`FIGURES (on real hosts, as ${id} tells them)`, width, paint.bold),
      ...line("detected by the site's rules", own.detected),
      ...line("detected by detproof's rules", own.detectedByReferenceRules),
      ...line('event arrived whole', own.logged),
      ...line('gaps', own.gaps),
      ...line('twins that stayed quiet', own.twinsQuiet),
      ...line(`elements of ${run.attack.strategy.id} detected`, own.elementsDetected),
      ...(latency === undefined
        ? []
        : named(
            'time to alert',
            `median ${formatDuration(latency.median)}, 90th percentile ${formatDuration(latency.p90)}, longest ${formatDuration(latency.max)}`,
            width,
            paint,
            31,
          )),
    ];
  });
}

function harness(run: RunReport, width: number, paint: Paints): string[] {
  const rows = Object.entries(run.harnessRules)
    .filter(([, rules]) => rules.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([siem]) => named(siem, harnessRules(run, siem), width, paint));
  return rows.length === 0
    ? []
    : [
        ...titled(
          'RULES THAT FIRE ON THE HARNESS ITSELF (their detections are shown and not counted)',
          width,
          paint.bold,
        ),
        ...rows,
      ];
}

function leftOut(run: RunReport, width: number, paint: Paints): string[] {
  if (run.leftOut.length === 0) return [];
  return [
    ...titled(`LEFT OUT: ${run.leftOut.length}`, width, paint.bold),
    ...run.leftOut.flatMap(({ what, because }) => [
      ...wrap(visible(what), width - 2).map((line) => `  ${line}`),
      ...wrap(visible(because), width - 4).map((line) => `    ${paint.dim(line)}`),
    ]),
  ];
}

function leftBehind(run: RunReport, width: number, paint: Paints): string[] {
  if (run.leftBehind.length === 0) return [];
  return [
    ...titled(`LEFT BEHIND: ${run.leftBehind.length}. Remove by hand:`, width, (line) => paint.bad(paint.bold(line))),
    ...run.leftBehind.flatMap(({ target, account, what, because, hint }) => [
      ...wrap(visible(`${target}, account ${account}: ${what}`), width - 2).map((line) => `  ${line}`),
      ...wrap(visible(`because: ${because}`), width - 4).map((line) => `    ${line}`),
      ...wrap(visible(`do this: ${hint}`), width - 4).map((line) => `    ${paint.bold(line)}`),
    ]),
  ];
}

function footer(run: RunReport, width: number, paint: Paints, page: string | undefined): string[] {
  const { exitCode, sentence } = run.outcome;
  const color = exitCode === 0 ? paint.bold : exitCode === 3 ? paint.unsure : paint.bad;
  return [
    ...(page === undefined ? [] : named('report', page, width, paint)),
    ...titled(sentence, width, (line) => paint.bold(color(line))),
    ...wrap(`Exit code ${exitCode}: ${exitWords(exitCode)}.`, width),
  ];
}
