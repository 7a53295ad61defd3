import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { CappedBytes } from '../../../adapters/shared/capped-bytes.ts';
import { LeadingPid } from '../../../adapters/shared/leading-pid.ts';
import { Lifeline } from '../../../adapters/shared/lifeline.ts';
import { execLine, posixCd, posixWords } from '../../../adapters/shared/posix-line.ts';
import {
  parseProcessTable,
  type ProcessRow,
  processTree,
  tableCommand,
} from '../../../adapters/shared/process-table.ts';
import { TransportFailure } from '../../../runner/ports.ts';

const run = promisify(execFile);

t.test('posix line: any text without NUL survives a real sh as one argument', async (t) => {
  // One shell for many texts; a NUL ends each, which no argument can hold.
  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed()),
      fc.string({
        unit: fc.constantFrom("'", '"', '\\', '$', '`', '!', '\n', ' ', '*', '~', 'a', '=', '-', '#', '\x7f'),
      }),
    ),
    { minLength: 1, maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (words) => {
      const { stdout } = await run('/bin/sh', ['-c', posixWords(['/usr/bin/printf', '%s\\0', ...words])]);
      return stdout === words.map((word) => `${word}\0`).join('');
    }),
    { numRuns: 100 },
  );
  t.pass('100 lists of texts');
});

t.test('posix line: what no argument can hold is refused, and the first word is never more than a name', async (t) => {
  for (const argv of [['/bin/echo', 'a\0b'], ['/bin/echo', '\udc00'], [''], ['-x']] as const)
    t.throws(() => posixWords(argv), TransportFailure);
  t.equal(posixWords(['python3', 'a.py']), "'python3' a.py", 'an alias has no say');
  t.equal(posixWords(['/a=b/c']), "'/a=b/c'", 'it is no assignment');
  t.equal(posixWords(['/usr/bin/python3', 'run.py', 'a b']), "/usr/bin/python3 run.py 'a b'", 'else it stays bare');
  t.equal(posixCd('-'), 'cd -- ./-');
  t.equal(
    execLine({ argv: ['/bin/pwd'], channel: 'exec', cwd: '/a b' }, 'f00'),
    "cd -- '/a b' && echo f00-$$ && exec /bin/pwd",
  );
  const { stdout } = await run('/bin/sh', [
    '-c',
    execLine({ argv: ['/bin/sh', '-c', 'echo f00-$$'], channel: 'exec' }, 'f00'),
  ]);
  const [said, own] = stdout.split('\n');
  t.equal(said, own, 'the id that the shell says is that of the command');
});

t.test('leading pid: the line with the id is taken out however the stream is cut, and nothing else', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(20), fc.boolean(), (output, cut, noise) => {
      const stream = Buffer.concat([Buffer.from(`${noise ? 'Welcome, 3 users\n3\nf00-\n> ' : ''}f00-4711\n`), output]);
      const leading = new LeadingPid('f00');
      const parts = [stream.subarray(0, cut), stream.subarray(cut)].map((part) => leading.strip(part));
      return leading.pid === 4711 && Buffer.concat(parts).equals(Buffer.from(output));
    }),
  );
  const silent = new LeadingPid('f00');
  silent.strip(Buffer.from('This account is not available.\n'));
  t.equal(silent.pid, undefined);
  t.match(Buffer.from(silent.before).toString(), /not available/);
  for (let chunk = 0; chunk < 200; chunk += 1) silent.strip(Buffer.alloc(1_000, 'x'));
  t.ok(silent.before.length <= 64 * 1024, 'endless noise is not kept');
  t.end();
});

t.test('capped bytes: the first bytes are kept, in their own memory', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9 })), fc.nat(30), (chunks, cap) => {
      const capped = new CappedBytes(cap);
      for (const chunk of chunks) capped.push(chunk);
      const all = Buffer.concat(chunks);
      return Buffer.from(capped.bytes()).equals(all.subarray(0, cap)) && capped.truncated === all.length > cap;
    }),
  );
  const source = Buffer.from('abc');
  const capped = new CappedBytes(10);
  capped.push(source);
  source.fill(0);
  t.equal(Buffer.from(capped.bytes()).toString(), 'abc');
  t.end();
});

t.test('process table: /proc and ps tell the same of this machine, whatever a process calls itself', async (t) => {
  const name = 'x) Z 1 1 1';
  const script = `import ctypes, sys, time\nctypes.CDLL(None).prctl(15, b"${name}\\n(", 0, 0, 0)\nprint(1, flush=True)\ntime.sleep(60)`;
  const odd = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => odd.kill('SIGKILL'));
  await new Promise((resolve) => odd.stdout.once('data', resolve));
  const { stdout: proc } = await run('/bin/sh', ['-c', tableCommand], { encoding: 'latin1', maxBuffer: 1e8 });
  const { stdout: ps } = await run('/bin/sh', ['-c', tableCommand.replace('/proc/self', '/no/such/folder')]);
  const fromProc = new Map(parseProcessTable(proc).map((row) => [row.pid, row]));
  const fromPs = new Map(parseProcessTable(ps).map((row) => [row.pid, row]));
  for (const pid of [process.pid, odd.pid ?? 0, 1]) {
    const [row, other] = [fromProc.get(pid), fromPs.get(pid)];
    t.ok(row !== undefined && other !== undefined, `process ${pid} is in both`);
    t.equal(row?.ppid, other?.ppid);
    t.equal(row?.pgid, other?.pgid);
  }
  t.equal(fromProc.get(odd.pid ?? 0)?.ppid, process.pid, 'the one with the odd name has its right parent');
  t.not(fromProc.get(1)?.started, fromProc.get(process.pid)?.started);
});

t.test('process tree: descendants, sessions and groups belong to a command, its neighbours do not', (t) => {
  const row = (pid: number, ppid: number, pgid: number, sid: number, started = String(pid)): ProcessRow => ({
    pid,
    ppid,
    pgid,
    sid,
    started,
  });
  const sshd = row(10, 1, 10, 10);
  const neighbour = row(30, 10, 30, 30);
  const pids = (table: readonly ProcessRow[], known: readonly ProcessRow[] = [], pid = 20): number[] =>
    processTree(table, { pid, parent: 10 }, known).map((member) => member.pid);
  const root = row(20, 10, 20, 20);
  t.same(pids([sshd, root, neighbour, row(31, 30, 31, 30)]), [20]);
  t.same(
    pids([sshd, root, row(21, 20, 21, 20), row(22, 21, 22, 22), row(23, 22, 22, 22), neighbour]),
    [20, 21, 22, 23],
  );
  t.same(pids([sshd, row(21, 1, 20, 20), neighbour]), [21], 'an orphan is found by its session');
  t.same(
    pids([sshd, row(22, 20, 22, 22), root, row(23, 1, 22, 22)]).sort(),
    [20, 22, 23],
    'an orphan of a descendant too',
  );
  t.same(
    pids([sshd, row(20, 1, 20, 20, 'later'), row(24, 20, 20, 20)]),
    [],
    'an id that has passed to another is left alone',
  );
  t.same(pids([sshd, row(22, 1, 22, 22)], [root, row(22, 20, 22, 22)]), [22], 'what was seen before is still its own');
  t.same(pids([sshd, row(22, 1, 22, 22, 'later')], [row(22, 20, 22, 99)]), [], 'but not a later one under that id');
  t.same(
    pids([sshd, row(20, 10, 10, 10), neighbour, row(11, 1, 10, 10)]),
    [20],
    "the parent's session is not the command's",
  );
  t.end();
});

t.test('lifeline: a break and a signal end the waits that are open, and only those', async (t) => {
  const lifeline = new Lifeline();
  const controller = new AbortController();
  const stop = { signal: controller.signal, stopped: () => new Error('stopped') };
  t.equal(
    await lifeline.wait<number>((resolve) => {
      resolve(1);
    }),
    1,
  );
  const stopped = t.rejects(
    lifeline.wait(() => undefined, stop),
    { message: 'stopped' },
  );
  const broken = t.rejects(
    lifeline.wait(() => undefined),
    { message: 'first' },
  );
  controller.abort();
  await stopped;
  lifeline.break(new Error('first'));
  lifeline.break(new Error('second'));
  await broken;
  await t.rejects(
    lifeline.wait<number>((resolve) => {
      resolve(1);
    }),
    { message: 'first' },
  );
});
