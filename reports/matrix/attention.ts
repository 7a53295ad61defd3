import type { ExecutionReport, RunReport } from '../../runner/domain/run-report.ts';
import { type Finding, findings, placeOf, titleOf } from '../shared/findings.ts';
import { hopWords } from '../shared/words.ts';
import { badge, type Badge } from './badge.ts';

type Where = readonly { readonly target: string; readonly title: string; readonly href: string }[];

type Item = {
  readonly badge: Badge;
  readonly title: string;
  readonly scenario: string;
  readonly siem: string | false;
  readonly broke: string | false;
  readonly sentence: string;
  readonly why: string | false;
  readonly owner: string | false;
  readonly until: string | false;
  readonly where: Where;
};

type Items = { readonly count: string; readonly items: readonly Item[] } | false;

export type Attention = {
  readonly worse: Items;
  readonly untold: Items;
  readonly knownGaps: Items;
  readonly better: Items;
  readonly noTurn: { readonly count: number; readonly where: Where } | false;
};

/** What somebody has to act on, each with links to the executions behind it. */
export function attention(run: RunReport, anchors: ReadonlyMap<string, string>): Attention {
  const found = findings(run);
  const links = (reports: readonly ExecutionReport[]): Where =>
    reports.map(({ plan }) => ({
      target: placeOf(plan),
      title: titleOf(plan),
      href: `#${anchors.get(plan.id) ?? ''}`,
    }));
  const item = (finding: Finding): Item => ({
    badge: badge(finding.verdict),
    title: finding.title,
    scenario: finding.scenario,
    siem: run.siems.length > 1 ? finding.siem : false,
    broke: finding.brokeAt === undefined ? false : hopWords[finding.brokeAt].name,
    sentence: finding.sentence,
    why: finding.why ?? false,
    owner: finding.expect.owner ?? false,
    until: finding.expect.until ?? false,
    where: links(finding.executions),
  });
  const items = (list: readonly Finding[]): Items => {
    const results = list.reduce((sum, { executions }) => sum + executions.length, 0);
    return list.length === 0
      ? false
      : { count: results === 1 ? '1 result' : `${results} results`, items: list.map(item) };
  };
  return {
    worse: items(found.worse),
    untold: items(found.untold),
    knownGaps: items(found.knownGaps),
    better: items(found.better),
    noTurn: found.noTurn.length === 0 ? false : { count: found.noTurn.length, where: links(found.noTurn) },
  };
}
