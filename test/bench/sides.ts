import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

type SideTimes = { readonly name: string; readonly seconds: readonly number[]; readonly median: number };
export type Comparison = {
  readonly what: string;
  readonly sides: readonly SideTimes[];
  /** The first side's median over the other's. */
  readonly ratios: readonly { readonly against: string; readonly ratio: number; readonly goal: number }[];
  /** What else is worth knowing. */
  readonly notes: readonly string[];
  readonly skipped: readonly string[];
};

/** What is measured against others. The first of several is ours. `goal`: what ours may take of its time. */
export type Side<Field> = {
  readonly name: string;
  readonly goal?: number;
  /** Returns what it said: a line for each command on each host, `HOST NUMBER`. */
  readonly run: (field: Field) => Promise<string>;
};

type Turns<Field> = {
  readonly what: string;
  readonly repetitions: number;
  readonly sides: readonly Side<Field>[];
  readonly field: (turn: number, side: number) => Promise<Field>;
  readonly addresses: readonly string[];
  readonly commandsPerHost: number;
};

/** The sides take turns. Throws when an answer is missing: then the time means nothing. */
export async function compare<Field>(turns: Turns<Field>): Promise<Comparison> {
  const { what, repetitions, sides } = turns;
  const seconds = sides.map((): number[] => []);
  for (let turn = 0; turn < repetitions; turn += 1)
    for (const [index, side] of sides.entries()) {
      const field = await turns.field(turn, index);
      const begun = performance.now();
      const said = await side.run(field);
      seconds[index]?.push((performance.now() - begun) / 1_000);
      check(side.name, turns, said);
    }
  const results = sides.map(({ name }, index) => {
    const times = seconds[index] ?? [];
    return { name, seconds: times, median: median(times) };
  });
  const ours = results[0]?.median ?? Number.NaN;
  return {
    what,
    sides: results,
    ratios: results.flatMap(({ name, median }, index) => {
      const goal = sides[index]?.goal;
      return goal === undefined ? [] : [{ against: name, ratio: ours / median, goal }];
    }),
    notes: [],
    skipped: [],
  };
}

function check(
  name: string,
  { addresses, commandsPerHost }: Pick<Turns<unknown>, 'addresses' | 'commandsPerHost'>,
  said: string,
): void {
  const lines = new Set(said.split(/\r?\n/));
  const missing = addresses.flatMap((address) =>
    Array.from({ length: commandsPerHost }, (_, index) => `${address} ${index}`).filter((line) => !lines.has(line)),
  );
  if (missing.length > 0)
    throw new Error(
      `${name}: ${missing.length} answers are missing, first: ${missing[0] ?? ''}\n${said.slice(0, 500)}`,
    );
}

/** Runs a program to its end. Throws when it fails. */
export async function outputOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeoutMs = 120_000,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return run(command, [...args], {
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    maxBuffer: 16 * 1024 * 1024,
  });
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The result as lines of text. */
export function describe({ what, sides, ratios, notes, skipped }: Comparison): readonly string[] {
  const width = Math.max(12, ...sides.map(({ name }) => name.length));
  return [
    what,
    ...sides.map(
      ({ name, seconds, median }) =>
        `${name.padEnd(width)} ${median.toFixed(2)} s (${seconds.map((value) => value.toFixed(2)).join(', ')})`,
    ),
    ...ratios.map(
      ({ against, ratio, goal }) =>
        `detproof takes ${ratio.toFixed(2)} of the time of ${against} (goal: at most ${goal.toFixed(1)}): ${ratio <= goal ? 'met' : 'missed'}`,
    ),
    ...notes,
    ...skipped.map((reason) => `skipped: ${reason}`),
  ];
}
