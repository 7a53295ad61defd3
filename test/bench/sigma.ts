import { spawnSync } from 'node:child_process';
import { resourceUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
/** Small, so that the events themselves hardly count in the peak of memory. */
const batchSize = 2_000;
const batches = eventCount / batchSize;
const passes = 3;
/** The alternatives are too slow to be given all events. */
const comparedEvents = 200;

export type SigmaBench = {
  /** With 500 rules; the median of the batches. */
  readonly eventsPerSecond: number;
  readonly peakMemoryMiB: number;
  /** An event's cost with 500 rules, as a multiple of its cost with 10; the median of the batches. */
  readonly growth: number;
  readonly lines: readonly string[];
};

/**
 * Measures the Sigma matcher on generated rules and events: throughput with 500 rules, and how much an event's cost
 * grows from 10 rules to 500. Both matchers take turns on the same batches, and which ten rules they are changes.
 */
export async function benchSigma(): Promise<SigmaBench> {
  const texts = benchRules(ruleCount);
  const rules = texts.map(load);
  const many = compile(rules);
  const few = Array.from({ length: ruleCount / fewCount }, (_, from) =>
    compile(every(ruleCount / fewCount, from, rules)),
  );
  const rates: number[] = [];
  const growths: number[] = [];
  let matches = 0;
  // The batch before the first one only warms up.
  for (let turn = -1; turn < batches * passes; turn++) {
    const events = benchEvents(batchSize, turn % batches);
    const ten = few[Math.max(turn, 0) % few.length] ?? many;
    const tenFirst = turn % 2 === 0 ? time(ten, events) : undefined;
    const all = time(many, events);
    const tenOnly = tenFirst ?? time(ten, events);
    // Whoever waits for other work in this process gets a turn.
    await new Promise(setImmediate);
    if (turn < 0) continue;
    rates.push(batchSize / all.seconds);
    growths.push(all.seconds / tenOnly.seconds);
    if (turn < batches) matches += all.matches;
  }
  const peakMemoryMiB = resourceUsage().maxRSS / 1024;
  const usedMemoryMiB = usedAfterCollection() / 2 ** 20;
  const [rate, growth] = [median(rates), median(growths)];
  return {
    eventsPerSecond: rate,
    peakMemoryMiB,
    growth,
    lines: [
      `Sigma matcher: ${ruleCount} rules, ${eventCount} events, ${passes} passes in batches of ${batchSize}`,
      `  ${Math.round(rate)} events/s in the median batch (${Math.round(Math.min(...rates))} in the slowest); ${matches} matches`,
      `  peak memory of the process ${Math.round(peakMemoryMiB)} MiB, of which ${Math.round(usedMemoryMiB)} MiB are not garbage (all rules in ${few.length + 1} matchers)`,
      `  cost of an event from ${fewCount} to ${ruleCount} rules: ${growth.toFixed(2)} times (goal: at most 4)`,
      `  ${compareWithNaive(rules, rate)}`,
      `  ${compareWithAzuma(texts, rate)}`,
    ],
  };
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

function every(step: number, from: number, rules: readonly SigmaRule[]): readonly SigmaRule[] {
  return rules.filter((_, i) => i % step === from);
}

function time(matcher: Matcher, events: ReturnType<typeof benchEvents>): { seconds: number; matches: number } {
  const begin = performance.now();
  let matches = 0;
  for (const event of events) matches += matcher.match(event).length;
  return { seconds: (performance.now() - begin) / 1000, matches };
}

/** The tests' own evaluation of the same rules, one after the other, made to be obviously right and not fast. */
function compareWithNaive(rules: readonly SigmaRule[], rate: number): string {
  const begin = performance.now();
  for (const event of benchEvents(comparedEvents, 0)) {
    const flat = flatten(event);
    rules.filter((rule) => naiveMatch(rule, ecsTaxonomy, flat));
  }
  const naive = comparedEvents / ((performance.now() - begin) / 1000);
  return `the tests' plain evaluation, rule by rule: ${Math.round(naive)} events/s, ${Math.round(rate / naive)} times slower`;
}

/**
 * azuma (PyPI), which also matches events in process. It knows neither log sources nor field mappings, so it gets each
 * event under Sigma's own field names and is asked all the rules.
 */
function compareWithAzuma(texts: readonly string[], rate: number): string {
  const names = Object.entries(ecsTaxonomy.fields).map(([name, fields]) => [name, [fields].flat()] as const);
  const events = benchEvents(comparedEvents, 0).map((event) => {
    const flat = flatten(event);
    const found = names.map(([name, fields]) => [name, fields.flatMap((field) => flat.get(field) ?? [])[0]] as const);
    return Object.fromEntries(found.filter(([, value]) => value !== undefined));
  });
  const script = fileURLToPath(new URL('sigma-azuma.py', import.meta.url));
  const input = JSON.stringify({ rules: texts, events });
  const python = spawnSync(process.env['PYTHON'] ?? 'python3', [script], { input, encoding: 'utf8' });
  if (python.status !== 0) {
    const why = python.error?.message ?? python.stderr.trim().split('\n').at(-1) ?? '';
    return `azuma, a Python library for the same: skipped (${why}); PYTHON names an interpreter that has it`;
  }
  const run = JSON.parse(python.stdout) as { version: string; loaded: number; seconds: number };
  const azuma = comparedEvents / run.seconds;
  return `azuma ${run.version} (Python), ${run.loaded} of the rules: ${Math.round(azuma)} events/s, ${Math.round(rate / azuma)} times slower`;
}

function usedAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

if (import.meta.main) console.log((await benchSigma()).lines.join('\n'));
