import fc from 'fast-check';
import t from 'tap';
import { AhoCorasick } from '../../lab/sigma/aho-corasick.ts';
import { regexLiterals } from '../../lab/sigma/literals.ts';
import { fold } from '../../lab/sigma/pattern.ts';
import { compileRegex } from '../../lab/sigma/regex.ts';
import type { SigmaRegex } from '../../lab/sigma/regex.ts';
import type { RegexFlag } from '../../lab/sigma/regex-syntax.ts';

function compile(source: string, flags = ''): SigmaRegex {
  const compiled = compileRegex(source, new Set(flags as Iterable<RegexFlag>));
  if ('code' in compiled) throw new Error(`${source}: ${compiled.found}`);
  return compiled;
}

function refusal(source: string): string {
  const compiled = compileRegex(source, new Set());
  return 'code' in compiled ? compiled.found : 'accepted';
}

t.test('regex: what Sigma allows and what real rules use besides has the meaning of PCRE', (t) => {
  const table: readonly (readonly [source: string, flags: string, yes: readonly string[], no: readonly string[]])[] = [
    ['', '', ['', 'x'], []],
    ['a.c', '', ['xabcx', 'a\rc'], ['a\nc', 'ac']],
    ['a.c', 's', ['a\nc'], ['ac']],
    ['^ab$', '', ['ab', 'ab\n'], ['xab', 'abx', 'ab\n\n', 'x\nab']],
    ['^ab$', 'm', ['x\nab\ny', 'ab'], ['xab']],
    ['^$', 'm', ['', '\n', 'a\n\nb'], ['a\n', 'a\nb']],
    ['ab*c+d?', '', ['ac', 'abbccd'], ['ab']],
    ['x{2}', '', ['xx'], ['x', 'xyx']],
    ['^x{2,}$', '', ['xx', 'xxxxx'], ['x']],
    ['^x{1,3}$', '', ['x', 'xxx'], ['', 'xxxx']],
    ['^(ab){0}c$', '', ['c'], ['abc']],
    ['a{,3}', '', ['a{,3}'], ['aaa']],
    ['a{x', '', ['a{x'], ['a']],
    ['^.*?b+?$', '', ['aab'], ['aa']],
    ['(foo|ba(r|z))!', '', ['foo!', 'baz!'], ['ba!']],
    ['^(?:a|)b', '', ['ab', 'b'], ['xb']],
    ['(?<name>a)(?P<other>b)', '', ['ab'], ['a']],
    ['[a-c_]x', '', ['bx', '_x'], ['dx']],
    ['^[^a-c]$', '', ['d', '\n'], ['a']],
    ['^[]a]+$', '', [']a'], ['b']],
    ['^[^]a]$', '', ['b'], [']', 'a']],
    ['[a-]', '', ['-'], ['b']],
    ['^[\\w.-]+$', '', ['a_9.-'], ['a b']],
    ['^[\\]\\\\^-]+$', '', [']\\^-'], ['a']],
    ['[\\b]', '', ['\b'], ['b']],
    ['\\d\\D\\w\\W\\s\\S', '', ['1a_-\t!'], ['1a_- ']],
    ['\\bcat\\b', '', ['a cat.', 'cat'], ['cats', '_cat']],
    ['\\Bat', '', ['cat'], ['at', ' at']],
    ['\\x41\\x{42}\\t\\.', '', ['AB\t.'], ['AB\tx']],
    ['\\/\\-\\"', '', ['/-"'], ['/']],
    ['ÄB', 'i', ['äb', 'ÄB'], ['ab']],
    ['[k-m]', 'i', ['L', 'k'], ['J']],
    ['^[^a]$', 'i', ['b'], ['A']],
    ['(a*)*b', '', ['aab', 'b'], ['aa']],
    ['(^a|b$)+', '', ['ax', 'xb'], ['xax']],
  ];
  for (const [source, flags, yes, no] of table) {
    const { test } = compile(source, flags);
    for (const text of yes) t.equal(test(text), true, `/${source}/${flags} matches ${JSON.stringify(text)}`);
    for (const text of no) t.equal(test(text), false, `/${source}/${flags} does not match ${JSON.stringify(text)}`);
  }
  t.end();
});

t.test('regex: everything else is refused by name', (t) => {
  const table: readonly (readonly [source: string, what: string])[] = [
    ['(?=a)', 'a lookahead'],
    ['(?!a)', 'a negative lookahead'],
    ['(?<=a)b', 'a lookbehind'],
    ['(?<!a)b', 'a negative lookbehind'],
    ['(?>a)', 'an atomic group'],
    ['a(?i)b', 'the group (?i'],
    ['(?R)', 'the group (?R'],
    ['(*ACCEPT)', 'the group (*A'],
    ['(a)\\1', 'the back reference \\1'],
    ['\\p{L}', 'the escape \\p'],
    ['\\Aa\\z', 'the escape \\A'],
    ['\\Qa\\E', 'the escape \\Q'],
    ['a++', 'the possessive quantifier'],
    ['a{2}+', 'the possessive quantifier'],
    ['a**', 'a second quantifier'],
    ['*a', 'with nothing before it'],
    ['(|+)', 'with nothing before it'],
    ['^*', 'after an anchor'],
    ['a{3,2}', 'its bounds the wrong way round'],
    ['[[:alpha:]]', 'a POSIX class'],
    ['[z-a]', 'its ends the wrong way round'],
    ['[\\w-z]', 'a range in a class that starts with a class'],
    ['[😀]', 'a character beyond U+FFFF in a class'],
    ['[a', 'a [ without its ]'],
    ['[]', 'a [ without its ]'],
    ['(a', 'a ( without its )'],
    ['a)', 'a ) without its ('],
    ['a\\', 'a backslash at the end'],
    ['(a{1,100}){1,100}', 'more than 2000 steps'],
    ['('.repeat(51) + ')'.repeat(51), 'nested more than 50 deep'],
    ['a'.repeat(2001), 'of 2001 characters'],
  ];
  for (const [source, what] of table) t.match(refusal(source), what, source.slice(0, 30));
  t.end();
});

/** Expressions of the kind that both engines know and mean the same by, over few letters. */
const { expression } = fc.letrec<{ expression: string; branch: string; piece: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('a', 'b', 'A', '-', '.', '[ab]', '[^a]', '\\w', '\\W', '\\s', '\\d', '[a-z-]', '\\n'),
    },
    tie('expression').map((inner) => `(${inner})`),
    tie('expression').map((inner) => `(?:${inner})`),
  ),
  piece: fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}', '{1,}', '{0,2}'))
        .map((both) => both.join('')),
    },
    fc.constantFrom('^', '$', '\\b', '\\B'),
  ),
  branch: fc.array(tie('piece'), { maxLength: 3 }).map((all) => all.join('')),
  expression: fc.array(tie('branch'), { minLength: 1, maxLength: 2 }).map((all) => all.join('|')),
}));
/** Without a line break at the end, where PCRE's `$` and `^` differ from JavaScript's. */
const text = fc
  .string({ unit: fc.constantFrom('a', 'b', 'A', 'B', '-', ' ', '1', '\n', 'é'), maxLength: 8 })
  .map((one) => one.replace(/\n+$/, ''));
const flags = fc.subarray(['i', 'm', 's']).map((all) => all.join(''));

t.test('regex: the automaton finds what RegExp finds', (t) => {
  let found = 0;
  fc.assert(
    fc.property(expression, flags, fc.array(text, { minLength: 5, maxLength: 10 }), (source, options, texts) => {
      const ours = compile(source, options);
      const theirs = new RegExp(source, options);
      return texts.every((one) => {
        const expected = theirs.test(one);
        if (expected) found++;
        return ours.test(one) === expected;
      });
    }),
    { numRuns: 3000 },
  );
  t.ok(found > 3000, `a good part of the searches (${found}) finds something`);
  t.end();
});

t.test('regex: the automaton finds the same after it has had to forget its states', (t) => {
  const source = '(a|b)*a(a|b){12}$';
  const { test } = compile(source);
  const theirs = new RegExp(source);
  let tried = 0;
  for (let number = 0; number < 32_768; number += 5) {
    const letters = number.toString(2).padStart(15, '0').replaceAll('0', 'a').replaceAll('1', 'b');
    if (test(letters) !== theirs.test(letters)) t.fail(letters);
    tried++;
  }
  t.equal(tried, 6554, 'which needs thousands of them');
  t.end();
});

t.test('regex: a text that stalls a backtracking engine costs no more than any other', (t) => {
  const table: readonly (readonly [source: string, hostile: string])[] = [
    ['foo.*bar.*foo.*bar.*baz', 'foobar'.repeat(10_000)],
    ['.*foo.*bar.*baz', 'foobar'.repeat(10_000)],
    ['(a+)+$', `${'a'.repeat(60_000)}!`],
    ['(a|a)*b', 'a'.repeat(60_000)],
    ['([a-z]+)*!', 'a'.repeat(60_000)],
    ['(x+x+)+y', 'x'.repeat(60_000)],
    ['^(.*?,){30}P', '1,2,3,4,5,6,7,8,9,'.repeat(3_000)],
    ['a.{0,500}b$', 'ab'.repeat(30_000).concat('a')],
  ];
  for (const [source, hostile] of table) {
    const { test } = compile(source);
    const begin = performance.now();
    t.equal(test(hostile), false);
    const tookMs = performance.now() - begin;
    t.ok(tookMs < 2000, `/${source}/ on ${hostile.length} characters took ${tookMs.toFixed(0)} ms`);
  }
  t.end();
});

t.test('regex literals: one of them is in every text that the expression matches', (t) => {
  t.strictSame(regexLiterals(compile('\\s(curl|wget)\\s.*ftp?:').syntax), ['curl', 'wget']);
  t.strictSame(regexLiterals(compile('ab?cde*').syntax), ['cd']);
  t.strictSame(regexLiterals(compile('(abc)+x').syntax), ['abc']);
  t.strictSame(regexLiterals(compile('a|.').syntax), undefined);
  let checked = 0;
  fc.assert(
    fc.property(expression, flags, text, (source, options, one) => {
      const { syntax, test } = compile(source, options);
      const literals = regexLiterals(syntax);
      if (literals === undefined || !test(one)) return true;
      checked++;
      return literals.some((literal) => fold(one).includes(fold(literal)));
    }),
    { numRuns: 5000 },
  );
  t.ok(checked > 50, `${checked} matches had literals`);
  t.end();
});

t.test('Aho-Corasick: every occurrence of every text is found, and its end', (t) => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '語'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.uniqueArray(word, { maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'é', '語'), maxLength: 30 }),
      (words, inText) => {
        const found: string[] = [];
        new AhoCorasick(words).search(inText, (number, end) => found.push(`${number}@${end}`));
        const expected = words.flatMap((one, number) =>
          Array.from({ length: inText.length }, (_, i) => i).flatMap((i) =>
            inText.startsWith(one, i) ? [`${number}@${i + one.length}`] : [],
          ),
        );
        return found.sort().join() === expected.sort().join();
      },
    ),
    { numRuns: 1000 },
  );
  t.pass('for random words and texts');
  t.end();
});
