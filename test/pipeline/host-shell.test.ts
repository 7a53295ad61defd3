import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { instant } from '../../runner/domain/time.ts';
import type { Command } from '../../runner/ports.ts';
import { cronEntry } from '../../runner/pipeline/cron-entry.ts';
import { addCrontabLine, cleanUp, cronTime, prepare, probe } from '../../runner/pipeline/host-shell.ts';
import { requirement } from '../require.ts';

const marker = 'hostshelltest0123456789';
const tools = 'cat chmod cp date grep kill ln mkdir mv ps rm rmdir sleep tr'.split(' ');

/** A crontab command that keeps its table in the home; `$HOME/broken` makes it fail as a full disk would. */
const fakeCrontab = `#!/bin/sh
[ -e "$HOME/broken" ] && { echo 'crontab: Input/output error' >&2; exit 1; }
case $1 in
-l) [ -e "$HOME/table" ] || { echo "no crontab for tester" >&2; exit 1; }; cat "$HOME/table";;
-r) rm -- "$HOME/table";;
-) cat >"$HOME/table.new" && mv "$HOME/table.new" "$HOME/table";;
esac
`;

/** A home of its own, a PATH in which every tool says with which arguments it was started, and one shell. */
class Bench {
  readonly home = mkdtempSync(join(tmpdir(), 'host shell $HOME "\\n'));
  readonly #bin = mkdtempSync(join(tmpdir(), 'host-shell-bin-'));
  readonly #shell: readonly string[];
  readonly #log: string;

  constructor(shell: readonly string[], applet: readonly string[]) {
    this.#shell = shell;
    this.#log = join(this.#bin, 'log');
    writeFileSync(this.#log, '');
    const real = (tool: string): string => {
      const found = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, tool));
      return [...applet, applet.length === 0 ? (found.find((path) => existsSync(path)) ?? tool) : tool].join(' ');
    };
    for (const tool of tools)
      this.tool(tool, `#!/bin/dash\nprintf '%s\\n' "${tool} $*" >>'${this.#log}'\nexec ${real(tool)} "$@"\n`);
    this.tool('crontab', fakeCrontab);
  }

  tool(name: string, text: string): void {
    writeFileSync(join(this.#bin, name), text);
    chmodSync(join(this.#bin, name), 0o755);
  }

  run({ argv, stdin }: Command): { status: number | null; stdout: string; stderr: string; lines: string[] } {
    const [shell = '', ...options] = this.#shell;
    const env = { PATH: this.#bin, HOME: this.home, LANG: 'C.UTF-8' };
    const result = spawnSync(shell, [...options, ...argv.slice(1)], { input: stdin, env, encoding: 'utf8' });
    return { ...result, lines: result.stdout.split('\n').filter((line) => line !== '') };
  }

  /** Command lines of everything that was started. */
  get started(): string {
    return readFileSync(this.#log, 'utf8');
  }

  set crontab(bytes: Uint8Array) {
    writeFileSync(join(this.home, 'table'), bytes);
  }

  /** As latin1, so that every byte is one character; undefined when there is none. */
  get table(): string | undefined {
    const file = join(this.home, 'table');
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  }

  [Symbol.dispose](): void {
    for (const folder of [this.home, this.#bin]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Legal names of files that a shell, `echo` or `rm` could read as something else; none has a line break. */
const hostile = [
  'a b',
  '-rf',
  '*',
  "it's",
  'say "hi"',
  '$HOME',
  '`id`',
  'back\\nslash\\c',
  'ümlaut',
  '#x',
  '~',
  '%s',
  '\u0007bell',
];

function busybox(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'busybox'))
    .find((path) => existsSync(path));
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
}

const box = busybox();
const shells: readonly {
  readonly name: string;
  readonly argv: readonly string[];
  readonly applet: readonly string[];
}[] = [
  { name: 'dash', argv: ['/bin/dash'], applet: [] },
  { name: 'bash', argv: ['/bin/bash', '--posix'], applet: [] },
  { name: 'busybox', argv: [box ?? 'busybox', 'sh'], applet: [box ?? 'busybox'] },
];

for (const { name, argv, applet } of shells) {
  t.test(`host shell scripts under ${name}`, (t) => {
    const missing = existsSync(argv[0] ?? '') ? undefined : `no ${name} in PATH (apt-get install ${name})`;
    if (!requirement(t, name, missing)) {
      t.end();
      return;
    }

    t.test('probe: says home, clock, interpreter and which folders are absent', (t) => {
      using bench = new Bench(argv, applet);
      mkdirSync(join(bench.home, 'there'));
      const { lines } = bench.run(probe('/bin/sh', ['~/there', '~/not \\n there', '/tmp', '/nowhere/at all']));
      t.equal(lines[0], `home ${bench.home}`);
      t.match(lines[1], /^clock \d{10}/);
      t.ok(Math.abs(Number.parseFloat(lines[1]?.slice(6) ?? '') - Date.now() / 1_000) < 5);
      t.same(lines.slice(2), ['interpreter /bin/sh', `absent ${bench.home}/not \\n there`, 'absent /nowhere/at all']);
      t.same(bench.run(probe('/no/python', [])).lines.length, 2, 'an interpreter that is not there is not named');
      t.end();
    });

    t.test(
      'prepare: makes what is new with mode 700, copies and links; clean-up removes it, whatever its name',
      (t) => {
        for (const bad of hostile) {
          using bench = new Bench(argv, applet);
          const fresh = `${bench.home}/${bad}`;
          const made = bench.run(
            prepare({ fresh: [fresh], parents: [`${bench.home}/up`], inner: [`${fresh}/in ner`] }, [
              { kind: 'copy', from: '/bin/dash', to: `${fresh}/in ner/py` },
              { kind: 'link', from: '/bin/dash', to: `${fresh}/ln` },
            ]),
          );
          t.match(made, { status: 0, lines: [`made ${fresh}`] }, JSON.stringify(bad));
          t.equal(statSync(fresh).mode & 0o777, 0o700);
          t.equal(statSync(`${fresh}/in ner/py`).mode & 0o777, 0o700);
          t.ok(lstatSync(`${fresh}/ln`).isSymbolicLink());
          const tidied = bench.run(
            cleanUp([
              { kind: 'remove', path: fresh },
              { kind: 'remove-if-empty', path: `${bench.home}/up` },
            ]),
          );
          t.same(tidied.lines, [`done remove ${fresh}`, `done remove-if-empty ${bench.home}/up`]);
          t.notOk(existsSync(fresh), JSON.stringify(bad));
          t.notOk(existsSync(`${bench.home}/up`));
        }
        t.end();
      },
    );

    t.test('prepare: a folder above that another execution takes away at that moment is made again', (t) => {
      using bench = new Bench(argv, applet);
      const gone = '[ "$1" = -m ] && [ ! -e "$HOME/once" ] && : >"$HOME/once" && rmdir "$HOME/up"';
      bench.tool('mkdir', `#!/bin/dash\n${gone}\nexec /bin/mkdir "$@"\n`);
      const [above, fresh] = [`${bench.home}/up`, `${bench.home}/up/run`];
      const made = bench.run(prepare({ fresh: [fresh], parents: [above], inner: [`${fresh}/in`] }, []));
      t.match(made, { status: 0, lines: [`made ${fresh}`] });
      t.ok(existsSync(`${bench.home}/once`) && existsSync(`${fresh}/in`));
      t.end();
    });

    t.test('prepare: something of the same name is left alone, and nothing is made', (t) => {
      using bench = new Bench(argv, applet);
      const [first, second] = [`${bench.home}/first`, `${bench.home}/second`];
      mkdirSync(second);
      writeFileSync(`${second}/theirs`, 'x');
      const folders = { fresh: [first, second], parents: [], inner: [`${first}/in`] };
      t.match(bench.run(prepare(folders, [])), { status: 17, lines: [`exists ${second}`] });
      t.notOk(existsSync(first));
      t.ok(existsSync(`${second}/theirs`));
      rmSync(second, { recursive: true });
      symlinkSync('/nowhere', second);
      t.match(bench.run(prepare(folders, [])), { status: 17 }, 'a dangling link is in the way too');
      t.match(bench.run(prepare({ fresh: ['/proc/x'], parents: [], inner: [] }, [])), { status: 18, lines: [] });
      t.end();
    });

    t.test('clean-up: what cannot be removed is named with the reason, and does not keep the rest', (t) => {
      using bench = new Bench(argv, applet);
      mkdirSync(`${bench.home}/full/theirs`, { recursive: true });
      mkdirSync(`${bench.home}/mine`);
      const { lines } = bench.run(
        cleanUp([
          { kind: 'remove', path: '/proc/version' },
          { kind: 'remove', path: `${bench.home}/mine` },
          { kind: 'remove', path: `${bench.home}/never-was` },
          { kind: 'remove-if-empty', path: `${bench.home}/full` },
        ]),
      );
      t.match(lines, [
        /^left remove \/proc\/version: .*(not permitted|Read-only|denied)/,
        `done remove ${bench.home}/mine`,
        `done remove ${bench.home}/never-was`,
        `done remove-if-empty ${bench.home}/full`,
      ]);
      t.ok(existsSync(`${bench.home}/full/theirs`));
      t.end();
    });

    t.test(
      'clean-up: processes that bear the marker are gone, also those that ignore SIGTERM; others stay',
      async (t) => {
        using bench = new Bench(argv, applet);
        const stubborn = spawn('/bin/sh', ['-c', 'trap "" TERM HUP INT; while :; do sleep 1; done', marker]);
        const renamed = spawn('/bin/sleep', ['1000'], { argv0: marker });
        const other = spawn('/bin/sleep', ['1000'], { argv0: `${marker.slice(0, -1)}x` });
        await new Promise((go) => setTimeout(go, 200));
        t.same(bench.run(cleanUp([{ kind: 'end-processes', marker }])).lines, ['done end-processes']);
        await Promise.all([gone(stubborn), gone(renamed)]);
        t.equal(stubborn.signalCode, 'SIGKILL');
        t.equal(renamed.signalCode, 'SIGKILL');
        t.equal(other.exitCode, null);
        other.kill('SIGKILL');
        await gone(other);
      },
    );

    t.test('crontab: the line goes in and out, every other byte stays', (t) => {
      const bytes = Buffer.from(Array.from({ length: 254 }, (_, index) => index + 1).filter((byte) => byte !== 10));
      const tables: Readonly<Record<string, Uint8Array | undefined>> = {
        'no crontab': undefined,
        ordinary: Buffer.from('# theirs\nMAILTO=""\n\n0 5 * * * backup\n'),
        'every byte, CRLF, blank lines at the end': Buffer.concat([
          Buffer.from('a\r\n   \n'),
          bytes,
          Buffer.from('\n\n\\n\n\n'),
        ]),
        'Latin-1, which is no UTF-8': Buffer.from('# r\xe9sum\xe9\n1 2 3 4 5 x\n', 'latin1'),
      };
      const line = `1 2 3 4 * [ "$(date +\\%Y)" = 2026 ] && exec '/a b' ${marker} >/dev/null 2>&1`;
      for (const [what, table] of Object.entries(tables)) {
        using bench = new Bench(argv, applet);
        if (table !== undefined) bench.crontab = table;
        const before = bench.table;
        t.match(bench.run(addCrontabLine(line, bench.home)), { status: 0, stderr: '' }, what);
        t.equal(bench.table, `${before ?? ''}${line}\n`, `${what}: added`);
        // Somebody edits it meanwhile, before and behind ours.
        bench.crontab = Buffer.from(`# new\n${bench.table}#${line}\n`, 'latin1');
        t.same(bench.run(cleanUp([{ kind: 'remove-crontab-line', line }])).lines, ['done remove-crontab-line'], what);
        t.equal(bench.table, `# new\n${before ?? ''}#${line}\n`, `${what}: taken out, the edits kept`);
        if (before === undefined) {
          bench.crontab = Buffer.from(`${line}\n`);
          bench.run(cleanUp([{ kind: 'remove-crontab-line', line }]));
          t.equal(bench.table, undefined, 'there is none again');
        }
        t.same(
          bench.run(cleanUp([{ kind: 'remove-crontab-line', line }])).lines,
          ['done remove-crontab-line'],
          'twice',
        );
        t.match(bench.started, /^cat /m, 'what was started is known');
        t.notMatch(bench.started, marker, 'no command line of the harness holds the marker');
      }
      t.end();
    });

    t.test('crontab: of a line that did not come whole, nothing is added', (t) => {
      using bench = new Bench(argv, applet);
      for (const part of ['', 'ha', 'half\n', `half\n${bench.home}`])
        t.match(bench.run({ ...addCrontabLine('half', bench.home), stdin: Buffer.from(part) }), { status: 19 });
      t.equal(bench.table, undefined);
      t.end();
    });

    t.test('crontab: a line that comes after the clean-up is taken out again', (t) => {
      for (const table of [undefined, '# theirs\n\n']) {
        using bench = new Bench(argv, applet);
        if (table !== undefined) bench.crontab = Buffer.from(table);
        const late = bench.run(addCrontabLine('late', join(bench.home, 'run')));
        t.match(late, { status: 19, stderr: /run is gone/ });
        t.equal(bench.table, table);
      }
      t.end();
    });

    t.test('crontab: one that cannot be read is never replaced', (t) => {
      using bench = new Bench(argv, applet);
      bench.crontab = Buffer.from(`theirs\nours\n`);
      writeFileSync(join(bench.home, 'broken'), '');
      t.match(bench.run(addCrontabLine('new', bench.home)), {
        status: 19,
        stderr: /cannot be read: crontab: Input\/output error/,
      });
      t.match(bench.run(cleanUp([{ kind: 'remove-crontab-line', line: 'ours' }])).lines, [
        /^left remove-crontab-line ours: the crontab cannot be read: crontab: Input/,
      ]);
      rmSync(join(bench.home, 'broken'));
      t.equal(bench.table, 'theirs\nours\n');
      // Readable, but not to be written: the line stays, and that is said.
      bench.tool('crontab', `#!/bin/sh\n[ "$1" = -l ] && exec cat "$HOME/table"\nexit 1\n`);
      t.match(bench.run(cleanUp([{ kind: 'remove-crontab-line', line: 'ours' }])).lines, [
        /^left .*still in the crontab/,
      ]);
      t.end();
    });

    t.test('launchd job: gone only when launchd was asked', (t) => {
      using bench = new Bench(argv, applet);
      const remove = cleanUp([{ kind: 'remove-launchd-job', label: 'lab.job' }]);
      t.match(bench.run(remove).lines, [/^left remove-launchd-job lab.job: launchctl is not here to ask/]);
      bench.tool('id', '#!/bin/sh\necho 501\n');
      bench.tool('launchctl', '#!/bin/sh\n[ "$1" = bootout ] || exit 113\n');
      t.same(bench.run(remove).lines, ['done remove-launchd-job']);
      bench.tool('sleep', '#!/bin/sh\n');
      bench.tool('launchctl', '#!/bin/sh\nexit 0\n');
      t.match(bench.run(remove).lines, [/^left remove-launchd-job lab.job: launchd still lists it/]);
      t.end();
    });

    t.test('crontab: an entry is dated to one minute of one day and fires in that minute of that year only', (t) => {
      using bench = new Bench(argv, applet);
      const told = bench.run(cronTime()).stdout;
      const command = { files: [], copies: [], argv: ['/bin/echo', 'fired 100%', "it's"] as const, cwd: bench.home };
      const entry = cronEntry(told, command, 0);
      if (entry === undefined) throw new Error(`not understood: ${told}`);
      const wait = Date.parse(entry.fireAt) - Date.now();
      t.ok(wait > 6_000 && wait < 70_000, `${wait} ms ahead`);
      const [, minute, hour, day, month, shell = ''] = /^(\d\d) (\d\d) (\d\d) (\d\d) \* (.*)$/.exec(entry.line) ?? [];
      const fireAt = new Date(entry.fireAt);
      t.same([minute, hour, day, month].map(Number), [
        fireAt.getMinutes(),
        fireAt.getHours(),
        fireAt.getDate(),
        fireAt.getMonth() + 1,
      ]);
      // As cron does: `\%` is a per cent sign (crontab(5)).
      const asCron = shell.replaceAll('\\%', '%').replace(' >/dev/null 2>&1', '');
      t.notMatch(shell.replaceAll('\\%', ''), /%/, 'no per cent sign that cron would take for a line break');
      const guard = /= (\d{12}) \]/.exec(shell)?.[1] ?? '';
      for (const [now, output] of [
        [guard, "fired 100% it's\n"],
        [String(Number(guard) + 100_000_000), ''],
      ] as const) {
        bench.tool('date', `#!/bin/sh\necho ${now}\n`);
        t.equal(bench.run({ argv: ['/bin/sh', '-c', asCron], channel: 'exec' }).stdout, output);
      }
      t.end();
    });
    t.end();
  });
}

t.test('crontab: what no crontab can hold is refused before anything is written', (t) => {
  const told = '30 05 24 11 202611240530\n1795498200\n';
  const entry = (argv: readonly [string, ...string[]], text = told) =>
    cronEntry(text, { files: [], copies: [], argv }, 0);
  t.match(entry(['/bin/true']), { fireAt: instant(1_795_498_200_000) });
  t.match(cronEntry(told, { files: [], copies: [], argv: ['/bin/true'] }, 600_000), {
    fireAt: instant(1_795_497_600_000),
  });
  t.throws(() => entry(['python3', '-c', 'a\nb']), /one line/);
  t.throws(() => entry(['python3', 'x'.repeat(1_000)]), /cuts off/);
  for (const text of ['', '30 05 24 11 202611240530\n', 'date: usage\n1795498200\n', '5 5 24 11 202611240530\n1'])
    t.equal(entry(['/bin/true'], text), undefined, JSON.stringify(text));
  t.throws(() => addCrontabLine('a\nb', '/r'), RangeError);
  t.end();
});
