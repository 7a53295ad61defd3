import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Plan } from '../../runner/domain/plan.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { readJournal } from '../../runner/store/journal.ts';
import { requirement } from '../require.ts';
import { Desk, endOf } from './desk.ts';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const hidden = 'linux/script-in-hidden-directory';
const verbs = 'lint list plan run execute observe resume cleanup stop report whose doctor discover import'.split(' ');

/** What payloads need of this machine. */
function hasPython(t: Test): boolean {
  return requirement(t, 'Python', existsSync('/usr/bin/python3') ? undefined : 'no /usr/bin/python3');
}

t.test('help: every verb says what it does, what it takes and where runs are kept', async (t) => {
  using desk = new Desk();
  const [all, ...each] = await Promise.all([
    desk.detproof(['--help']),
    ...verbs.map((verb) => desk.detproof([verb, '--help'])),
  ]);
  t.equal(all.exitCode, 0);
  for (const verb of [...verbs, 'lab']) t.match(all.stdout, new RegExp(`^  ${verb} `, 'm'), verb);
  t.match(
    all.stdout,
    /Exit codes.*130 interrupted.*2 bad input.*5 something was left behind.*\n.*4 refused.*1 worse than expected, 3 could not tell, 0 all as expected/,
  );
  t.match(all.stdout, /Start here: +detproof lab up && detproof run --yes && detproof lab down/);
  for (const [index, { exitCode, stdout, stderr }] of each.entries()) {
    const verb = verbs[index] ?? '';
    t.equal(exitCode, 0, verb);
    t.equal(stderr, '', verb);
    t.match(stdout, new RegExp(`^Usage: detproof ${verb} `), verb);
    if (!['lint', 'list', 'doctor', 'discover', 'import'].includes(verb))
      t.match(stdout, /--out <folder> +where runs are kept \(default: "out"\)/, verb);
    t.match(stdout, /--json +machine-readable result on stdout/, verb);
    t.ok(
      stdout.split('\n').every((line) => line.length <= 120),
      `${verb}: no line runs off the screen`,
    );
  }
  t.equal((await desk.detproof(['help', 'run'])).stdout, each[verbs.indexOf('run')]?.stdout);
  t.match((await desk.detproof(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

t.test('bad input: unknown verbs, options, words and files are one message, exit code 2, never a stack', async (t) => {
  using desk = new Desk();
  desk.inventory('inventory.yaml');
  const table: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [[], /^Usage: detproof/],
    [['frob'], /unknown command 'frob'\n\(see detproof --help\)/],
    [['run', '--frob'], /unknown option '--frob'/],
    [['whose'], /missing required argument 'marker'/],
    [['list', 'frob'], /Cannot list frob; known: scenarios, targets, siems, kinds, runs\./],
    [['list', '-i', 'absent.yaml'], /absent\.yaml:1:1 {2}FILE_UNREADABLE/],
    [['plan', '-s', 'linux/absent'], /"linux\/absent" matches nothing/],
    [['plan', '-t', 'absent'], /matches nothing\n {2}hint: {2}known: here/],
    [['whose', 'abcdefghijklmnopqrstuvwx', '-o', '.'], /No run in \.\/runs has the marker.*treat it as real/],
    [['report', '-o', '.'], /No run in .*\/runs; there are none yet/],
    [['observe', 'absent', '-o', '.'], /No run absent in .*; there are none yet/],
    [['stop'], /\/out\/runs cannot be read \(ENOENT\), so it is not known which runs there are\. Name the folder/],
  ];
  for (const [args, message] of table) {
    const { exitCode, stdout, stderr } = await desk.detproof(args);
    t.equal(exitCode, 2, args.join(' '));
    t.match(stderr, message, args.join(' '));
    t.notMatch(stderr, /\n {4}at /, 'no stack');
    t.equal(stdout, '', args.join(' '));
  }
  t.notOk(existsSync(desk.out), 'nothing was made');
});

t.test('whose and list runs: runs that cannot be read are not taken for none, exit code 3', async (t) => {
  using desk = new Desk();
  const marker = 'abcdefghijklmnopqrstuvwx';
  mkdirSync(join(desk.folder, 'kept'));
  writeFileSync(join(desk.folder, 'kept/runs'), '');
  writeFileSync(join(desk.folder, 'file'), '');
  for (const [out, code] of [
    ['kept', 'ENOTDIR'],
    ['file', 'ENOTDIR'],
    ['absent', 'ENOENT'],
  ] as const) {
    const whose = await desk.detproof(['whose', marker, '-o', out]);
    t.match(whose, { exitCode: 3, stdout: '' }, out);
    t.match(whose.stderr, new RegExp(`/${out}/runs cannot be read \\(${code}\\).* Nothing can be said of the marker`));
    t.notMatch(whose.stderr, /treat it as real/, out);
    const runs = await desk.detproof(['list', 'runs', '-o', out]);
    t.match(runs, { exitCode: 3, stdout: '', stderr: /cannot be read .*not known which runs there are/ }, out);
  }
});

t.test('lint: all problems of all files at once, each with its place and what to do', async (t) => {
  using desk = new Desk();
  const inventory = desk.inventory('inventory.yaml');
  const library = join(desk.folder, 'library');
  cpSync(join(project, 'scenarios'), library, { recursive: true });
  const whole = await desk.detproof(['lint', '-l', library]);
  t.match(whole, { exitCode: 0, stdout: /^No problems: \d+ scenarios, 1 targets, 1 SIEMs\.\n$/, stderr: '' });

  const broken = readFileSync(join(library, `${hidden}.yaml`), 'utf8');
  writeFileSync(join(library, `${hidden}.yaml`), broken.replace('analytic: AN0174', 'analytic: AN9999'));
  writeFileSync(join(library, 'linux/second.yaml'), 'title: [unclosed\n');
  writeFileSync(inventory, readFileSync(inventory, 'utf8').replace('criticality: low', 'criticality: lowest'));
  const { exitCode, stderr, stdout } = await desk.detproof(['lint', '-l', library]);
  t.equal(exitCode, 2);
  t.equal(stdout, '');
  t.match(stderr, /script-in-hidden-directory\.yaml:\d+:\d+ {2}\w+\n {2}found: .*AN9999/);
  t.match(stderr, /second\.yaml:\d+:\d+ {2}/);
  t.match(stderr, /inventory\.yaml:\d+:\d+ {2}/);
  t.match(stderr, /\n\d+ problems; nothing was run\.\n$/);
  const json = await desk.detproof(['lint', '-l', library, '--json']);
  t.equal(json.exitCode, 2);
  const { problems } = JSON.parse(json.stdout) as { problems: readonly unknown[] };
  t.equal(problems.length, stderr.match(/^ {2}found:/gm)?.length, 'as many for machines as for people');
});

t.test(
  'refused: outside of scope or window, unsigned, or with nobody to ask, exit code 4 and nothing touched',
  async (t) => {
    using desk = new Desk();
    const table: readonly (readonly [name: string, args: readonly string[], message: RegExp])[] = [
      [
        desk.inventory('closed.yaml', { window: 'span: { from: 2020-01-01T00:00:00Z, to: 2020-01-02T00:00:00Z }' }),
        ['--yes'],
        /nothing of this plan may be run now\.\n {2}here\/\w+: window always: open from 2020/,
      ],
      [
        desk.inventory('never.yaml', { engagement: ', neverTouch: [127.0.0.1]' }),
        ['--yes'],
        /here is on the never-touch list of engagement tests \(127\.0\.0\.1\)/,
      ],
      [
        desk.inventory('signed.yaml', { engagement: ', signedPlans: true' }),
        ['--yes'],
        /engagement tests asks for plans signed by an approver/,
      ],
      [desk.inventory('open.yaml'), [], /nobody is at the terminal to say yes to this plan\. Add --yes to run it\./],
    ];
    for (const [file, args, message] of table)
      for (const verb of ['run', 'execute']) {
        const { exitCode, stderr } = await desk.detproof([verb, '-i', file, '-s', hidden, ...args]);
        t.equal(exitCode, 4, file);
        t.match(stderr, message, file);
      }
    t.match(await desk.detproof(['plan', '-i', 'closed.yaml']), {
      exitCode: 4,
      stderr: /window always: open from 2020/,
    });
    t.match(await desk.detproof(['plan', '-i', 'signed.yaml']), { exitCode: 4 });
    for (const out of ['open.yaml', 'open.yaml/below', '/proc/absent/out']) {
      const { exitCode, stderr } = await desk.detproof(['run', '--yes', '-i', 'open.yaml', '-s', hidden, '-o', out]);
      t.equal(exitCode, 4, out);
      t.match(stderr, /cannot be written \(\w+\)\. Choose another folder with --out, or make room/, out);
    }
    t.same(desk.leftInHome, []);
    t.notOk(existsSync(desk.out));
  },
);

t.test('plan, list and doctor: for people and for machines, and they touch nothing', async (t) => {
  using desk = new Desk();
  desk.inventory('inventory.yaml');
  desk.emptySiem();
  mkdirSync(desk.out);
  const people = await desk.detproof(['plan', '-s', hidden]);
  t.equal(people.exitCode, 0);
  t.match(people.stdout, /^Plan under engagement tests: 1 scenario/);
  t.match(people.stdout, /here may be touched until 2099-12-31T23:55:00\.000Z/);
  t.match(people.stdout, new RegExp(`${hidden} +emulation +\\w`));
  const plan = JSON.parse((await desk.detproof(['plan', '-s', hidden, '--json', '--no-variants'])).stdout) as Plan;
  t.equal(plan.schema, 'detproof/plan/1');
  t.same(
    plan.executions.filter(({ phase }) => phase === 'emulations').map(({ id }) => id.replace(/\/.*?\//, '/USER/')),
    [`here/USER/${hidden}`],
  );
  t.ok(
    plan.executions.some(({ phase }) => phase === 'control-before') &&
      plan.executions.some(({ phase }) => phase === 'control-after'),
    'controls come along',
  );
  for (const what of ['scenarios', 'targets', 'siems', 'kinds', 'runs']) {
    const { exitCode, stdout } = await desk.detproof(['list', what, '--json']);
    t.equal(exitCode, 0, what);
    const rows = JSON.parse(stdout) as readonly Readonly<Record<string, string>>[];
    if (what === 'runs') t.same(rows, []);
    else
      t.ok(rows.length > 0 && rows.every((row) => Object.values(row).every((cell) => typeof cell === 'string')), what);
    const plain = await desk.detproof(['list', what]);
    t.equal(plain.stdout.split('\n').length - 1, rows.length, `${what}: a line each`);
  }
  const machine = [
    { what: 'Node', state: 'ok' },
    { what: 'output folder', state: 'ok' },
    { what: 'inventory and scenarios', state: 'ok' },
    { what: 'SIEM siem', state: 'ok' },
  ];
  const without = await desk.detproof(['doctor', '--json', '--no-hosts']);
  t.equal(without.exitCode, 3, without.stdout);
  t.match(JSON.parse(without.stdout), [
    ...machine,
    { what: 'SIEM siem, rules', state: 'trouble', detail: /^0 of \d+ rules .*; \d+ not known to it: / },
  ]);
  desk.siemKnowsAllRules();
  const well = await desk.detproof(['doctor', '--json', '--no-hosts']);
  t.equal(well.exitCode, 0, well.stdout);
  t.match(JSON.parse(well.stdout), [...machine, { what: 'SIEM siem, rules', state: 'ok' }]);
  const hosts = await desk.detproof(['doctor', '--json']);
  t.match(JSON.parse(hosts.stdout), [
    ...machine,
    { what: 'SIEM siem, rules' },
    { what: /^here\/\w+, reached$/, state: 'ok' },
    { what: /^here\/\w+, interpreter$/, state: existsSync('/usr/bin/python3') ? 'ok' : 'trouble' },
    { what: /^here\/\w+, interpreters$/ },
    { what: /^here\/\w+, rights$/ },
    { what: /^here\/\w+, clock$/, state: 'ok' },
  ]);
  const ill = await desk.detproof(['doctor', '-i', 'absent.yaml']);
  t.match(ill, {
    exitCode: 2,
    stdout: /^ok +Node .*\n(?:.*\n)*NO +inventory and scenarios +1 problem, told on stderr\n$/,
    stderr: /^absent\.yaml:1:1 {2}FILE_UNREADABLE\n {2}found: there is no such file\n {2}hint: {2}.*\n$/,
  });
  const inventory = readFileSync(join(desk.folder, 'inventory.yaml'), 'utf8');
  writeFileSync(
    join(desk.folder, 'wrong.yaml'),
    inventory.replace('criticality: low', 'criticality: lowest\n    x: 1'),
  );
  const wrong = await desk.detproof(['doctor', '-i', 'wrong.yaml', '--json']);
  t.match(wrong, {
    exitCode: 2,
    stderr: /^wrong\.yaml:\d+:\d+ {2}VALUE_CHOICE\n[^]*\nwrong\.yaml:\d+:\d+ {2}KEY_UNKNOWN\n/,
  });
  t.match(JSON.parse(wrong.stdout), [
    ...machine.slice(0, 2),
    { state: 'trouble', detail: /^2 problems, told on stderr$/ },
  ]);
  t.same(desk.leftInHome, []);
});

t.test('doctor and discover: Ctrl-C while a host keeps them waiting ends them with 130', async (t) => {
  for (const verb of ['doctor', 'discover']) {
    using desk = new Desk();
    desk.emptySiem();
    await using silent = createServer().listen(0, '127.0.0.1');
    const asked = once(silent, 'connection') as Promise<[Socket]>;
    await once(silent, 'listening');
    desk.inventory('inventory.yaml', { target: desk.sshPort((silent.address() as AddressInfo).port) });
    const child = desk.start([verb]);
    const ended = endOf(child);
    const [socket] = await asked;
    child.kill('SIGINT');
    t.match(await ended, { exitCode: 130, stderr: /^Interrupted: .*\n(?:.*\n)*Not all targets were looked at/ }, verb);
    socket.destroy();
  }
});

t.test(
  'run: hosts that do not answer are not run with the reason, exit code 3, and the journal verifies',
  async (t) => {
    using desk = new Desk();
    desk.emptySiem();
    desk.inventory('inventory.yaml', { target: desk.closedPort() });
    const { exitCode, stdout, stderr } = await desk.detproof(['run', '--yes', '-s', hidden, '--no-variants']);
    t.equal(exitCode, 3, stderr);
    t.match(stderr, /here: not reached as alice: .*127\.0\.0\.1/);
    t.match(stdout, /not run/i);
    const report = desk.report();
    for (const { plan, execution, assessments } of report.executions) {
      t.match(execution?.outcome, { kind: 'not-run', why: { class: 'unreachable' } }, plan.id);
      t.same(
        assessments.map(({ verdict }) => verdict),
        ['not-run'],
        plan.id,
      );
    }
    const { records, head } = await readJournal(join(desk.out, 'latest/journal.jsonl'));
    t.same(head, { lines: report.run.journal.lines, headSha256: report.run.journal.headSha256 });
    t.ok(records.some(({ type }) => type === 'reaching'));
    t.notOk(
      records.some(({ type }) => type === 'intent'),
      'nothing was begun',
    );
  },
);

t.test(
  'run: on this machine, with a SIEM that is not there, everything is inconclusive and nothing missed',
  async (t) => {
    if (!hasPython(t)) return;
    using desk = new Desk();
    desk.inventory('inventory.yaml');
    const { exitCode, stderr } = await desk.detproof(['run', '--yes', '-s', hidden, '--no-variants']);
    t.equal(exitCode, 3, stderr);
    const report = desk.report();
    t.ok(
      report.executions.every(({ execution }) => execution?.outcome.kind === 'finished'),
      'all of it ran',
    );
    t.same(
      [...new Set(report.executions.flatMap(({ assessments }) => assessments.map(({ verdict }) => verdict)))],
      ['inconclusive'],
    );
    t.match(report.siems, [{ trouble: /there is no events\.ndjson/ }]);
    t.same(desk.leftInHome, []);
  },
);

t.test(
  'run: with a SIEM that has seen nothing of a single host, nothing is missed, quiet, clean or blind',
  async (t) => {
    if (!hasPython(t)) return;
    using desk = new Desk();
    desk.inventory('inventory.yaml');
    desk.emptySiem();
    const { exitCode, stdout, stderr } = await desk.detproof([
      'run',
      '--yes',
      '-s',
      `${hidden},linux/twin-unit-tests`,
      '--json',
    ]);
    t.equal(exitCode, 3, stderr);
    const report = JSON.parse(stdout) as RunReport;
    t.same(report, desk.report(), 'stdout is run.json');
    t.same(
      [...new Set(report.executions.flatMap(({ assessments }) => assessments.map(({ verdict }) => verdict)))],
      ['inconclusive'],
    );
    t.same(report.leftBehind, []);
    t.same(desk.leftInHome, []);
    t.match(
      stderr,
      /^Run \d{8}t\d{6}-\w{4} \(to stop it from another terminal: detproof stop/,
      'progress goes to stderr',
    );

    const [first] = report.executions;
    const marker = first?.execution?.marker ?? '';
    const whose = await desk.detproof(['whose', marker]);
    t.match(whose.stdout, new RegExp(`marker +${marker}\\nrun +${report.run.id}\\noperator +\\S+@\\S+\\n`));
    const told = JSON.parse((await desk.detproof(['whose', marker, '--json'])).stdout) as Record<string, string>;
    t.match(told, {
      marker,
      run: report.run.id,
      host: 'here',
      execution: first?.plan.id,
      scenario: first?.plan.scenario,
      stop: `detproof stop ${report.run.id}`,
      state: /^finished at /,
    });
    t.match(JSON.parse((await desk.detproof(['stop', '--json'])).stdout), { runId: report.run.id });
    t.match(await desk.detproof(['stop']), {
      exitCode: 0,
      stderr: /Nobody works on run .* finish it with: detproof resume/,
    });
    t.same(JSON.parse((await desk.detproof(['report', '--json'])).stdout), report);
    t.match((await desk.detproof(['report'])).stdout, /could not be told/);
    t.match((await desk.detproof(['report', '-f', 'matrix'])).stdout, /^<!doctype html>/i);
    t.match(await desk.detproof(['report', '-f', 'frob']), { exitCode: 2, stderr: /No report frob; known: / });
    t.match(await desk.detproof(['cleanup']), { exitCode: 0, stderr: /Nothing of this run is left on a target/ });
    t.same(JSON.parse((await desk.detproof(['list', 'runs', '--json'])).stdout), [{ id: report.run.id }]);
  },
);

t.test(
  'execute and observe: apart, on two copies of the files, and only with the plan and engagement that were run',
  async (t) => {
    if (!hasPython(t)) return;
    using desk = new Desk();
    desk.inventory('inventory.yaml');
    const executed = await desk.detproof(['execute', '--yes', '-s', hidden, '--no-variants', '--json']);
    t.equal(executed.exitCode, 0, executed.stderr);
    const { runId, path, interrupted } = JSON.parse(executed.stdout) as {
      runId: string;
      path: string;
      interrupted: boolean;
    };
    t.equal(interrupted, false);
    t.notOk(existsSync(join(path, 'run.json')));
    t.match(await desk.detproof(['report']), {
      exitCode: 2,
      stderr: /has no run\.json yet; finish it with: detproof observe/,
    });

    using elsewhere = new Desk();
    elsewhere.emptySiem();
    elsewhere.inventory('inventory.yaml');
    cpSync(path, join(elsewhere.out, 'runs', runId), { recursive: true });
    const observed = await elsewhere.detproof(['observe', runId]);
    t.equal(observed.exitCode, 3, observed.stderr);
    t.equal(elsewhere.report(runId).executions.length, 7);
    t.equal(elsewhere.report(runId).run.resumed, 0, 'asking is no resumption');

    const other = readFileSync(join(elsewhere.folder, 'inventory.yaml'), 'utf8').replace('id: tests,', 'id: another,');
    writeFileSync(join(elsewhere.folder, 'another.yaml'), other);
    const foreign = await elsewhere.detproof(['resume', runId, '-i', 'another.yaml']);
    t.match(foreign, { exitCode: 4, stderr: /belongs to engagement tests, and .*another\.yaml is of another/ });
    elsewhere.inventory('signed.yaml', { engagement: ', signedPlans: true' });
    t.match(await elsewhere.detproof(['resume', runId, '-i', 'signed.yaml']), {
      exitCode: 4,
      stderr: /signed by an approver/,
    });
    const plan = join(elsewhere.out, 'runs', runId, 'plan.json');
    writeFileSync(plan, readFileSync(plan, 'utf8').replaceAll('30000', '30001'));
    const forged = await elsewhere.detproof(['resume', runId]);
    t.match(forged, { exitCode: 4, stderr: /plan\.json was changed since the run was opened/ });
    const journal = join(elsewhere.out, 'runs', runId, 'journal.jsonl');
    writeFileSync(journal, readFileSync(journal, 'utf8').replace('here', 'hare'));
    t.match(await elsewhere.detproof(['observe', runId]), {
      exitCode: 2,
      stderr: /journal\.jsonl:\d+ {2}does not carry the hash/,
    });
    const unread = await elsewhere.detproof(['whose', 'abcdefghijklmnopqrstuvwx']);
    t.equal(unread.exitCode, 3);
    t.match(
      unread.stderr,
      new RegExp(`could not be read, and one of them may have it: ${runId}\\. Nothing can be said`),
    );
    t.notMatch(unread.stderr, /treat it as real/);
  },
);

t.test(
  'interrupt: Ctrl-C while it executes or asks ends in 130, tidied; the run can be resumed to its end',
  async (t) => {
    if (!hasPython(t)) return;
    for (const at of [/Controls before/, /Asking siem/]) {
      using desk = new Desk();
      desk.emptySiem();
      desk.inventory('inventory.yaml', { observeFor: '60s' });
      let sent = false;
      const { exitCode, stderr } = await desk.detproof(
        ['run', '--yes', '-s', hidden, '--no-variants'],
        (said, child) => {
          if (sent || !at.test(said)) return;
          sent = true;
          child.kill('SIGINT');
          setTimeout(() => child.kill('SIGINT'), 5);
        },
      );
      t.equal(exitCode, 130, stderr);
      t.match(stderr, /Interrupted: ending what runs, then cleaning up/);
      t.same(desk.leftInHome, []);
      t.match(desk.report(), { run: { state: 'interrupted' }, outcome: { exitCode: 130 }, leftBehind: [] });
      await readJournal(join(desk.out, 'latest/journal.jsonl'));
      const intents = (): number => desk.records().filter(({ type }) => type === 'intent').length;
      const before = intents();
      sent = false;
      const after = await desk.detproof(['resume'], (said, child) => {
        // The plan asks for a minute; what was executed is known before that.
        if (sent || !/Asking siem/.test(said)) return;
        sent = true;
        child.kill('SIGINT');
      });
      t.equal(after.exitCode, 130);
      const report = desk.report();
      t.ok(
        report.executions.every(({ execution }) => execution !== undefined),
        'everything had its turn',
      );
      const ids = desk.records().flatMap((record) => (record.type === 'execution' ? [record.data.execution] : []));
      t.equal(new Set(ids).size, ids.length, 'nothing ran twice');
      if (at.test('Asking siem'))
        t.equal(intents(), before, 'when only the asking was interrupted, nothing is executed again');
      t.same(desk.leftInHome, []);
    }
  },
);

t.test('stop: from another process, no further step starts, the rest is not tested', async (t) => {
  if (!hasPython(t)) return;
  using desk = new Desk();
  desk.emptySiem();
  desk.inventory('inventory.yaml');
  let stopped: ReturnType<Desk['detproof']> | undefined;
  const { exitCode, stderr } = await desk.detproof(
    ['run', '--yes', '-s', 'linux/post-beacon,linux/script-in-*,linux/web-request'],
    (said) => {
      if (/Emulations/.test(said)) stopped ??= desk.detproof(['stop']);
    },
  );
  t.match(await stopped, {
    exitCode: 0,
    stderr: /^Asked run \S+ \(process \d+\) to stop; it ends what runs, cleans up, and reports\.\n$/,
  });
  t.equal(exitCode, 3, stderr);
  t.match(stderr, /Asked to stop: what runs may end/);
  const report = desk.report();
  t.equal(report.run.state, 'stopped');
  t.ok(
    report.executions.some(({ execution }) => execution === undefined),
    'something was still to come',
  );
  t.same(desk.leftInHome, []);
});

t.test(
  'output: a reader that goes away ends neither the command line with a stack nor a run without its clean-up',
  async (t) => {
    using desk = new Desk();
    desk.emptySiem();
    desk.inventory('inventory.yaml');
    const listing = desk.start(['list', 'scenarios', '--json']);
    listing.stdout?.destroy();
    t.notMatch((await endOf(listing)).stderr, /EPIPE|\n {4}at /);
    if (!hasPython(t)) return;
    const running = desk.start(['run', '--yes', '-s', hidden, '--no-variants']);
    running.stderr?.once('data', () => running.stderr?.destroy());
    running.stdout?.destroy();
    const exitCode = await new Promise((done) => running.once('exit', done));
    t.equal(exitCode, 3);
    t.equal(desk.report().executions.length, 7);
    t.same(desk.leftInHome, []);
  },
);

t.test(
  'kept runs: one that died at its beginning, or half-way through a line, is told apart and finished',
  async (t) => {
    if (!hasPython(t)) return;
    using desk = new Desk();
    desk.emptySiem();
    desk.inventory('inventory.yaml');
    mkdirSync(join(desk.out, 'runs/dead'), { recursive: true });
    t.match(await desk.detproof(['resume', 'dead']), {
      exitCode: 2,
      stderr: /holds no journal\.jsonl: this run ended before anything was touched/,
    });
    writeFileSync(join(desk.out, 'runs/dead/journal.jsonl'), '');
    t.match(await desk.detproof(['resume', 'dead']), {
      exitCode: 2,
      stderr: /holds no plan\.json: this run ended before anything was touched/,
    });
    const executed = await desk.detproof(['execute', '--yes', '-s', hidden, '--no-variants']);
    t.equal(executed.exitCode, 0);
    appendFileSync(join(desk.out, 'latest/journal.jsonl'), '{"seq":99,');
    const { stderr } = await desk.detproof(['observe']);
    t.match(stderr, /A torn last line of the journal was set aside: .*journal\.torn-\d+/);
    // Killed between the plan and its first record: taken up, everything is still to be run.
    const { path } = { path: join(desk.out, 'latest') };
    writeFileSync(join(path, 'journal.jsonl'), '');
    const resumed = await desk.detproof(['resume']);
    t.equal(resumed.exitCode, 3, resumed.stderr);
    t.match(desk.report().run, { state: 'complete', resumed: 1 });
  },
);
