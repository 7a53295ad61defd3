import { execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { App } from '../../runner/cli/app.ts';
import { lookAtTargets } from '../../runner/cli/look-at-targets.ts';
import type { Plan } from '../../runner/domain/plan.ts';
import type { Limits } from '../../runner/domain/rollout.ts';
import { TransportFailure } from '../../runner/ports.ts';
import { Site } from '../fakes/site.ts';
import { requirement } from '../require.ts';
import { Desk } from './desk.ts';

const hidden = 'linux/script-in-hidden-directory';

function hasPython(t: Test): boolean {
  return requirement(t, 'Python', existsSync('/usr/bin/python3') ? undefined : 'no /usr/bin/python3');
}

const mapping = `fields:
  id: { column: host }
  address: { column: ip }
  platform: linux
  transport: { kind: local }
  accounts: [{ name: nobody }]
  interpreter: /usr/bin/python3
  groups: [all]
  role: { column: role }
  owner: { column: owner }
  criticality: low
  zone: core
  names: { siem: ['{{host}}'] }
  fidelity: real
`;

/** A desk whose inventory includes eight hosts of a file: four of each of two roles, of two owners. */
async function withFile(): Promise<Desk> {
  const desk = new Desk();
  const inventory = desk.inventory('inventory.yaml');
  const rows = Array.from({ length: 8 }, (_, n) => `h${n},127.0.0.${n + 10},${n < 4 ? 'web' : 'db'},team ${n % 2}`);
  writeFileSync(join(desk.folder, 'hosts.csv'), ['host,ip,role,owner', ...rows].join('\n'));
  writeFileSync(join(desk.folder, 'map.yaml'), mapping);
  await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'targets.yaml']);
  writeFileSync(inventory, `${readFileSync(inventory, 'utf8')}targetsFrom: [targets.yaml]\n`);
  return desk;
}

t.test('import: writes targets that the inventory includes, and says what differs', async (t) => {
  using desk = await withFile();
  const again = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'targets.yaml', '--json']);
  t.equal(again.exitCode, 0, again.stderr);
  t.match(JSON.parse(again.stdout), {
    targets: 8,
    skipped: 0,
    into: 'targets.yaml',
    onlyInFile: [],
    onlyInInventory: ['here'],
    different: [],
    same: 8,
  });
  t.match((await desk.detproof(['lint'])).stdout, /9 targets/);

  writeFileSync(
    join(desk.folder, 'hosts.csv'),
    'host,ip,role,owner\nh0,127.0.0.99,web,team 0\nh9,not an address,web,\n',
  );
  const bad = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'targets.yaml']);
  t.equal(bad.exitCode, 2);
  t.match(bad.stderr, /hosts\.csv:3:4 {2}VALUE_INVALID[^]*hosts\.csv:3:23 {2}[A-Z]+_[A-Z]+[^]*2 problems/);
  t.match((await desk.detproof(['lint'])).stdout, /9 targets/, 'and the file of before stays');

  const refused = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'inventory.yaml']);
  t.equal(refused.exitCode, 2, 'what is wrong is said first');
  writeFileSync(join(desk.folder, 'hosts.csv'), 'host,ip,role,owner\nh0,127.0.0.99,web,team 0\n');
  const over = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'inventory.yaml']);
  t.equal(over.exitCode, 4);
  t.match(over.stderr, /was not written by detproof import/);
  const changed = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml']);
  t.match(changed.stdout, /not in the file: 8[^]*h0 {2}address: file "127\.0\.0\.99", inventory "127\.0\.0\.10"/);
});

t.test('import: a file without hosts does not replace those of before', async (t) => {
  using desk = await withFile();
  const written = readFileSync(join(desk.folder, 'targets.yaml'), 'utf8');
  const imported = (text: string, map: string): ReturnType<Desk['detproof']> => {
    writeFileSync(join(desk.folder, 'hosts.csv'), text);
    writeFileSync(join(desk.folder, 'map.yaml'), map);
    return desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', 'targets.yaml']);
  };
  t.match(await imported('host,ip,role,owner\n', mapping), {
    exitCode: 2,
    stderr: /^hosts\.csv:1:1 {2}IMPORT_NO_HOST\n {2}found: no host\n/,
  });
  t.match(await imported('host,ip,role,owner\nh0,127.0.0.1,web,me\n', `skip: { role: [web] }\n${mapping}`), {
    exitCode: 2,
    stderr: /found: no host but the 1 that the mapping skips\n {2}hint: {2}nothing was written to targets\.yaml/,
  });
  t.equal(readFileSync(join(desk.folder, 'targets.yaml'), 'utf8'), written);
  t.equal((await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml'])).exitCode, 0, 'to compare, it will do');
});

t.test('import: what it says to put into the inventory loads, wherever the two files are', async (t) => {
  using desk = await withFile();
  mkdirSync(join(desk.folder, 'site/my targets'), { recursive: true });
  for (const [inventory, into, line] of [
    ['plain.yaml', 'site/cmdb.yaml', 'targetsFrom: [site/cmdb.yaml]'],
    ['site/below.yaml', 'beside.yaml', 'targetsFrom: [../beside.yaml]'],
    ['site/spaced.yaml', 'site/my targets/a, b.yaml', 'targetsFrom: ["my targets/a, b.yaml"]'],
  ] as const) {
    const file = desk.inventory(inventory);
    const { stderr } = await desk.detproof([
      ...['import', 'hosts.csv', '--map', 'map.yaml', '-i', inventory, '--into', into],
    ]);
    const said = /the inventory includes it with: (.*)\n/.exec(stderr)?.[1];
    t.equal(said, line);
    writeFileSync(file, `${readFileSync(file, 'utf8')}${said ?? ''}\n`);
    t.match(await desk.detproof(['lint', '-i', inventory]), { exitCode: 0, stdout: /9 targets/ });
  }
});

t.test('import: a mapping with wrong fields hides nothing of the file that the others can tell', async (t) => {
  using desk = await withFile();
  writeFileSync(join(desk.folder, 'hosts.csv'), 'host,ip,role,owner\nh0,nowhere at all,web,me\nh1,127.0.0.1\n');
  const wrong = mapping.replace('platform: linux', 'rolle: x\n  platform: { column: role, mapp: {} }');
  writeFileSync(join(desk.folder, 'map.yaml'), wrong);
  const { exitCode, stderr } = await desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml']);
  t.equal(exitCode, 2);
  t.same(
    [...stderr.matchAll(/^(\S+:\d+:\d+) {2}(\w+)$/gm)].map(([, place = '', code = '']) => `${place} ${code}`),
    [
      'hosts.csv:2:4 VALUE_INVALID',
      'hosts.csv:3:1 CSV_COLUMNS',
      'map.yaml:4:3 KEY_UNKNOWN',
      'map.yaml:5:29 KEY_UNKNOWN',
    ],
    'and of the field that has no rule, not that it is missing',
  );
});

t.test('import: --into writes through a link, and refuses what is no regular file with what to do', async (t) => {
  using desk = await withFile();
  const at = (name: string): string => join(desk.folder, name);
  const into = (name: string): ReturnType<Desk['detproof']> =>
    desk.detproof(['import', 'hosts.csv', '--map', 'map.yaml', '--into', name]);
  const written = readFileSync(at('targets.yaml'), 'utf8');
  mkdirSync(at('real'));
  writeFileSync(at('real/cmdb.yaml'), '');
  symlinkSync('real/cmdb.yaml', at('link.yaml'));
  t.equal((await into('link.yaml')).exitCode, 0);
  t.ok(lstatSync(at('link.yaml')).isSymbolicLink(), 'the link stays');
  t.equal(readFileSync(at('real/cmdb.yaml'), 'utf8'), written);
  t.same(readdirSync(at('real')), ['cmdb.yaml']);

  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('pipe', at('to-pipe'));
  symlinkSync('nowhere', at('lost'));
  const table: readonly (readonly [name: string, message: RegExp])[] = [
    ['pipe', /^pipe is no regular file\. Name a file with --into/],
    ['to-pipe', /^to-pipe is no regular file/],
    ['lost', /^lost is a link that leads nowhere\. Remove it/],
    ['real', /^real is a folder\. Name a file in it, as --into real\/targets\.yaml/],
    ['absent/a.yaml', /^absent\/a\.yaml cannot be made: there is no folder absent\. Make it/],
    ['hosts.csv/a.yaml', /^hosts\.csv\/a\.yaml cannot be made: there is no folder hosts\.csv/],
  ];
  const before = readdirSync(desk.folder);
  for (const [name, message] of table) t.match(await into(name), { exitCode: 2, stdout: '', stderr: message }, name);
  const long = 'x'.repeat(250);
  t.match(await into(long), { exitCode: 4, stderr: /^Refused: x+ cannot be written \(ENAMETOOLONG\)\. Name another/ });
  t.ok(lstatSync(at('pipe')).isFIFO());
  t.same(readdirSync(desk.folder), before, 'no draft stays');
});

t.test('plan: a sample is chosen by its seed and recorded, and each owner gets a page', async (t) => {
  using desk = await withFile();
  const planned = async (...args: readonly string[]): Promise<Plan> =>
    JSON.parse((await desk.detproof(['plan', '--json', '-s', hidden, ...args])).stdout) as Plan;
  const all = await planned();
  t.equal(all.sample, undefined);
  t.equal(all.targets.length, 9);
  const one = await planned('--sample', '2', '--seed', 'spring');
  t.match(one.sample, { perRoleAndZone: 2, seed: 'spring' });
  t.equal(one.sample?.inScope.length, 9);
  t.equal(one.sample?.chosen.length, 5, 'two of each role, and the only workstation');
  t.same(
    one.targets.map(({ id }) => id),
    one.sample?.chosen,
  );
  const same = await planned('--sample', '2', '--seed', 'spring', '-t', 'role=web,db');
  t.same(
    same.sample?.chosen,
    one.sample?.chosen.filter((id) => id !== 'here'),
    'whoever else is in scope',
  );
  const own = await desk.detproof(['plan', '-s', hidden, '-t', 'role=db', '--owners', 'pages']);
  t.equal(own.exitCode, 0);
  t.match(own.stderr, /2 owners: see pages\/index\.html/);
  t.equal((await desk.detproof(['plan', '-s', hidden, '--owners', 'pages'])).exitCode, 0, 'over its own pages');
  writeFileSync(join(desk.folder, 'index.html'), '<p>ours</p>');
  const foreign = await desk.detproof(['plan', '-s', hidden, '--owners', '.']);
  t.match(foreign, { exitCode: 4, stderr: /index\.html was not written by detproof\. Choose another folder/ });
  t.equal(readFileSync(join(desk.folder, 'index.html'), 'utf8'), '<p>ours</p>');
  await desk.detproof(['plan', '-s', hidden, '-t', 'role=db', '--owners', 'pages']);
  const page = readFileSync(join(desk.folder, 'pages', 'team-1.html'), 'utf8');
  t.match(page, /hosts of team 1/);
  t.match(page, /h5<br \/>127\.0\.0\.15/);
  t.notMatch(page, /h4<br/);
  t.match((await desk.detproof(['plan', '--seed', 'x'])).stderr, /--seed:1:1 {2}SELECT_SAMPLE/);
});

t.test(
  'run: sensors are looked for on the host itself, before and after, and the summary shows what is missing',
  async (t) => {
    if (!hasPython(t)) return;
    using desk = new Desk();
    desk.emptySiem();
    // A sensor of this machine: a process of that name, which does nothing.
    const program = join(desk.folder, 'test-sensor');
    copyFileSync('/bin/sleep', program);
    const sensor = spawn(program, ['600'], { stdio: 'ignore' });
    t.teardown(() => sensor.kill());
    const inventory = desk.inventory('inventory.yaml');
    const text = readFileSync(inventory, 'utf8').replace(
      'fidelity: real',
      'fidelity: real\n    sensors: [test-sensor, no-such-sensor]',
    );
    writeFileSync(inventory, `${text}pace: { perRuleAndHost: 1s }\n`);
    const { stdout, stderr } = await desk.detproof(['run', '--yes', '--no-variants', '-s', hidden]);
    const { hostChecks = [] } = desk.report();
    t.same(
      hostChecks.map(({ when, items }) => [
        when,
        items.flatMap(({ sensor, state }) => (sensor === undefined ? [] : [`${sensor} ${state}`])),
      ]),
      [
        ['before', ['test-sensor ok', 'no-such-sensor trouble']],
        ['after', ['test-sensor ok', 'no-such-sensor trouble']],
      ],
    );
    t.match(stdout, /HOSTS, BEFORE AND AFTERWARDS: 2 to look at/);
    t.match(stderr, /here: before, sensor no-such-sensor: no process of that name is running/);
    t.same(desk.leftInHome, []);
  },
);

t.test('doctor and discover: hosts are looked at within every limit of the inventory', async (t) => {
  const of = { jumpHosts: ['j1'], role: 'web', zone: 'core' };
  const site = new Site({ a: of, b: of, c: of, d: { role: 'db', zone: 'dmz' } });
  const all = { text: 'id=*', condition: { is: 'one-of' as const, field: 'id', patterns: ['*'] as [string] } };
  const table: readonly (readonly [limits: Partial<Limits>, most: number])[] = [
    [{}, 4],
    [{ hosts: 3 }, 3],
    [{ perZone: 1 }, 2],
    [{ perRole: 2 }, 3],
    [{ perJumpHost: 1 }, 2],
    [{ caps: [{ targets: all, hosts: 1 }] }, 1],
  ];
  for (const [limits, expected] of table) {
    let open = 0;
    let most = 0;
    const connect = async (): Promise<never> => {
      open += 1;
      most = Math.max(most, open);
      for (let turn = 0; turn < 5; turn += 1) await tick();
      open -= 1;
      throw new TransportFailure('unreachable', 'nobody is there');
    };
    const app = { clock: site.clock, transports: () => () => ({ connect }), pluginDeps: () => undefined };
    const inventory = { ...site.inventory, limits: { hosts: 9, perZone: 9, ...limits }, waves: { first: 1 } };
    const looks = await lookAtTargets(app as unknown as App, inventory, 'inventory.yaml', inventory.targets);
    t.same(
      looks.map(({ target, trouble }) => `${target.id} ${trouble?.class ?? ''}`),
      ['a unreachable', 'b unreachable', 'c unreachable', 'd unreachable'],
    );
    t.equal(most, expected, JSON.stringify(limits));
  }
});

t.test('doctor and discover: the sample of the inventory leaves out no host', async (t) => {
  using desk = await withFile();
  desk.emptySiem();
  const inventory = join(desk.folder, 'inventory.yaml');
  writeFileSync(inventory, `${readFileSync(inventory, 'utf8')}sample: { perRoleAndZone: 1 }\n`);
  const checks = JSON.parse((await desk.detproof(['doctor', '--json'])).stdout) as readonly { readonly what: string }[];
  t.same(
    checks.flatMap(({ what }) => /^(\w+)\/.*, reached$/.exec(what)?.[1] ?? []),
    ['h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'here'],
  );
  t.match((await desk.detproof(['discover', '-t', 'role=web'])).stdout, /interpreters on \d of 4 targets/);
});
