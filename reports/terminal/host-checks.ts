import { findingsOf, subjectText } from '../../runner/domain/host-check.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { wrap } from '../shared/columns.ts';
import { visible } from '../shared/visible.ts';
import type { Paints } from './paint.ts';

const states = { trouble: 'TROUBLE', unknown: 'not known', 'to-confirm': 'to confirm', ok: 'ok' } as const;

/** What of the checks before and after somebody has to look at, and why the run started no further wave. */
export function hostChecks(run: RunReport, width: number, paint: Paints): string[] {
  const found = (run.hostChecks ?? []).flatMap((check) => findingsOf(check).map((item) => ({ check, item })));
  const lines = found.flatMap(({ check, item }) => {
    const when = check.when === 'before' ? 'before' : 'afterwards';
    const text = `${check.target}, ${when}, ${subjectText(item)}: ${states[item.state]}. ${item.detail}`;
    const [first = '', ...rest] = wrap(visible(text), width - 4);
    const color = item.state === 'trouble' ? paint.bad : paint.unsure;
    return [`  ${color(first)}`, ...rest.map((line) => `    ${line}`)];
  });
  return [
    ...(run.aborted === undefined ? [] : wrap(visible(`STOPPED: ${run.aborted}`), width).map(paint.bad)),
    ...(lines.length === 0 ? [] : [paint.bold(`HOSTS, BEFORE AND AFTERWARDS: ${found.length} to look at`), ...lines]),
  ];
}
