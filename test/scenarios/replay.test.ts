import { randomInt, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import type { Matcher } from '../../lab/sigma/matcher.ts';
import {
  formsOf,
  matcherOf,
  readRule,
  referenceRules,
  rulesFolder,
  shippedScenarios,
  isAboutPython,
} from './library.ts';
import { executionOf, readRecordings, type RecordedEvent, type RecordedExecution } from './recording.ts';

const { executions, events } = readRecordings();
const rules = referenceRules();
const reference = matcherOf(rules);
/** Of the login itself, which carries no marker; and seen only where the operator has supplied a packed program, as for Linux. */
const notRecorded = ['esxi-command-over-ssh', 'esxi-ssh-login', 'windows-single-file-program-starts-itself-again'];

function alertsOf(matcher: Matcher, event: RecordedEvent): readonly string[] {
  // What is about remote access alone is shown apart, and held against no scenario (runner/pipeline/judge.ts).
  return matcher.match(event).flatMap(({ rule }) => (isAboutPython(rule) ? [rule.file] : []));
}

function eventsOf(execution: RecordedExecution): readonly RecordedEvent[] {
  return events.filter((event) => executionOf(event, executions) === execution);
}

/** How marker, run folder, and files (the payload's, the renamed interpreter's) are called. */
type Names = { readonly marker: () => string; readonly run: () => string; readonly file: () => string };

function letters(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + randomInt(26))).join('');
}

const asOurs: Names = {
  marker: () => `${letters(4)}${randomInt(1e9, 1e10)}${letters(10)}`,
  run: () => `${letters(6)}${randomInt(100, 1000)}${letters(3)}`,
  file: () => letters(8),
};
const unlikeOurs: Names = {
  marker: () => randomUUID().toUpperCase(),
  run: () => `Report-${randomInt(2000, 2030)}_v${randomInt(1, 9)}`,
  file: () => `Monthly_Summary${randomInt(1, 1000)}`,
};

/** A module that is called like a tool, because the tool is what a twin stands for, keeps that name. */
const tools: readonly string[] = ['pip'];

/** The recording with marker, run folder, payload and alias of every execution called otherwise, each always the same. */
function replay(names: Names): readonly RecordedEvent[] {
  const renaming = new Map(executions.map((execution) => [execution, renamingOf(execution, names)]));
  return events.map((event) => {
    const execution = executionOf(event, executions);
    const rename = execution === undefined ? undefined : renaming.get(execution);
    if (rename === undefined) throw new Error(`event ${event.event.id} belongs to no execution`);
    return renamed(event, rename) as RecordedEvent;
  });
}

function renamingOf(execution: RecordedExecution, names: Names): (text: string) => string {
  const changes: (readonly [RegExp, string])[] = [
    [new RegExp(execution.marker, 'g'), names.marker()],
    ...aliasesOf(execution).map((alias) => [new RegExp(`\\b${alias}\\b`, 'g'), names.file()] as const),
    [new RegExp(execution.run, 'g'), names.run()],
  ];
  for (const payload of execution.payloads.filter((name) => !tools.includes(name)))
    // As a file, as the module of -m in a command line, and as that alone in a list of arguments.
    changes.push([
      new RegExp(`(?<![\\w.-])${payload}(?=\\.py[cz]?\\b)|(?<= -m )${payload}(?= )|^${payload}$`, 'g'),
      names.file(),
    ]);
  return (text) => changes.reduce((done, [from, to]) => done.replace(from, to), text);
}

/** Names of copies of the interpreter and links to it, which lie in the run folder itself. */
function aliasesOf(execution: RecordedExecution): readonly string[] {
  const programs = eventsOf(execution).flatMap(({ process }) => [process?.executable ?? '', process?.args?.[0] ?? '']);
  return [
    ...new Set(
      programs
        .filter((program) => new RegExp(`[\\\\/]${execution.run}[\\\\/]`).test(program))
        .map((name) => (name.split(/[\\/]/).pop() ?? '').replace(/\.exe$/, ''))
        // A copy that bears the name of an Office program bears it because that is what is exercised.
        .filter((name) => name !== 'winword'),
    ),
  ];
}

function renamed(value: unknown, rename: (text: string) => string): unknown {
  if (typeof value === 'string') return rename(value);
  if (Array.isArray(value)) return value.map((one) => renamed(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, renamed(one, rename)]));
}

t.test('recording: every rule fires, and only shells, interpreters and cron carry a marker', (t) => {
  const fired = new Set(events.flatMap((event) => alertsOf(reference, event)));
  t.same(
    rules.map(({ file }) => file).filter((file) => !fired.has(file) && !notRecorded.includes(file)),
    [],
    'rules without an event that shows them',
  );
  // A marker in the arguments of another program of the harness would tie that program's events to the scenario.
  const expected =
    /^(?:\/usr\/bin\/(?:bash|dash|true|python3[.\d]*)|\/home\/\w+\/\w+\/\w+|\/tmp\/\w+\/collector|\/usr\/sbin\/cron)?$/;
  const ofLinux = events.filter(
    (event) =>
      event.host.name === 'lab-alpha' &&
      // What cron's shell starts has the marker in its parent's command line only.
      event.process?.args?.includes(executionOf(event, executions)?.marker ?? '') === true,
  );
  t.same(
    [...new Set(ofLinux.map(({ process }) => process?.executable ?? ''))].filter((program) => !expected.test(program)),
    [],
    'other programs',
  );
  t.end();
});

t.test('recording: rules fire on emulations as they say, not on known gaps, twins and the harness', async (t) => {
  const forms = formsOf(await shippedScenarios());
  for (const execution of executions) {
    const form = forms.find(({ name }) => name === execution.name);
    const alerts = eventsOf(execution).flatMap((event) => alertsOf(reference, event));
    if (form === undefined) t.comment(`${execution.name} is in the recording, and no longer in the library`);
    else if (form.expect.alert.stance === 'must-alert')
      t.ok(
        form.expect.alert.rules.some((rule) => alerts.includes(rule)),
        `${execution.name} raises one of ${form.expect.alert.rules.join(', ')}`,
      );
    else t.same(alerts, [], `${execution.name} (${form.expect.alert.stance}) raises nothing`);
  }
  for (const { name } of forms)
    if (!executions.some((execution) => execution.name === name)) t.comment(`${name} is not in the recording`);
});

t.test('recording: without their filters, the rules would fire on the twins of the same shape', async (t) => {
  const bare = matcherOf(
    readdirSync(rulesFolder).map((file) => {
      const text = readFileSync(join(rulesFolder, file), 'utf8');
      return readRule(text.replace(/\s+and not (?:1 of )?filter_[\w*]+/g, ''), basename(file, '.yml'));
    }),
  );
  const scenarios = await shippedScenarios();
  const watchedBy = (twin: string): readonly string[] => {
    const of = scenarios.find(({ id }) => id === twin)?.twinOf;
    return scenarios.find(({ id }) => id === of)?.expect.alert.rules ?? [];
  };
  for (const execution of executions.filter(({ name, purpose }) => purpose === 'twin' && name.startsWith('linux/'))) {
    const alerts = eventsOf(execution).flatMap((event) => alertsOf(bare, event));
    const fires = watchedBy(execution.name).some((rule) => alerts.includes(rule));
    // Tests of a project differ from the emulation by their place alone, so that there is nothing to filter.
    t.equal(fires, execution.name !== 'linux/twin-unit-tests', execution.name);
  }
});

t.test('replay: marker, run folder, payload and alias called otherwise, the same alerts for each event', (t) => {
  const before = events.map((event) => alertsOf(reference, event));
  for (const [names, how] of [
    [asOurs, 'as detproof calls them'],
    [unlikeOurs, 'in quite another way'],
  ] as const) {
    const others = replay(names);
    const text = JSON.stringify(others);
    t.same(
      executions.filter(({ marker, run }) => text.includes(marker) || text.includes(run)),
      [],
      'nothing is left of the old names',
    );
    const after = others.map((event) => alertsOf(reference, event));
    t.same(after, before, `called ${how}`);
  }
  t.end();
});

t.test('replay: a rule that keys on what is ours is found out', (t) => {
  const cheats = {
    marker: "CommandLine|re: ' [a-z][a-z0-9]{23}$'",
    'run folder': "CommandLine|re: '/[a-z0-9]{12}/'",
    payload: "CommandLine|contains: '/update.py '",
    alias: "Image|re: '/[a-z0-9]{8}$'",
  };
  const others = replay(unlikeOurs);
  for (const [what, selection] of Object.entries(cheats)) {
    const text = `title: Cheat\nid: 9d1f3c52-7a64-4b1e-8c0d-2f5e6a7b8c9d\nlevel: low\nlogsource: { product: linux }
detection:\n  selection:\n    ${selection}\n  condition: selection\n`;
    const cheat = matcherOf([readRule(text, 'cheat')]);
    t.ok(
      events.some((event) => alertsOf(cheat, event).length > 0),
      `a rule on the ${what} fires on the recording`,
    );
    t.notOk(
      others.some((event) => alertsOf(cheat, event).length > 0),
      `a rule on the ${what} does not fire on the replay`,
    );
  }
  t.end();
});
