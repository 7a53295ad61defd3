import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type Imported, importTargets } from '../../runner/load/import-targets.ts';
import { readInventory } from '../../runner/load/inventory.ts';
import { loadMapping } from '../../runner/load/mapping.ts';
import type { Problem } from '../../runner/load/problem.ts';
import { reconcile } from '../../runner/load/reconcile.ts';
import { readCsv, readTable } from '../../runner/load/table.ts';
import { targetsText } from '../../runner/load/targets-text.ts';
import { readYaml } from '../../runner/load/yaml-file.ts';
import { edited, inventoryText, plugins } from './material.ts';

const mappingText = `skip: { state: [retired, 'gone*'] }
fields:
  id: { column: hostname, lower: true }
  address: { column: ip }
  platform: { column: os, map: { 'Red Hat*': linux, 'Windows*': windows } }
  transport: { kind: ssh, knownHosts: 'known_hosts.{{net}}' }
  accounts: [{ name: bob, key: 'file:keys/bob' }]
  interpreter: { column: os, map: { 'Windows*': 'C:\\Python\\python.exe', '*': /usr/bin/python3 } }
  groups: { column: groups, split: '|', default: [batch] }
  role: { column: function, default: unknown }
  owner: { column: owner }
  criticality: { column: tier, map: { '1': high, '2': low } }
  zone: { column: net }
  names: { main: ['{{hostname}}', '{{fqdn}}'] }
  fidelity: real
  parallel: { column: sessions, default: 2 }
`;

const csvText = `hostname,fqdn,ip,os,groups,function,owner,tier,net,state,sessions
WEB01,web01.example.com,192.0.2.1,Red Hat 9.4,web|batch,web-server,"Web, and ""more""",1,dmz,live,8

old01,old01.example.com,192.0.2.9,Red Hat 6,,db,DBA,2,core,gone in 2024,
win01,win01.example.com,192.0.2.2,Windows Server 2022,,,"DBA",2,core,live,
`;

const where = (problems: readonly Problem[]): readonly string[] =>
  problems
    .toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.col - b.col)
    .map(({ file, line, col, code }) => `${file.split('/').at(-1) ?? ''} ${line}:${col} ${code}`);

/** Imports texts as files; problems of whichever step has some. */
async function imported(folder: string, data: string, mapping = mappingText, name = 'hosts.csv') {
  const write = (file: string, text: string): string => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  const read = await loadMapping(write('map.yaml', mapping));
  if (read.is === 'refused') return { targets: [], skipped: 0, problems: read.problems };
  const { list, delimiter, format = 'csv' } = read.value;
  const shape = { format, delimiter, ...(list !== undefined && { list }) };
  const { table, problems } = await readTable(write(name, data), shape);
  if (table === undefined) return { targets: [], skipped: 0, problems };
  const made: Imported = importTargets(table, read.value, plugins);
  return { ...made, problems: [...problems, ...made.problems] };
}

t.test(
  'import: rows become targets by columns, constants, defaults and maps, and what is to be skipped is',
  async (t) => {
    const { targets, skipped, problems } = await imported(t.testdir({}), csvText);
    t.same(problems, []);
    t.equal(skipped, 1);
    t.match(
      targets.map(({ read }) => read),
      [
        {
          id: 'web01',
          platform: 'linux',
          transport: { kind: 'ssh', knownHosts: 'known_hosts.dmz' },
          interpreter: '/usr/bin/python3',
          groups: ['web', 'batch'],
          owner: 'Web, and "more"',
          criticality: 'high',
          names: { main: ['WEB01', 'web01.example.com'] },
          parallel: 8,
        },
        {
          id: 'win01',
          platform: 'windows',
          interpreter: 'C:\\Python\\python.exe',
          groups: ['batch'],
          role: 'unknown',
          parallel: 2,
        },
      ],
    );
  },
);

t.test('import: JSON has the same rules, with keys within keys and lists as they are', async (t) => {
  const mapping = `format: json\nlist: result.hosts\n${mappingText}`
    .replace("names: { main: ['{{hostname}}', '{{fqdn}}'] }", "names: { main: ['{{net.fqdn}}'] }")
    .replace('zone: { column: net }', 'zone: { column: net.zone }')
    .replace('known_hosts.{{net}}', 'known_hosts');
  const host = {
    hostname: 'A1',
    ip: '192.0.2.1',
    os: 'Red Hat',
    groups: ['batch', 'web'],
    owner: 'DBA',
    tier: 1,
    net: { zone: 'core', fqdn: 'a1.x' },
  };
  const data = JSON.stringify({ result: { hosts: [host, { ...host, hostname: 'b1', state: 'retired' }] } }, null, 1);
  const { targets, problems, skipped } = await imported(t.testdir({}), data, mapping, 'hosts.json');
  t.same(problems, []);
  t.equal(skipped, 1);
  t.match(targets[0]?.read, {
    id: 'a1',
    groups: ['batch', 'web'],
    zone: 'core',
    names: { main: ['a1.x'] },
    criticality: 'high',
  });

  const wrong = JSON.stringify({ result: { hosts: [{ ...host, tier: 7, net: { zone: 'co re' } }, 5] } }, null, 1);
  const bad = await imported(t.testdir({}), wrong, mapping, 'hosts.json');
  t.same(where(bad.problems), [
    'hosts.json 4:4 IMPORT_EMPTY',
    'hosts.json 13:13 IMPORT_UNMAPPED',
    'hosts.json 15:14 VALUE_INVALID',
    'hosts.json 18:4 JSON_NO_HOST',
  ]);
  const none = await imported(t.testdir({}), '{"hosts": []}', mapping, 'hosts.json');
  t.same(where(none.problems), ['hosts.json 1:1 JSON_NO_LIST']);
});

t.test('import: JSON is parsed a second time for the places of its problems, and never once for each', async (t) => {
  const mapping = `format: json\n${mappingText}`;
  const host = { hostname: 'A', fqdn: 'a.x', ip: '192.0.2.1', os: 'BSD', owner: 'DBA', tier: 1, net: 'core' };
  const hosts = Array.from({ length: 50 }, (_, n) => ({ ...host, hostname: `a${n}` }));
  const table: readonly (readonly [what: string, hosts: readonly object[], decoded: number, firstAt: string])[] = [
    ['places that are known', hosts, 2, '6:9'],
    ['an empty key, which YAML does not have', [{ ...host, '': 1 }, ...hosts], 2, '1:1'],
    ['a file that would take long to parse', [{ ...host, more: 'x'.repeat(4_194_304) }, ...hosts], 1, '1:1'],
  ];
  for (const [what, all, expected, firstAt] of table) {
    const folder = t.testdir({ 'hosts.json': JSON.stringify(all, null, 1), 'map.yaml': mapping });
    const read = await loadMapping(join(folder, 'map.yaml'));
    if (read.is === 'refused') throw new Error('the mapping is not valid');
    const decode = Reflect.get(TextDecoder.prototype, 'decode');
    const decoded = t.capture(TextDecoder.prototype, 'decode', decode);
    const { table: rows } = await readTable(join(folder, 'hosts.json'), { format: 'json', delimiter: ',' });
    const problems = rows === undefined ? [] : importTargets(rows, read.value, plugins).problems;
    decoded.restore();
    t.equal(decoded().length, expected, what);
    t.equal(problems.filter(({ code }) => code === 'IMPORT_UNMAPPED').length, all.length, what);
    t.equal(where(problems.slice(0, 1))[0], `hosts.json ${firstAt} IMPORT_UNMAPPED`, what);
  }
});

t.test('import: every problem of the file is told at once, at its cell, and one of the mapping once', async (t) => {
  const data = edited(
    edited(edited(csvText, 'Red Hat 9.4', 'Solaris'), 'web01.example.com', ''),
    'win01,win01.example.com,192.0.2.2,Windows Server 2022,,,"DBA",2,core,live,',
    'web01,x.example.com,192.0.2.2,Windows Server 2022,,"d b",,9,core,live,nine\nshort,row',
  );
  const mapping = edited(mappingText, 'fidelity: real', 'fidelity: fake');
  const { problems } = await imported(t.testdir({}), data, mapping);
  t.same(where(problems), [
    'hosts.csv 2:7 IMPORT_EMPTY',
    'hosts.csv 2:18 IMPORT_UNMAPPED',
    'hosts.csv 5:1 INVENTORY_DUPLICATE',
    'hosts.csv 5:52 VALUE_INVALID',
    'hosts.csv 5:58 KEY_MISSING',
    'hosts.csv 5:59 IMPORT_UNMAPPED',
    'hosts.csv 5:71 VALUE_TYPE',
    'hosts.csv 6:1 CSV_COLUMNS',
    'map.yaml 15:13 VALUE_CHOICE',
  ]);
});

t.test('import: a mapping is held against the fields of a target and the columns of the file', async (t) => {
  const table: readonly (readonly [from: string, to: string, ...problems: readonly string[]])[] = [
    ['  zone: { column: net }\n', '', 'map.yaml 3:3 IMPORT_NO_FIELD'],
    ['  zone: { column: net }\n', '  zone: { column: zone }\n', 'map.yaml 13:9 IMPORT_NO_COLUMN'],
    ['{{fqdn}}', '{{fqnd}}', 'map.yaml 14:10 IMPORT_NO_COLUMN'],
    ['state: [retired', 'status: [retired', 'map.yaml 1:17 IMPORT_NO_COLUMN'],
    ['  fidelity: real\n', '  fidelity: real\n  rolle: x\n', 'map.yaml 16:3 KEY_UNKNOWN'],
    ['lower: true', 'lower: yes', 'map.yaml 3:34 VALUE_TYPE'],
    ['lower: true', 'upper: true', 'map.yaml 3:27 KEY_UNKNOWN'],
    ['skip:', 'skipp:', 'map.yaml 1:1 KEY_UNKNOWN'],
  ];
  for (const [from, to, ...expected] of table) {
    const { problems } = await imported(t.testdir({}), csvText, edited(mappingText, from, to));
    t.same(where(problems), expected, to);
  }
});

t.test('import: a secret that stands in the file is not repeated', async (t) => {
  const mapping = edited(mappingText, "key: 'file:keys/bob'", "key: '{{owner}}'");
  const { problems } = await imported(t.testdir({}), csvText.replace('"DBA"', 'hunter2-hunter2'), mapping);
  t.ok(problems.length > 0);
  t.notMatch(JSON.stringify(problems), /hunter2/);
});

t.test('import: what was written is read back as the same targets, whatever the texts are', async (t) => {
  const { targets } = await imported(t.testdir({}), csvText);
  const { source } = readYaml(Buffer.from(targetsText('hosts.csv', 'map.yaml', targets)), 'targets.yaml');
  t.same(source?.value, { targets: targets.map(({ written }) => written) });
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.constantFrom('id', 'owner', 'role'), fc.string())),
      fc.string(),
      (all, name) => {
        const fake = all.map((written) => ({ written, read: undefined as never, transportSettings: undefined }));
        const read = readYaml(Buffer.from(targetsText(name, 'm', fake)), 'x');
        return JSON.stringify(read.source?.value) === JSON.stringify({ targets: all });
      },
    ),
  );
});

t.test(
  'readCsv: each cell knows its line and column, over quotes, line breaks, letters of several bytes and any line end',
  (t) => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', 'ß', '🙂', '"', ',', '\n', ' ', 'x') })
      .map((text) => `x${text}x`);
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        (rows, end, mark) => {
          const lines = [['a', 'b'], ...rows].map((row) => row.map(quoted).join(','));
          const text = lines.join(end);
          const { table, problems } = readCsv(Buffer.from(`${mark ? '\ufeff' : ''}${text}`), 'x.csv', ',');
          const physical = text.split('\n');
          return (
            problems.length === 0 &&
            table?.rows.length === rows.length &&
            table.rows.every((row, index) =>
              ['a', 'b'].every((column, position) => {
                const found = row.cell(column);
                const written = rows[index]?.[position] ?? '';
                if (found === undefined || found.value !== written) return false;
                const begins = physical[found.at.line - 1]?.slice(found.at.col - 1) ?? '';
                return begins.startsWith(quoted(written).split('\n')[0] ?? '');
              }),
            )
          );
        },
      ),
    );
    t.end();
  },
);

t.test('readCsv: any bytes are a table or have problems', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const { table, problems } = readCsv(bytes, 'x.csv', ',');
      return table !== undefined || problems.length > 0;
    }),
  );
  t.same(where(readCsv(Buffer.from('a,b\n"x,y\n'), 'x.csv', ',').problems), ['x.csv 2:1 CSV_SYNTAX']);
  t.same(where(readCsv(Buffer.from('a,a,\n'), 'x.csv', ',').problems), [
    'x.csv 1:3 CSV_COLUMN',
    'x.csv 1:5 CSV_COLUMN',
  ]);
  t.same(where(readCsv(Buffer.from([0xff, 0x41]), 'x.csv', ',').problems), ['x.csv 1:1 FILE_NOT_UTF8']);
  t.same(where(readCsv(Buffer.from(''), 'x.csv', ',').problems), ['x.csv 1:1 CSV_EMPTY']);
  t.end();
});

t.test('reconcile: what is only in the file, only in the inventory, and what differs in which field', async (t) => {
  const { source } = readYaml(Buffer.from(inventoryText), 'inventory.yaml');
  const known = source === undefined ? undefined : readInventory(source, plugins, {}).inventory?.targets;
  if (known === undefined) throw new Error('the inventory of the tests is not valid');
  const { targets } = await imported(t.testdir({}), csvText);
  t.same(reconcile(targets, known), {
    onlyInFile: ['win01'],
    onlyInInventory: ['batch01'],
    different: [
      {
        id: 'web01',
        fields: [
          { field: 'owner', inFile: 'Web, and "more"', inInventory: 'platform team' },
          { field: 'parallel', inFile: '8', inInventory: '2' },
          { field: 'groups', inFile: 'batch, web', inInventory: 'web' },
          { field: 'names', inFile: 'main: WEB01, web01.example.com', inInventory: 'main: web01, web01.example.com' },
          { field: 'accounts', inFile: 'bob', inInventory: 'alice' },
          { field: 'transport', inFile: 'other settings', inInventory: 'other settings' },
        ],
      },
    ],
    same: 0,
  });
});
