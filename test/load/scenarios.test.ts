import t from 'tap';
import { formatProblem } from '../../runner/load/problem.ts';
import { loadScenarios, readLibrary } from '../../runner/load/scenarios.ts';
import { edited, pinnedAttack, places, project, readScenarioText, scenarioContext, scenarioText } from './material.ts';

const attack = await pinnedAttack();
const context = scenarioContext(attack);
const read = (text: string) => readScenarioText(text, context);

t.test('scenario: a valid file becomes a scenario with its defaults filled in', (test) => {
  const { scenario, problems } = read(scenarioText);
  test.same(problems, []);
  test.match(scenario, {
    id: 'linux/x',
    platform: 'linux',
    channel: 'exec',
    creates: ['/tmp/{{run}}'],
    steps: [{ interpreter: 'plain', invocation: 'file', via: 'session', timeout: 30_000, args: ['{{marker}}'] }],
    expect: {
      event: { within: 60_000 },
      alert: { rules: ['hidden-directory'], stance: 'must-alert', within: 300_000 },
    },
    file: 'scenarios/linux/x.yaml',
    sha256: /^[0-9a-f]{64}$/,
  });
  const [renamed, stdin] = scenario?.variants ?? [];
  test.match(renamed, { name: 'interpreter=renamed', steps: [{ interpreter: 'renamed', invocation: 'file' }] });
  test.same(renamed?.expect, scenario?.expect);
  test.match(stdin, {
    name: 'invocation=stdin',
    steps: [{ invocation: 'stdin', interpreter: 'plain' }],
    expect: {
      event: { context: ['process', 'user'] },
      alert: { rules: ['hidden-directory'], stance: 'known-gap', because: 'no path exists', within: 300_000 },
    },
  });
  test.end();
});

t.test('scenario: what the file leaves out has a default', (test) => {
  const { scenario, problems } = read(`title: Write one line
analytic: AN0174
purpose: control
why: shows that the pipe is open
steps:
  - python: { script: receipt.py, args: ['{{marker}}'] }
expect:
  event: { sources: ['linux:syslog//var/log/syslog'], context: [host] }
`);
  test.same(problems, []);
  test.same(scenario?.steps, [
    {
      script: 'receipt.py',
      at: '{{home}}/{{run}}/run.py',
      args: ['{{marker}}'],
      interpreter: 'plain',
      invocation: 'file',
      via: 'session',
      timeout: 30_000,
    },
  ]);
  test.same(scenario?.creates, []);
  test.same(scenario?.expect.alert, { rules: [], within: 300_000, stance: 'must-stay-quiet' });
  test.end();
});

t.test('scenario: a variant with a stance of its own does not inherit the reasons of the scenario', (test) => {
  const text = edited(
    edited(
      scenarioText,
      'stance: must-alert }',
      'stance: known-gap, because: too noisy, owner: SOC, until: 2027-01-01 }',
    ),
    '{ interpreter: renamed }',
    '{ interpreter: renamed, stance: must-alert, rules: [other-rule] }',
  );
  const { scenario, problems } = read(text);
  test.same(problems, []);
  test.same(scenario?.variants[0]?.expect.alert, { rules: ['other-rule'], within: 300_000, stance: 'must-alert' });
  test.equal(scenario?.expect.alert.until, '2027-01-01');
  test.end();
});

/** What is written instead of what, and the problem that it makes. */
const table: readonly (readonly [what: string, from: string, to: string, ...expected: readonly string[]])[] = [
  // Form
  ['an unknown key', 'why: a', 'reason: x\nwhy: a', 'KEY_UNKNOWN 5:1'],
  ['a missing key', 'title: Run a script from a hidden directory\n', '', 'KEY_MISSING 1:1'],
  ['a doubled key', 'purpose: emulation\n', 'purpose: emulation\npurpose: emulation\n', 'YAML_DUPLICATE_KEY 5:1'],
  ['a wrong choice', 'interpreter: renamed', 'interpreter: renamd', 'VALUE_CHOICE 11:20'],
  ['a wrong type', 'why: a hidden folder is where such files land', 'why: 7', 'VALUE_TYPE 5:6'],
  ['a control character in the title', 'Run a script', '"Run \\e[31m"', 'YAML_SYNTAX 1:21'],
  [
    'an escape sequence in the title',
    'title: Run a script from a hidden directory',
    'title: "Run \\e[31m"',
    'VALUE_INVALID 1:8',
  ],
  [
    'an empty list of steps',
    "  - python: { script: receipt.py, at: '/tmp/{{run}}/.cache/run.py', args: ['{{marker}}'] }\n    timeout: 30s\n",
    '  []\n',
    'VALUE_SIZE 7:3',
  ],
  ['a time-out without a unit', 'timeout: 30s', 'timeout: 30', 'VALUE_TYPE 8:14'],
  ['a time-out beyond the limit', 'timeout: 30s', 'timeout: 20m', 'VALUE_INVALID 8:14'],
  ['a within beyond the limit', 'within: 60s', 'within: 2d', 'VALUE_INVALID 20:13'],
  // ATT&CK
  ['the analytic of another platform', 'AN0174', 'AN0172', 'SCENARIO_WRONG_ANALYTIC 2:11'],
  ['an element of another analytic', 'ScriptDir', 'ScriptPath', 'SCENARIO_UNKNOWN_ELEMENT 3:10'],
  ['no element', 'element: ScriptDir\n', '', 'SCENARIO_NO_ELEMENT 1:1'],
  [
    'a log source of another analytic',
    'auditd:SYSCALL/execve',
    'esxi:vobd//var/log/vobd.log',
    'SCENARIO_UNKNOWN_SOURCE 19:15',
  ],
  // Marker and placeholders
  ['no marker', "'{{marker}}'", "'x'", 'SCENARIO_NO_MARKER 7:3'],
  ['a marker within an argument', "'{{marker}}'", "'--id={{marker}}'", 'SCENARIO_NO_MARKER 7:3'],
  ['an unknown placeholder', "'{{marker}}'", "'{{marker}}', '{{host}}'", 'SCENARIO_PLACEHOLDER 7:90'],
  ['a placeholder that is not closed', "'{{marker}}'", "'{{marker}}', '{{run'", 'SCENARIO_PLACEHOLDER 7:90'],
  ['a line break in an argument', "'{{marker}}'", '\'{{marker}}\', "a\\nb"', 'SCENARIO_ARGUMENT 7:90'],
  // Paths
  ['a relative path', '/tmp/{{run}}/.cache/run.py', 'run.py', 'SCENARIO_PATH 7:39'],
  ['a path that goes up', '.cache/run.py', '../run.py', 'SCENARIO_PATH 7:39'],
  ['a glob', '.cache/run.py', '*.py', 'SCENARIO_PATH 7:39'],
  ['a variable of a shell', '.cache/run.py', '$HOME/run.py', 'SCENARIO_PATH 7:39'],
  ['a tilde', '/tmp/{{run}}/.cache', '~/{{run}}', 'SCENARIO_PATH 7:39'],
  ['the home inside a path', '/tmp/{{run}}/.cache', '/tmp/{{home}}/{{run}}', 'SCENARIO_PATH 7:39'],
  ['the marker in a path', '.cache/run.py', '{{marker}}.py', 'SCENARIO_MARKER_IN_PATH 7:39'],
  ['a script outside what is declared', '/tmp/{{run}}/.cache', '/var/tmp/{{run}}', 'SCENARIO_NOT_DECLARED 7:39'],
  ['a script in a folder that begins alike', '/tmp/{{run}}/.cache', '/tmp/{{run}}x', 'SCENARIO_NOT_DECLARED 7:39'],
  ['a script in the home, not in the run folder', '/tmp/{{run}}/.cache', '{{home}}', 'SCENARIO_NOT_DECLARED 7:39'],
  [
    'a new working folder that is not declared',
    "args: ['{{marker}}']",
    "cwd: '/opt/{{run}}', args: ['{{marker}}']",
    'SCENARIO_NOT_DECLARED 7:74',
  ],
  // What is created is removed
  ['a shared parent', "['/tmp/{{run}}']", "['/tmp']", 'SCENARIO_CREATES_SHARED 9:11'],
  ['the home', "['/tmp/{{run}}']", "['/tmp/{{run}}', '{{home}}']", 'SCENARIO_CREATES_SHARED 9:27'],
  ['the root', "['/tmp/{{run}}']", "['/tmp/{{run}}', '/']", 'SCENARIO_PATH 9:27'],
  ['a file in the root', "['/tmp/{{run}}']", "['/tmp/{{run}}', '/{{run}}']", 'SCENARIO_CREATES_SYSTEM 9:27'],
  [
    'a folder below a new one',
    "['/tmp/{{run}}']",
    "['/tmp/{{run}}', '/var/tmp/{{run}}/x']",
    'SCENARIO_CREATES_DEEP 9:27',
  ],
  ['a way around', "['/tmp/{{run}}']", "['/tmp/{{run}}', '/tmp/{{run}}/..']", 'SCENARIO_PATH 9:27'],
  ['the run folder', "['/tmp/{{run}}']", "['/tmp/{{run}}', '{{home}}/{{run}}']", 'SCENARIO_CREATES_RUN_FOLDER 9:27'],
  ['a folder of the system', "['/tmp/{{run}}']", "['/tmp/{{run}}', '/etc/{{run}}']", 'SCENARIO_CREATES_SYSTEM 9:27'],
  ['the same twice', "['/tmp/{{run}}']", "['/tmp/{{run}}', '/tmp/{{run}}']", 'SCENARIO_DUPLICATE 9:27'],
  // References
  ['an unknown payload', 'receipt.py', 'reciept.py', 'SCENARIO_NO_PAYLOAD 7:23'],
  ['a payload outside its folder', 'receipt.py', '../receipt.py', 'VALUE_INVALID 7:23'],
  ['an unknown rule', 'rule: hidden-directory', 'rule: hidden-directori', 'SCENARIO_UNKNOWN_RULE 22:18'],
  ['a rule and rules', 'rule: hidden-directory', 'rule: hidden-directory, rules: [other-rule]', 'SCENARIO_RULES 22:43'],
  // Expectations
  ['must-alert without a rule', 'rule: hidden-directory, ', '', 'SCENARIO_NO_RULE 22:10'],
  ['an emulation that must stay quiet', 'stance: must-alert', 'stance: must-stay-quiet', 'SCENARIO_STANCE 22:56'],
  [
    'a gap without reason and owner',
    'stance: must-alert',
    'stance: known-gap',
    'SCENARIO_NO_REASON 22:56',
    'SCENARIO_NO_OWNER 22:56',
  ],
  ['not collected without a reason', 'stance: must-alert', 'stance: not-collected', 'SCENARIO_NO_REASON 22:56'],
  ['an end date without a gap', 'stance: must-alert', 'until: 2027-01-01', 'SCENARIO_UNTIL 22:55'],
  [
    'a day that does not exist',
    'owner: detection engineering',
    'owner: x\n    until: 2027-02-30',
    'VALUE_INVALID 17:12',
  ],
  [
    'a script path asked of standard input',
    'context: [process, user]',
    'context: [process, script]',
    'SCENARIO_NO_SCRIPT_PATH 12:5',
  ],
  // Variants
  [
    'a variant of two axes',
    '{ interpreter: renamed }',
    '{ interpreter: renamed, invocation: -c }',
    'SCENARIO_VARIANT_AXIS 11:5',
  ],
  ['a variant of no axis', '{ interpreter: renamed }', '{ stance: must-alert }', 'SCENARIO_VARIANT_AXIS 11:5'],
  [
    'a variant that is the scenario',
    '{ interpreter: renamed }',
    '{ interpreter: plain }',
    'SCENARIO_VARIANT_SAME 11:20',
  ],
  [
    'a variant twice',
    '{ interpreter: renamed }',
    '{ interpreter: renamed }\n  - { interpreter: renamed }',
    'SCENARIO_DUPLICATE 12:20',
  ],
  [
    'a variant at a place that is not declared',
    '{ interpreter: renamed }',
    "{ at: '/dev/shm/{{run}}/run.py' }",
    'SCENARIO_NOT_DECLARED 11:11',
  ],
  [
    'a variant with an unknown rule',
    '{ interpreter: renamed }',
    '{ interpreter: renamed, rule: x }',
    'SCENARIO_UNKNOWN_RULE 11:35',
  ],
  // How a step is started
  [
    'a first line without a file',
    'script: receipt.py,',
    'script: receipt.py, interpreter: shebang, invocation: module,',
    'SCENARIO_SHEBANG 7:13',
  ],
  ['cron with standard input', 'script: receipt.py,', 'script: receipt.py, via: cron,', 'SCENARIO_VIA_STDIN 12:5'],
  [
    'cron among other steps',
    'timeout: 30s\n',
    "timeout: 30s\n  - python: { script: receipt.py, via: cron, args: ['{{marker}}'] }\n",
    'SCENARIO_VIA_STEPS 7:3',
    'SCENARIO_VIA_STDIN 13:5',
  ],
  [
    'a module whose name cannot be imported',
    '.cache/run.py',
    "run-1.py', invocation: 'module",
    'SCENARIO_MODULE_NAME 7:13',
  ],
];

for (const [what, from, to, ...expected] of table)
  t.test(`scenario: ${what} is refused at its place`, (test) => {
    const { scenario, problems } = read(edited(scenarioText, from, to));
    test.equal(scenario, undefined);
    test.same(places(problems), expected, problems.map(formatProblem).join('\n'));
    test.end();
  });

t.test('scenario: paths of Windows are held against its own rules', (test) => {
  const windows = { ...context, platform: 'windows' as const };
  const onWindows = [
    ['AN0174', 'AN0172'],
    ['ScriptDir', 'ScriptPath'],
    ['auditd:SYSCALL/execve', 'WinEventLog:Sysmon/EventCode=1'],
    ['/tmp/{{run}}/.cache/run.py', 'C:\\Users\\Public\\{{run}}\\run.py'],
    ["['/tmp/{{run}}']", "['C:\\Users\\Public\\{{run}}']"],
  ].reduce((whole, [from = '', to = '']) => edited(whole, from, to), scenarioText);
  test.same(readScenarioText(onWindows, windows).problems, []);
  for (const [path, code] of [
    ['C:\\Windows\\{{run}}', 'SCENARIO_CREATES_SYSTEM'],
    ['C:\\{{run}}', 'SCENARIO_CREATES_SYSTEM'],
    ['\\Users\\{{run}}', 'SCENARIO_PATH'],
    ['C:\\Users\\..\\{{run}}', 'SCENARIO_PATH'],
    ['C:\\Users\\{{run}}:stream', 'SCENARIO_PATH'],
    ['C:\\Users\\Public', 'SCENARIO_CREATES_SHARED'],
  ] as const) {
    const text = edited(onWindows, "['C:\\Users\\Public\\{{run}}']", `['C:\\Users\\Public\\{{run}}', '${path}']`);
    test.same(
      readScenarioText(text, windows).problems.map((problem) => problem.code),
      [code],
      path,
    );
  }
  test.end();
});

t.test('scenario: everything that is wrong with a file is told at once, also beside a malformed field', (test) => {
  const text = [
    ['title: Run', 'titel: Run'],
    ['element: ScriptDir', 'element: ChildProcess'],
    ['emulation', 'emulatoin'],
    ["'{{marker}}'", "'{{markr}}'"],
    ["['/tmp/{{run}}']", "['/tmp/{{run}}', '/home']"],
    ['interpreter: renamed', 'interpreter: plain'],
    ['rule: hidden-directory', 'rule: hidden-dir'],
  ].reduce((whole, [from = '', to = '']) => edited(whole, from, to), scenarioText);
  const { problems } = read(text);
  test.same(places(problems), [
    'KEY_MISSING 1:1',
    'KEY_UNKNOWN 1:1',
    'SCENARIO_UNKNOWN_ELEMENT 3:10',
    'VALUE_CHOICE 4:10',
    'SCENARIO_NO_MARKER 7:3',
    'SCENARIO_PLACEHOLDER 7:76',
    'SCENARIO_CREATES_SHARED 9:27',
    'SCENARIO_VARIANT_SAME 11:20',
    'SCENARIO_UNKNOWN_RULE 22:18',
  ]);
  test.end();
});

t.test('scenario: hints name what is meant', (test) => {
  const hintOf = (from: string, to: string): string =>
    read(edited(scenarioText, from, to)).problems.find(({ code }) => code !== 'KEY_MISSING')?.hint ?? '';
  test.match(hintOf('why: a', 'whyy: a'), 'did you mean why? known: account, analytic, channel');
  test.equal(
    hintOf('purpose: emulation', 'purpose: emulate'),
    'did you mean emulation? known: control, emulation, twin',
  );
  test.equal(hintOf('receipt.py', 'reciept.py'), 'did you mean receipt.py? known: loopback-http.py, receipt.py');
  test.equal(
    hintOf('ScriptDir', 'scriptdir'),
    'did you mean ScriptDir? known: NetworkActivity, ScheduledContext, ScriptDir',
  );
  test.equal(hintOf('timeout: 30s', 'timeout: 30x'), 'write a duration such as 30s, 5m or 2h');
  test.equal(hintOf('timeout: 30s', 'timeout: 20m'), 'use at most 15 min 0 s');
  test.end();
});

t.test('problem: is shown in three lines without a control character, whatever it holds', (test) => {
  const [problem] = read(edited(scenarioText, "'{{marker}}'", '\'{{marker}}\', "{{\\e[31m\\u202e}}"')).problems;
  test.equal(
    problem === undefined ? '' : formatProblem({ ...problem, file: 'a\x1b[2Jb.yaml' }),
    'a\\x1b[2Jb.yaml:7:90  SCENARIO_PLACEHOLDER\n' +
      '  found: unknown placeholder "{{\\x1b[31m\\u202e}}"\n' +
      '  hint:  only {{run}}, {{home}} and {{marker}} are filled in',
  );
  test.end();
});

const twinText = scenarioText
  .replace('purpose: emulation', 'purpose: twin\ntwinOf: linux/hidden')
  .replace(/variants:[^]*expect:/, 'expect:')
  .replace('rule: hidden-directory, within: 5m, stance: must-alert', 'stance: must-stay-quiet');

const library = { detections: context.detections, payloads: context.payloads };

t.test('scenarios: a folder is loaded with the path as the id, sorted, without hidden files', async (test) => {
  const folder = test.testdir({
    linux: { 'twin.yaml': twinText, 'hidden.yaml': scenarioText, deep: { 'er.yaml': scenarioText }, '.swp.yaml': 'x' },
    payloads: { 'receipt.py': '', 'notes.md': '' },
    detections: { 'a-rule.yml': '', 'b-rule.yaml': '' },
  });
  const loaded = await loadScenarios(folder, attack, library);
  test.equal(loaded.is, 'loaded', loaded.is === 'loaded' ? '' : loaded.problems.map(formatProblem).join('\n'));
  if (loaded.is === 'loaded')
    test.same(
      loaded.value.map(({ id, twinOf }) => [id, twinOf]),
      [
        ['linux/deep/er', undefined],
        ['linux/hidden', undefined],
        ['linux/twin', 'linux/hidden'],
      ],
    );
  const { detections, payloads } = await readLibrary(folder);
  test.same([...detections, ...payloads], ['a-rule', 'b-rule', 'receipt.py']);
});

t.test('scenarios: the problems of all files are told together', async (test) => {
  const folder = test.testdir({
    linux: {
      'a.yaml': edited(scenarioText, 'AN0174', 'AN0175'),
      'B.yaml': scenarioText,
      'c.yml': scenarioText,
      'hidden.yaml': 'title: [',
      'of-broken.yaml': twinText,
      'of-none.yaml': edited(twinText, 'linux/hidden', 'linux/hiden'),
      'of-twin.yaml': edited(twinText, 'linux/hidden', 'linux/of-none'),
      'folder.yaml': { 'x.yaml': scenarioText },
    },
    windows: { 'x.yaml': scenarioText },
  });
  const loaded = await loadScenarios(folder, attack, library);
  const problems = loaded.is === 'refused' ? loaded.problems : [];
  test.same(
    problems.map(({ file, line, col, code }) => `${file.slice(folder.length)}:${line}:${col} ${code}`),
    [
      '/linux/B.yaml:1:1 SCENARIO_FILE_NAME',
      '/linux/a.yaml:2:11 SCENARIO_WRONG_ANALYTIC',
      '/linux/c.yml:1:1 SCENARIO_FILE_NAME',
      '/linux/folder.yaml/x.yaml:1:1 SCENARIO_FILE_NAME',
      '/linux/hidden.yaml:1:9 YAML_SYNTAX',
      '/linux/of-none.yaml:5:9 SCENARIO_UNKNOWN_TWIN',
      '/linux/of-twin.yaml:5:9 SCENARIO_UNKNOWN_TWIN',
      '/windows/x.yaml:2:11 SCENARIO_WRONG_ANALYTIC',
      '/windows/x.yaml:3:10 SCENARIO_UNKNOWN_ELEMENT',
      '/windows/x.yaml:7:39 SCENARIO_PATH',
      '/windows/x.yaml:9:11 SCENARIO_PATH',
      '/windows/x.yaml:19:15 SCENARIO_UNKNOWN_SOURCE',
    ],
  );
});

t.test('scenarios: a folder without a scenario is a problem', async (test) => {
  const loaded = await loadScenarios(test.testdir({}), attack, library);
  test.match(loaded, { is: 'refused', problems: [{ code: 'SCENARIO_NONE' }] });
});

t.test('scenarios: those that detproof ships are valid', async (test) => {
  const loaded = await loadScenarios(`${project}scenarios`, attack, await readLibrary(`${project}scenarios`));
  test.equal(loaded.is, 'loaded', loaded.is === 'loaded' ? '' : loaded.problems.map(formatProblem).join('\n'));
});
