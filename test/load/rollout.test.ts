import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sampleRule } from '../../runner/load/sample.ts';
import { loadInventory } from '../../runner/load/inventory.ts';
import { edited, inventoryText, places, plugins, readInventoryText } from './material.ts';

const limits = 'limits: { hosts: 4, perZone: 2 }\n';

/** The inventory of the tests with other sections instead of its limits. */
const withSections = (sections: string): string => edited(inventoryText, limits, sections);

const problemsOf = (text: string): readonly string[] => places(readInventoryText(text).problems);
const hintsOf = (text: string): string =>
  readInventoryText(text)
    .problems.map(({ found, hint }) => `${found}; ${hint}`)
    .join('\n');

t.test('inventory: groups by expression count as groups, for windows and for the groups after them', (t) => {
  const text = edited(
    edited(
      withSections("groups:\n  hot: 'criticality=high'\n  dmz-hot: 'group=hot and zone=dmz'\n"),
      'groups: [web]\n    role: web-server',
      'role: web-server',
    ),
    'groups: [web]\n    weekly',
    'groups: [dmz-hot]\n    weekly',
  );
  const { inventory, problems } = readInventoryText(text);
  t.same(problems, []);
  t.same(
    inventory?.targets.map(({ id, groups }) => [id, groups]),
    [
      ['web01', ['hot', 'dmz-hot']],
      ['batch01', ['batch']],
    ],
  );
  t.end();
});

t.test('inventory: a target in no group, by name or by expression, could never be touched', (t) => {
  const text = edited(inventoryText, 'groups: [web]\n    role: web-server', 'role: web-server');
  t.same(problemsOf(text), ['INVENTORY_UNKNOWN_GROUP 9:14', 'INVENTORY_NO_WINDOW 18:5']);
  t.end();
});

t.test('inventory: caps, waves, pace, sample, sensors and jump hosts are read', (t) => {
  const sections = `limits: { hosts: 40, perZone: 20, perRole: 10, perJumpHost: 5, caps: [{ targets: zone=dmz, hosts: 1 }] }
waves: { first: 1, firstFrom: criticality=low, then: 20, abortAfter: { percent: 5 } }
pace: { perRuleAndHost: 30s }
sample: { perRoleAndZone: 2, seed: spring, always: 'criticality=high' }
`;
  const text = edited(withSections(sections), 'parallel: 2\n', 'parallel: 2\n    sensors: [auditd, falcon-sensor]\n');
  const { inventory, problems } = readInventoryText(text);
  t.same(problems, []);
  t.match(inventory, {
    limits: {
      hosts: 40,
      perZone: 20,
      perRole: 10,
      perJumpHost: 5,
      caps: [{ targets: { text: 'zone=dmz' }, hosts: 1 }],
    },
    waves: { first: 1, firstFrom: { text: 'criticality=low' }, then: 20, abortAfter: { percent: 5 } },
    pace: { perRuleAndHost: 30_000 },
    sample: { perRoleAndZone: 2, seed: 'spring', always: { text: 'criticality=high' } },
    targets: [{ id: 'web01', sensors: ['auditd', 'falcon-sensor'] }, { id: 'batch01' }],
  });
  t.equal(inventory?.targets[1]?.sensors, undefined);
  t.end();
});

t.test('inventory: what is wrong with an expression or a wave is said at its place', (t) => {
  const table: readonly (readonly [sections: string, problem: string, hint: RegExp])[] = [
    ["groups: { x: 'role=' }\n", 'VALUE_INVALID 70:14', /column 6 of the expression/],
    ["groups: { x: 'rolle=y' }\n", 'VALUE_INVALID 70:14', /did you mean role/],
    ["groups: { x: 'zone=dmy' }\n", 'INVENTORY_NO_MATCH 70:14', /no target has that; did you mean dmz/],
    ["groups: { x: 'group=y', y: web01 }\n", 'INVENTORY_NO_MATCH 70:14', /group "y" matches nothing/],
    ['limits: { caps: [{ targets: web02, hosts: 1 }] }\n', 'INVENTORY_NO_MATCH 70:29', /did you mean web01/],
    ['limits: { hosts: 4 }\nwaves: { then: 5 }\n', 'INVENTORY_WAVES 71:16', /limits.hosts allows 4/],
    ['waves: { abortAfter: { percent: 0 } }\n', 'VALUE_SIZE 70:33', /percent/],
    ['waves: { abortAfter: { hosts: 1 } }\n', 'VALUE_INVALID 70:22', /abortAfter/],
    ['waves: { firstFrom: nobody }\n', 'INVENTORY_NO_MATCH 70:21', /nobody/],
    ['sample: { seed: x }\n', 'KEY_MISSING 70:1', /perRoleAndZone/],
    ['pace: { perRuleAndHost: 30 }\n', 'VALUE_TYPE 70:25', /perRuleAndHost/],
  ];
  for (const [sections, problem, hint] of table) {
    t.same(problemsOf(withSections(sections)), [problem], sections);
    t.match(hintsOf(withSections(sections)), hint, sections);
  }
  t.end();
});

const more = (id: string, group = 'batch'): string => `  - id: ${id}
    platform: linux
    address: ${id}.example.com
    transport: { kind: ssh, knownHosts: known_hosts }
    accounts: [{ name: bob, key: env:BOB_KEY }]
    interpreter: /usr/bin/python3
    groups: [${group}]
    role: batch-worker
    owner: data team
    criticality: low
    zone: core
    names: { main: [${id}] }
    fidelity: real
`;

t.test(
  'inventory: targets of other files stand behind its own, and problems are said in the file that has them',
  async (t) => {
    const folder = t.testdir({});
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const inventory = write('inventory.yaml', `${inventoryText}targetsFrom: [a.yaml, b.yaml]\n`);
    const a = write('a.yaml', `targets:\n${more('a1')}${more('a2')}`);
    const b = write('b.yaml', `targets:\n${more('b1')}`);
    const load = () => loadInventory(inventory, plugins);
    const good = await load();
    if (good.is === 'refused') throw new Error(JSON.stringify(good.problems));
    t.same(
      good.value.targets.map(({ id }) => id),
      ['web01', 'batch01', 'a1', 'a2', 'b1'],
    );
    const sum = (text: string): string => createHash('sha256').update(text).digest('hex');
    const sums = [
      `${inventoryText}targetsFrom: [a.yaml, b.yaml]\n`,
      `targets:\n${more('a1')}${more('a2')}`,
      `targets:\n${more('b1')}`,
    ];
    t.equal(
      good.value.sha256,
      sum(sums.map((text, index) => `${sum(text)}  ${['inventory', 'a', 'b'][index] ?? ''}.yaml\n`).join('')),
      'as sha256sum inventory.yaml a.yaml b.yaml | sha256sum says',
    );

    write('a.yaml', `targets:\n${more('a1')}${more('B1', 'bacth')}`);
    const wrong = await load();
    t.same(
      wrong.is === 'refused' && wrong.problems.map(({ file, line, col, code }) => `${file} ${line}:${col} ${code}`),
      [`${a} 21:13 INVENTORY_NO_WINDOW`, `${b} 2:9 INVENTORY_DUPLICATE`],
    );

    write('a.yaml', `targets:\n${more('a1')}    fidelity: real\n`);
    write('inventory.yaml', `${edited(inventoryText, 'kind: http', 'kind: htpp')}targetsFrom: [a.yaml, b.yaml]\n`);
    const doubled = await load();
    t.same(
      doubled.is === 'refused' && doubled.problems.map(({ file, code }) => `${file} ${code}`),
      [`${a} YAML_DUPLICATE_KEY`, `${inventory} PLUGIN_UNKNOWN_KIND`],
      'a doubled key hides nothing else',
    );
    write('a.yaml', 'targts: []\n');
    const misspelt = await load();
    t.match(misspelt, {
      is: 'refused',
      problems: [
        { file: a, code: 'KEY_MISSING' },
        { file: a, code: 'KEY_UNKNOWN' },
      ],
    });
    write('inventory.yaml', `${inventoryText}targetsFrom: [none.yaml, b.yaml, b.yaml]\n`);
    const missing = await load();
    t.match(missing, {
      is: 'refused',
      problems: [
        { file: inventory, code: 'INVENTORY_DUPLICATE' },
        { file: join(folder, 'none.yaml'), code: 'FILE_UNREADABLE' },
      ],
    });
  },
);

t.test('sampleRule: the command line goes before the inventory, and the id of the run is the last seed', (t) => {
  const sample = { perRoleAndZone: 2, seed: 'spring' };
  const value = (inventory: Parameters<typeof sampleRule>[0], options: Parameters<typeof sampleRule>[1]) => {
    const rule = sampleRule(inventory, options, 'run-1');
    return rule.is === 'loaded' ? rule.value : `${rule.problems[0].file} ${rule.problems[0].code}`;
  };
  t.same(value({}, {}), undefined);
  t.same(value({ sample }, {}), sample);
  t.same(value({ sample: { perRoleAndZone: 2 } }, {}), { perRoleAndZone: 2, seed: 'run-1' });
  t.same(value({ sample }, { sample: '3', seed: 'autumn' }), { perRoleAndZone: 3, seed: 'autumn' });
  t.same(value({ sample }, { sample: 'all' }), undefined);
  t.same(value({}, { sample: '1' }), { perRoleAndZone: 1, seed: 'run-1' });
  for (const wrong of ['0', '-1', '1.5', 'x', '', '10000'])
    t.same(value({}, { sample: wrong }), '--sample SELECT_SAMPLE', wrong);
  t.same(value({}, { seed: 'x' }), '--seed SELECT_SAMPLE');
  t.same(value({}, { sample: '1', seed: 'a\nb' }), '--seed SELECT_SAMPLE');
  t.end();
});
