import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { LAB_HOSTS, SYSLOG_PORT } from '../../lab/range/layout.ts';
import { findStandIns, missingStandIns } from '../../lab/range/stand-ins.ts';
import type { MakeNormaliser } from '../../lab/siem/collected-line.ts';
import { loadNormalisers } from '../../lab/siem/normalisers.ts';
import { StandInLines } from '../../lab/siem/stand-in-lines.ts';
import type { StandIn } from '../../lab/standins/stand-in.ts';

t.test('stand-ins: each folder’s are found, and none takes another’s name, port or the lab’s', async (t) => {
  const found = await findStandIns();
  t.ok(found.length >= 1);
  const names = found.map(({ name }) => name);
  t.same([...names].sort(), [...new Set(names)], 'sorted, and each once');
  for (const name of names) t.match(name, /^lab-[a-z]+(-[a-z]+)*$/);
  const ports = [...found.flatMap((one) => one.ports), ...LAB_HOSTS.map(({ port }) => port), SYSLOG_PORT];
  t.equal(new Set(ports).size, ports.length, ports.join(' '));
  const logs = found.flatMap((one) => one.logs);
  const normalisers = await loadNormalisers(logs);
  for (const { format } of logs) t.type(normalisers.get(format)?.(), 'function', format);
});

t.test('stand-ins: one that cannot run here is left out with the reason, and the others are not', async (t) => {
  const own = (name: StandIn['name'], more: Partial<StandIn>): StandIn => ({
    name,
    platform: 'esxi',
    ports: [],
    accounts: [],
    packages: [],
    logs: [],
    start: () => Promise.reject(new Error('it is not to be started')),
    ...more,
  });
  const said: string[] = [];
  const missing = await missingStandIns(
    [
      own('lab-able', { obstacle: () => Promise.resolve(undefined), ids: { first: 1_950_000_000, count: 10 } }),
      own('lab-hindered', { obstacle: () => Promise.resolve('there is no moon tonight') }),
      own('lab-taken', { ids: { first: 0, count: 1 } }),
    ],
    [],
    (line) => said.push(line),
  );
  t.same([...missing.keys()], ['lab-hindered', 'lab-taken']);
  t.equal(missing.get('lab-hindered'), 'there is no moon tonight');
  t.match(
    missing.get('lab-taken'),
    /^it uses the ids 0 to 0, and one of them is in use: a process runs with the uid 0/,
  );
  t.match(said, [/lab-hindered is left out: there is no moon/, /lab-taken is left out: /]);
});

const plain: MakeNormaliser = () => {
  let seen = 0;
  return ({ host, id, text, receivedMs }) => {
    if (text === 'drop') return undefined;
    seen += 1;
    return {
      '@timestamp': new Date(receivedMs).toISOString(),
      message: `${seen} ${text}`,
      event: {
        ...{ id, kind: 'event', module: 'esxi', dataset: 'esxi.shell', action: 'x', original: text },
        ...{ category: [], type: [] },
      },
      host: { name: host, hostname: host, os: {} },
    };
  };
};

function linesFor(t: Test) {
  const folder = mkdtempSync(path.join(tmpdir(), 'detproof stand-in lines '));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, 'events.log');
  const said: string[] = [];
  const open = (more: { host: string; format: string; file?: string }[] = []) =>
    new StandInLines(
      { standIns: [{ host: 'lab-one', format: 'plain', file }, ...more], storeDir: folder },
      new Map([['plain', plain]]),
      (trouble) => said.push(trouble),
    );
  return { folder, file, said, open };
}

const messages = (events: ReturnType<StandInLines['read']>): readonly (string | undefined)[] =>
  events.map(({ message }) => message);

t.test('stand-in lines: a file is followed through rotation and a restart, each line once', (t) => {
  const { file, open } = linesFor(t);
  const first = open();
  t.same(first.read(0), [], 'the file is not there yet');
  appendFileSync(file, 'a\ndrop\nb\nhalf');
  const events = first.read(1000);
  t.same(messages(events), ['1 a', '2 b']);
  t.match(events[0], { host: { name: 'lab-one' }, '@timestamp': '1970-01-01T00:00:01.000Z' });
  t.equal(new Set(events.map(({ event }) => event.id)).size, 2);
  first.saveCheckpoints();
  appendFileSync(file, ' line\nc\n');
  renameSync(file, `${file}.1`);
  appendFileSync(file, 'd\n');
  const unsaved = first.read(2000);
  t.same(messages(unsaved), ['3 half line', '4 c', '5 d']);
  first.close();
  const second = open();
  const again = second.read(3000);
  t.same(messages(again), ['1 half line', '2 c', '3 d'], 'what was not saved is read again');
  t.same(
    again.map(({ event }) => event.id),
    unsaved.map(({ event }) => event.id),
    'and known again by its id',
  );
  second.close();
  t.end();
});

t.test('stand-in lines: datagrams go to the stand-in that their header names', (t) => {
  const { open } = linesFor(t);
  const lines = open([
    { host: 'lab-two', format: 'plain' },
    { host: 'lab-three', format: 'plain' },
  ]);
  const take = (text: string): readonly (string | undefined)[] =>
    lines.relayed(Buffer.from(text), 0).map(({ host, message }) => `${host.name}: ${message ?? ''}`);
  for (const [text, host] of [
    ['<14>2026-11-24T08:00:00.001Z lab-two shell[1]: [root]: ls', 'lab-two'],
    ['<14>1 2026-11-24T08:00:00Z lab-three x - - - hello', 'lab-three'],
    ['<14>Nov  4 08:00:00 lab-three x: hello', 'lab-three'],
  ] as const)
    t.match(take(text), [new RegExp(`^${host}: \\d <14>`)], text);
  t.match(take('<14>2026-11-24T08:00:00Z lab-two x: with an end\n\0'), [/an end$/]);
  for (const text of ['', 'lab-two', '<14>2026-11-24T08:00:00Z lab-one x: a file is followed for this one', '<14>x'])
    t.same(take(text), [], text);
  lines.close();
  t.end();
});

t.test('stand-in lines: what is in the way is said, and the others go on', (t) => {
  const { folder, file, said, open } = linesFor(t);
  const blocked = path.join(folder, 'folder');
  const lines = open([{ host: 'lab-two', format: 'plain', file: blocked }]);
  mkdirSync(blocked);
  appendFileSync(file, 'a\n');
  t.same(messages(lines.read(0)), ['1 a']);
  t.match(said, [new RegExp(`${blocked} cannot be read: EISDIR`)]);
  t.throws(
    () => open([{ host: 'lab-two', format: 'unknown' }]),
    /no normaliser was loaded for lines of the format unknown/,
  );
  lines.close();
  t.end();
});
