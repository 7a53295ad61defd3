import fc from 'fast-check';
import t from 'tap';
import type { Target } from '../../runner/domain/inventory.ts';
import type { Scenario } from '../../runner/domain/scenario.ts';
import { type Condition, matches } from '../../runner/domain/selector.ts';
import { sampleTargets } from '../../runner/load/sample.ts';
import { selectScenarios, selectTargets } from '../../runner/load/select.ts';
import { readSelector } from '../../runner/load/selector.ts';
import { Site } from '../fakes/site.ts';

const { inventory } = new Site({
  web01: { role: 'web-server', zone: 'dmz', groups: ['web', 'dmz'], criticality: 'high' },
  web02: { role: 'web-server', zone: 'core', groups: ['web'] },
  db01: { role: 'database', zone: 'core', groups: ['db'], owner: 'data team' },
  esx01: { role: 'hypervisor', zone: 'core', groups: ['virtual'], platform: 'esxi', fidelity: 'stand-in' },
});

/** Ids of what an expression selects, or the code and column of what is wrong with it. */
function targets(expression: string): readonly string[] {
  const selected = selectTargets(inventory, expression);
  if (selected.is === 'loaded') return selected.value.map(({ id }) => id);
  return selected.problems.map(({ file, line, code, col }) => `${file} ${code} ${line}:${col}`);
}

const hintOf = (expression: string): string => {
  const selected = selectTargets(inventory, expression);
  return selected.is === 'loaded' ? 'none' : selected.problems[0].hint;
};

t.test(
  'selectTargets: fields, alternatives, and, or, not and parentheses choose in the order of the inventory',
  (t) => {
    const table: Readonly<Record<string, readonly string[]>> = {
      web01: ['web01'],
      'db01,web01': ['web01', 'db01'],
      'web*, db01': ['web01', 'web02', 'db01'],
      'id=web01': ['web01'],
      'role=web-server and not zone=dmz': ['web02'],
      'role=web-server and zone!=dmz': ['web02'],
      'zone = core': ['web02', 'db01', 'esx01'],
      'group=web,db': ['web01', 'web02', 'db01'],
      'group!=web,db': ['esx01'],
      'owner="data team"': ['db01'],
      "owner='data*'": ['db01'],
      'platform=esxi or criticality=high': ['web01', 'esx01'],
      'fidelity=stand-in': ['esx01'],
      'transport=scripted': ['web01', 'web02', 'db01', 'esx01'],
      'not (zone=core or group=dmz) or db01': ['db01'],
      'role=web-server or role=database and zone=core': ['web01', 'web02', 'db01'],
      '(role=web-server or role=database) and zone=core': ['web02', 'db01'],
      'not not web01': ['web01'],
      'not web01 and not db01 and not esx01': ['web02'],
      '*0*1': ['web01', 'db01', 'esx01'],
      '*': ['web01', 'web02', 'db01', 'esx01'],
      "'web01'": ['web01'],
    };
    for (const [expression, ids] of Object.entries(table)) t.same(targets(expression), ids, expression);
    t.end();
  },
);

t.test('selectTargets: what cannot be meant is refused at its column', (t) => {
  const table: Readonly<Record<string, readonly string[]>> = {
    '': ['SELECT_SYNTAX 1:1'],
    'web01, web03': ['SELECT_NO_MATCH 1:8'],
    'web03 or role=nothing': ['SELECT_NO_MATCH 1:1', 'SELECT_NO_MATCH 1:15'],
    'rolle=web-server': ['SELECT_UNKNOWN_FIELD 1:1'],
    'web01 and constructor=x or grp=y': ['SELECT_UNKNOWN_FIELD 1:11', 'SELECT_UNKNOWN_FIELD 1:28'],
    'web01 and not web01': ['SELECT_NOTHING 1:1'],
    'web01 web02': ['SELECT_SYNTAX 1:7'],
    'web01 and': ['SELECT_SYNTAX 1:10'],
    '(web01 or web02': ['SELECT_SYNTAX 1:16'],
    'web01)': ['SELECT_SYNTAX 1:6'],
    'role=': ['SELECT_SYNTAX 1:6'],
    'role=and': ['SELECT_SYNTAX 1:6'],
    '=web': ['SELECT_SYNTAX 1:1'],
    'role=web-server,zone=dmz': ['SELECT_SYNTAX 1:21'],
    'web01 and owner="data team': ['SELECT_SYNTAX 1:17'],
    'web01 !zone': ['SELECT_SYNTAX 1:7'],
    "role=''": ['SELECT_PATTERN 1:6'],
    '*a*a*a*a*b': ['SELECT_PATTERN 1:1'],
    [`${'('.repeat(40)}web01${')'.repeat(40)}`]: ['SELECT_SYNTAX 1:31'],
    ['x'.repeat(2_001)]: ['SELECT_TOO_LONG 1:1'],
  };
  for (const [expression, problems] of Object.entries(table))
    t.same(
      targets(expression),
      problems.map((problem) => `--targets ${problem}`),
      expression.slice(0, 60),
    );
  t.end();
});

t.test('selectTargets: the hint says what to write instead', (t) => {
  t.match(hintOf('rolle=web-server'), /did you mean role\?/);
  t.match(hintOf('web03'), /did you mean web0/);
  t.equal(hintOf('group:web'), 'write group=web');
  t.equal(hintOf('web01 or -group:web'), 'write not group=web');
  t.equal(hintOf('-web01'), 'write not web01');
  t.match(hintOf('web01 ('), /and, or or/);
  t.match(hintOf('role=web-server,zone=dmz'), /a comma stands between values of one field/);
  t.end();
});

const fields = ['id', 'role', 'zone'] as const;
type Thing = Readonly<Record<(typeof fields)[number], string>>;
const value = fc.constantFrom('a', 'b', 'and', 'two words', "it's", 'x=y', '(', 'not');
const thing: fc.Arbitrary<Thing> = fc.record({ id: value, role: value, zone: value });
const { condition } = fc.letrec<{ condition: Condition; leaf: Condition }>((tie) => ({
  leaf: fc.record({
    is: fc.constant('one-of' as const),
    field: fc.constantFrom(...fields),
    patterns: fc
      .tuple(value)
      .chain(([first]) => fc.array(value, { maxLength: 2 }).map((rest) => [first, ...rest] as const)),
  }),
  condition: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    tie('leaf'),
    fc.record({ is: fc.constant('not' as const), of: tie('condition') }),
    fc.record({
      is: fc.constantFrom('and' as const, 'or' as const),
      of: fc.tuple(tie('condition'), tie('condition')),
    }),
  ),
}));

/** A condition as a person could write it. */
function written(of: Condition): string {
  switch (of.is) {
    case 'one-of':
      return `${of.field}=${of.patterns.map((text) => (text.includes("'") ? `"${text}"` : `'${text}'`)).join(',')}`;
    case 'not':
      return `not (${written(of.of)})`;
    case 'and':
    case 'or':
      return of.of.map((part) => `(${written(part)})`).join(` ${of.is} `);
  }
}

t.test('readSelector: a condition that is written down and read again chooses the same', (t) => {
  const valuesOf = { id: (one: Thing) => [one.id], role: (one: Thing) => [one.role], zone: (one: Thing) => [one.zone] };
  fc.assert(
    fc.property(condition, thing, (of, one) => {
      const read = readSelector(written(of), fields);
      return read.is === 'read' && matches(read.selector.condition, one, valuesOf) === matches(of, one, valuesOf);
    }),
  );
  t.end();
});

t.test('readSelector: any text is a condition, or has faults within it', (t) => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('and', 'or', 'not', '(', ')', '=', '!=', ',', ' ', "'", '"', '*', 'role', 'web01', '__proto__'),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join(' ');
      const read = readSelector(text, fields);
      return (
        read.is === 'read' || read.faults.every(({ col, hint }) => col >= 1 && col <= text.length + 1 && hint !== '')
      );
    }),
  );
  t.end();
});

t.test('selectScenarios: the same grammar by id, purpose, element, analytic, platform, channel and log source', (t) => {
  const scenario = (id: string, purpose: Scenario['purpose'], element?: string): Scenario =>
    ({
      id,
      platform: 'linux',
      analytic: 'AN0174',
      ...(element !== undefined && { element }),
      purpose,
      channel: 'exec',
      expect: { event: { sources: ['auditd:SYSCALL/execve'] } },
    }) as unknown as Scenario;
  const scenarios = [
    scenario('linux/a', 'emulation', 'ScriptDir'),
    scenario('linux/b', 'twin', 'ScriptDir'),
    scenario('linux/c', 'control'),
  ];
  const ids = (expression: string): readonly string[] => {
    const selected = selectScenarios(scenarios, expression);
    return selected.is === 'loaded' ? selected.value.map(({ id }) => id) : selected.problems.map(({ code }) => code);
  };
  t.same(ids('linux/a'), ['linux/a']);
  t.same(ids('*/b'), ['linux/b']);
  t.same(ids('purpose=control'), ['linux/c']);
  t.same(ids('element=ScriptDir and not purpose=twin'), ['linux/a']);
  t.same(ids('analytic=AN0174 and channel=exec'), ['linux/a', 'linux/b', 'linux/c']);
  t.same(ids('source=auditd:*'), ['linux/a', 'linux/b', 'linux/c']);
  t.same(ids('element=Script'), ['SELECT_NO_MATCH']);
  t.same(ids('zone=dmz'), ['SELECT_UNKNOWN_FIELD']);
  t.end();
});

const example = inventory.targets[0] as Target;
const hosts = fc
  .uniqueArray(fc.tuple(fc.nat(500), fc.constantFrom('web', 'db'), fc.constantFrom('dmz', 'core')), {
    selector: ([id]) => id,
    maxLength: 40,
  })
  .map((all) => all.map(([id, role, zone]): Target => ({ ...example, id: `host-${id}`, role, zone })));
const ids = (of: readonly Target[]): readonly string[] => of.map(({ id }) => id);

t.test(
  'sampleTargets: n of each role in each zone, the same ones for the same seed, in the order of the inventory',
  (t) => {
    fc.assert(
      fc.property(hosts, fc.integer({ min: 1, max: 5 }), fc.string(), (all, n, seed) => {
        const chosen = sampleTargets(all, { perRoleAndZone: n, seed });
        const strata = Map.groupBy(all, ({ role, zone }) => `${role} ${zone}`);
        for (const [stratum, members] of strata)
          if (chosen.filter(({ role, zone }) => `${role} ${zone}` === stratum).length !== Math.min(n, members.length))
            return false;
        const again = sampleTargets(all.toReversed(), { perRoleAndZone: n, seed }).toReversed();
        return (
          ids(chosen).join() === ids(again).join() &&
          ids(all.filter((one) => chosen.includes(one))).join() === ids(chosen).join()
        );
      }),
    );
    t.end();
  },
);

t.test(
  'sampleTargets: who comes or goes in one stratum changes nothing in another, and one place at most in its own',
  (t) => {
    fc.assert(
      fc.property(hosts, fc.integer({ min: 1, max: 3 }), fc.string(), (all, n, seed) => {
        const [gone, ...others] = all;
        if (gone === undefined) return true;
        const before = ids(sampleTargets(all, { perRoleAndZone: n, seed }));
        const after = ids(sampleTargets(others, { perRoleAndZone: n, seed }));
        const isKin = (id: string): boolean =>
          all.some((one) => one.id === id && one.role === gone.role && one.zone === gone.zone);
        const lost = before.filter((id) => !after.includes(id));
        const won = after.filter((id) => !before.includes(id));
        return lost.every((id) => id === gone.id) && won.every(isKin) && won.length <= lost.length;
      }),
    );
    t.end();
  },
);

t.test(
  'sampleTargets: the seed decides; platforms and stand-ins are apart; what is always taken takes nobody’s place',
  (t) => {
    const ten = Array.from({ length: 10 }, (_, index): Target => ({ ...example, id: `h${index}` }));
    const first = new Set(
      Array.from({ length: 30 }, (_, seed) => ids(sampleTargets(ten, { perRoleAndZone: 1, seed: String(seed) }))[0]),
    );
    t.ok(first.size > 5, `${first.size} different hosts in 30 seeds`);
    const mixed: Target[] = [
      example,
      { ...example, id: 'win', platform: 'windows' },
      { ...example, id: 'not-real', fidelity: 'stand-in' },
    ];
    t.equal(sampleTargets(mixed, { perRoleAndZone: 1, seed: 's' }).length, 3);
    const read = readSelector('h3,h4', ['id']);
    if (read.is === 'wrong') throw new Error('not read');
    const always = sampleTargets(ten, { perRoleAndZone: 2, seed: 's', always: read.selector });
    t.equal(always.length, 4);
    t.ok(ids(always).includes('h3') && ids(always).includes('h4'));
    t.end();
  },
);
