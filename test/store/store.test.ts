import { createHash } from 'node:crypto';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { RecordBody } from '../../runner/domain/record.ts';
import { instant } from '../../runner/domain/time.ts';
import type { Clock, RunStore } from '../../runner/ports.ts';
import { EvidenceFolder } from '../../runner/store/evidence.ts';
import { JournalFile, readJournal, setTornAside } from '../../runner/store/journal.ts';
import { machineChecks } from '../../runner/store/machine.ts';
import { Redactor } from '../../runner/store/redact.ts';
import {
  checkWritable,
  createRunFolder,
  holderOf,
  lockRun,
  runFolder,
  writeFiles,
} from '../../runner/store/run-folder.ts';
import { runsIn } from '../../runner/store/runs.ts';
import { requirement } from '../require.ts';

const clock: Clock = { now: () => instant(Date.now()), sleep: () => Promise.resolve() };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function reaching(target: string): RecordBody {
  return { type: 'reaching', data: { target, account: 'alice' } };
}

async function journalOf(path: string, lines: number): Promise<void> {
  await using journal = await JournalFile.open(path, { clock, redact: (line) => line, mode: 'new' });
  for (let line = 0; line < lines; line += 1) await journal.append(reaching(`host-${line}`));
}

t.test('journal: lines asked for at once are written one after the other, in the order of asking', async (t) => {
  const path = join(folderOf(t), 'journal.jsonl');
  {
    await using journal = await JournalFile.open(path, { clock, redact: (line) => line, mode: 'new' });
    const lines = await Promise.all(
      Array.from({ length: 200 }, (_, index) => journal.append(reaching(`host-${index}`))),
    );
    t.same(
      lines.map(({ seq }) => seq),
      Array.from({ length: 200 }, (_, index) => index),
    );
  }
  const { records, head, torn } = await readJournal(path);
  t.same(
    records.map((record) => (record.type === 'reaching' ? record.data.target : '')),
    Array.from({ length: 200 }, (_, index) => `host-${index}`),
  );
  t.equal(head.lines, 200);
  t.equal(torn.byteLength, 0);
  // With stock tools: the hash of a line without its line feed is what the next one carries.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1];
    const hash = before === undefined ? '0'.repeat(64) : createHash('sha256').update(before).digest('hex');
    t.equal((JSON.parse(line) as { prev: string }).prev, hash);
  }
  t.equal(
    head.headSha256,
    createHash('sha256')
      .update(lines.at(-1) ?? '')
      .digest('hex'),
  );
  t.equal(statSync(path).mode & 0o777, 0o600);
  await t.rejects(
    JournalFile.open(path, { clock, redact: (line) => line, mode: 'new' }),
    { code: 'EEXIST' },
    'never written over',
  );
});

t.test('journal: each change of it is noticed, with file and line', async (t) => {
  const path = join(folderOf(t), 'journal.jsonl');
  await journalOf(path, 6);
  const whole = readFileSync(path, 'utf8');
  const lines = whole.split('\n').slice(0, -1);
  const changes: Readonly<Record<string, readonly [lines: readonly string[], at: number, told: RegExp]>> = {
    'a word is edited': [
      lines.with(2, (lines[2] ?? '').replace('host-2', 'host-9')),
      4,
      /does not carry the hash of the line before/,
    ],
    'a line is dropped': [lines.toSpliced(2, 1), 3, /says it is number 3/],
    'the first line is dropped': [lines.slice(1), 1, /says it is number 1/],
    'two lines change places': [lines.with(2, lines[3] ?? '').with(3, lines[2] ?? ''), 3, /says it is number 3/],
    'a line is doubled': [lines.toSpliced(2, 0, lines[2] ?? ''), 4, /says it is number 2/],
    'a line of another run': [
      lines.with(3, (lines[3] ?? '').replace(/"prev":"\w{4}/, '"prev":"0000')),
      4,
      /does not carry/,
    ],
    'a line that is no JSON': [lines.with(1, '{"seq":1,'), 2, /is not a whole record/],
    'a line that is no record': [lines.with(1, '[1]'), 2, /is not a whole record/],
    'an empty line': [lines.toSpliced(1, 0, ''), 2, /is not a whole record/],
    'bytes that are no UTF-8': [lines.with(1, (lines[1] ?? '').replace('alice', '\ufffd')), 3, /does not carry/],
  };
  for (const [what, [changed, line, told]] of Object.entries(changes)) {
    writeFileSync(path, changed.map((one) => `${one}\n`).join(''));
    const error = await readJournal(path).catch((one: unknown) => one);
    t.match(error, { name: 'JournalBroken', message: told }, what);
    t.ok(error instanceof Error && error.message.startsWith(`${path}:${line}  `), `${what}: ${String(error)}`);
    await t.rejects(
      JournalFile.open(path, { clock, redact: (one) => one, mode: 'append' }),
      { name: 'JournalBroken' },
      `${what}: nothing is added to it`,
    );
  }
  // The last line alone may be cut off without a trace; its hash, told in run.json and elsewhere, shows it.
  writeFileSync(
    path,
    lines
      .slice(0, -1)
      .map((one) => `${one}\n`)
      .join(''),
  );
  t.not(
    (await readJournal(path)).head.headSha256,
    createHash('sha256')
      .update(lines.at(-1) ?? '')
      .digest('hex'),
  );
});

t.test('journal: a torn last line is set aside and the chain goes on', async (t) => {
  const path = join(folderOf(t), 'journal.jsonl');
  await journalOf(path, 3);
  t.equal(await setTornAside(path), undefined, 'a whole one is left alone');
  const whole = readFileSync(path);
  appendFileSync(path, '{"seq":3,"time":"2026');
  t.equal((await readJournal(path)).records.length, 3, 'it can still be read');
  const aside = await setTornAside(path);
  t.match(aside, /journal\.torn-3$/);
  t.equal(readFileSync(aside ?? '', 'utf8'), '{"seq":3,"time":"2026');
  t.same(readFileSync(path), whole);
  {
    await using journal = await JournalFile.open(path, { clock, redact: (line) => line, mode: 'append' });
    t.equal((await journal.append(reaching('next'))).seq, 3);
  }
  t.equal((await readJournal(path)).head.lines, 4);
  truncateSync(path, 10);
  t.match(await setTornAside(path), /journal\.torn-0$/, 'also when there is no whole line');
  t.same((await readJournal(path)).records, []);
});

t.test('journal: killed again and again in the middle of writing, it still verifies', async (t) => {
  const path = join(folderOf(t), 'journal.jsonl');
  const appender = fileURLToPath(new URL('append-until-killed.ts', import.meta.url));
  let lines = 0;
  for (let kill = 0; kill < 6; kill += 1) {
    const child = spawn(process.execPath, [appender, path, kill === 0 ? 'new' : 'append'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await new Promise((go) => setTimeout(go, 10 + kill * 13));
    child.kill('SIGKILL');
    await once(child, 'exit');
    await setTornAside(path);
    const { head } = await readJournal(path);
    t.ok(head.lines > lines, `${head.lines} lines after kill ${kill + 1}`);
    lines = head.lines;
  }
});

t.test('journal: secrets are taken out of every text in it, and nothing else is changed by that', async (t) => {
  const path = join(folderOf(t), 'journal.jsonl');
  const redactor = new Redactor();
  // Secrets that are digits, hex, or end in what JSON escapes: taken out of the line as text they would break it.
  const secrets = ['hunter2hunter', '123456', 'abcdef', 'ends in \\', '"},"x":{"', '000000'];
  for (const [index, secret] of secrets.entries()) redactor.add(`env:S${index}`, Buffer.from(secret));
  redactor.add('file:odd "name\\', Buffer.from('odd-secret'));
  const sha256 = `${'0'.repeat(32)}abcdef123456${'0'.repeat(20)}`;
  {
    await using journal = await JournalFile.open(path, { clock, redact: (line) => redactor.text(line), mode: 'new' });
    for (const secret of [...secrets, 'odd-secret'])
      for (const planted of [
        secret,
        `x ${secret} y`,
        `${secret}"`,
        JSON.stringify(secret),
        Buffer.from(secret).toString('base64'),
      ])
        await journal.append({ type: 'reaching', data: { target: planted, account: `a ${planted}` } });
    const ref = { sha256, bytes: 123_456, mediaType: 'text/plain' };
    await journal.append({ type: 'poll', data: { siem: 's', question: 'events', hits: 1_234_567, exchanges: [ref] } });
  }
  const { records } = await readJournal(path);
  t.equal(records.length, 36, 'the chain holds');
  for (const record of records)
    if (record.type === 'reaching')
      for (const value of Object.values(record.data))
        for (const secret of [...secrets, 'odd-secret']) t.notOk(value.includes(secret), `${secret} in ${value}`);
  t.match(
    records.at(-1),
    { data: { hits: 1_234_567, exchanges: [{ sha256, bytes: 123_456 }] } },
    'numbers and hashes stay',
  );
});

t.test('evidence: kept once under its hash, redacted before, and what was changed is noticed', async (t) => {
  const folder = join(folderOf(t), 'evidence');
  const redactor = new Redactor();
  redactor.add('env:TOKEN', Buffer.from('planted-secret'));
  const store = new EvidenceFolder(folder, redactor);
  const ref = await store.put(Buffer.from('it says planted-secret here'), 'text/plain');
  t.equal(
    ref.sha256,
    createHash('sha256')
      .update(readFileSync(join(folder, ref.sha256)))
      .digest('hex'),
  );
  t.notMatch(readFileSync(join(folder, ref.sha256), 'utf8'), /planted-secret/);
  t.equal(ref.bytes, statSync(join(folder, ref.sha256)).size);
  const binary = Uint8Array.from({ length: 256 }, (_, index) => index);
  const [first, second] = await Promise.all([store.put(binary, 'a/b'), store.put(binary, 'a/b')]);
  t.same(first, second);
  t.same(new Uint8Array(await store.get(first)), binary);
  t.equal(readdirSync(folder).length, 2, 'the same bytes are there once, and no half of them');
  writeFileSync(join(folder, ref.sha256), 'it says something else');
  await t.rejects(store.get(ref), /was changed: its bytes no longer hash to its name/);
  await t.rejects(store.get({ ...ref, sha256: 'f'.repeat(64) }), { code: 'ENOENT' });
  await t.rejects(store.get({ ...ref, sha256: '../../../../etc/passwd' }));
});

/** A very small disk, mounted at a folder of its own; undefined, with the reason told, where none can be had. */
function smallDisk(t: Test, sizeKiB: number, options = ''): string | undefined {
  const disk = folderOf(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k${options}`, 'tmpfs', disk], {
    encoding: 'utf8',
  });
  const missing = mounted.status === 0 ? undefined : `mount: ${mounted.stderr.trim() || String(mounted.error)}`;
  if (!requirement(t, 'a tmpfs of its own (root)', missing)) return undefined;
  t.teardown(() => {
    spawnSync('umount', [disk]);
  });
  return disk;
}

t.test('disk full: the journal fails, says so, and stays whole up to there', async (t) => {
  const disk = smallDisk(t, 64);
  if (disk === undefined) return;
  const path = join(disk, 'journal.jsonl');
  const other = join(disk, 'other');
  writeFileSync(other, Buffer.alloc(20_000));
  let lines = 0;
  {
    await using journal = await JournalFile.open(path, { clock, redact: (line) => line, mode: 'new' });
    const fill = async (): Promise<never> => {
      for (;;) {
        await journal.append(reaching('x'.repeat(700)));
        lines += 1;
      }
    };
    await t.rejects(fill(), /^the journal cannot be written: ENOSPC/);
    rmSync(other);
    await t.rejects(
      journal.append(reaching('short')),
      /cannot be written/,
      'also when there is room again: nothing is written behind the half line',
    );
  }
  t.ok(lines > 20);
  t.equal((await readJournal(path)).head.lines, lines, 'every line that was acknowledged is there');
  await t.rejects(new EvidenceFolder(join(disk, 'e'), new Redactor()).put(Buffer.alloc(64_000, 1), 'x/y'), {
    code: 'ENOSPC',
  });
  t.same(existsSync(join(disk, 'e')) ? readdirSync(join(disk, 'e')) : [], [], 'no half of a piece of evidence stays');
});

t.test('disk nearly full or read-only: a run is refused before anything is made, with what to do', async (t) => {
  const little = smallDisk(t, 1_024);
  if (little === undefined) return;
  await t.rejects(checkWritable(little), {
    name: 'FolderRefused',
    message: /has \d+ MiB free, and a run needs at least 64 MiB.*Make room, or choose another folder with --out/,
  });
  t.same(readdirSync(little), [], 'nothing is left of the try');
  const locked = smallDisk(t, 1_024, ',ro');
  if (locked === undefined) return;
  await t.rejects(createRunFolder(locked, 'r'), { name: 'FolderRefused', message: /cannot be written \(EROFS\)/ });
});

t.test('output folder: a file in its place, or no right to write, is refused with what to do', async (t) => {
  const folder = folderOf(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const out of [file, join(file, 'below'), '/proc/nowhere'])
    await t.rejects(
      checkWritable(out),
      { name: 'FolderRefused', message: /cannot be written \(\w+\)\. Choose another folder with --out/ },
      out,
    );
  const checks = await machineChecks(file);
  t.match(
    checks.find(({ what }) => what === 'output folder'),
    { state: 'trouble', detail: /cannot be written/ },
  );
  t.match(
    (await machineChecks(folder)).map(({ state }) => state),
    ['ok', 'ok'],
  );
  await createRunFolder(folder, 'r-1');
  await t.rejects(createRunFolder(folder, 'r-1'), { name: 'FolderRefused', message: /r-1 cannot be made \(EEXIST\)/ });
  const page = { path: 'a.html', mediaType: 'text/html', text: 'a' };
  const refused = { name: 'FolderRefused', message: /cannot be written \(E/ };
  await t.rejects(writeFiles('/proc/nowhere', [page], 'mark'), refused);
  await writeFiles(join(folder, 'of/pages'), [page], 'mark');
  t.equal(readFileSync(join(folder, 'of/pages/a.html'), 'utf8'), 'a');
});

t.test('writeFiles: only what bears the mark is written over, and nothing when one file does not', async (t) => {
  const folder = folderOf(t);
  const page = (path: string, words: string) => ({ path, mediaType: 'text/html', text: `<mark>${words}` });
  const at = (name: string): string => join(folder, name);
  const write = (words: string): Promise<void> =>
    writeFiles(folder, [page('a.html', words), page('index.html', words)], '<mark>');
  await write('first');
  await write('second');
  t.equal(readFileSync(at('index.html'), 'utf8'), '<mark>second');
  const refused = { name: 'FolderRefused', message: /index\.html was not written by detproof\. Choose another folder/ };
  writeFileSync(at('index.html'), 'a page of theirs');
  await t.rejects(write('third'), refused);
  t.equal(readFileSync(at('index.html'), 'utf8'), 'a page of theirs');
  t.equal(readFileSync(at('a.html'), 'utf8'), '<mark>second', 'nothing was written');
  rmSync(at('index.html'));
  symlinkSync('a.html', at('index.html'));
  await t.rejects(write('third'), refused);
  t.same(readdirSync(folder).sort(), ['a.html', 'index.html'], 'no draft stays');
});

/** The fields of /proc/PID/stat from the third on: after the name, which may hold anything. */
function fieldsOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Field 3: Z is a zombie. */
const stateOf = (pid: number): string => fieldsOf(pid)[0] ?? '';

/** Field 22: when a process began. */
const startOf = (pid: number): string => fieldsOf(pid)[19] ?? '';

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

t.test(
  'lock: held by a living process only; one that died, or whose number was given away, holds nothing',
  async (t) => {
    if (!requirement(t, '/proc', existsSync('/proc/self/stat') ? undefined : 'no /proc')) return;
    const out = folderOf(t);
    const folder = await createRunFolder(out, 'r-1');
    const holder = spawn('sleep', ['1000']);
    t.teardown(() => holder.kill('SIGKILL'));
    const pid = holder.pid ?? 0;
    writeFileSync(folder.lock, `${pid} ${startOf(pid)}\n`);
    t.equal(await holderOf(folder), pid);
    await t.rejects(lockRun(folder), {
      name: 'FolderRefused',
      message: new RegExp(`worked on by process ${pid}; end it with: detproof stop r-1`),
    });
    writeFileSync(folder.lock, `${pid} ${Number(startOf(pid)) - 1}\n`);
    t.equal(await holderOf(folder), undefined, 'the number belongs to somebody else now');
    writeFileSync(folder.lock, `${pid} ${startOf(pid)}\n`);
    await ended(holder);
    t.equal(await holderOf(folder), undefined, 'it died');

    // A process whose parent never asks how it ended is dead all the same.
    // It ends only when its parent is sleep: as long as that is a shell, it would ask.
    const untilNobodyAsks = 'until read -r comm < /proc/$$/comm && [ "$comm" = sleep ]; do sleep 0.05; done';
    const parent = spawn('sh', ['-c', `(${untilNobodyAsks}) & echo $!; exec sleep 1000`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.teardown(() => parent.kill('SIGKILL'));
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = Number(text(said));
    while (stateOf(zombie) !== 'Z') await new Promise((go) => setTimeout(go, 20));
    writeFileSync(folder.lock, `${zombie} ${startOf(zombie)}\n`);
    t.equal(await holderOf(folder), undefined, 'a zombie');
    await ended(parent);

    for (const nonsense of ['', 'x', '-1 5', '99999999 5', '\0\0\0']) {
      writeFileSync(folder.lock, nonsense);
      await using lock = await lockRun(folder);
      t.ok(lock);
      t.equal(await holderOf(folder), process.pid, JSON.stringify(nonsense));
      await t.rejects(lockRun(folder), { name: 'FolderRefused' }, 'not twice either');
    }
    t.notOk(existsSync(folder.lock), 'given back');
  },
);

t.test('lock: of many who want a run at once, one gets it', async (t) => {
  const folder = await createRunFolder(folderOf(t), 'r-1');
  const tries = await Promise.allSettled(Array.from({ length: 10 }, () => lockRun(folder)));
  t.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1);
});

function storeOf(out: string, redactor = new Redactor()): RunStore {
  return runsIn(out, { clock, redactor });
}

t.test('runs: made, held, read, listed, taken up again; latest is a link to the newest', async (t) => {
  const out = folderOf(t);
  const store = storeOf(out);
  t.same(await store.list(), []);
  await t.rejects(storeOf(join(out, 'absent')).list(), { name: 'RunsUnread', message: /cannot be read \(ENOENT\)/ });
  await t.rejects(store.read(undefined), { name: 'UnknownRun', message: /No run in .*; there are none yet/ });
  for (const id of ['20261124t020000-a', '20261124t030000-b']) {
    await using run = await store.create(id);
    await t.rejects(store.open(id), { name: 'FolderRefused', message: /is being worked on/ });
    const sha256 = await run.keepPlan({ runId: id });
    t.equal(
      sha256,
      createHash('sha256')
        .update(readFileSync(join(run.path, 'plan.json')))
        .digest('hex'),
    );
    await t.rejects(run.keepPlan({}), /is there already/);
    await run.journal.append(reaching('alpha'));
    await run.keepReport({ run: id }, [{ path: 'page.html', mediaType: 'text/html', text: '<p>' }]);
    t.equal(readFileSync(join(run.path, 'reports/page.html'), 'utf8'), '<p>');
    t.match(await run.read(), { planSha256: sha256, hasReport: true, head: { lines: 1 } });
    t.same(
      readdirSync(run.path).filter((name) => name.endsWith('.part')),
      [],
      'nothing half-written',
    );
  }
  t.same(await store.list(), ['20261124t020000-a', '20261124t030000-b']);
  t.equal(readlinkSync(join(out, 'latest')), 'runs/20261124t030000-b');
  t.equal((await store.read(undefined)).id, '20261124t030000-b');
  await t.rejects(store.read('nope'), /No run nope in .*; known: 20261124t020000-a, 20261124t030000-b/);
  const { path } = await store.read(undefined);
  appendFileSync(join(path, 'journal.jsonl'), '{"torn');
  await using again = await store.open(undefined);
  t.match(again.setAside, /journal\.torn-1$/);
  t.equal((await again.journal.append(reaching('beta'))).seq, 1);
});

t.test('runs: one that died before its first record is told apart', async (t) => {
  const out = folderOf(t);
  const store = storeOf(out);
  mkdirSync(runFolder(out, 'dead').path, { recursive: true });
  const told = {
    name: 'UnknownRun',
    message: /holds no journal\.jsonl: this run ended before anything was touched/,
  };
  await t.rejects(store.read('dead'), told);
  await t.rejects(store.open('dead'), told);
  t.notOk(existsSync(runFolder(out, 'dead').lock));
});

t.test('runs: asked to stop, the holder finds it out; of a run that nobody holds that is said', async (t) => {
  const out = folderOf(t);
  const store = storeOf(out);
  {
    await using run = await store.create('r-1');
    await run.keepPlan({});
    t.equal(await run.stopAsked(), false);
    t.same(await store.askToStop(undefined), { id: 'r-1', holder: process.pid });
    t.equal(await run.stopAsked(), true);
  }
  t.same(await store.askToStop('r-1'), { id: 'r-1', holder: undefined });
  await using again = await store.open('r-1');
  t.equal(await again.stopAsked(), false, 'an old request does not stop the next process');
});

t.test('runs: an excerpt is cut, and never shows what is not the evidence that was kept', async (t) => {
  const store = storeOf(folderOf(t));
  await using run = await store.create('r-1');
  const [short, long] = await Promise.all([
    run.evidence.put(Buffer.from('short'), 'text/plain'),
    run.evidence.put(Buffer.alloc(20_000, 'x'), 'text/plain'),
  ]);
  const kept = await run.read();
  t.same(kept.excerpt(short), { text: 'short', cut: false });
  t.match(kept.excerpt(long), { text: 'x'.repeat(8_192), cut: true });
  writeFileSync(join(run.path, 'evidence', short.sha256), 'forged');
  t.match(kept.excerpt(short), { text: /^This evidence was changed/ });
  t.equal(kept.excerpt({ ...short, sha256: 'f'.repeat(64) }), undefined);
  t.equal(kept.excerpt({ ...short, sha256: '../journal.jsonl' }), undefined);
});
