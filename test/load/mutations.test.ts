import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { formatProblem, isPrintable, type Problem } from '../../runner/load/problem.ts';
import {
  inventoryText,
  pinnedAttack,
  readInventoryText,
  readScenarioText,
  scenarioContext,
  scenarioText,
} from './material.ts';

const runs = { numRuns: 500 };

const piece = fc.constantFrom(
  ...[
    '\t',
    '\n',
    '\0',
    '\x1b[2J',
    ':',
    ' :',
    ': ',
    '#',
    "'",
    '"',
    '[',
    ']',
    '{',
    '}',
    ',',
    '&a ',
    '*a',
    '!',
    '---\n',
    '%',
    '|',
    '- ',
    '? ',
    '<<: ',
    '\u202e',
    '\ud83d',
  ],
);

/** What a person does to a text by accident, and what a damaged disk does. */
const textMutation: fc.Arbitrary<(text: string) => Uint8Array> = fc.oneof(
  lines((all, at) => all.toSpliced(at, 1)),
  lines((all, at) => all.toSpliced(at, 0, all[at] ?? '')),
  lines((all, at, to) => all.with(at, all[to] ?? '').with(to, all[at] ?? '')),
  lines((all, at, to) => all.with(at, ' '.repeat(to % 7) + (all[at] ?? ''))),
  lines((all, at) => all.with(at, (all[at] ?? '').trimStart())),
  characters((text, at) => text.slice(0, at)),
  characters((text, at) => text.slice(0, at) + text.slice(at + 1)),
  characters((text, at, piece) => text.slice(0, at) + piece + text.slice(at + 1)),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([seed, noise]) => (text: string) => {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length <= noise.length) return noise;
    bytes.set(noise, seed % (bytes.length - noise.length));
    return bytes;
  }),
);

function lines(
  change: (all: string[], at: number, to: number) => string[],
): fc.Arbitrary<(text: string) => Uint8Array> {
  return fc.tuple(fc.nat(), fc.nat()).map(([at, to]) => (text: string) => {
    const all = text.split('\n');
    return new TextEncoder().encode(change(all, at % all.length, to % all.length).join('\n'));
  });
}

function characters(
  change: (text: string, at: number, piece: string) => string,
): fc.Arbitrary<(text: string) => Uint8Array> {
  return fc.tuple(fc.nat(), piece).map(
    ([at, inserted]) =>
      (text: string) =>
        new TextEncoder().encode(change(text, at % (text.length + 1), inserted)),
  );
}

const strange: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    9,
    1e308,
    NaN,
    Infinity,
    '',
    ' ',
    '*',
    '..',
    '/',
    '/{{run}}',
    '{{marker}}',
    '{{',
    '{{run}}/../..',
    '__proto__',
    'constructor',
    'toString',
    '\x1b]0;x\x07',
    '\u202e',
    'x'.repeat(100_000),
    '2026-02-30',
    '25:00',
    '9'.repeat(400),
    '0s',
    '1e9s',
    'AN9999',
    'AN0172',
    '${jndi:x}',
    '\ud800',
    '\n',
    'file:',
    'exec:rm',
    [],
    {},
    [[]],
    { kind: 'ssh' },
    ['__proto__'],
    new Date(0),
    [1, 'a', null, {}],
  ),
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.array(fc.string(), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
);

/** Puts another value, or nothing, in the place of one that is somewhere in the tree; or adds a key. */
function valueMutation(text: string): fc.Arbitrary<string> {
  const paths = pathsOf(parse(text));
  return fc
    .tuple(fc.constantFrom(...paths), fc.constantFrom('set', 'delete', 'add'), strange, fc.string())
    .map(([path, how, value, key]) => stringify(mutated(parse(text), path, how, value, key)));
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return [
    path,
    ...inner.flatMap(([key, child]) => pathsOf(child, [...path, Array.isArray(value) ? Number(key) : key])),
  ];
}

function mutated(root: unknown, path: Path, how: string, value: unknown, key: string): unknown {
  const [segment, ...rest] = path;
  if (segment === undefined) return how === 'add' && isMap(root) ? { ...root, [key]: value } : value;
  if (Array.isArray(root))
    return how === 'delete' && rest.length === 0
      ? root.toSpliced(Number(segment), 1)
      : root.with(Number(segment), mutated(root[Number(segment)], rest, how, value, key));
  if (!isMap(root)) return root;
  if (how === 'delete' && rest.length === 0)
    return Object.fromEntries(Object.entries(root).filter(([own]) => own !== segment));
  return { ...root, [segment]: mutated(root[segment], rest, how, value, key) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function clear(problems: readonly Problem[], loaded: unknown): boolean {
  if (problems.length === 0) return loaded !== undefined;
  return (
    loaded === undefined &&
    problems.every(
      (problem) =>
        problem.line >= 1 &&
        problem.col >= 1 &&
        problem.found.length > 0 &&
        problem.found.length < 2_000 &&
        problem.hint.length > 0 &&
        /^[A-Z][A-Z0-9_]+$/.test(problem.code) &&
        formatProblem(problem).split('\n').every(isPrintable),
    )
  );
}

function holds(
  test: Test,
  mutation: fc.Arbitrary<string | Uint8Array>,
  isClear: (text: string | Uint8Array) => boolean,
): void {
  let broken = 0;
  fc.assert(
    fc.property(mutation, (text) => {
      broken += 1;
      return isClear(text);
    }),
    runs,
  );
  test.equal(broken, 500);
}

const attack = await pinnedAttack();

function scenarioIsClear(text: string | Uint8Array): boolean {
  const { scenario, problems } = readScenarioText(text, scenarioContext(attack));
  return clear(problems, scenario);
}

function inventoryIsClear(text: string | Uint8Array): boolean {
  const { inventory, problems } = readInventoryText(text, {
    scenarios: ['linux/x'],
    sources: ['auditd:SYSCALL/execve'],
  });
  return clear(problems, inventory);
}

/** Secrets in all the places where a reference belongs, as if somebody had not read the manual. */
const secrets = ['hunter2Hunter2', 'pa55 w0rd x', 'S3cr3t:Colon', 'tok3nTok3n'];
const withSecrets = inventoryText
  .replace("'file:keys/alice'", `'${secrets[0] ?? ''}'`)
  .replace('env:BOB_KEY', secrets[1] ?? '')
  .replace('agent: true', `agent: ${secrets[2] ?? ''}`)
  .replace('env:SIEM_TOKEN', secrets[3] ?? '');

function keepsSecrets(text: string | Uint8Array): boolean {
  const said = readInventoryText(text).problems.map(formatProblem).join('\n');
  return secrets.every((secret) => !said.includes(secret));
}

function textsOf(text: string): fc.Arbitrary<Uint8Array> {
  return fc
    .array(textMutation, { minLength: 1, maxLength: 2 })
    .map((changes) =>
      changes.reduce<Uint8Array>(
        (bytes, change) => change(new TextDecoder().decode(bytes)),
        new TextEncoder().encode(text),
      ),
    );
}

t.test('scenario: 500 mutations of its text give a clear error or a valid load', (test) => {
  holds(test, textsOf(scenarioText), scenarioIsClear);
  test.end();
});

t.test('scenario: 500 mutations of its values give a clear error or a valid load', (test) => {
  holds(test, valueMutation(scenarioText), scenarioIsClear);
  test.end();
});

t.test('inventory: 500 mutations of its text give a clear error or a valid load', (test) => {
  holds(test, textsOf(inventoryText), inventoryIsClear);
  test.end();
});

t.test('inventory: 500 mutations of its values give a clear error or a valid load', (test) => {
  holds(test, valueMutation(inventoryText), inventoryIsClear);
  test.end();
});

t.test('inventory: no mutation of a file with secrets in it makes a message that repeats one', (test) => {
  holds(test, textsOf(withSecrets), keepsSecrets);
  holds(test, valueMutation(withSecrets), keepsSecrets);
  test.end();
});
