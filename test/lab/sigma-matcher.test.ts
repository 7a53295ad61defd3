import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import { stringify } from 'yaml';
import { escapeLiteral, fold } from '../../lab/sigma/pattern.ts';
import { ecsTaxonomy } from '../../lab/sigma/ecs-taxonomy.ts';
import { compileRules } from '../../lab/sigma/matcher.ts';
import type { Matcher } from '../../lab/sigma/matcher.ts';
import { parseSigmaRule } from '../../lab/sigma/rule.ts';
import type { SigmaRule } from '../../lab/sigma/rule.ts';
import type { Taxonomy } from '../../lab/sigma/taxonomy.ts';
import { flatten, naiveMatch } from './sigma-naive.ts';
import { plainTaxonomy, randomEvent, randomRule } from './sigma-random.ts';
import { sampleRules } from './sigma-sample-rules.ts';

function ruleText(detection: unknown, logsource: unknown = { product: 'any' }, number = 0): string {
  const id = `929a690e-bef0-4204-a928-${String(number).padStart(12, '0')}`;
  return stringify({ title: 'A rule', id, level: 'low', logsource, detection });
}

function load(text: string): SigmaRule {
  const parsed = parseSigmaRule(text, 'rule.yml');
  if ('problems' in parsed) throw new Error(`${text}\n${JSON.stringify(parsed.problems)}`);
  return parsed.rule;
}

function matcherFor(detection: unknown, taxonomy = plainTaxonomy): Matcher {
  const { matcher, refused } = compileRules([load(ruleText(detection))], taxonomy);
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
  return matcher;
}

/** Whether an event matches a selection with this one line. */
function matches(key: string, value: unknown, event: Readonly<Record<string, unknown>>): boolean {
  return matcherFor({ selection: { [key]: value }, condition: 'selection' }).match(event).length === 1;
}

const absent = Symbol('no such field');
const nul = '\0';

/** A line on field a, the values of a that it matches, and those that it does not. */
const modifierTable: readonly (readonly [
  key: string,
  value: unknown,
  yes: readonly unknown[],
  no: readonly unknown[],
])[] = [
  ['a', 'Whoami', ['whoami', 'WHOAMI'], ['whoami ', 'xwhoami', '', null, absent]],
  ['a', ['one', 'two'], ['One', 'two', ['x', 'two']], ['three', ['x', 'y'], absent]],
  ['a', 4688, [4688, '4688'], [4689, '04688', 46]],
  ['a', 1.5, [1.5, '1.5'], [1, 15]],
  ['a', true, [true, 'true', 'TRUE'], [false, 1, null]],
  ['a', '', ['', ['x', '']], ['x', null, absent, []]],
  ['a', null, [null, absent, [], [null, 'x']], ['', 'null', 0, false, { x: 1 }]],
  ['a', [null, ''], ['', null, absent], ['x']],
  // Specification 2.0.0, "String Wildcard".
  ['a', 'prog?.exe', ['progA.exe', 'progB.exe', 'prog💥.exe'], ['prog.exe', 'progAB.exe']],
  ['a', 'antivirus_V*.exe', ['antivirus_V1.exe', 'antivirus_V21.2.1.exe', 'antivirus_V.exe'], ['antivirus_V1.exe2']],
  ['a', '*', ['', 'x'], [null, absent]],
  ['a', '?*', ['x', 'xy'], ['', absent]],
  ['a', 'a*b*c', ['abc', 'aXbXc', 'abbcc'], ['ac', 'acb', 'xabc']],
  ['a', 'ab*ba', ['abba', 'ab-ba'], ['aba']],
  ['a', 'a*bc*cd', ['abccd', 'abcxcd'], ['abcd']],
  ['a', '*a?c*', ['xabcx', 'aXc'], ['ac', 'abbc']],
  // Specification 2.0.0, "Escaping".
  ['a', String.raw`C:\Windows\x.exe`, [String.raw`c:\windows\x.exe`], [String.raw`c:\\windows\\x.exe`]],
  ['a', String.raw`C:\\Windows`, [String.raw`C:\Windows`], [String.raw`C:\\Windows`]],
  ['a', String.raw`\*\?`, ['*?'], ['xx', String.raw`\*\?`]],
  ['a', String.raw`dir\\*`, ['dir\\', 'dir\\x'], ['dir', 'dir*']],
  ['a', String.raw`dir\\\*`, ['dir\\*'], ['dir\\x', 'dir*']],
  ['a', String.raw`\\\share`, [String.raw`\\share`], [String.raw`\share`, String.raw`\\\share`]],
  ['a', String.raw`\\\\share`, [String.raw`\\share`], [String.raw`\share`, String.raw`\\\share`]],
  ['a', 'end\\', ['end\\'], ['end']],
  ['a|contains', 'b', ['abc', 'B', ['x', 'abc']], ['ac', '', absent]],
  ['a|contains', 'b*d', ['abcde', 'bd'], ['db']],
  ['a|contains', '*b*', ['abc'], ['ac']],
  ['a|startswith', 'adm', ['Administrator', 'adm'], ['xadm', 'ad']],
  ['a|endswith', String.raw`\cmd.exe`, [String.raw`C:\x\CMD.EXE`], ['cmd.exe', String.raw`\cmd.exe2`]],
  [
    'a|contains',
    'a text of more than sixteen',
    ['xa text of more than sixteeny'],
    ['a text of more than sixtee', 'a text of more than sixty'],
  ],
  [
    'a|startswith',
    'a text of more than sixteen',
    ['A text of more than sixteen!'],
    ['a tent of more than sixteen', 'xa text of more than sixteen'],
  ],
  [
    'a|endswith',
    'a text of more than sixteen',
    ['xa text of more than sixteen'],
    ['a tent of more than sixteen', 'a text of more than sixteen!'],
  ],
  ['a|contains|all', ['-c', 'socket'], ['python -c "import socket"', ['-c', 'a socket']], ['python -c', 'socket']],
  ['a|all|contains', ['x', 'y'], ['yx'], ['x']],
  ['a|cased', 'Whoami', ['Whoami'], ['whoami']],
  ['a|contains|cased', 'B', ['aBc'], ['abc']],
  ['a|cased|endswith', 'Z', ['xZ'], ['xz']],
  ['a|exists', true, ['', 'x', null, [], { x: 1 }, 0], [absent]],
  ['a|exists', false, [absent], ['', 'x', null, []]],
  ['a|lt', 10, [9, '9', -1, '9.5', 1e-3, [20, 9]], [10, 11, '10', 'nine', '', null, absent]],
  ['a|lte', 10, [10, '10.0', 9], [10.5, '0x1']],
  ['a|gt', 10, [11, '1e3'], [10, 9, ' 11']],
  ['a|gte', 1024, [1024, 65535], [1023, true]],
  ['a|neq', 'x', ['y', '', null, absent, ['y']], ['x', 'X', ['y', 'x']]],
  ['a|neq', ['x', 'y'], ['z'], ['x', 'y']],
  ['a|neq', null, ['x', ''], [null, absent]],
  ['a|contains|neq', 'x', ['abc'], ['axc']],
  ['a|re', '^/tmp/[a-z]{2,3}$', ['/tmp/ab', '/tmp/abc'], ['/tmp/a', '/tmp/abcd', '/tmp/AB', 'x/tmp/ab']],
  ['a|re', 'o.*b', ['foo bar'], ['FOO BAR', 'bfo', 'o\nb']],
  ['a|re|i', 'foo', ['xFOOx'], ['fo']],
  ['a|re|s', 'a.b', ['a\nb'], ['ab']],
  ['a|re|m', '^b$', ['a\nb\nc'], ['a\nbc']],
  ['a|re|i|m|s', '^B.C', ['a\nb\nc'], ['ab\nc']],
  ['a|re', '(?i)foo', ['FOO'], ['f']],
  ['a|re', String.raw`\*\\`, [String.raw`*\ `], ['x']],
  ['a|re|startswith', '(?i)ab|cd', ['ABx', 'cdx'], ['xab']],
  ['a|re|endswith', 'ab|cd', ['xab', 'xcd'], ['abx']],
  ['a|re|contains', 'b', ['abc'], ['ac']],
  [
    'a|cidr',
    '10.0.0.0/8',
    ['10.0.0.0', '10.255.1.2', '::ffff:10.1.2.3'],
    ['11.0.0.1', '9.255.255.255', 'x', '', '::a00:1'],
  ],
  ['a|cidr', '192.168.1.128/25', ['192.168.1.128', '192.168.1.255'], ['192.168.1.127']],
  ['a|cidr', ['127.0.0.0/8', '::1/128'], ['127.0.0.1', '::1', '0:0:0:0:0:0:0:1'], ['::2', '128.0.0.1']],
  ['a|cidr', 'fe80::/10', ['fe80::1', 'FEBF::1', 'fe80:0:0:0:1:2:3:4'], ['fec0::1', 'fe80::1%eth0']],
  ['a|cidr', '2001:db8::/33', ['2001:db8:7fff::'], ['2001:db8:8000::']],
  ['a|cidr', '0.0.0.0/0', ['1.2.3.4'], ['::1']],
  ['a|cidr', '::/0', ['::1', '2001:db8::1'], ['1.2.3.4']],
  ['a|cidr', '10.1.2.3', ['10.1.2.3'], ['10.1.2.4']],
  ['a|base64', 'foo', ['Zm9v'], ['foo', 'Zm9vYmFy']],
  ['a|base64|contains', '/bin/bash', ['echo L2Jpbi9iYXNo | base64 -d'], ['echo L2Jpbi9iYXNp']],
  ['a|base64', 'é', ['w6k='], ['6Q==']],
  ['a|base64offset|contains', 'foobar', ['Zm9vYmFy', 'xxZvb2Jhcxx', 'mb29iYX'], ['Zm9vYmF5', 'foobar']],
  [
    'a|wide|base64offset|contains',
    'http',
    [Buffer.from('xhttp', 'utf16le').toString('base64')],
    [Buffer.from('xhttp').toString('base64')],
  ],
  ['a|utf16le|base64', 'cmd', [Buffer.from('cmd', 'utf16le').toString('base64')], ['Y21k']],
  ['a|utf16be|base64', 'cmd', ['AGMAbQBk'], ['YwBtAGQA']],
  ['a|utf16|base64', 'cmd', ['//5jAG0AZAA='], ['YwBtAGQA']],
  ['a|utf16le|base64', 'é', [Buffer.from('é', 'utf16le').toString('base64')], ['w6k=']],
  ['a|wide', 'cmd', [`c${nul}m${nul}d${nul}`], ['cmd']],
  ['a|utf16be|contains', 'ab', [`x${nul}a${nul}b`], ['ab']],
  ['a|utf16', 'a', [`\ufeffa${nul}`], [`a${nul}`]],
  ['a|windash|contains', ' -f ', [' -f ', ' /f ', ' –f ', ' —f ', ' ―f '], [' f ', ' +f ']],
  ['a|contains|windash', ' /f ', [' -f ', ' /f '], [' f ']],
  ['a|windash', '-param-name', ['/param-name', '-param-name'], ['-param/name', '/param/name']],
  ['a|windash|contains|all', [' -a', ' -b'], ['x /a -b', 'x -b –a'], ['x -a', 'x /b']],
];

t.test('matcher: every modifier matches what the specification says and nothing else', (t) => {
  for (const [key, value, yes, no] of modifierTable) {
    for (const [expected, given] of [...yes.map((one) => [true, one]), ...no.map((one) => [false, one])]) {
      const event = given === absent ? {} : { a: given };
      t.equal(matches(key, value, event), expected, `${key}: ${JSON.stringify(value)} on ${JSON.stringify(event)}`);
    }
  }
  t.end();
});

t.test('matcher: fieldref compares two fields of the event', (t) => {
  const table: readonly (readonly [key: string, event: Record<string, unknown>, expected: boolean])[] = [
    ['a|fieldref', { a: 'Same', b: 'same' }, true],
    ['a|fieldref', { a: 'x', b: 'y' }, false],
    ['a|fieldref', { a: ['x', 'y'], b: ['z', 'y'] }, true],
    ['a|fieldref', { a: 1, b: '1' }, true],
    ['a|fieldref', { a: 'x' }, false],
    ['a|fieldref', {}, false],
    ['a|fieldref', { a: null, b: null }, false],
    ['a|fieldref', { a: '*', b: 'x' }, false],
    ['a|fieldref', { a: 'x', b: '*' }, false],
    ['a|fieldref|cased', { a: 'Same', b: 'same' }, false],
    ['a|fieldref|startswith', { a: 'abc', b: 'AB' }, true],
    ['a|fieldref|startswith', { a: 'abc', b: 'bc' }, false],
    ['a|fieldref|endswith', { a: 'abc', b: 'bc' }, true],
    ['a|fieldref|endswith', { a: 'abc', b: 'ab' }, false],
    ['a|fieldref|contains', { a: 'abc', b: 'b' }, true],
    ['a|fieldref|contains', { a: 'abc', b: 'd' }, false],
    ['a|fieldref|neq', { a: 'x', b: 'y' }, true],
    ['a|fieldref|neq', { a: 'x', b: 'x' }, false],
  ];
  for (const [key, event, expected] of table) {
    t.equal(matches(key, 'b', event), expected, `${key} on ${JSON.stringify(event)}`);
  }
  t.end();
});

t.test('matcher: keywords are looked for in every value of the event', (t) => {
  const keywords = (value: unknown, event: Readonly<Record<string, unknown>>): boolean =>
    matcherFor({ keywords: value, condition: 'keywords' }).match(event).length === 1;
  const event = { message: 'svchost.exe -n evil', process: { args: ['x', 'event::clear'], pid: 4711 } };
  t.equal(keywords(['EVILSERVICE', 'svchost.exe -n evil'], event), true, 'one of them is enough');
  t.equal(keywords(['event::*', 'nothing'], event), true, 'in a list inside an object, with a wildcard');
  t.equal(keywords('svchost*evil', event), true, 'a single keyword');
  t.equal(keywords([4711], event), true, 'a number');
  t.equal(keywords(['process'], event), false, 'names of fields are not values');
  t.equal(keywords(['svchost*clear'], event), false, 'not across two values');
  t.equal(keywords({ '|all': ['event::', ' -n '] }, event), true, 'all of them, in different values');
  t.equal(keywords({ '|all': ['event::', ' -x '] }, event), false);
  t.equal(keywords({ '|re': '^svc.*l$' }, event), true);
  t.equal(keywords({ '|cased': 'Event' }, event), false);
  t.equal(keywords({ '|neq': 'evil' }, event), false);
  t.equal(keywords([{ a: 'x' }, 'evil'], event), true, 'a list of maps and keywords');
  t.end();
});

t.test('matcher: conditions follow precedence, parentheses and quantifiers', (t) => {
  const selections = { sel_a: { a: 1 }, sel_b: { b: 1 }, filter: { c: 1 }, _hidden: { d: 1 }, 'x-y': { n: 1 } };
  const table: readonly (readonly [
    condition: string | readonly string[],
    yes: readonly string[],
    no: readonly string[],
  ])[] = [
    ['sel_a', ['a', 'ab'], ['', 'b']],
    ['sel_a and sel_b', ['ab'], ['a', 'b']],
    ['sel_a or sel_b and filter', ['a', 'bc'], ['b', 'c']],
    ['(sel_a or sel_b) and filter', ['ac', 'bc'], ['a', 'c']],
    ['not sel_a and sel_b', ['b'], ['ab', '']],
    ['not (sel_a and sel_b)', ['a', 'b', ''], ['ab']],
    ['not not sel_a', ['a'], ['']],
    ['sel_a and not 1 of filter*', ['a'], ['ac', '']],
    ['1 of sel_*', ['a', 'b'], ['c', 'd', '']],
    ['any of sel_*', ['a', 'b'], ['c', '']],
    ['all of sel_*', ['ab', 'abc'], ['a', 'b']],
    ['1 of them', ['a', 'b', 'c', 'n'], ['d', '']],
    ['all of them', ['abcn', 'abcdn'], ['abc', 'abcd']],
    ['1 of *', ['a', 'n'], ['d', '']],
    ['1 of _*', ['d'], ['abcn']],
    ['1 of *l_a', ['a'], ['b']],
    ['_hidden', ['d'], ['a']],
    ['x-y', ['n'], ['a']],
    [
      ['sel_a', 'sel_b and filter'],
      ['a', 'bc'],
      ['b', 'c'],
    ],
  ];
  for (const [condition, yes, no] of table) {
    const matcher = matcherFor({ ...selections, condition });
    for (const [expected, letters] of [
      ...yes.map((one) => [true, one] as const),
      ...no.map((one) => [false, one] as const),
    ]) {
      const event = Object.fromEntries(Array.from(letters, (letter) => [letter, 1]));
      t.equal(matcher.match(event).length === 1, expected, `${JSON.stringify(condition)} on ${letters}`);
    }
  }
  t.end();
});

t.test('matcher: lists of maps are alternatives and the lines of a map go together', (t) => {
  const matcher = matcherFor({ selection: [{ a: 1, b: 2 }, { 'c|contains': 'x' }], condition: 'selection' });
  t.equal(matcher.match({ a: 1, b: 2 }).length, 1);
  t.equal(matcher.match({ c: 'axb' }).length, 1);
  t.equal(matcher.match({ a: 1, b: 3 }).length, 0);
  t.end();
});

t.test('matcher: fields are found by dotted name, in nested objects, in lists of objects and in mixtures', (t) => {
  const taxonomy: Taxonomy = { ...plainTaxonomy, fields: { Image: 'process.parent.executable', Both: ['x.y', 'z'] } };
  const image = matcherFor({ s: { Image: '/bin/sh' }, condition: 's' }, taxonomy);
  for (const event of [
    { 'process.parent.executable': '/bin/sh' },
    { process: { parent: { executable: '/bin/sh' } } },
    { 'process.parent': { executable: '/bin/sh' } },
    { process: { 'parent.executable': ['/bin/sh'] } },
    { process: [{ parent: { executable: '/bin/x' } }, { parent: { executable: '/bin/sh' } }] },
  ]) {
    t.equal(image.match(event).length, 1, JSON.stringify(event));
  }
  t.equal(image.match({ process: 'x', parent: { executable: '/bin/sh' } }).length, 0);
  const both = matcherFor({ s: { Both: 'v' }, condition: 's' }, taxonomy);
  t.equal(both.match({ x: { y: 'v' } }).length + both.match({ z: 'v' }).length, 2, 'a field may be one of several');
  const neither = matcherFor({ s: { Both: null }, condition: 's' }, taxonomy);
  t.equal(neither.match({ z: 'v' }).length, 0, 'and is null only when it is none of them');
  t.equal(neither.match({}).length, 1);
  const inherited = compileRules([load(ruleText({ s: { Odd: null }, condition: 's' }))], {
    ...taxonomy,
    fields: { Odd: 'toString' },
  });
  t.equal(inherited.matcher.match({ a: 1 }).length, 1, 'what every JavaScript object has is not a field');
  t.end();
});

t.test('matcher: a log source limits a rule to its events, and a match names the selections that hold', (t) => {
  const detection = { one: { a: 1 }, two: { b: 1 }, three: { c: 1 }, condition: '1 of *' };
  const sources = [{ category: 'second' }, { product: 'any' }, { product: 'any', category: 'first' }];
  const rules = sources.map((source, number) => load(ruleText(detection, source, number)));
  const { matcher, refused } = compileRules(rules, plainTaxonomy);
  t.strictSame(refused, []);
  const found = (event: Readonly<Record<string, unknown>>): unknown =>
    matcher.match(event).map(({ rule, selections }) => [rules.indexOf(rule), selections]);
  t.strictSame(found({ a: 1, c: 1, kind: 'TWO' }), [
    [0, ['one', 'three']],
    [1, ['one', 'three']],
  ]);
  t.strictSame(found({ b: 1, kind: ['zero', 'one'] }), [
    [1, ['two']],
    [2, ['two']],
  ]);
  t.strictSame(found({ kind: 'one' }), []);
  t.end();
});

t.test('matcher: rules that the taxonomy cannot place are refused with the place of each reason', (t) => {
  const rule = load(ruleText({ s: { Unknown: 1, 'a|fieldref': 'Other', 'own.name': 1 }, condition: 's' }));
  const foreign = load(ruleText({ s: { a: 1 }, condition: 's' }, { product: 'any', service: 'nowhere' }));
  const good = load(ruleText({ s: { a: 1 }, condition: 's' }));
  const { matcher, refused } = compileRules([rule, foreign, good], plainTaxonomy);
  t.strictSame(
    refused.map(({ rule, problems }) => [
      rule.logsource.service,
      problems.map(({ line, code, found }) => [line, code, found]),
    ]),
    [
      [
        undefined,
        [
          [8, 'SIGMA_FIELD_UNMAPPED', 'the field "Unknown"'],
          [9, 'SIGMA_FIELD_UNMAPPED', 'the field "Other"'],
        ],
      ],
      ['nowhere', [[5, 'SIGMA_LOGSOURCE_UNMAPPED', 'a logsource that no event is known for: service "nowhere"']]],
    ],
  );
  t.equal(matcher.match({ a: 1 }).length, 1, 'the others run');
  const local: Taxonomy = {
    fields: {},
    logsources: [{ product: 'any', when: {}, fields: { Unknown: 'u', Other: 'o' } }],
  };
  t.strictSame(compileRules([rule], local).refused.length, 1, 'a is not known there');
  t.strictSame(
    compileRules([rule], { ...local, fields: { a: 'a' } }).refused,
    [],
    'names of a log source join the general ones',
  );
  t.end();
});

t.test('matcher: an escaped literal matches itself and nothing else', (t) => {
  const characters = fc.oneof(
    fc.constantFrom('*', '?', '\\', 'a', 'Σ', 'ς', 'İ'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  );
  const texts = fc.array(characters, { maxLength: 8 }).map((all) => all.join(''));
  fc.assert(
    fc.property(
      texts,
      texts,
      fc.constantFrom('a', 'a|cased', 'a|contains', 'a|startswith', 'a|endswith'),
      (text, other, key) => {
        const matcher = matcherFor({ selection: { [key]: escapeLiteral(text) }, condition: 'selection' });
        const says = (value: string): boolean => matcher.match({ a: value }).length === 1;
        const isSame = key === 'a' ? fold(text) === fold(other) : key === 'a|cased' ? text === other : undefined;
        return (
          says(text) &&
          (isSame === undefined || says(other) === isSame) &&
          (!key.includes('contains') || says(`x${text}y`))
        );
      },
    ),
    { numRuns: 1000 },
  );
  t.pass('for random texts');
  t.end();
});

t.test('matcher: base64offset finds a text wherever it stands inside encoded bytes', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 7 }),
      fc.string({ minLength: 4, maxLength: 12, unit: 'binary' }),
      fc.uint8Array({ maxLength: 7 }),
      (before, text, after) => {
        const encoded = Buffer.concat([before, Buffer.from(text), after]).toString('base64');
        return matches('a|base64offset|contains', escapeLiteral(text), { a: encoded });
      },
    ),
    { numRuns: 300 },
  );
  t.pass('for random bytes around random texts');
  t.end();
});

function sampleMatcher(): Matcher {
  const rules = Object.values(sampleRules).map(load);
  const { matcher, refused } = compileRules(rules, ecsTaxonomy);
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
  return matcher;
}

t.test('matcher: rules as they are written for Linux match the events that they are meant for', (t) => {
  const matcher = sampleMatcher();
  const file = (event: Readonly<Record<string, unknown>>): readonly string[] =>
    matcher.match({ host: { os: { type: 'linux' } }, ...event }).map(({ rule }) => rule.title);
  const start = (process: Readonly<Record<string, unknown>>, user = 'alice'): readonly string[] =>
    file({ event: { category: ['process'], type: ['start'] }, process, user: { name: user } });

  const inline = { executable: '/usr/bin/python3.11', command_line: 'python3 -c import socket;s.connect(("h",1))' };
  t.strictSame(start(inline), ['Python One-Liner That Opens A Network Connection']);
  t.strictSame(start({ ...inline, working_directory: '/opt/automation/x' }, 'ansible'), [], 'the filter holds');
  t.strictSame(start({ ...inline, working_directory: '/home/x' }, 'ansible').length, 1, 'the filter needs both');
  t.strictSame(file({ event: { category: 'process', type: 'end' }, process: inline }), [], 'not a start');

  const hidden = { executable: '/usr/bin/python3.11', command_line: 'python3 /tmp/a/.cache/run.py --x' };
  t.strictSame(start(hidden), ['Python Script Run From A Hidden Directory']);
  t.strictSame(start({ ...hidden, executable: '/usr/bin/PYTHON3' }).length, 1);
  t.strictSame(start({ ...hidden, executable: '/usr/bin/perl' }), []);
  t.strictSame(start({ ...hidden, command_line: 'python3 /home/a/.cache/run.py' }), []);

  const parent = { executable: '/usr/bin/python3.11' };
  const shell = { executable: '/usr/bin/dash', parent, tty: { char_device: { major: 136 } } };
  t.strictSame(start(shell), ['Shell Spawned By Python As Another User Than Root']);
  t.strictSame(start(shell, 'root'), []);
  t.strictSame(start(shell, 'Root').length, 1, 'cased');
  t.strictSame(start({ executable: '/usr/bin/dash', parent }), [], 'no terminal');
  t.strictSame(start({ ...shell, executable: '/usr/bin/fish' }), []);

  const connect = (ip: string, port: number | string): readonly string[] =>
    file({
      event: { category: 'network', type: ['connection'] },
      process: { executable: '/usr/bin/python3' },
      destination: { ip, port },
    });
  t.strictSame(connect('203.0.113.9', 4444), ['Connection To A High Port By An Interpreter']);
  t.strictSame(connect('2001:db8::9', '4444').length, 1);
  for (const ip of ['127.0.0.1', '10.9.8.7', '::1', 'fe80::7', '::ffff:127.0.0.1']) t.strictSame(connect(ip, 4444), []);
  for (const port of [443, 8080, '8443']) t.strictSame(connect('203.0.113.9', port), []);

  const written = { event: { category: 'file', type: ['creation'] }, file: { path: '/etc/cron.d/job' } };
  t.strictSame(file({ ...written, process: { executable: '/usr/bin/python3' } }), [
    'Cron Table Written By An Interpreter',
  ]);
  t.strictSame(file({ ...written, process: { executable: '/usr/bin/vim' } }), []);

  const encoded = Buffer.from('x;import pty;y').toString('base64');
  t.strictSame(start({ command_line: `echo ${encoded} | base64 -d | sh` }), [
    'Base64 Of A Python Import On A Command Line',
  ]);
  const wide = Buffer.from('# import os', 'utf16le').toString('base64');
  t.strictSame(start({ command_line: `echo ${wide}` }).length, 1);
  t.strictSame(start({ command_line: 'import pty' }), []);

  const cron = { process: { name: 'CRON' } };
  t.strictSame(file({ ...cron, message: '(alice) CMD (python3 /tmp/x.py)' }), [
    'Cron Runs Python From A Temporary Directory',
  ]);
  t.strictSame(file({ ...cron, message: '(alice) CMD (python3 /opt/x.py)' }), []);
  const sshd = { process: { name: 'sshd' } };
  t.strictSame(file({ ...sshd, message: 'Bad protocol version identification' }), [
    'Suspicious Messages Of The SSH Daemon',
  ]);
  t.strictSame(file({ ...sshd, message: 'Accepted publickey for alice' }), []);

  const again = {
    command_line: './x',
    working_directory: '/a',
    parent: { command_line: './x', working_directory: '/b' },
  };
  t.strictSame(start(again), ["Process With Its Parent's Command Line"]);
  t.strictSame(start({ ...again, parent: { command_line: './x', working_directory: '/a' } }), []);
  t.end();
});

t.test('matcher: many rules at once match exactly what each matches when it is evaluated the obvious way', (t) => {
  let matched = 0;
  let asked = 0;
  fc.assert(
    fc.property(
      fc.array(randomRule, { minLength: 1, maxLength: 12 }),
      fc.array(randomEvent, { minLength: 5, maxLength: 20 }),
      (drafts, events) => {
        const rules = drafts.map(({ detection, logsource }, i) => load(ruleText(detection, logsource, i)));
        const { matcher, refused } = compileRules(rules, plainTaxonomy);
        if (refused.length > 0) return false;
        for (const event of events) {
          const flat = flatten(event);
          const expected = rules.filter((rule) => naiveMatch(rule, plainTaxonomy, flat));
          const found = matcher.match(event).map(({ rule }) => rule);
          matched += found.length;
          asked += rules.length;
          if (expected.length !== found.length || expected.some((rule, i) => rule !== found[i])) return false;
        }
        return true;
      },
    ),
    { numRuns: 500 },
  );
  t.ok(
    matched > asked / 20 && matched < asked * 0.95,
    `a good part of the questions (${matched} of ${asked}) has a yes`,
  );
  t.end();
});

/** Rules and events at random, with what pySigma 2.0.1's parser, modifiers and conditions make of them. */
type PySigmaVector = { rule: string; events: Record<string, unknown>[]; expected: boolean[] };

t.test('matcher: rules mean what pySigma takes them to mean', async (t) => {
  const lines = (await readFile(new URL('sigma-pysigma.jsonl', import.meta.url), 'utf8')).trim().split('\n');
  for (const vector of lines.map((line) => JSON.parse(line) as PySigmaVector)) {
    const { matcher } = compileRules([load(vector.rule)], plainTaxonomy);
    const found = vector.events.map((event) => matcher.match(event).length === 1);
    t.strictSame(found, vector.expected, vector.rule);
  }
});
