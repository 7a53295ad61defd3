import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Test } from 'tap';
import { z } from 'zod';
import { LabHosts } from '../../lab/siem/lab-hosts.ts';
import { LogFollower } from '../../lab/siem/log-follower.ts';
import { JsonLines } from '../../lab/siem/store.ts';
import { normaliseSyslog, parseSyslog } from '../../lab/siem/syslog-normalise.ts';

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'detproof siem '));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

t.test('follower: lines come once, whole, in order, through rotation, truncation and restarts', (t) => {
  const act = fc.oneof(
    fc.record({ do: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 5 }), torn: fc.boolean() }),
    fc.record({ do: fc.constant('rotate' as const) }),
    fc.record({ do: fc.constant('read' as const) }),
    fc.record({ do: fc.constant('restart' as const) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'detproof follower '));
      const log = path.join(folder, 'audit.log');
      writeFileSync(log, 'old\n');
      let follower = new LogFollower(log, 'end');
      const written: string[] = [];
      const read: string[] = [];
      let torn = '';
      for (const one of acts) {
        if (one.do === 'write') {
          for (let n = 0; n < one.lines; n++) {
            written.push(`line ${written.length} ${'x'.repeat(written.length % 90)}`);
            appendFileSync(log, torn === '' ? `${written.at(-1) ?? ''}\n` : `${torn}\n${written.at(-1) ?? ''}\n`);
            torn = '';
          }
          if (one.torn) {
            torn = `line ${written.length} torn`;
            written.push(torn);
            appendFileSync(log, torn.slice(0, 6));
            torn = torn.slice(6);
          }
        } else if (one.do === 'rotate' && torn === '') {
          for (let n = 4; n >= 1; n--) if (existsSync(`${log}.${n}`)) renameSync(`${log}.${n}`, `${log}.${n + 1}`);
          renameSync(log, `${log}.1`);
          writeFileSync(log, '');
        } else if (one.do === 'restart') {
          read.push(...follower.read().map(({ text }) => text));
          const at = follower.position;
          follower.close();
          if (at !== undefined) follower = new LogFollower(log, at);
        } else read.push(...follower.read().map(({ text }) => text));
      }
      if (torn !== '') appendFileSync(log, `${torn}\n`);
      read.push(...follower.read().map(({ text }) => text));
      follower.close();
      rmSync(folder, { recursive: true });
      t.same(read, written);
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('follower: a log that is emptied, or that does not exist yet, is followed from its beginning', (t) => {
  const log = path.join(folderFor(t), 'audit.log');
  const follower = new LogFollower(log, 'end', 64);
  t.same(follower.read(), []);
  t.equal(follower.position, undefined);
  writeFileSync(log, 'one\ntwo\n');
  t.same(
    follower.read().map(({ text }) => text),
    ['one', 'two'],
  );
  truncateSync(log);
  t.same(follower.read(), []);
  appendFileSync(log, 'new\n');
  t.same(
    follower.read().map(({ text }) => text),
    ['new'],
  );
  t.equal(follower.lost, 1, 'it cannot know what was in it before');
  appendFileSync(log, 'x'.repeat(1000));
  follower.read();
  appendFileSync(log, `${'y'.repeat(10)}\nafter\n`);
  const [long, after] = follower.read().map(({ text }) => text);
  t.ok((long?.length ?? 0) <= 74, 'a line without end is not kept whole');
  t.equal(after, 'after');
  follower.close();
  const elsewhere = new LogFollower(log, { inode: 1, offset: 5, head: 'other' });
  t.equal(elsewhere.read().at(-1)?.text, 'after', 'a position that is nowhere any more means the beginning');
  t.equal(elsewhere.lost, 1);
  elsewhere.close();
  t.end();
});

t.test('store: a file that is too long becomes FILE.1 while it can always be read, and half lines go', (t) => {
  const file = path.join(folderFor(t), 'events.ndjson');
  writeFileSync(file, '{"n":0}\n{"n":');
  const store = new JsonLines(file, 100);
  t.equal(readFileSync(file, 'utf8'), '{"n":0}\n', 'what a killed process left half is gone');
  const inode = statSync(file).ino;
  for (let n = 1; n <= 20; n++) store.append([{ n, text: 'ümläut\n' }]);
  t.not(statSync(file).ino, inode);
  const numbers = [`${file}.1`, file]
    .flatMap((name) => readFileSync(name, 'utf8').split('\n').slice(0, -1))
    .map((line) => z.object({ n: z.int() }).parse(JSON.parse(line)).n);
  t.same(
    numbers,
    Array.from({ length: numbers.length }, (_, index) => 21 - numbers.length + index),
    'the newest, none missing',
  );
  t.ok(store.tail(30).split('\n').length <= 2, 'its tail begins with a whole line');
  t.equal(store.trouble, undefined);
  store.close();
  t.end();
});

t.test('syslog: the forms that programs use are told apart', (t) => {
  const table: readonly (readonly [string, ReturnType<typeof parseSyslog>])[] = [
    [
      '<38>Nov 24 05:06:07 sshd[30080]: Accepted key for alice',
      { priority: 38, appname: 'sshd', procid: '30080', message: 'Accepted key for alice' },
    ],
    ['<13>Nov  4 05:06:07 job: a: b [c]: d', { priority: 13, appname: 'job', message: 'a: b [c]: d' }],
    ['<13>Nov 24 05:06:07 web1 job[7]: hello', { priority: 13, appname: 'job', procid: '7', message: 'hello' }],
    ['<14>run.py: from Python', { priority: 14, appname: 'run.py', message: 'from Python' }],
    ['<14>no program here', { priority: 14, message: 'no program here' }],
    [
      '<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [ex@32473 a="1\\]"][b c="2"] \uFEFFAn event',
      { priority: 165, appname: 'evntslog', message: 'An event' },
    ],
    ['<34>1 - - su 77 - - failed', { priority: 34, appname: 'su', procid: '77', message: 'failed' }],
    ['no priority', { priority: 13, message: 'no priority' }],
    ['<999>x: y', { priority: 13, appname: 'x', message: 'y' }],
    ['', { priority: 13, message: '' }],
  ];
  for (const [text, expected] of table) t.same(parseSyslog(text), expected, text);
  const hosts = new LabHosts([{ name: 'lab-alpha', uid: 60101, account: 'alice' }], () => '');
  const event = normaliseSyslog(
    {
      host: 'lab-alpha',
      timeMs: 1_795_521_600_123,
      pid: 7,
      uid: 60101,
      bytes: Buffer.from('<38>job[99]: hi \xff\n\0', 'latin1'),
    },
    5,
    hosts,
  );
  t.match(event, {
    '@timestamp': '2026-11-24T12:00:00.123Z',
    message: 'hi \ufffd',
    event: { id: 'lab-alpha-syslog-1795521600123-5', dataset: 'syslog', module: 'syslog' },
    user: { id: '60101', name: 'alice' },
    process: { pid: 7, executable: undefined, name: 'job' },
    log: { syslog: { priority: 38, facility: { code: 4 }, severity: { code: 6 }, appname: 'job', procid: '99' } },
  });
  t.end();
});
