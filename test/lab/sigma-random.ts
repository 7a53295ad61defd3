import fc from 'fast-check';
import type { Taxonomy } from '../../lab/sigma/taxonomy.ts';

/** Fields a to e are the event's own; every event is in the scope of `product: any`. */
export const plainTaxonomy: Taxonomy = {
  fields: { a: 'a', b: 'b', c: 'c', d: ['d', 'e'], n: 'n', ip: 'ip', o: 'o' },
  logsources: [
    { product: 'any', when: {} },
    { category: 'first', when: { kind: 'one' } },
    { category: 'second', when: { kind: ['two', 'three'] } },
  ],
};

/** Few letters, so that random rules and events have something in common. */
const word = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'B', '/', '.'), maxLength: 4 });
const number = fc.integer({ min: 0, max: 4 });
const address = fc.constantFrom('10.0.0.1', '10.1.0.1', '192.168.0.1', '2001:db8:0:0:0:0:0:1', '0:0:0:0:0:0:0:1');
const scalar = fc.oneof({ weight: 5, arbitrary: word }, number, fc.constant(null), fc.boolean());
/** An event of `plainTaxonomy`. */
export const randomEvent = fc.record(
  {
    a: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
    b: scalar,
    c: scalar,
    d: scalar,
    e: fc.array(word, { maxLength: 2 }),
    n: fc.oneof(number, number.map(String)),
    ip: address,
    kind: fc.constantFrom('one', 'two', 'three', 'four'),
    o: fc.record({ p: scalar }),
  },
  { requiredKeys: [] },
);
const randomPattern = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '/', '.', '*', '?', '\\'), maxLength: 4 });
const randomRegex = fc.constantFrom(
  'a.b',
  '^a',
  'b$',
  'a+b?',
  '(ab|ba)',
  '[ab]{2}',
  'a|/',
  '',
  '/.*b',
  '(a|b)+/',
  'aa?b',
);
const field = fc.constantFrom('a', 'b', 'c', 'd', 'o.p');
function several<T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> {
  return fc.oneof(one, fc.array(one, { minLength: 1, maxLength: 3 }));
}
const randomLine: fc.Arbitrary<[string, unknown]> = fc.oneof(
  fc.tuple(field, several(fc.oneof(randomPattern, scalar))),
  fc.tuple(
    field.chain((name) =>
      fc
        .constantFrom(
          'contains',
          'startswith',
          'endswith',
          'cased',
          'contains|all',
          'neq',
          'contains|cased',
          'base64offset|contains',
        )
        .map((mods) => `${name}|${mods}`),
    ),
    several(word.filter((text) => text !== '')),
  ),
  fc.tuple(
    field.chain((name) => fc.constantFrom('re', 're|i', 're|all').map((mods) => `${name}|${mods}`)),
    several(randomRegex),
  ),
  fc.tuple(fc.constantFrom('a|exists', 'd|exists', 'o|exists'), fc.boolean()),
  fc.tuple(fc.constantFrom('n|lt', 'n|lte', 'n|gt', 'n|gte'), number),
  fc.tuple(fc.constant('n'), several(number)),
  fc.tuple(
    fc.constant('ip|cidr'),
    several(fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '0.0.0.0/0', '2001:db8::/32', '::/0', '::1')),
  ),
  fc.tuple(
    fc.constantFrom('a|fieldref', 'a|fieldref|contains', 'b|fieldref|startswith', 'b|fieldref|endswith|cased'),
    fc.constantFrom('b', 'c', 'd'),
  ),
);
const randomMap = fc.array(randomLine, { minLength: 1, maxLength: 3 }).map((lines) => Object.fromEntries(lines));
const randomSelection = fc.oneof(
  { weight: 5, arbitrary: randomMap },
  fc.array(randomMap, { minLength: 1, maxLength: 2 }),
  fc.array(
    word.filter((text) => text !== ''),
    { minLength: 1, maxLength: 2 },
  ),
  fc.record({
    '|all': fc.array(
      word.filter((text) => text !== ''),
      { minLength: 1, maxLength: 2 },
    ),
  }),
);
const { condition } = fc.letrec<{ condition: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('s1', 's2', 's3', '1 of s*', 'all of them', '1 of them') },
    tie('condition').map((inner) => `(${inner})`),
    tie('operand').map((inner) => `not ${inner}`),
  ),
  condition: fc
    .array(fc.tuple(fc.constantFrom(' and ', ' or '), tie('operand')), { minLength: 1, maxLength: 3 })
    .map((all) => all.flatMap(([joint, operand], i) => (i === 0 ? [operand] : [joint, operand])).join('')),
}));
/** The detection and log source of a rule of `plainTaxonomy`, with every modifier that a plain evaluation can follow. */
export const randomRule = fc.record({
  detection: fc.record({ s1: randomSelection, s2: randomSelection, s3: randomSelection, condition }),
  logsource: fc.constantFrom(
    { product: 'any' },
    { category: 'first' },
    { category: 'second' },
    { product: 'any', category: 'second' },
  ),
});
