import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import plugin from '../../../adapters/siems/files/index.ts';
import { scriptPath } from '../../../adapters/siems/files/script-path.ts';
import { valuesOf } from '../../../adapters/siems/files/json-fields.ts';
import type { EvidenceRef } from '../../../runner/domain/evidence.ts';
import type { AlertQuestion, Answer } from '../../../runner/domain/siem.ts';
import { instant } from '../../../runner/domain/time.ts';
import type { PluginDeps } from '../../../runner/ports.ts';
import { at, siemContract } from '../../contract/siem-contract.ts';
import type { BenchEvent, SiemBench } from '../../contract/siem-contract.ts';

const [execve, connect] = ['auditd:SYSCALL/execve', 'auditd:SYSCALL/connect'] as const;
const marker = 'alphaalphaalpha1234567';
const signal = new AbortController().signal;

type Bench = SiemBench & { readonly folder: string; append(file: string, text: string): void };

function bench(t: Test, more: Record<string, unknown> = {}): Bench {
  const root = mkdtempSync(path.join(tmpdir(), 'detproof files '));
  t.teardown(() => {
    rmSync(root, { recursive: true });
  });
  const folder = path.join(root, 'siem');
  mkdirSync(folder);
  for (const file of ['events', 'alerts', 'rules']) writeFileSync(path.join(folder, `${file}.ndjson`), '');
  const kept = new Map<string, Uint8Array>();
  const deps: PluginDeps = {
    clock: { now: () => instant(Date.now()), sleep: () => Promise.reject(new Error('it does not wait')) },
    secrets: { read: () => Promise.reject(new Error('it has no secrets')) },
    resolve: (relative) => path.join(root, relative),
    keep: (bytes, mediaType) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      kept.set(sha256, bytes);
      return Promise.resolve({ sha256, bytes: bytes.length, mediaType });
    },
  };
  const settings = plugin.settings as unknown as { parse: (value: unknown) => Parameters<typeof plugin.open>[0] };
  const sources = { [execve]: { 'event.dataset': 'auditd.execve' }, [connect]: { 'event.dataset': 'auditd.connect' } };
  const append = (file: string, text: string): void => {
    appendFileSync(path.join(folder, file), text);
  };
  const put = (file: string, lines: readonly object[]): Promise<void> => {
    append(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return Promise.resolve();
  };
  return {
    folder,
    append,
    adapter: plugin.open(settings.parse({ path: 'siem', sources, ...more }), deps),
    sources: [execve, connect],
    putEvents: (events) => put('events.ndjson', events.map(ecs)),
    putAlerts: (alerts) =>
      put(
        'alerts.ndjson',
        alerts.map(({ id, time, rule, techniques, severity, host, events, event }) => {
          const copy = event === undefined ? undefined : ecs(event);
          return {
            id,
            '@timestamp': time,
            rule,
            severity,
            threat: { technique: { id: techniques } },
            host: { name: host },
            events,
            ...(copy !== undefined && { process: copy.process, event: { created: copy['@timestamp'] } }),
          };
        }),
      ),
    putRuns: (runs) =>
      put(
        'rules.ndjson',
        runs.map(({ enabled, error, ...run }) => ({ ...run, enabled, ok: enabled && error === undefined, error })),
      ),
    cut: () => {
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
    kept: (ref: EvidenceRef) => kept.get(ref.sha256) ?? new Uint8Array(),
  };
}

function ecs({ id, source, time, ingested, host, user, pid, executable, args, cwd, parent, file }: BenchEvent) {
  return {
    '@timestamp': time,
    event: { id, ingested, dataset: source === execve ? 'auditd.execve' : 'auditd.connect' },
    host: { name: host },
    user: { name: user },
    process: {
      pid,
      executable,
      args,
      command_line: args.join(' '),
      working_directory: cwd,
      parent: { executable: parent },
    },
    ...(file !== undefined && { file: { path: file } }),
  };
}

function event(id: string, own: Partial<BenchEvent> = {}): BenchEvent {
  const [time, ingested] = [at(1), at(2)];
  return { id, source: execve, time, ingested, host: 'h', pid: 7, executable: '/x', args: ['x', marker], ...own };
}

/** An event whose command line is in so many lists. */
function nested(deep: number): string {
  const line = JSON.stringify(ecs(event('deep', { args: [] })));
  return line.replace('"command_line":""', `"command_line":${'['.repeat(deep)}"${marker}"${']'.repeat(deep)}`);
}

function question(own: Partial<AlertQuestion> = {}): AlertQuestion {
  const window = { from: at(-60), to: at(600) };
  return {
    traces: [{ marker, hosts: ['h'], processes: [], files: [], window }],
    sources: [execve],
    window: { ...window, basis: 'event' },
    limit: 100,
    watched: ['r'],
    ...own,
  };
}

function ids(answer: Answer<{ readonly id: string }>): readonly string[] {
  return answer.hits.map(({ id }) => id);
}

await siemContract(t, 'files', (t) => Promise.resolve(bench(t)));

t.test('files: settings that are wrong are refused by name', (t) => {
  const settings = plugin.settings as unknown as {
    safeParse: (value: unknown) => { error?: { issues: readonly { path: readonly unknown[] }[] } };
  };
  const wrong = settings.safeParse({
    path: '',
    sources: { 'no-channel': { 'event.dataset': 'x' } },
    folder: 'x',
    maxBytes: 0,
  });
  t.same(wrong.error?.issues.map(({ path: [first] }) => first ?? 'itself').sort(), [
    'itself',
    'maxBytes',
    'path',
    'sources',
  ]);
  t.end();
});

t.test('files: a line that is not whole yet is not there yet, and then it is', async (t) => {
  const siem = bench(t);
  const [first, second] = [event('e1'), event('e2')].map((one) => JSON.stringify(ecs(one))) as [string, string];
  siem.append('events.ndjson', `${first}\n${second.slice(0, 40)}`);
  const torn = await siem.adapter.events(question(), signal);
  t.same([ids(torn), torn.complete], [['e1'], { yes: true }]);
  siem.append('events.ndjson', `${second.slice(40)}\n`);
  t.same(ids(await siem.adapter.events(question(), signal)), ['e1', 'e2']);
});

t.test('files: a line that cannot be read makes the answer incomplete and is named', async (t) => {
  const broken: Record<string, RegExp> = {
    'no json': /events\.ndjson:2: .*JSON/,
    '[1]': /events\.ndjson:2: a value that is not an object/,
    '{"event":{"id":"x"},"@timestamp":"2026-11-24 12:00"}': /events\.ndjson:2: an event without a @timestamp/,
    '{"@timestamp":"2026-11-24T12:00:00Z"}': /events\.ndjson:2: an event without event\.id/,
    [nested(5_000)]: /events\.ndjson:2: nested more than 100 deep/,
    [nested(200_000)]: /events\.ndjson:2: .*(?:nested|stack)/,
    '{"event":{"id":"x"},"@timestamp":"+275760-09-13T00:00:00.000Z"}':
      /events\.ndjson:2: an event without a @timestamp/,
  };
  for (const [line, message] of Object.entries(broken)) {
    const siem = bench(t);
    await siem.putEvents([event('e1')]);
    siem.append('events.ndjson', `${line}\n\n`);
    await siem.putEvents([event('e2')]);
    const answer = await siem.adapter.events(question(), signal);
    t.same(ids(answer), ['e1', 'e2'], 'the others are still found');
    t.match(answer.complete, { yes: false, because: { class: 'protocol', detail: message } });
    const alerts = await siem.adapter.alerts(question(), signal);
    t.match(alerts.complete, { yes: false }, 'an alert may refer to the event that cannot be read');
  }
  const bearable = bench(t);
  bearable.append('events.ndjson', `${nested(98)}\n`);
  t.match(await bearable.adapter.events(question(), signal), { hits: [{ id: 'deep' }], complete: { yes: true } });
  const siem = bench(t);
  siem.append('alerts.ndjson', '{"id":"a","@timestamp":"2026-11-24T12:00:00Z"}\n');
  siem.append(
    'rules.ndjson',
    '{"rule":{"id":"r"},"from":"2026-11-24T12:00:00Z","to":"2026-11-24T12:00:01Z","enabled":"yes","ok":true}\n',
  );
  t.match((await siem.adapter.alerts(question(), signal)).complete, {
    because: { detail: /alerts\.ndjson:1: .*rule\.id/ },
  });
  const { window } = question();
  t.match((await siem.adapter.rules({ rules: ['r'], window }, signal)).complete, {
    because: { detail: /rules\.ndjson:1: .*enabled/ },
  });
});

t.test('files: asking again reads what was appended, through rotation, truncation and replacement', async (t) => {
  const siem = bench(t);
  const file = path.join(siem.folder, 'events.ndjson');
  const reads = async (): Promise<unknown> => {
    const { exchanges } = await siem.adapter.events(question(), signal);
    return (JSON.parse(Buffer.from(siem.kept(exchanges[0])).toString()) as { read: unknown }).read;
  };
  await siem.putEvents([event('e1')]);
  t.same(ids(await siem.adapter.events(question(), signal)), ['e1']);
  await siem.putEvents([event('e2')]);
  const bytes = [event('e1'), event('e2')].map((one) => `${JSON.stringify(ecs(one))}\n`).join('');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  t.same(await reads(), [{ file: 'events.ndjson', from: 0, bytes: bytes.length, sha256 }], 'hash of the whole file');

  renameSync(file, `${file}.1`);
  await siem.putEvents([event('e3')]);
  const rotated = await siem.adapter.events(question(), signal);
  t.same(ids(rotated), ['e1', 'e2', 'e3']);
  t.match(
    rotated.complete,
    { yes: false, because: { class: 'cut-short', detail: /reach back to/ } },
    'older ones may be gone',
  );
  const later = { ...question().window, from: at(3) };
  await siem.putEvents([event('e4', { time: at(4) })]);
  t.same((await siem.adapter.events(question({ window: later }), signal)).complete, { yes: true });

  rmSync(`${file}.1`);
  truncateSync(file);
  await siem.putEvents([event('new')]);
  t.same(ids(await siem.adapter.events(question(), signal)), ['new'], 'an emptied file is read from its beginning');
  writeFileSync(`${file}.next`, `${JSON.stringify(ecs(event('replaced')))}\n`);
  renameSync(`${file}.next`, file);
  t.same(ids(await siem.adapter.events(question(), signal)), ['replaced']);
});

t.test('files: questions at the same time do not read a line twice', async (t) => {
  const siem = bench(t);
  await siem.putEvents(Array.from({ length: 500 }, (_, index) => event(`e${index}`)));
  const all = await Promise.all(
    [1, 2, 3, 4].map(() => siem.adapter.events(question({ limit: 1000 }), signal).then(({ hits }) => hits.length)),
  );
  t.same(all, [500, 500, 500, 500]);
});

t.test(
  'files: a file longer than maxBytes is read from its end, and the answer says what that leaves out',
  async (t) => {
    const siem = bench(t, { maxBytes: 700 });
    await siem.putEvents([1, 2, 3, 4, 5].map((n) => event(`e${n}`, { time: at(n), ingested: at(n) })));
    const answer = await siem.adapter.events(question(), signal);
    t.same(ids(answer), ['e4', 'e5']);
    t.match(answer.complete, { yes: false, because: { class: 'cut-short' } });
    const recent = await siem.adapter.events(question({ window: { from: at(4), to: at(9), basis: 'event' } }), signal);
    t.same([ids(recent), recent.complete], [['e4', 'e5'], { yes: true }]);
  },
);

t.test(
  'files: an alert whose events were rotated away makes the answer incomplete, unless it needs none',
  async (t) => {
    const siem = bench(t);
    const file = path.join(siem.folder, 'events.ndjson');
    await siem.putEvents([event('e1')]);
    renameSync(file, `${file}.1`);
    await siem.putEvents([event('e2')]);
    const alert = (id: string, events: readonly string[], copied?: BenchEvent) => ({
      ...{ id, events, time: at(3), rule: { id: 'r', name: 'r' }, techniques: [], severity: 'low', host: 'h' },
      ...(copied !== undefined && { event: copied }),
    });
    await siem.putAlerts([alert('a1', ['e1']), alert('marked', ['e0'], event('e0'))]);
    const told = async () => {
      const { hits, untied, complete } = await siem.adapter.alerts(question(), signal);
      return [ids({ hits, complete, exchanges: [] as never }), untied.map(({ id }) => id), complete];
    };
    t.same(await told(), [['a1', 'marked'], [], { yes: true }]);
    await siem.putAlerts([alert('a2', ['e0', 'e1'])]);
    const because = { class: 'cut-short', detail: /events\.ndjson.* reach back to/ };
    t.match(await told(), [['a1', 'a2', 'marked'], [], { yes: false, because }], 'it may be tied to another, too');
    await siem.putAlerts([alert('a3', ['e0'])]);
    t.match(await told(), [['a1', 'a2', 'marked'], ['a3'], { yes: false, because }]);
  },
);

t.test('files: hosts and times of an untied alert are those of its events, when all are there', async (t) => {
  const siem = bench(t);
  const other = (id: string, own: Partial<BenchEvent>): BenchEvent => event(id, { args: ['x'], ...own });
  await siem.putEvents([other('e1', { host: 'B' }), other('e2', { host: 'c', time: at(5) })]);
  const alert = (id: string, events: readonly string[], copied?: BenchEvent) => ({
    ...{ id, events, time: at(30), rule: { id: 'r', name: 'r' }, techniques: [], severity: 'low' },
    ...(copied !== undefined && { event: copied }),
  });
  await siem.putAlerts([
    alert('all', ['e1', 'e2']),
    alert('copy', ['gone'], other('gone', { time: at(9) })),
    alert('first-of-many', ['gone', 'e1'], other('gone', { time: at(9) })),
  ]);
  t.same(
    (await siem.adapter.alerts(question(), signal)).untied.map(({ id, hosts, eventTimes }) => [id, hosts, eventTimes]),
    [
      ['all', ['b', 'c'], [at(1), at(5)]],
      ['copy', [], [at(9)]],
      ['first-of-many', [], []],
    ],
  );
});

t.test('files: an alert that names no host is on that of the event by which it bears the marker', async (t) => {
  const siem = bench(t);
  await siem.putEvents([event('of-another', { args: ['x'] }), event('own', { host: 'Laptop' })]);
  await siem.putAlerts([
    {
      ...{ id: 'bare', events: ['of-another', 'own'], time: at(30), rule: { id: 'r', name: 'r' } },
      ...{ techniques: [], severity: 'low' },
    },
  ]);
  const { hits } = await siem.adapter.alerts(question(), signal);
  t.match(hits, [{ id: 'bare', host: 'laptop' }], 'so that no marker of another machine counts for this one');
});

t.test('files: a source that the settings do not tell apart makes the answer incomplete', async (t) => {
  const siem = bench(t);
  const answer = await siem.adapter.events(question({ sources: [execve, 'macos:unifiedlog/exec'] }), signal);
  t.match(answer.complete, {
    yes: false,
    because: { class: 'protocol', detail: /macos:unifiedlog\/exec.*siems\.sources/ },
  });
});

t.test(
  'files: an event of several sources is a hit of each that is asked for, and all lines of one id count',
  async (t) => {
    const [all, creation] = ['auditd:SYSCALL/any', 'auditd:PATH/create'] as const;
    const siem = bench(t, {
      sources: {
        [execve]: { 'event.dataset': 'auditd.execve', 'event.action': 'exec' },
        [all]: { 'event.dataset': 'auditd.execve' },
        [creation]: { 'event.action': 'create' },
      },
    });
    const ofAction = (action: string, own: Partial<BenchEvent>): string => {
      const line = ecs(event('audit-1', own));
      return `${JSON.stringify({ ...line, event: { ...line.event, action } })}\n`;
    };
    siem.append('events.ndjson', ofAction('exec', {}));
    siem.append('events.ndjson', ofAction('create', { source: connect, args: [], file: '/tmp/x.py' }));
    const [trace] = question().traces;
    const asked = question({ traces: [{ ...trace, files: ['/tmp/x.py'] }], sources: [execve, all, creation] });
    const told = async (own: Partial<AlertQuestion>): Promise<readonly unknown[]> => {
      const { hits, complete } = await siem.adapter.events({ ...asked, ...own }, signal);
      return [...hits.map(({ source, matched: { by } }) => `${source} ${by}`).sort(), complete.yes];
    };
    t.same(await told({}), [`${creation} host-file-time`, `${all} marker`, `${execve} marker`, true]);
    t.same(await told({ sources: [all] }), [`${all} marker`, true]);
    t.match((await told({ limit: 2 })).at(-1), false);

    await siem.putAlerts([
      {
        ...{ id: 'a1', time: at(3), rule: { id: 'r', name: 'r' }, techniques: [], severity: 'low', host: 'h' },
        events: ['audit-1'],
      },
    ]);
    const alerts = await siem.adapter.alerts(asked, signal);
    t.match(alerts.hits, [{ id: 'a1', matched: { by: 'marker' } }]);
  },
);

t.test('files: the marker is found where products keep it, and its own process goes first', async (t) => {
  const siem = bench(t);
  const other = 'othermarker1234567890';
  const base = { '@timestamp': at(1), 'event.dataset': 'auditd.execve', 'host.name': 'h' };
  const hex = Buffer.from(`python3\0${marker}\0`).toString('hex').toUpperCase();
  const lines = [
    { ...base, 'event.id': 'dotted', 'process.command_line': `x ${marker}` },
    { ...base, 'event.id': 'message', message: `hello ${marker}.` },
    { ...base, 'event.id': 'hex', event: { original: `type=PROCTITLE proctitle=${hex}` } },
    { ...base, 'event.id': 'parent', 'process.parent.command_line': `sh -c ${marker}` },
    { ...base, 'event.id': 'stale-title', 'process.args': ['x', other], 'process.title': `x ${marker}` },
    { ...base, 'event.id': 'upper', message: marker.toUpperCase() },
  ];
  siem.append('events.ndjson', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const [first] = question().traces;
  const answer = await siem.adapter.events(question({ traces: [first, { ...first, marker: other }] }), signal);
  t.same(
    answer.hits.map((hit) => [hit.id, hit.marker === marker, hit.matched.by === 'marker' && hit.matched.field]),
    [
      ['dotted', true, 'process.command_line'],
      ['hex', true, 'event.original'],
      ['message', true, 'message'],
      ['parent', true, 'process.parent.command_line'],
      ['stale-title', false, 'process.args'],
    ],
  );
});

t.test('files: context comes from the fields that the settings name, else from ECS', async (t) => {
  const fields = { user: ['data.audit.auid'], parent: ['data.parent', 'data.other'], destination: ['data.dest'] };
  const siem = bench(t, { fields });
  const custom = { ...ecs(event('e1')), data: { audit: { auid: 1000 }, parent: '', other: 'p', dest: 'there' } };
  const destination = { ip: '::1', port: 80 };
  siem.append('events.ndjson', `${JSON.stringify(custom)}\n`);
  const [hit] = (await siem.adapter.events(question(), signal)).hits;
  t.match(hit?.fields, { user: '1000', parent: 'p', destination: 'there', host: 'h' });
  const plain = bench(t);
  plain.append('events.ndjson', `${JSON.stringify({ ...ecs(event('e1')), destination })}\n`);
  plain.append(
    'events.ndjson',
    `${JSON.stringify({ ...ecs(event('e2')), destination: { ip: '127.0.0.1', port: 9 } })}\n`,
  );
  const { hits } = await plain.adapter.events(question(), signal);
  t.same(
    hits.map(({ fields: { destination: text } }) => text),
    ['[::1]:80', '127.0.0.1:9'],
  );
});

t.test('files: ping tells the SIEM’s time, and that a silent one is not there', async (t) => {
  const siem = bench(t);
  t.same(await siem.adapter.ping(signal), {}, 'an export has no clock');
  const file = path.join(siem.folder, 'heartbeat.json');
  writeFileSync(file, JSON.stringify({ '@timestamp': at(1) }));
  const twoSecondsOld = Date.now() / 1000 - 2;
  utimesSync(file, twoSecondsOld, twoSecondsOld);
  const { serverTime } = await siem.adapter.ping(signal);
  t.ok(serverTime !== undefined && serverTime >= at(3) && serverTime < at(4), `as of now: ${serverTime ?? ''}`);
  const old = Date.now() / 1000 - 60;
  utimesSync(file, old, old);
  await t.rejects(siem.adapter.ping(signal), {
    name: 'SiemFailure',
    class: 'unreachable',
    message: /silent for 1 min 0 s.*lab up/,
  });
  writeFileSync(file, '{}');
  await t.rejects(siem.adapter.ping(signal), { name: 'SiemFailure', class: 'protocol' });
});

t.test('files: silence of the SIEM proves neither a run nor that a rule was off', async (t) => {
  const siem = bench(t);
  const rule = (id: string) => ({ id, name: id });
  await siem.putRuns([
    { rule: rule('gap'), from: at(0), to: at(10), enabled: true },
    { rule: rule('gap'), from: at(30), to: at(40), enabled: true },
    { rule: rule('was-on'), from: at(-30), to: at(-20), enabled: true },
    { rule: rule('was-off'), from: at(-30), to: at(-20), enabled: false },
    { rule: rule('just-off'), from: at(-30), to: at(1), enabled: true },
    { rule: rule('just-off'), from: at(1), to: at(40), enabled: false },
    { rule: rule('new'), from: at(20), to: at(40), enabled: true },
  ]);
  const rules = ['gap', 'was-on', 'was-off', 'just-off', 'new'];
  const { hits } = await siem.adapter.rules({ rules, window: { from: at(0), to: at(40) } }, signal);
  const told = Object.fromEntries(hits.map(({ rule: id, enabled, ran }) => [id, [enabled, ran.length]]));
  t.same(told, {
    gap: ['all', 2],
    'was-on': ['all', 0],
    'was-off': ['part', 0],
    'just-off': ['part', 1],
    new: ['part', 1],
  });
});

t.test('files: the script is the first argument that is no option of the interpreter', (t) => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['python3 /tmp/x.py a', '/tmp/x.py'],
    ['/usr/bin/python3.11 -I -B -W ignore -X dev -u run a', 'run'],
    ['python3 -Wignore x.py', 'x.py'],
    ['python3 -BW ignore x.py', 'x.py'],
    ['pypy3 --check-hash-based-pycs never x', 'x'],
    ['python3 -c code x.py', undefined],
    ['python3 -Bc code x.py', undefined],
    ['python3 -m module x.py', undefined],
    ['python3 - x.py', undefined],
    ['python3 -', undefined],
    ['python3', undefined],
    ['renamed /tmp/x.py', '/tmp/x.py'],
    ['renamed app.pyz', 'app.pyz'],
    ['cat /etc/passwd', undefined],
    ['env python3 x.py', undefined],
    ['C:\\Python311\\python.exe C:\\Users\\dana\\run.py x', 'C:\\Users\\dana\\run.py'],
    ['py.exe -3 run.py', 'run.py'],
    ['C:\\Windows\\System32\\certutil.exe C:\\x.txt', undefined],
    ['/bin/sh -c /tmp/x.py', undefined],
  ];
  for (const [line, script] of table) t.equal(scriptPath(line.split(' ')), script, line);
  t.equal(scriptPath([]), undefined);
  t.end();
});

t.test('files: a field is found nested, dotted, half of each, and in lists', (t) => {
  t.same(valuesOf({ a: { b: { c: 1 } }, 'a.b.c': 2, 'a.b': { c: [3, null, ''] }, x: 4 }, 'a.b.c'), ['2', '1', '3']);
  t.same(valuesOf({ a: [{ b: 'x' }, { b: ['y', true] }] }, 'a.b'), ['x', 'y', 'true']);
  t.same(valuesOf({ a: 1 }, 'toString'), []);
  t.end();
});
