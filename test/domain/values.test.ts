import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import t from 'tap';
import { askedOf, compareContext } from '../../runner/domain/context.ts';
import type { ReceiptLine } from '../../runner/domain/execution.ts';
import { glob } from '../../runner/domain/glob.ts';
import { posixCommandLine, posixQuote } from '../../runner/domain/posix-quote.ts';
import { parseReceipt } from '../../runner/domain/receipt.ts';
import type { ContextField } from '../../runner/domain/scenario.ts';
import type { EventHit } from '../../runner/domain/siem.ts';
import {
  duration,
  elapsed,
  epochMs,
  formatDuration,
  instant,
  onOurClock,
  parseDuration,
  parseInstant,
  shift,
} from '../../runner/domain/time.ts';

const receipt: ReceiptLine = {
  receipt: 'finished',
  marker: 'm'.repeat(24),
  pid: 4711,
  ppid: 4700,
  parentExecutable: '/usr/sbin/sshd',
  argv: ['/usr/bin/python3.11', '/tmp/r/.cache/run.py', 'm'.repeat(24)],
  executable: '/usr/bin/python3.11',
  script: '/tmp/r/.cache/run.py',
  cwd: '/home/alice',
  user: 'alice',
  host: 'web-1',
  time: instant(0),
  version: '3.11.2',
  destinations: ['127.0.0.1:8080', '[::1]:8080'],
};

function told(
  field: ContextField,
  siem: string,
  more: { receipt?: ReceiptLine; cwd?: string; source?: string } = {},
): string {
  const hit: EventHit = {
    marker: receipt.marker,
    matched: { by: 'marker', field: 'process.args' },
    source: more.source ?? 'auditd:SYSCALL/execve',
    id: '1',
    time: instant(0),
    fields: { [field]: siem, ...(more.cwd === undefined ? {} : { cwd: more.cwd }) },
    raw: { sha256: '0'.repeat(64), bytes: 0, mediaType: 'application/json' },
  };
  const { agreed, problems } = compareContext(hit, more.receipt ?? receipt, [field], ['Web-1', 'web-1.example.org']);
  const [problem] = problems;
  return problem === undefined ? `agrees on ${agreed.join()}` : `${problem.problem}: ${problem.receipt}`;
}

t.test('context: what the SIEM holds is compared field by field with the receipt', (t) => {
  const python = '/usr/bin/python3.11';
  const line = receipt.argv.join(' ');
  const table: readonly (readonly [ContextField, string, RegExp, Parameters<typeof told>[2]?])[] = [
    ['process', python, /^agrees/],
    ['process', '/usr/bin/dash', /^contradicts: \/usr\/bin\/python3\.11$/],
    ['process', '  ', /^missing: \/usr\/bin\/python3\.11$/],
    ['command-line', line, /^agrees/],
    ['command-line', `"${python}"  '/tmp/r/.cache/run.py' ${receipt.marker} `, /^agrees/],
    ['command-line', line.slice(0, -1), /^contradicts/],
    ['command-line', line.slice(0, 40), /^contradicts/],
    ['parent', '/usr/sbin/sshd', /^agrees/],
    ['parent', 'sshd', /^contradicts/],
    ['parent', '/usr/sbin/cron', /^contradicts: \/usr\/sbin\/sshd$/],
    ['user', 'ALICE', /^agrees/],
    ['user', 'root', /^contradicts: alice$/],
    ['host', 'web-1.EXAMPLE.org', /^agrees/],
    ['host', 'web-2', /^contradicts: Web-1 or web-1\.example\.org$/],
    ['script', '/tmp/r/.cache/run.py', /^agrees/],
    ['script', '/tmp/./r/x/../.cache/run.py', /^agrees/],
    ['script', '.cache/run.py', /^agrees/, { cwd: '/tmp/r' }],
    ['script', './.cache/run.py', /^agrees/, { cwd: '/tmp/r/' }],
    ['script', '../r/.cache/run.py', /^agrees/, { cwd: '/tmp/other' }],
    ['script', '.cache/run.py', /^contradicts/, { cwd: '/home/alice' }],
    ['script', '/tmp/other.py', /^contradicts/],
    ['cwd', '/home/alice', /^agrees/],
    ['cwd', '/root', /^contradicts/],
    ['destination', '127.0.0.1:8080', /^agrees/],
    ['destination', '[::1]:8080', /^agrees/],
    ['destination', '127.0.0.1:8081', /^contradicts: 127\.0\.0\.1:8080 or \[::1\]:8080$/],
  ];
  for (const [field, siem, expected, more] of table) t.match(told(field, siem, more), expected, `${field} ${siem}`);
  t.end();
});

t.test('context: a script started by its first line is compared as the kernel rewrote it', (t) => {
  // With `#!`, /proc/self/cmdline begins with the interpreter of the first line, as the audit record does.
  const argv = ['/usr/bin/python3', './run.py', receipt.marker];
  t.match(told('command-line', argv.join(' '), { receipt: { ...receipt, argv } }), /^agrees/);
  t.match(told('script', './run.py', { cwd: '/tmp/r/.cache' }), /^agrees/);
  t.end();
});

t.test('context: a parent whose executable cannot be read is known by its short name, cut after 15 characters', (t) => {
  const { parentExecutable, ...hidden } = receipt;
  const parent = (parentName: string): ReceiptLine => ({ ...hidden, parentName });
  t.match(told('parent', '/usr/sbin/sshd', { receipt: parent('sshd') }), /^agrees/);
  t.match(told('parent', '/usr/lib/systemd/systemd-executor', { receipt: parent('systemd-executo') }), /^agrees/);
  t.match(told('parent', '/usr/sbin/cron', { receipt: parent('sshd') }), /^contradicts: sshd$/);
  t.match(told('parent', parentExecutable ?? ''), /^agrees/);
  t.match(
    told('parent', '/any/thing', { receipt: hidden }),
    /^agrees/,
    'what the receipt cannot tell needs only be there',
  );
  t.match(told('parent', '', { receipt: hidden }), /^missing: $/);
  t.end();
});

t.test('context: a syslog line is asked for its host only, other sources for all that the scenario wants', (t) => {
  const wanted = ['process', 'host', 'parent'] as const;
  t.same(askedOf('linux:syslog//var/log/syslog', wanted), ['host']);
  t.same(askedOf('auditd:SYSCALL/execve', wanted), wanted);
  t.end();
});

function receiptText(...lines: readonly unknown[]): string {
  return lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
}

t.test('receipt: both lines of this marker, whole, make it', (t) => {
  const started = { ...receipt, receipt: 'started' };
  const both = parseReceipt(receiptText(started, receipt, ''), receipt.marker);
  t.match(both, { started: { pid: 4711 }, finished: { pid: 4711, destinations: receipt.destinations } });
  t.same(parseReceipt(receiptText(receipt), receipt.marker), {}, 'finished without started is none');
  t.same(parseReceipt(receiptText(started, receipt), 'x'.repeat(24)), {}, 'of another marker');
  t.same(Object.keys(parseReceipt(receiptText(started, '{"receipt":"finished"'), receipt.marker)), ['started'], 'torn');
  for (const wrong of [
    { pid: '4711' },
    { pid: 1.5 },
    { argv: 'python' },
    { argv: [1] },
    { time: '2026-11-24 02:00:00' },
    { marker: 'SHORT' },
    { receipt: 'begun' },
    { user: null },
  ])
    t.same(parseReceipt(receiptText({ ...started, ...wrong }), receipt.marker), {}, JSON.stringify(wrong));
  t.end();
});

t.test('receipt: whatever bytes a host puts there, reading it never throws', (t) => {
  const piece = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constant(JSON.stringify(receipt)),
    fc.constant('[]'),
    fc.constant('null'),
    fc.constant('"text"'),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const read = parseReceipt(pieces.join('\n'), receipt.marker);
      if (read.finished !== undefined && read.started === undefined) throw new Error('finished without started');
    }),
  );
  t.end();
});

t.test('time: instants are read with their zone only, and durations with their unit', (t) => {
  t.equal(parseInstant('2026-11-24T03:00:00+01:00'), '2026-11-24T02:00:00.000Z');
  t.equal(parseInstant('2026-11-24T02:00:00.5Z'), '2026-11-24T02:00:00.500Z');
  t.equal(parseInstant('1970-01-01T00:00:00Z'), '1970-01-01T00:00:00.000Z');
  t.equal(parseInstant('9999-12-31T23:59:59.999Z'), '9999-12-31T23:59:59.999Z');
  for (const text of ['2026-11-24T02:00:00', '2026-11-24', 'now', '', '2026-13-24T02:00:00Z'])
    t.equal(parseInstant(text), undefined, text);
  // At the ends of what a date can be, and past what sorts as text.
  for (const text of [
    '+275760-09-13T00:00:00.000Z',
    '-271821-04-20T00:00:00.000Z',
    '+010000-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59-01:00',
    '1970-01-01T00:00:00+01:00',
    '0001-01-01T00:00:00Z',
  ])
    t.equal(parseInstant(text), undefined, text);
  for (const [text, ms] of [
    ['250ms', 250],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ] as const)
    t.equal(parseDuration(text), ms);
  for (const text of ['5', 's', '-5s', '5 s', '5w', '1e3s', '.5s']) t.equal(parseDuration(text), undefined, text);
  for (const [ms, text] of [
    [0, '0 ms'],
    [999, '999 ms'],
    [4_200, '4.2 s'],
    [59_940, '59.9 s'],
    [59_999, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [-600_000, '-10 min 0 s'],
    [7_440_000, '2 h 4 min'],
  ] as const)
    t.equal(formatDuration(duration(ms)), text);
  t.end();
});

t.test('time: a moment of another clock, set right, is as far from ours as it was from its own', (t) => {
  const anyMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
  fc.assert(
    fc.property(anyMs, fc.integer({ min: -86_400_000, max: 86_400_000 }), (ms, offsetMs) => {
      const theirs = shift(instant(ms), offsetMs);
      if (onOurClock(theirs, { offsetMs, uncertaintyMs: 0 }) !== instant(ms)) throw new Error(theirs);
      if (elapsed(instant(ms), theirs) !== offsetMs) throw new Error('elapsed');
      if (epochMs(instant(ms)) !== ms) throw new Error('epochMs');
    }),
  );
  t.equal(onOurClock(instant(5), undefined), instant(5));
  t.end();
});

t.test('glob: a star stands for any text, every other character for itself', (t) => {
  t.ok(glob('*', ''));
  t.ok(glob('linux/*', 'linux/a/b'));
  t.ok(glob('*dir*@*', 'linux/script-in-dir@invocation=stdin'));
  t.notOk(glob('linux/*', 'xlinux/a'));
  t.notOk(glob('a.c', 'abc'));
  fc.assert(
    fc.property(fc.string(), (text) => {
      if (!glob(text.replaceAll('*', ''), text.replaceAll('*', ''))) throw new Error('a text does not match itself');
      if (!glob(`*${text.replaceAll('*', '')}`, `x\n${text.replaceAll('*', '')}`)) throw new Error('not with a star');
    }),
  );
  t.end();
});

t.test('posix quoting: the shell gives back every argument as it was', (t) => {
  const argument = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1, maxLength: 6 }), (words) => {
      const line = posixCommandLine(['printf', '%s\\0', ...words]);
      const { stdout } = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
      if (stdout !== words.map((word) => `${word}\0`).join('')) throw new Error(line);
    }),
    { numRuns: 60 },
  );
  t.throws(() => posixQuote('a\0b'), RangeError);
  t.end();
});

t.test(
  'context: Windows knows no case in paths, tells accounts with their domain, and programs the name as it was typed',
  (t) => {
    const onWindows: ReceiptLine = {
      ...receipt,
      argv: ['C:\\Python311\\python.exe', 'C:\\Users\\dana\\r1\\run.py', receipt.marker],
      executable: 'C:\\Python311\\python.exe',
      parentExecutable: 'C:\\Windows\\System32\\cmd.exe',
      script: 'C:\\Users\\dana\\r1\\run.py',
      cwd: 'C:\\Users\\dana',
      user: 'dana',
    };
    const table: readonly (readonly [ContextField, string, RegExp, string?])[] = [
      ['process', 'c:\\python311\\PYTHON.EXE', /^agrees/],
      ['process', 'C:\\Python312\\python.exe', /^contradicts/],
      ['parent', 'C:\\WINDOWS\\system32\\cmd.exe', /^agrees/],
      ['parent', 'C:\\WINDOWS\\explorer.exe', /^contradicts/],
      ['user', 'LAB-WINDOWS\\Dana', /^agrees/],
      ['user', 'dana@lab.example', /^agrees/],
      ['user', 'LAB-WINDOWS\\dan', /^contradicts/],
      ['cwd', 'c:\\users\\dana', /^agrees/],
      ['script', 'c:/users/dana/r1/run.py', /^agrees/],
      ['script', 'r1\\run.py', /^agrees/, 'C:\\Users\\dana'],
      ['script', 'r2\\run.py', /^contradicts/, 'C:\\Users\\dana'],
      ['command-line', `python "C:\\Users\\dana\\r1\\run.py" ${receipt.marker}`, /^agrees/],
      ['command-line', `python "C:\\Users\\dana\\r1\\run.py"`, /^contradicts/],
      ['command-line', `python3.11.exe C:\\Users\\dana\\r1\\run.py ${receipt.marker}`, /^agrees/],
      ['command-line', `cmd /c python C:\\Users\\dana\\r1\\run.py ${receipt.marker}`, /^contradicts/],
    ];
    for (const [field, siem, expected, cwd] of table)
      t.match(
        told(field, siem, { receipt: onWindows, ...(cwd === undefined ? {} : { cwd }) }),
        expected,
        `${field} ${siem}`,
      );
    t.end();
  },
);

t.test(
  'context: a log of typed lines holds what came before the program; a receipt without its options is held to its end',
  (t) => {
    const source = 'esxi:auth//var/log/auth.log';
    const args = `/tmp/r/.cache/run.py ${receipt.marker}`;
    t.match(told('command-line', `echo $$ && exec python3 ${args}`, { source }), /^agrees/);
    t.match(told('command-line', `echo $$ && exec python3 /tmp/r/.cache/run.py`, { source }), /^contradicts/);
    t.match(told('command-line', `echo $$ && exec python3 ${args}`), /^contradicts/, 'of processes it is not so');
    const partial: ReceiptLine = { ...receipt, argv: ['/usr/bin/python3', '-c', receipt.marker], partialArgv: true };
    t.match(told('command-line', `python3 -I -c import os ${receipt.marker}`, { receipt: partial }), /^agrees/);
    t.match(told('command-line', `python3 -I -c import os`, { receipt: partial }), /^contradicts/);
    const bare: ReceiptLine = { ...receipt, argv: ['/usr/bin/python3.11'] };
    t.match(told('command-line', 'echo $$ && exec python3', { source, receipt: bare }), /^agrees/);
    t.match(told('command-line', 'ls -l', { source, receipt: bare }), /^contradicts/, 'every line holds no arguments');
    const barePartial: ReceiptLine = { ...receipt, argv: ['/usr/bin/python3', '-c'], partialArgv: true };
    t.match(told('command-line', 'python3 -I -c pass', { receipt: barePartial }), /^agrees/);
    t.match(told('command-line', 'sh -c true', { receipt: barePartial }), /^contradicts/, 'every line ends with them');
    t.same(askedOf(source, ['process', 'command-line', 'parent', 'user', 'host']), ['command-line', 'user', 'host']);
    t.end();
  },
);
