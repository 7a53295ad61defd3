import type { RuleHealth } from '../../../runner/domain/siem.ts';
import { later, shift } from '../../../runner/domain/time.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import { timeOf } from './event-line.ts';
import { valueOf } from './json-fields.ts';
import type { Document } from './json-fields.ts';
import type { LineAt } from './line-files.ts';

/** What the SIEM said of one rule over one span of ingest time. */
export type RuleLine = {
  readonly at: LineAt;
  readonly rule: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly from: Instant;
  readonly to: Instant;
  readonly ok: boolean;
  readonly error: string | undefined;
  readonly suppression: string | undefined;
};

type Span = { readonly from: Instant; readonly to: Instant };

/** The lab's SIEM says something about every rule each second, and what it says joins on to what it said before. */
const longestGapMs = 1_000;
/** Its last word is about a second old; so much of a window's edge may be without one. */
const edgeMs = 3_000;

/** Reads a line of rule health: `rule.id`, `rule.name`, `enabled`, `from`, `to`, `ok`, `error`, `suppression`. */
export function ruleLine(document: Document, at: LineAt): RuleLine | { readonly problem: string } {
  const rule = valueOf(document, 'rule.id');
  const from = timeOf(document, 'from');
  const to = timeOf(document, 'to');
  const { enabled, ok } = document;
  if (rule === undefined) return { problem: 'rule health without rule.id' };
  if (from === undefined || to === undefined || to < from)
    return { problem: 'rule health without a span from … to, in times with their zone' };
  if (typeof enabled !== 'boolean' || typeof ok !== 'boolean')
    return { problem: 'rule health without enabled and ok as true or false' };
  return {
    at,
    rule,
    name: valueOf(document, 'rule.name') ?? rule,
    enabled,
    from,
    to,
    ok,
    error: valueOf(document, 'error'),
    suppression: valueOf(document, 'suppression'),
  };
}

/**
 * The health of one rule over a window, from all that was said of it. `all`: it was on at the beginning and nothing says
 * that it was off; `none`: the SIEM said throughout that it was off; all else is `part`. Silence proves neither a run nor
 * that a rule was off.
 */
export function healthOf(lines: readonly RuleLine[], window: Span): Omit<RuleHealth, 'raw' | 'rule' | 'name'> {
  const sorted = [...lines].sort((a, b) => a.from.localeCompare(b.from));
  const within = sorted.filter(({ from, to }) => from <= window.to && window.from <= to);
  const before = sorted.filter(({ to }) => to < window.from).at(-1);
  const inside = within.filter(({ from, to }) => from < window.to && window.from < to);
  const off = inside.filter(({ enabled }) => !enabled);
  const first = before ?? within[0];
  const suppressions = [...new Set(within.flatMap(({ suppression }) => suppression ?? []))];
  return {
    enabled: enabledOver(window, first, inside, off),
    ran: ranSpans(within),
    failures: within.flatMap(({ enabled, ok, error, from }) =>
      enabled && !ok
        ? [{ at: later(from, window.from), error: error ?? 'the run failed; the SIEM does not say why' }]
        : [],
    ),
    ...(suppressions.length > 0 && { suppression: suppressions.join('; ') }),
  };
}

function enabledOver(
  window: Span,
  first: RuleLine | undefined,
  inside: readonly RuleLine[],
  off: readonly RuleLine[],
): RuleHealth['enabled'] {
  if (off.length > 0) return off.length === inside.length && covers(merged(off), window) ? 'none' : 'part';
  return first?.enabled === true && knownAtStart(first, window) ? 'all' : 'part';
}

/** The first and the last line of each stretch in which the SIEM said the same, within the window; else its last word. */
export function tellingLines(lines: readonly RuleLine[], window: Span): readonly RuleLine[] {
  const said = ({ enabled, ok, error, suppression }: RuleLine): string =>
    JSON.stringify([enabled, ok, error, suppression]);
  const about = lines.filter(({ from, to }) => from <= window.to && window.from <= to);
  const shown = about.length > 0 ? about : lines.slice(-1);
  return shown.filter((line, index) => {
    const [before, after] = [shown[index - 1], shown[index + 1]];
    return before === undefined || after === undefined || said(before) !== said(line) || said(after) !== said(line);
  });
}

/** Runs that follow each other, with nothing else said between, are one span. */
function ranSpans(sorted: readonly RuleLine[]): readonly Span[] {
  const groups: RuleLine[][] = [];
  for (const line of sorted) {
    const last = groups.at(-1);
    const good = line.enabled && line.ok;
    if (last !== undefined && good && last.every(({ enabled, ok }) => enabled && ok)) last.push(line);
    else groups.push([line]);
  }
  return groups.filter((group) => group.every(({ enabled, ok }) => enabled && ok)).flatMap((group) => merged(group));
}

function merged(sorted: readonly Span[]): readonly Span[] {
  const spans: Span[] = [];
  for (const { from, to } of sorted) {
    const last = spans.at(-1);
    if (last !== undefined && from <= shift(last.to, longestGapMs))
      spans.splice(-1, 1, { from: last.from, to: later(last.to, to) });
    else spans.push({ from, to });
  }
  return spans;
}

function covers([span, ...others]: readonly Span[], window: Span): boolean {
  return (
    span !== undefined &&
    others.length === 0 &&
    span.from <= shift(window.from, edgeMs) &&
    shift(window.to, -edgeMs) <= span.to
  );
}

function knownAtStart(first: Span, window: Span): boolean {
  return first.from <= shift(window.from, edgeMs);
}
