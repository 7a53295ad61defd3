import t from 'tap';
import { loadInventory } from '../../runner/load/inventory.ts';
import { formatProblem } from '../../runner/load/problem.ts';
import { discoverAdapters } from '../../runner/plugins.ts';
import { edited, inventoryText, places, plugins, project, readInventoryText } from './material.ts';

const read = (text: string) =>
  readInventoryText(text, { scenarios: ['linux/x', 'linux/y'], sources: ['auditd:SYSCALL/execve'] });

t.test('inventory: a valid file becomes an inventory, with the settings that the plug-ins read', (test) => {
  const { inventory, problems } = read(inventoryText);
  test.same(problems, []);
  test.match(inventory, {
    file: 'inventory.yaml',
    sha256: /^[0-9a-f]{64}$/,
    engagement: { id: 'purple-2026', signedPlans: false, sink: 'loopback', neverTouch: ['dc01.example.com'] },
    windows: [
      {
        id: 'nights',
        open: { kind: 'weekly', days: [1, 2], fromMinute: 1320, toMinute: 240, timeZone: 'Europe/Berlin' },
        freezes: [{ from: '2026-12-20T00:00:00.000Z', because: 'year end' }],
        cleanupReserve: 300_000,
      },
      { id: 'once', open: { kind: 'span', to: '2026-11-24T23:00:00.000Z' }, freezes: [], cleanupReserve: 600_000 },
    ],
    targets: [
      {
        id: 'web01',
        transport: { kind: 'ssh', settings: { port: 2222, knownHosts: 'known_hosts' } },
        accounts: [{ name: 'alice', settings: { key: 'file:keys/alice' } }],
        names: { main: ['web01', 'web01.example.com'] },
        parallel: 2,
      },
      {
        id: 'batch01',
        transport: { kind: 'ssh', settings: { port: 22 } },
        accounts: [{ name: 'bob' }, { name: 'carol', settings: { agent: true } }],
        parallel: 4,
        fidelity: 'stand-in',
      },
    ],
    siems: [{ id: 'main', kind: 'http', settings: { token: 'env:SIEM_TOKEN', headers: {} } }],
    expectations: [
      { scenarios: ['*'], within: 600_000, observeFor: 1_200_000 },
      { rules: ['site-rule-7'], stance: 'known-gap', until: '2026-12-31' },
    ],
    limits: { hosts: 4, perZone: 2 },
  });
  test.notOk('rule' in (inventory?.expectations[1] ?? {}));
  test.end();
});

/** What is written instead of what, and the problem that it makes. */
const cases: readonly (readonly [what: string, from: string, to: string, ...expected: readonly string[]])[] = [
  // Engagement
  ['an unknown key', 'changeTicket: CHG-1', 'ticket: CHG-1', 'KEY_UNKNOWN 5:3'],
  ['a plan that is signed by a word', 'changeTicket: CHG-1', 'signedPlans: yes', 'VALUE_TYPE 5:16'],
  ['a list that holds a number', '[dc01.example.com]', '[dc01.example.com, 7]', 'VALUE_TYPE 6:34'],
  ...[
    'dc*',
    '10.0.0.5:22',
    'web dc1',
    '10.0.0.0/33',
    '10.0.0.0/',
    'dc01/8',
    '10.0.0',
    '10.0.0.256',
    '2001:db8::/129',
  ].map(
    (entry) =>
      [
        `a never-touch entry that matches nothing: ${entry}`,
        '[dc01.example.com]',
        `['${entry}']`,
        'VALUE_INVALID 6:16',
      ] as const,
  ),
  ['nobody to call', '[soc@example.com]', '[]', 'VALUE_SIZE 4:13'],
  ['a terminal escape in the id', 'id: purple-2026', 'id: "a\\e[2J"', 'VALUE_INVALID 2:7'],
  // Windows
  [
    'a window without a time',
    '    span: { from: 2026-11-24T00:00:00Z, to: 2026-11-25T00:00:00+01:00 }\n',
    '',
    'INVENTORY_WINDOW 13:5',
  ],
  [
    'a window with two times',
    'cleanupReserve: 10m',
    "weekly: { days: [sun], from: '01:00', to: '24:00', timeZone: Etc/UTC }",
    'INVENTORY_WINDOW 16:13',
  ],
  [
    'a span that ends before it begins',
    'to: 2026-11-25T00:00:00+01:00',
    'to: 2026-11-24T00:30:00+01:00',
    'INVENTORY_SPAN 15:45',
  ],
  ['a freeze that ends before it begins', 'to: 2027-01-06', 'to: 2026-01-06', 'INVENTORY_SPAN 12:43'],
  ['a moment without a zone', 'from: 2026-11-24T00:00:00Z', 'from: 2026-11-24T00:00:00', 'VALUE_INVALID 15:19'],
  ['a moment that does not exist', 'from: 2026-11-24T00:00:00Z', 'from: 2026-11-34T00:00:00Z', 'VALUE_INVALID 15:19'],
  ['a time of day after the last', "to: '04:00'", "to: '24:01'", 'VALUE_INVALID 10:52'],
  ['a window that opens at the end of the day', "from: '22:00'", "from: '24:00'", 'VALUE_INVALID 10:39'],
  ['a time of day without quotes', "from: '22:00'", 'from: 22', 'VALUE_TYPE 10:39'],
  ['an unknown time zone', 'Europe/Berlin', 'Europe/Berlyn', 'VALUE_INVALID 10:71'],
  ['an unknown day', '[mon, tue]', '[mon, Tuesday]', 'VALUE_CHOICE 10:27'],
  ['a day twice', '[mon, tue]', '[mon, mon]', 'INVENTORY_DUPLICATE 10:21'],
  [
    'a group that no target is in',
    'groups: [web]\n    weekly',
    'groups: [web, wbe]\n    weekly',
    'INVENTORY_UNKNOWN_GROUP 9:19',
  ],
  ['a target without a window', 'groups: [batch]\n    span', 'groups: [web]\n    span', 'INVENTORY_NO_WINDOW 45:13'],
  // Targets
  ['a target twice', 'id: batch01', 'id: WEB01', 'INVENTORY_DUPLICATE 33:9'],
  ['a target with a name for a shell', 'id: web01', 'id: web01;reboot', 'VALUE_INVALID 18:9'],
  ['an address that is none', 'address: 192.0.2.1', 'address: 192.0.2.1 -oProxyCommand=x', 'VALUE_INVALID 20:14'],
  ['an address that is an option', 'address: 192.0.2.1', 'address: -oProxyCommand=x', 'VALUE_INVALID 20:14'],
  [
    'an interpreter without a path',
    'interpreter: /usr/bin/python3\n    groups: [web]',
    'interpreter: python3\n    groups: [web]',
    'VALUE_INVALID 24:18',
  ],
  ['nine executions at a time', 'parallel: 2', 'parallel: 9', 'VALUE_SIZE 32:15'],
  ['half an execution at a time', 'parallel: 2', 'parallel: 1.5', 'VALUE_TYPE 32:15'],
  ['an unknown criticality', 'criticality: high', 'criticality: hihg', 'VALUE_CHOICE 28:18'],
  ['a name for an unknown SIEM', 'main: [batch01]', 'mian: [batch01]', 'INVENTORY_UNKNOWN_SIEM 51:13'],
  ['no name for any SIEM', 'names: { main: [web01, web01.example.com] }', 'names: {}', 'VALUE_INVALID 30:12'],
  ['an account twice', 'name: carol', 'name: bob', 'INVENTORY_DUPLICATE 42:15'],
  ['a login that is an option', 'name: carol', 'name: -l', 'VALUE_INVALID 42:15'],
  ['no account', "      - { name: alice, key: 'file:keys/alice' }\n", '      []\n', 'VALUE_SIZE 23:7'],
  // Plug-ins
  ['an unknown transport', '{ kind: ssh,', '{ kind: shh,', 'PLUGIN_UNKNOWN_KIND 21:24'],
  ['a transport without a kind', '{ kind: ssh, ', '{ ', 'KEY_MISSING 21:5'],
  ['a setting of the wrong type', 'port: 2222', "port: '2222'", 'VALUE_TYPE 21:35'],
  ['an unknown setting', 'port: 2222', 'prot: 2222', 'KEY_UNKNOWN 21:29'],
  ['a setting that is missing', ', knownHosts: known_hosts', '', 'KEY_MISSING 21:5'],
  ['an account with two logins', 'agent: true', 'agent: true\n        key: env:X', 'VALUE_INVALID 42:9'],
  ['an unknown SIEM kind', 'kind: http', 'kind: htpp', 'PLUGIN_UNKNOWN_KIND 55:11'],
  ['a SIEM without its address', '    url: https://siem.example.com/\n', '', 'KEY_MISSING 54:5'],
  // Expectations
  ['a pattern that matches nothing', '[linux/x]', '[linux/z*]', 'INVENTORY_NO_MATCH 62:17'],
  ['a pattern that is too clever', '[linux/x]', "['*l*i*n*u*x*']", 'VALUE_INVALID 62:17'],
  ['a role that no target has', '[web-server]', '[webserver]', 'INVENTORY_NO_MATCH 63:13'],
  ['an unknown SIEM', 'siems: [main]', 'siems: [mian]', 'INVENTORY_UNKNOWN_SIEM 64:13'],
  [
    'a log source that does not exist',
    'rule: site-rule-7',
    'notCollected: [auditd:SYSCALL/exec]',
    'INVENTORY_UNKNOWN_SOURCE 65:20',
  ],
  ['a rule and rules', 'rule: site-rule-7', 'rule: a\n    rules: [b]', 'INVENTORY_RULES 66:12'],
  [
    'a gap without reason and owner',
    '    because: sensor is not rolled out yet\n    owner: SOC\n',
    '',
    'INVENTORY_NO_REASON 66:13',
    'INVENTORY_NO_OWNER 66:13',
  ],
  ['an end date without a gap', 'stance: known-gap', 'stance: must-alert', 'INVENTORY_UNTIL 69:12'],
  [
    'asking for a shorter time than alerts may take',
    'observeFor: 20m',
    'observeFor: 5m',
    'INVENTORY_OBSERVE_FOR 61:17',
  ],
  // The whole
  ['nothing at all but a text', inventoryText, 'hello', 'VALUE_TYPE 1:1'],
  ['a list instead of a map', inventoryText, '- a', 'VALUE_TYPE 1:1'],
];

for (const [what, from, to, ...expected] of cases)
  t.test(`inventory: ${what} is refused at its place`, (test) => {
    const { inventory, problems } = read(edited(inventoryText, from, to));
    test.equal(inventory, undefined);
    test.same(places(problems), expected, problems.map(formatProblem).join('\n'));
    test.end();
  });

t.test('inventory: everything that is wrong with a file is told at once', (test) => {
  const text = [
    ['  authorizedBy: J. Doe\n', ''],
    ['Europe/Berlin', 'Berlin'],
    ['id: batch01', 'id: web01'],
    ['port: 2222', 'port: 0'],
    ['criticality: low', 'criticality: lowest'],
    ['kind: http', 'kind: htpp'],
    ['roles: [web-server]', 'roles: [batch-server]'],
  ].reduce((whole, [from = '', to = '']) => edited(whole, from, to), inventoryText);
  test.same(places(read(text).problems), [
    'KEY_MISSING 1:1',
    'VALUE_INVALID 9:71',
    'VALUE_SIZE 20:35',
    'INVENTORY_DUPLICATE 32:9',
    'VALUE_CHOICE 47:18',
    'PLUGIN_UNKNOWN_KIND 54:11',
    'INVENTORY_NO_MATCH 62:13',
  ]);
  test.end();
});

t.test('inventory: what stands where a reference to a secret belongs is not repeated', (test) => {
  for (const [reference, secret] of [
    ["'file:keys/alice'", 'hunter2'],
    ['env:SIEM_TOKEN', 'hunter2'],
    ['env:SIEM_TOKEN', '{ hunter2 }'],
    ['https://siem.example.com/', 'siem hunter2@'],
    ['name: bob\n        key:', 'name: bob\n        hunter2'],
    ['kind: http\n', 'kind: http hunter2\n'],
    ['knownHosts: [known_hosts, more_hosts]', 'knownHosts: { hunter2: }'],
    ['address: 192.0.2.1', 'address: admin:hunter2@192.0.2.1'],
    ['env:SIEM_TOKEN', '"hunter2\\q"'],
    ['env:SIEM_TOKEN', '*hunter2'],
    ['env:SIEM_TOKEN', '!hunter2 x'],
    ['env:SIEM_TOKEN', '@hunter2'],
  ] as const) {
    const { problems } = read(edited(inventoryText, reference, secret));
    test.not(problems.length, 0, secret);
    test.notMatch(problems.map(formatProblem).join('\n'), /hunter2/);
  }
  test.end();
});

t.test('inventory: what can be on the never-touch list', (test) => {
  const entries = [
    '10.0.0.0/8',
    '10.0.0.5',
    '2001:db8::/32',
    '::1',
    '[::1]',
    '::ffff:10.0.0.5',
    'fe80::1%eth0',
    'dc01',
    'dc_1',
    'dc01.example.com.',
    '4711',
  ];
  const { inventory, problems } = read(edited(inventoryText, '[dc01.example.com]', JSON.stringify(entries)));
  test.same(problems, []);
  test.same(inventory?.engagement.neverTouch, entries);
  test.end();
});

t.test('inventory: a file that is not there, a folder, a pipe and a huge file are problems', async (test) => {
  const folder = test.testdir({ 'empty.yaml': '', 'comment.yaml': '# nothing\n', 'huge.yaml': 'x'.repeat(16_777_217) });
  const codeOf = async (file: string): Promise<string> => {
    const loaded = await loadInventory(file, plugins);
    return loaded.is === 'refused' ? loaded.problems.map(({ code }) => code).join() : 'loaded';
  };
  test.equal(await codeOf(`${folder}/none.yaml`), 'FILE_UNREADABLE');
  test.equal(await codeOf(folder), 'FILE_UNREADABLE');
  test.equal(await codeOf(`${folder}/empty.yaml/x`), 'FILE_UNREADABLE');
  test.equal(await codeOf('/dev/null'), 'FILE_UNREADABLE');
  test.equal(await codeOf(`${folder}/huge.yaml`), 'FILE_TOO_LARGE');
  test.equal(await codeOf(`${folder}/empty.yaml`), 'YAML_EMPTY');
  test.equal(await codeOf(`${folder}/comment.yaml`), 'YAML_EMPTY');
});

t.test('inventory: the one that detproof ships is valid', async (test) => {
  const loaded = await loadInventory(`${project}inventory.yaml`, await discoverAdapters(`${project}adapters`));
  test.equal(loaded.is, 'loaded', loaded.is === 'loaded' ? '' : loaded.problems.map(formatProblem).join('\n'));
});
