import { type CommandRecord, type Execution, exitText, type ReceiptLine } from '../../runner/domain/execution.ts';
import type { ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { elapsed, formatDuration } from '../../runner/domain/time.ts';
import { reasonLine, titleOf } from '../shared/findings.ts';
import { clockWords, utc } from '../shared/times.ts';
import { type AssessmentView, assessmentView, type Named } from './assessment.ts';
import { badge, type Badge } from './badge.ts';
import type { EvidenceBook, EvidenceView, Show } from './evidence.ts';

/** One execution with everything behind its verdicts. */
export type Dossier = {
  readonly anchor: string;
  readonly title: string;
  readonly id: string;
  readonly where: string;
  readonly standIn: boolean;
  readonly badges: readonly Badge[];
  readonly assessments: readonly AssessmentView[];
  readonly notRun: string | false;
  readonly facts: { readonly rows: readonly Named[] } | false;
  readonly commands: readonly CommandView[];
  readonly receipt: { readonly rows: readonly Named[]; readonly evidence: readonly EvidenceView[] } | false;
  readonly cleanup: { readonly done: readonly string[]; readonly leftBehind: readonly string[] } | false;
};

type CommandView = {
  readonly purpose: string;
  readonly sent: string;
  readonly result: string;
  readonly evidence: readonly EvidenceView[];
};

export function dossier(
  report: ExecutionReport,
  run: RunReport,
  anchors: ReadonlyMap<string, string>,
  book: EvidenceBook,
): Dossier {
  const show = book.open();
  const { plan, execution } = report;
  const receipt = execution?.receipt.finished ?? execution?.receipt.started;
  const target = run.targets.find(({ id }) => id === plan.target);
  return {
    anchor: anchors.get(plan.id) ?? '',
    title: titleOf(plan),
    id: plan.id,
    where: [
      plan.target,
      `account ${plan.account}`,
      `channel ${plan.channel}`,
      ...(plan.purpose === 'control' ? [plan.phase] : []),
    ].join(', '),
    standIn: target?.fidelity === 'stand-in',
    badges:
      report.assessments.length === 0 ? [badge('not-tested')] : report.assessments.map(({ verdict }) => badge(verdict)),
    assessments: report.assessments.map((one) => assessmentView(one, receipt, run, show)),
    notRun: execution === undefined ? 'The run ended before its turn, so nothing is known of it.' : false,
    facts: execution === undefined ? false : { rows: executionFacts(report, execution) },
    commands: execution?.commands.map((command) => commandView(command, show)) ?? [],
    receipt:
      receipt === undefined
        ? false
        : {
            rows: receiptRows(receipt),
            evidence:
              execution?.receipt.evidence === undefined
                ? []
                : [show('receipt, both lines', execution.receipt.evidence)],
          },
    cleanup:
      execution === undefined
        ? false
        : {
            done: execution.cleanup.done,
            leftBehind: execution.cleanup.leftBehind.map(({ what, because, hint }) => `${what}: ${because}. ${hint}`),
          },
  };
}

function executionFacts({ plan }: ExecutionReport, execution: Execution): Named[] {
  return [
    { name: 'scenario', value: plan.scenario },
    { name: 'phase', value: plan.phase },
    { name: 'marker', value: execution.marker },
    { name: 'run folder', value: execution.run },
    { name: 'from', value: utc(execution.startedAt) },
    { name: 'until', value: utc(execution.endedAt) },
    { name: 'outcome', value: outcomeLine(execution) },
    { name: "the host's clock", value: clockWords(execution.clock) },
  ];
}

function outcomeLine({ outcome }: Execution): string {
  switch (outcome.kind) {
    case 'finished':
      return 'finished';
    case 'prevented':
      return `prevented: ${outcome.blockSign}`;
    case 'broken-off':
      return `broken off: ${reasonLine(outcome.why)}`;
    case 'not-run':
      return `not run: ${reasonLine(outcome.why)}`;
  }
}

function commandView(command: CommandRecord, show: Show): CommandView {
  const silent = command.stdout.bytes + command.stderr.bytes === 0 ? ', no output' : '';
  const cut = command.truncated ? '; output beyond the cap was dropped' : '';
  return {
    purpose: command.purpose,
    sent: command.sent,
    result: `${exitText(command.exit)} after ${formatDuration(elapsed(command.startedAt, command.endedAt))}, channel ${command.channel}${silent}${cut}`,
    evidence: [
      ...(command.stdout.bytes > 0 ? [show('standard output', command.stdout)] : []),
      ...(command.stderr.bytes > 0 ? [show('standard error', command.stderr)] : []),
    ],
  };
}

function receiptRows(receipt: ReceiptLine): Named[] {
  const optional = (name: string, value: string | undefined): Named[] => (value === undefined ? [] : [{ name, value }]);
  return [
    { name: 'last line', value: receipt.receipt },
    { name: 'host, user', value: `${receipt.host}, ${receipt.user}` },
    { name: 'process', value: `${receipt.pid}, parent ${receipt.ppid}` },
    { name: 'executable', value: receipt.executable },
    ...optional('parent executable', receipt.parentExecutable),
    { name: 'arguments', value: receipt.argv.join(' ') },
    ...optional('script', receipt.script),
    { name: 'working folder', value: receipt.cwd },
    { name: "time by the host's clock", value: utc(receipt.time) },
    { name: 'Python', value: receipt.version },
    ...optional('sha256 of the script', receipt.sha256),
    ...optional('connected to', receipt.destinations?.join(', ')),
    ...optional('did', receipt.did),
  ];
}
