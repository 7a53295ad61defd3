import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { readJson } from '../../runner/load/json-file.ts';
import { loadPlan } from '../../runner/load/plan-file.ts';
import { formatProblem, shown, visible } from '../../runner/load/problem.ts';
import { loadRun, runProblems } from '../../runner/load/run-file.ts';
import { planSchema } from '../../runner/load/schema/plan.ts';
import { generateSchemas } from '../../runner/load/schemas.ts';
import { readYaml } from '../../runner/load/yaml-file.ts';
import { discoverAdapters } from '../../runner/plugins.ts';
import { runReport } from '../fakes/run-report.ts';
import { places, project, readProjectFile } from './material.ts';

const yaml = (text: string | Uint8Array) =>
  readYaml(typeof text === 'string' ? new TextEncoder().encode(text) : text, 'x.yaml');

t.test('readYaml: what is no plain YAML file is refused at its place', (test) => {
  const table: readonly (readonly [text: string | Uint8Array, ...expected: readonly string[]])[] = [
    ['', 'YAML_EMPTY 1:1'],
    ['a: 1\nb:\n\tc: 2\n', 'YAML_TAB 3:1'],
    ['a: 1\na: 2\n', 'YAML_DUPLICATE_KEY 2:1'],
    ['a: 1\n---\nb: 2\n', 'YAML_DOCUMENTS 3:1'],
    ['a: [1,\nb: 2\n', 'YAML_SYNTAX 2:1'],
    ['a: "x\n', 'YAML_SYNTAX 2:1'],
    ['a: *b\n', 'YAML_ALIAS 1:4'],
    ['a: &b [*b]\n', 'YAML_ALIAS 1:8'],
    ['a: &b 1\nc: &b 2\n', 'YAML_ALIAS 2:7'],
    ['a: !!binary aGk=\n', 'YAML_TAG 1:13'],
    ['a: !x y\n', 'YAML_TAG 1:7'],
    ['%YAML 1.1\n---\na: yes\n', 'YAML_DIRECTIVE 1:1'],
    ['? [a]\n: 1\n', 'YAML_KEY 1:3'],
    ['__proto__: 1\n', 'YAML_KEY 1:1'],
    ['<<: { a: 1 }\n', 'YAML_KEY 1:1'],
    ['null: 1\n', 'YAML_KEY 1:1'],
    ['a: 1\nb: \0\n', 'FILE_BINARY 2:4'],
    [new Uint8Array([0x61, 0x3a, 0x20, 0xff]), 'FILE_NOT_UTF8 1:1'],
    [new Uint8Array([0xff, 0xfe, 0x61, 0x00]), 'FILE_NOT_UTF8 1:1'],
    ['a: [\nb: ]\nc: "\\q"\n', 'YAML_SYNTAX 2:1', 'YAML_SYNTAX 3:1'],
    [`a: ${'['.repeat(70)}${']'.repeat(70)}`, 'YAML_TOO_LARGE 1:68'],
  ];
  for (const [text, ...expected] of table) {
    const { problems } = yaml(text);
    test.same(places(problems), expected, String(text).slice(0, 40));
    test.ok(problems.every(({ hint }) => hint !== ''));
  }
  // How deep the parser goes depends on the stack.
  test.match(yaml('['.repeat(100_000)).problems, [{ code: 'YAML_SYNTAX', line: 1 }]);
  test.end();
});

t.test('readYaml: aliases that grow without bound are stopped, a few are resolved', (test) => {
  const bomb = ['a: &a [x]'];
  for (let letter = 98; letter < 110; letter += 1) {
    const before = String.fromCharCode(letter - 1);
    const name = String.fromCharCode(letter);
    bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(', ')}]`);
  }
  test.same(
    yaml(bomb.join('\n')).problems.map(({ code }) => code),
    ['YAML_TOO_LARGE'],
  );
  test.same(yaml('a: &a { b: 1 }\nc: *a\n').source?.value, { a: { b: 1 }, c: { b: 1 } });
  test.same(yaml('a: &a { b: 1 }\nc: *a\n').source?.at(['c', 'b']), { line: 1, col: 12 });
  test.end();
});

t.test('readYaml: a value and its key are found again, and the nearest place of a missing one', (test) => {
  const { source } = yaml('\uFEFFa: 1\nlist:\n  - { b: [x, y] }\n  -\nlast:\n');
  test.same(source?.at(['list', 0, 'b', 1]), { line: 3, col: 14 });
  test.same(source?.keyAt(['list', 0, 'b', 1]), { line: 3, col: 14 });
  test.same(source?.keyAt(['list', 0, 'b']), { line: 3, col: 7 });
  test.same(source?.at(['list', 0, 'none']), { line: 3, col: 5 });
  test.same(source?.at(['list', 7, 'none']), { line: 2, col: 1 });
  test.same(source?.at(['none']), { line: 1, col: 1 });
  test.equal(source?.at(['last']).line, 5);
  test.equal(yaml('\n\n').problems[0]?.line, 1);
  test.end();
});

t.test('shown: a value in a message is short, visible and no password', (test) => {
  test.equal(shown('a\n\x1b[31mb\u202e'), '"a\\x0a\\x1b[31mb\\u202e"');
  test.equal(shown('x'.repeat(100)), `"${'x'.repeat(60)}…" (100 characters)`);
  test.equal(shown('https://user:secret@example.com'), 'a text of 31 characters');
  test.equal(shown(null), 'nothing (null)');
  test.equal(shown({}), 'a map');
  test.equal(shown([1]), 'a list of length 1');
  test.equal(visible('\ud800'), '\\ud800');
  test.end();
});

t.test('readJson: a syntax error is told with its place and without the content', (test) => {
  const { problems } = readJson(new TextEncoder().encode('{\n  "token": "hunter2",\n}'), 'x.json');
  test.same(places(problems), ['JSON_SYNTAX 3:1']);
  test.notMatch(problems.map(formatProblem).join(), /hunter2/);
  test.same(places(readJson(new Uint8Array([0xff]), 'x.json').problems), ['JSON_SYNTAX 1:1']);
  test.end();
});

const run = runReport();
const [first] = run.executions;
if (first === undefined) throw new Error('the fake run has no execution');
const plan = {
  schema: 'detproof/plan/1',
  runId: run.run.id,
  createdAt: run.run.startedAt,
  engagement: run.engagement.id,
  inventory: { file: 'inventory.yaml', sha256: run.run.planSha256 },
  scenarios: [],
  targets: [{ id: first.plan.target, until: run.run.endedAt }],
  executions: [first.plan],
  leftOut: [],
};

t.test('loadPlan: reads back what was written', async (test) => {
  const file = `${test.testdir({ 'plan.json': JSON.stringify(plan, null, 2) })}/plan.json`;
  const loaded = await loadPlan(file);
  test.equal(loaded.is, 'loaded', loaded.is === 'loaded' ? '' : loaded.problems.map(formatProblem).join('\n'));
  if (loaded.is === 'loaded') test.same(loaded.value, plan);
});

t.test('loadPlan: a plan that would remove what it did not make is refused', async (test) => {
  for (const [what, change, code] of [
    ['a shared folder', { creates: ['/'] }, 'SCENARIO_PATH'],
    ['a home', { creates: ['{{home}}'] }, 'SCENARIO_CREATES_SHARED'],
    ['a way around', { creates: ['/tmp/{{run}}/../../home'] }, 'SCENARIO_PATH'],
    ['a script elsewhere', { steps: [{ ...first.plan.steps[0], at: '/etc/cron.d/{{run}}' }] }, 'SCENARIO_NOT_DECLARED'],
    ['an unknown platform', { scenario: 'beos/x' }, 'PLAN_SCENARIO'],
    ['a field of another version', { extra: 1 }, 'KEY_UNKNOWN'],
  ] as const) {
    const text = JSON.stringify({ ...plan, executions: [{ ...first.plan, ...change }] });
    const loaded = await loadPlan(`${test.testdir({ 'plan.json': text })}/plan.json`);
    const codes = loaded.is === 'refused' ? loaded.problems.map((problem) => problem.code) : [];
    test.ok(codes.includes(code), `${what}: ${codes.join(', ')}`);
  }
  const twice = JSON.stringify({ ...plan, executions: [first.plan, first.plan] });
  const loaded = await loadPlan(`${test.testdir({ 'plan.json': twice })}/plan.json`);
  test.match(loaded, { is: 'refused', problems: [{ code: 'PLAN_DUPLICATE' }] });
});

t.test('loadRun: reads back what was written, and refuses what is not of its schema', async (test) => {
  const text = JSON.stringify(run, null, 1);
  test.same(runProblems(text, 'run.json'), []);
  const loaded = await loadRun(`${test.testdir({ 'run.json': text })}/run.json`);
  test.equal(loaded.is, 'loaded');
  if (loaded.is === 'loaded') test.same(loaded.value, run);
  test.same(places(runProblems(text.replace('detproof/run/1', 'detproof/run/2'), 'run.json')), ['VALUE_CHOICE 2:12']);
  const broken = JSON.stringify({ ...run, outcome: { exitCode: -1, sentence: 'x', more: 1 } });
  test.same(
    runProblems(broken, 'run.json').map(({ code }) => code),
    ['VALUE_SIZE', 'KEY_UNKNOWN'],
  );
});

t.test('published schemas: are what the parsers say now (write them anew with TAP_SNAPSHOT=1)', async (test) => {
  const schemas = generateSchemas(await discoverAdapters(`${project}adapters`));
  test.same(
    [...schemas.keys()].sort(),
    ['inventory', 'plan-1', 'run-1', 'scenario'].map((name) => `${name}.schema.json`),
  );
  for (const [name, text] of schemas) {
    const file = `${project}docs/schema/${name}`;
    if (process.env.TAP_SNAPSHOT === '1') {
      mkdirSync(`${project}docs/schema`, { recursive: true });
      writeFileSync(file, text);
    }
    test.equal(readFileSync(file, 'utf8'), text, name);
  }
});

t.test('published schemas: accept a scenario, a plan and a run, and refuse others', (test) => {
  const published = (name: string): z.ZodType =>
    z.fromJSONSchema(JSON.parse(readProjectFile(`docs/schema/${name}.schema.json`)) as z.core.JSONSchema.JSONSchema);
  const scenario = parse(readProjectFile('scenarios/linux/script-in-hidden-directory.yaml')) as Record<string, unknown>;
  test.ok(published('scenario').safeParse(scenario).success);
  test.notOk(published('scenario').safeParse({ ...scenario, titel: 'x' }).success);
  test.ok(published('run-1').safeParse(JSON.parse(JSON.stringify(run))).success);
  test.notOk(published('run-1').safeParse({ ...run, schema: 'detproof/run/2' }).success);
  test.ok(published('plan-1').safeParse(plan).success);
  test.notOk(published('plan-1').safeParse({ ...plan, executions: {} }).success);
  test.ok(planSchema.safeParse(plan).success);
  test.end();
});
