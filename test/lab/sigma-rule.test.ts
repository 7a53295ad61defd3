import fc from 'fast-check';
import t from 'tap';
import { ecsTaxonomy } from '../../lab/sigma/ecs-taxonomy.ts';
import { compileRules } from '../../lab/sigma/matcher.ts';
import { parseSigmaRule } from '../../lab/sigma/rule.ts';
import type { Problem } from '../../lab/sigma/problem.ts';
import { sampleRules } from './sigma-sample-rules.ts';

/** The smallest rule; tests replace or add lines. */
const head = ['title: A rule', 'id: 5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7aff', 'level: low'];
const source = ['logsource:', '  product: linux'];
const detection = ['detection:', '  selection:', '    Image: x', '  condition: selection'];
const smallest = [...head, ...source, ...detection];

function problems(...lines: readonly string[]): readonly Problem[] {
  const parsed = parseSigmaRule(lines.join('\n'), 'rules/x.yml');
  return 'problems' in parsed ? parsed.problems : [];
}

/** Place, code and finding of each problem, as one text. */
function said(...lines: readonly string[]): readonly string[] {
  return problems(...lines).map(({ line, col, code, found }) => `${line}:${col} ${code} ${found}`);
}

/** What is said of a rule whose detection is this. */
function saidOfDetection(...lines: readonly string[]): readonly string[] {
  return said(...head, ...source, 'detection:', ...lines.map((line) => `  ${line}`));
}

t.test('rule: everything that a rule says about itself is read', (t) => {
  const parsed = parseSigmaRule(sampleRules['python-inline-socket.yml'] ?? '', 'python-inline-socket.yml');
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { detection: read, ...rest } = parsed.rule;
  t.strictSame([...read.selections.keys()], ['selection_img', 'selection_flag', 'selection_code', 'filter_main_admin']);
  t.strictSame(rest, {
    file: 'python-inline-socket.yml',
    id: '5d0f2a4c-8f19-4a0a-9d0b-6a1c5c1b7a01',
    title: 'Python One-Liner That Opens A Network Connection',
    level: 'high',
    status: 'experimental',
    description: 'Detects Python started with code on its command line that imports the socket module and connects.\n',
    author: 'detproof',
    date: '2025-03-01',
    modified: '2025-04-02',
    tags: ['attack.execution', 'attack.t1059.006'],
    references: ['https://attack.mitre.org/techniques/T1059/006/'],
    falsepositives: ['Administrative one-liners'],
    logsource: { product: 'linux', category: 'process_creation', service: undefined, at: { line: 16, col: 5 } },
  });
  t.strictSame(problems(...smallest), [], 'the rest may be left out');
  for (const [file, text] of Object.entries(sampleRules)) t.ok('rule' in parseSigmaRule(text, file), file);
  t.end();
});

t.test('rule: all the problems of a file are reported at once, each with its place and what to do', (t) => {
  const found = problems(
    'title: ""',
    'id: 5d0f2a4c',
    'level: hight',
    'status: new',
    'date: 2025-13-01',
    'tags: [attack.T1059, ok.tag, plain]',
    'author: 3',
    'references: https://example.org',
    'falsepositives: [a, 1]',
    'logsource:',
    '  product: Linux',
    'detection:',
    '  selection:',
    '    Image|endswit: x',
    '    CommandLine|contains: 3',
    '  condition: selection and missing',
  );
  t.strictSame(
    found.map(({ line, col, code }) => `${line}:${col} ${code}`),
    [
      '1:8 SIGMA_WRONG_VALUE',
      '2:5 SIGMA_WRONG_VALUE',
      '3:8 SIGMA_WRONG_VALUE',
      '4:9 SIGMA_WRONG_VALUE',
      '5:7 SIGMA_WRONG_VALUE',
      '6:8 SIGMA_WRONG_VALUE',
      '6:30 SIGMA_WRONG_VALUE',
      '7:9 SIGMA_WRONG_TYPE',
      '8:13 SIGMA_WRONG_TYPE',
      '9:21 SIGMA_WRONG_TYPE',
      '11:12 SIGMA_WRONG_VALUE',
      '14:5 SIGMA_MODIFIER_UNKNOWN',
      '15:27 SIGMA_MODIFIER_MISUSED',
      '16:28 SIGMA_UNKNOWN_SELECTION',
    ],
  );
  t.ok(found.every(({ file, hint }) => file === 'rules/x.yml' && hint !== ''));
  t.strictSame(found.at(-1)?.hint, 'defined are: selection');
  t.end();
});

t.test('rule: what is missing is named', (t) => {
  t.strictSame(said('author: x'), [
    '1:1 SIGMA_MISSING no title',
    '1:1 SIGMA_MISSING no id',
    '1:1 SIGMA_MISSING no level',
    '1:1 SIGMA_MISSING no logsource',
    '1:1 SIGMA_MISSING no detection',
  ]);
  t.strictSame(said(...head, 'logsource: {definition: x}', ...detection), ['4:12 SIGMA_MISSING an empty logsource']);
  t.strictSame(saidOfDetection('selection: {a: 1}'), ['7:3 SIGMA_MISSING no condition']);
  t.strictSame(saidOfDetection('condition: x'), [
    '7:3 SIGMA_MISSING no selection',
    '7:14 SIGMA_UNKNOWN_SELECTION the selection "x", which is not defined',
  ]);
  t.strictSame(said(''), ['1:1 SIGMA_WRONG_TYPE no rule in the file']);
  t.strictSame(said('- a', '- b'), ['1:1 SIGMA_WRONG_TYPE no rule in the file']);
  t.end();
});

t.test('rule: what is not supported is refused by name', (t) => {
  t.strictSame(said('title: x', 'correlation:', '  type: event_count', '  rules: [a]'), [
    '2:1 SIGMA_UNSUPPORTED the section correlation',
  ]);
  t.strictSame(said('title: x', 'filter:', '  rules: [a]'), ['2:1 SIGMA_UNSUPPORTED the section filter']);
  for (const action of ['global', 'repeat', 'reset']) {
    t.strictSame(said(`action: ${action}`, ...smallest), ['1:1 SIGMA_UNSUPPORTED the section action']);
  }
  t.strictSame(said(...smallest, 'taxonomy: ecs'), ['10:1 SIGMA_UNSUPPORTED the section taxonomy']);
  t.strictSame(said(...smallest, 'taxonomy: sigma', 'custom: anything'), []);
  t.strictSame(said(...smallest, '---', ...smallest), ['10:1 SIGMA_MULTI_DOCUMENT 2 documents in one file']);
  const selection = 'selection: {a: 1}';
  t.strictSame(saidOfDetection(selection, 'timeframe: 5m', 'condition: selection'), [
    '8:3 SIGMA_UNSUPPORTED timeframe',
  ]);
  t.strictSame(saidOfDetection(selection, 'condition: selection | count() by User > 5'), [
    '8:24 SIGMA_UNSUPPORTED the aggregation "| count() by User > 5"',
  ]);
  t.strictSame(saidOfDetection(selection, 'condition: selection and near'), ['8:28 SIGMA_UNSUPPORTED near']);
  t.strictSame(saidOfDetection(selection, 'condition: 2 of them'), ['8:14 SIGMA_UNSUPPORTED "2 of"']);
  t.strictSame(saidOfDetection('selection:', '  User|expand: "%admins%"', 'condition: selection'), [
    '8:5 SIGMA_UNSUPPORTED the modifier expand',
  ]);
  for (const part of ['minute', 'hour', 'day', 'week', 'month', 'year']) {
    t.strictSame(saidOfDetection('selection:', `  a|${part}: 1`, 'condition: selection'), [
      `8:5 SIGMA_UNSUPPORTED the modifier ${part}`,
    ]);
  }
  t.end();
});

t.test('rule: a modifier that does not fit its value or its place is refused', (t) => {
  const table: readonly (readonly [line: string, says: string])[] = [
    ['a|startswith: 1', 'SIGMA_MODIFIER_MISUSED the modifier startswith on 1'],
    ['a|cased: true', 'SIGMA_MODIFIER_MISUSED the modifier cased on true'],
    ['a|contains: null', 'SIGMA_MODIFIER_MISUSED the modifier contains on null'],
    ['a|contains|re: x', 'SIGMA_MODIFIER_MISUSED the modifier re after contains on "x"'],
    ['a|i: x', 'SIGMA_MODIFIER_MISUSED the modifier i on "x"'],
    ['a|re|cased: x', 'SIGMA_MODIFIER_MISUSED the modifier cased after re on "x"'],
    ['a|re: "("', 'SIGMA_WRONG_VALUE a regular expression with a ( without its )'],
    ['a|re: 1', 'SIGMA_MODIFIER_MISUSED the modifier re on 1'],
    ['a|cidr: 10.0.0.1/8', 'SIGMA_MODIFIER_MISUSED the modifier cidr on "10.0.0.1/8"'],
    ['a|cidr: 10.0.0.0/33', 'SIGMA_MODIFIER_MISUSED the modifier cidr on "10.0.0.0/33"'],
    ['a|cidr: 10.0.0.0/', 'SIGMA_MODIFIER_MISUSED the modifier cidr on "10.0.0.0/"'],
    ['a|cidr: host', 'SIGMA_MODIFIER_MISUSED the modifier cidr on "host"'],
    ['a|contains|cidr: 10.0.0.0/8', 'SIGMA_MODIFIER_MISUSED the modifier cidr after contains on "10.0.0.0/8"'],
    ['a|exists: "true"', 'SIGMA_MODIFIER_MISUSED the modifier exists on "true"'],
    ['a|lt: "5"', 'SIGMA_MODIFIER_MISUSED the modifier lt on "5"'],
    ['a|lt|gt: 5', 'SIGMA_MODIFIER_MISUSED the modifier gt after lt on 5'],
    ['a|base64: "a*"', 'SIGMA_MODIFIER_MISUSED the modifier base64 on "a*"'],
    ['a|base64offset: ""', 'SIGMA_MODIFIER_MISUSED the modifier base64offset on ""'],
    ['a|contains|base64: a', 'SIGMA_MODIFIER_MISUSED the modifier base64 after contains on "a"'],
    ['a|wide|utf16be: a', 'SIGMA_MODIFIER_MISUSED the modifier utf16be after wide on "a"'],
    ['a|wide: é', 'SIGMA_MODIFIER_MISUSED a UTF-16 modifier on text that is not ASCII'],
    ['a|wide|windash: -a', 'SIGMA_MODIFIER_MISUSED the modifier windash after wide on "-a"'],
    ['a|windash: -a -b -c -d', 'SIGMA_MODIFIER_MISUSED the modifier windash on "-a -b -c -d"'],
    ['a|fieldref: "b*"', 'SIGMA_MODIFIER_MISUSED the modifier fieldref on "b*"'],
    ['a|contains|fieldref: b', 'SIGMA_MODIFIER_MISUSED the modifier fieldref after contains on "b"'],
    ['a|utf8|lt: "5"', 'SIGMA_MODIFIER_UNKNOWN the modifier "utf8"'],
    ['a|: x', 'SIGMA_MODIFIER_UNKNOWN the modifier ""'],
    ['"|startswith": x', 'SIGMA_MODIFIER_MISUSED startswith on keywords'],
    ['"|exists": true', 'SIGMA_MODIFIER_MISUSED a keyword that is not text (exists)'],
    ['"|cidr": 10.0.0.0/8', 'SIGMA_MODIFIER_MISUSED a keyword that is not text (cidr)'],
    ['a: []', 'SIGMA_MISSING an empty list for "a"'],
    ['a: [[x]]', 'SIGMA_WRONG_TYPE a value that is neither text nor number'],
    ['a: {b: 1}', 'SIGMA_WRONG_TYPE a value that is neither text nor number'],
    ['a: 12345678901234567890', 'SIGMA_WRONG_VALUE the number 12345678901234567000'],
    ['a: .inf', 'SIGMA_WRONG_VALUE the number Infinity'],
    ['1: x', 'SIGMA_WRONG_TYPE a field name that is not text'],
  ];
  for (const [line, says] of table) {
    const all = saidOfDetection('selection:', `  ${line}`, 'condition: selection');
    t.equal(all.length, 1, line);
    t.match(all[0], new RegExp(`^8:\\d+ ${says.replace(/[()[\]*|.+?]/g, '\\$&')}`), line);
  }
  t.end();
});

t.test('rule: selections that could not be meant are refused', (t) => {
  const table: readonly (readonly [lines: readonly string[], says: string])[] = [
    [['x: [a]', 'selection:'], '8:13 SIGMA_WRONG_TYPE an empty selection'],
    [['selection: []'], '7:14 SIGMA_WRONG_TYPE an empty selection'],
    [['selection: {}'], '7:14 SIGMA_MISSING a selection without fields'],
    [['selection: [a, ""]'], '7:18 SIGMA_MODIFIER_MISUSED a keyword that every event has'],
    [['selection: ["*"]'], '7:15 SIGMA_MODIFIER_MISUSED a keyword that every event has'],
    [['selection: [null]'], '7:15 SIGMA_MODIFIER_MISUSED a keyword that is not text (null)'],
    [['selection: [{a: 1}, {}]'], '7:23 SIGMA_MISSING a selection without fields'],
    [['selection: {a: 1}', '"a b": {a: 1}'], '8:3 SIGMA_WRONG_VALUE the selection "a b"'],
  ];
  for (const [lines, says] of table) {
    t.strictSame(saidOfDetection(...lines, 'condition: selection'), [says], lines.join(' '));
  }
  t.match(
    saidOfDetection('selection: {a: 1, a: 2}', 'condition: selection')[0],
    '7:21 SIGMA_YAML Map keys must be unique',
  );
  t.match(saidOfDetection('selection: &x {a: 1}', 'other: *x', 'condition: selection'), [
    '8:10 SIGMA_ALIAS the alias *x',
  ]);
  t.end();
});

t.test('rule: a condition that does not hold together is refused where it breaks', (t) => {
  const table: readonly (readonly [condition: string, says: string])[] = [
    ['""', '8:15 SIGMA_CONDITION the end where a selection was expected'],
    ['selection and', '8:27 SIGMA_CONDITION the end where a selection was expected'],
    ['selection selection', '8:24 SIGMA_CONDITION "selection" after the end'],
    ['(selection', '8:14 SIGMA_CONDITION a ( without its )'],
    ['selection)', '8:23 SIGMA_CONDITION ")" after the end'],
    ['and selection', '8:14 SIGMA_CONDITION "and" where a selection was expected'],
    ['selection AND selection', '8:24 SIGMA_CONDITION "AND" after the end'],
    ['NOT selection', '8:14 SIGMA_CONDITION "NOT"'],
    ['"selection && selection"', '8:25 SIGMA_CONDITION the character "&"'],
    ['1 of other*', '8:19 SIGMA_UNKNOWN_SELECTION "other*", which matches no selection'],
    ['1 of', '8:18 SIGMA_CONDITION the end where a selection was expected'],
    ['3', '8:14 SIGMA_WRONG_TYPE a condition that is not text'],
    ['[]', '8:14 SIGMA_MISSING an empty list of conditions'],
    ['[selection, other, (]', '8:26 SIGMA_UNKNOWN_SELECTION the selection "other", which is not defined'],
  ];
  for (const [condition, says] of table) {
    t.equal(saidOfDetection('selection: {a: 1}', `condition: ${condition}`)[0], says, condition);
  }
  const deep = `${'('.repeat(51)}selection${')'.repeat(51)}`;
  t.match(saidOfDetection('selection: {a: 1}', `condition: ${deep}`)[0], 'more than 50 levels');
  const flat = Array.from({ length: 60 }, () => '(not selection)').join(' and ');
  t.strictSame(saidOfDetection('selection: {a: 1}', `condition: ${flat}`), [], 'side by side there may be more');
  t.end();
});

t.test('rule: a file that is too large or too deep is refused and not read', (t) => {
  t.match(said(`title: ${'x'.repeat(1_000_001)}`)[0], '1:1 SIGMA_TOO_LARGE a file of 1000008 characters');
  t.equal(said(`a: ${'['.repeat(100_000)}`).length > 0, true);
  t.end();
});

t.test('rule: a damaged rule either loads or has problems, and never throws', (t) => {
  const yamlScraps = [
    '|',
    ':',
    '*',
    '&a',
    '- ',
    '{',
    '[',
    '"',
    "'",
    '\n',
    '\t',
    '---\n',
    '%',
    '#',
    '!!int ',
    '? ',
    'null',
  ];
  const sigmaScraps = ['|re', '|cidr', '|base64', ' of ', '(', '\\', '\0', '😀', '\ud800'];
  const scraps = fc.oneof(fc.constantFrom(...yamlScraps, ...sigmaScraps), fc.string({ maxLength: 5 }));
  const damage = fc.record({ at: fc.nat(2000), length: fc.nat(20), scrap: scraps });
  const text = fc.constantFrom(...Object.values(sampleRules));
  const processStart = { 'host.os.type': 'linux', 'event.category': 'process', 'event.type': 'start' };
  let loaded = 0;
  let refused = 0;
  fc.assert(
    fc.property(text, fc.array(damage, { minLength: 1, maxLength: 3 }), (whole, all) => {
      const damaged = all.reduce((one, { at, length, scrap }) => {
        const from = at % one.length;
        return one.slice(0, from) + scrap + one.slice(from + length);
      }, whole);
      const parsed = parseSigmaRule(damaged, 'damaged.yml');
      if ('rule' in parsed) {
        loaded++;
        const { matcher, refused: unplaced } = compileRules([parsed.rule], ecsTaxonomy);
        const matches = matcher.match({ ...processStart, message: damaged, process: { command_line: damaged } });
        return matches.length + unplaced.length <= 1;
      }
      refused++;
      const isUseful = ({ line, col, found, hint }: Problem): boolean =>
        line > 0 && col > 0 && found !== '' && hint !== '';
      return parsed.problems.length > 0 && parsed.problems.every(isUseful);
    }),
    { numRuns: 1000 },
  );
  t.ok(loaded > 50 && refused > 200, `${loaded} loaded, ${refused} were refused`);
  t.end();
});
