import { resourceUsage } from 'node:process';
import { ecsTaxonomy } from '../../lab/sigma/ecs-taxonomy.ts';
import { compileRules } from '../../lab/sigma/matcher.ts';
import type { Matcher } from '../../lab/sigma/matcher.ts';
import { parseSigmaRule } from '../../lab/sigma/rule.ts';
import type { SigmaRule } from '../../lab/sigma/rule.ts';
import { flatten, naiveMatch } from '../lab/sigma-naive.ts';
import { benchEvents } from './sigma-events.ts';
import { benchRules } from './sigma-rules.ts';

const ruleCount = 500;
const fewCount = 10;
const eventCount = 200_000;
const batchSize = 10_000;
const passes = 3;
const naiveEvents = 200;

export type SigmaBench = {
  readonly eventsPerSecond: number;
  readonly peakMemoryMiB: number;
  /** Cost per event with 500 rules, as a multiple of the cost with 10. */
  readonly growth: number;
  readonly lines: readonly string[];
};

/**
 * Measures the Sigma matcher on generated rules and events: throughput with 500 rules, and how much an event's cost
 * grows from 10 rules to 500. Both matchers take turns on the same batches of events; the medians count.
 */
export function benchSigma(): Promise<SigmaBench> {
  const rules = benchRules(ruleCount).map(load);
  const many = compile(rules);
  const few = Array.from({ length: passes * (eventCount / batchSize) }, (_, turn) => compile(everyNth(rules, turn)));
  const rates: number[] = [];
  const growths: number[] = [];
  let matches = 0;
  for (let turn = -1; turn < few.length; turn++) {
    const events = benchEvents(batchSize, turn % (eventCount / batchSize));
    const other = few[Math.max(turn, 0)] ?? many;
    const manyFirst = turn % 2 === 0;
    const early = manyFirst ? undefined : time(other, events);
    const run = time(many, events);
    const small = early ?? time(other, events);
    // The first turn only warms up.
    if (turn < 0) continue;
    rates.push(batchSize / run.seconds);
    growths.push(run.seconds / small.seconds);
    if (turn < eventCount / batchSize) matches += run.matches;
  }
  const peakMemoryMiB = resourceUsage().maxRSS / 1024;
  const naive = timeNaive(rules);
  const eventsPerSecond = median(rates);
  const growth = median(growths);
  return Promise.resolve({
    eventsPerSecond,
    peakMemoryMiB,
    growth,
    lines: [
      `Sigma matcher, ${ruleCount} rules, ${eventCount} events, ${passes} passes, median of ${rates.length} batches`,
      `  ${Math.round(eventsPerSecond)} events/s (slowest batch ${Math.round(Math.min(...rates))}), ${matches} matches, peak memory ${Math.round(peakMemoryMiB)} MiB`,
      `  cost per event from ${fewCount} to ${ruleCount} rules: ${growth.toFixed(2)} times (worst batch ${Math.max(...growths).toFixed(2)}; goal at most 4)`,
      `  the same rules evaluated one by one: ${Math.round(naive)} events/s, ${Math.round(eventsPerSecond / naive)} times slower (over ${naiveEvents} events)`,
    ],
  });
}

function load(text: string): SigmaRule {
  const parsed = parseSigmaRule(text, 'bench');
  if ('problems' in parsed) throw new Error(`${text}\n${JSON.stringify(parsed.problems)}`);
  return parsed.rule;
}

function compile(rules: readonly SigmaRule[]): Matcher {
  const { matcher, refused } = compileRules(rules, ecsTaxonomy);
  if (refused.length > 0) throw new Error(JSON.stringify(refused.map(({ problems }) => problems)));
  return matcher;
}

/** Ten of the rules, other ones each turn, so that the comparison does not hang on which ten they are. */
function everyNth(rules: readonly SigmaRule[], turn: number): readonly SigmaRule[] {
  const step = rules.length / fewCount;
  return rules.filter((_, i) => i % step === turn % step);
}

function time(matcher: Matcher, events: ReturnType<typeof benchEvents>): { seconds: number; matches: number } {
  const before = performance.now();
  let matches = 0;
  for (const event of events) matches += matcher.match(event).length;
  return { seconds: (performance.now() - before) / 1000, matches };
}

function timeNaive(rules: readonly SigmaRule[]): number {
  const events = benchEvents(naiveEvents, 0);
  const before = performance.now();
  for (const event of events) {
    const flat = flatten(event);
    rules.filter((rule) => naiveMatch(rule, ecsTaxonomy, flat));
  }
  return naiveEvents / ((performance.now() - before) / 1000);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

if (import.meta.main) console.log((await benchSigma()).lines.join('\n'));
