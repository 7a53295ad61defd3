import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { csv, csvCell } from '../../runner/cli/csv.ts';
import { parseHostLook } from '../../runner/domain/host-look.ts';
import type { ExpectedPython, Target } from '../../runner/domain/inventory.ts';
import { processesOfSource } from '../../runner/domain/source-processes.ts';
import { inspectScript } from '../../runner/pipeline/posix-inspect.ts';
import { processNames } from '../../runner/pipeline/host-shell.ts';
import { pythonRows } from '../../runner/pipeline/python-policy.ts';
import { Site } from '../fakes/site.ts';
import { requirement } from '../require.ts';

const target: Target = (() => {
  const [first] = new Site({ alpha: {} }).inventory.targets;
  if (first === undefined) throw new Error('the site is empty');
  return first;
})();

t.test('look: what a host says is read line by line, and what is no such line is not there', (t) => {
  const look = parseHostLook(
    [
      'user alice\r',
      'admin no',
      'python /usr/bin/python3\t/usr/bin/python3.11\tPython 3.11.2\tpython3.11-minimal',
      'python /usr/bin/python3\t/usr/bin/python3.11\tPython 3.11.2\tpython3.11-minimal',
      'python /opt/x/bin/python3\t/opt/x/bin/python3\tPython 3.9.1\t',
      'python relative/python\t\t\t',
      'stub /usr/bin/python3x\t/usr/bin/python3x',
      String.raw`python C:\Python311\python.exe	C:\Python311\python.exe	3.11.9	Python Software Foundation`,
      'process sshd',
      'process auditd',
      '\u001b[31mpython /evil',
    ].join('\n'),
  );
  t.same(look, {
    user: 'alice',
    admin: false,
    pythons: [
      { path: '/opt/x/bin/python3', version: '3.9.1' },
      { path: '/usr/bin/python3', realPath: '/usr/bin/python3.11', version: '3.11.2', owner: 'python3.11-minimal' },
      { path: '/usr/bin/python3x', stub: true },
      { path: String.raw`C:\Python311\python.exe`, version: '3.11.9', owner: 'Python Software Foundation' },
    ],
    processes: ['auditd', 'sshd'],
  });
  t.notOk('admin' in parseHostLook('user x'), 'what was not told is not made up');
  t.end();
});

t.test(
  'look: the script finds interpreters under every sh, with version and package, and calls nothing that is none',
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'detproof-look-'));
    t.teardown(() => {
      rmSync(folder, { recursive: true });
    });
    const bin = join(folder, 'my bin');
    mkdirSync(bin);
    symlinkSync('/usr/bin/python3', join(bin, 'python3'));
    for (const [name, text] of [
      ['python3.99', 'echo Python 3.99.0'],
      ['python2', 'echo broken >&2; exit 1'],
      ['python3-config', `touch ${join(folder, 'called')}`],
    ] as const) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const shells = [['dash'], ['bash', '--posix'], ['busybox', 'ash']].filter(
      ([name = '']) => spawnSync('which', [name]).status === 0,
    );
    t.ok(shells.length > 0);
    for (const [shell = '', ...args] of shells) {
      const { stdout, stderr } = spawnSync(shell, [...args, '-c', inspectScript], {
        env: { PATH: `${bin}:/usr/bin:/bin`, HOME: folder },
        encoding: 'utf8',
      });
      const look = parseHostLook(stdout);
      const by = new Map(look.pythons.map((one) => [one.path, one]));
      t.equal(stderr, '', shell);
      t.match(by.get('/usr/bin/python3'), {
        realPath: /^\/usr\/bin\/python3\.\d+$/,
        version: /^3\.\d+\.\d+/,
        owner: /python3/,
      });
      t.match(by.get(join(bin, 'python3')), { realPath: /^\/usr\/bin\/python3\.\d+$/ });
      t.match(by.get(join(bin, 'python3.99')), { version: '3.99.0' });
      t.notOk(by.has(join(bin, 'python2')), 'what does not tell its version is no interpreter');
      t.notOk(existsSync(join(folder, 'called')));
      t.not(look.user, '');
      t.equal(look.admin, process.getuid?.() === 0);
      t.ok(look.processes.length > 3);
    }
    t.end();
  },
);

t.test('look: a host that hides the processes of others is not said to run none of them', (t) => {
  const inHiding = (script: string, ...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(
      'unshare',
      [
        '-m',
        'sh',
        '-c',
        'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"',
        '-',
        'sh',
        '-c',
        script,
        ...args,
      ],
      { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', HOME: '/' } },
    );
  const tried = inHiding('true');
  const missing = tried.status === 0 ? undefined : String(tried.stderr);
  if (requirement(t, 'a /proc of its own (root)', missing)) {
    t.equal(parseHostLook(String(inHiding(inspectScript).stdout)).processesOfOthers, 'hidden');
    const [, , script = ''] = processNames().argv;
    t.equal(String(inHiding(script).stdout), '', 'part of the list would be taken for all of it');
  }
  t.notOk('processesOfOthers' in parseHostLook(spawnSync('sh', ['-c', inspectScript], { encoding: 'utf8' }).stdout));
  t.end();
});

t.test("look: Apple's stub is told apart and never called", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'detproof-stub-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  for (const [name, text] of [
    ['uname', 'echo Darwin'],
    ['xcode-select', 'exit 2'],
  ] as const) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: '/nonexistent' };
  const { stdout } = spawnSync('sh', ['-c', inspectScript], { env, encoding: 'utf8' });
  t.match(
    parseHostLook(stdout).pythons.find(({ path }) => path === '/usr/bin/python3'),
    { stub: true },
  );
  writeFileSync(join(folder, 'xcode-select'), '#!/bin/sh\necho /Library/Developer/CommandLineTools\n');
  const later = spawnSync('sh', ['-c', inspectScript], { env, encoding: 'utf8' });
  t.match(
    parseHostLook(later.stdout).pythons.find(({ path }) => path === '/usr/bin/python3'),
    { version: /^3/ },
  );
  t.end();
});

t.test('discover: each interpreter once under all its names, against what the inventory expects', (t) => {
  const look = parseHostLook(
    [
      'user alice',
      'python /usr/bin/python3\t/usr/bin/python3.11\tPython 3.11.2\tpython3.11-minimal',
      'python /bin/python3\t/usr/bin/python3.11\tPython 3.11.2\tpython3.11-minimal',
      'python /opt/agent/bin/python3\t/opt/agent/bin/python3.9\tPython 3.9.1\t',
      'python /home/bob/.pyenv/versions/3.12/bin/python3\t/home/bob/.pyenv/versions/3.12/bin/python3.12\tPython 3.12.0\t',
      'stub /usr/local/bin/python\t/usr/local/bin/python',
    ].join('\n'),
  );
  const rows = (policy: readonly ExpectedPython[]): readonly (readonly [string, string, string | undefined])[] =>
    pythonRows(target, [look], policy).map(({ state, path, owner }) => [state, path, owner]);
  t.same(rows([]), [
    ['undeclared', '/home/bob/.pyenv/versions/3.12/bin/python3.12', undefined],
    ['undeclared', '/opt/agent/bin/python3.9', undefined],
    ['stub', '/usr/local/bin/python', undefined],
    ['declared', '/usr/bin/python3.11', 'platform'],
  ]);
  const policy: readonly ExpectedPython[] = [
    { path: '/usr/bin/python3*', version: '3.11.*', owner: 'platform team', because: 'the distribution' },
    { path: '/opt/agent/bin/python3', version: '3.10.*', owner: 'agent team' },
    { path: '/opt/gone/bin/python3', owner: 'nobody' },
    {
      path: '/home/*',
      owner: 'developers',
      targets: { text: 'role=other', condition: { is: 'one-of', field: 'role', patterns: ['other'] } },
    },
  ];
  t.same(rows(policy), [
    ['undeclared', '/home/bob/.pyenv/versions/3.12/bin/python3.12', undefined],
    ['other-version', '/opt/agent/bin/python3.9', 'agent team'],
    ['missing', '/opt/gone/bin/python3', 'nobody'],
    ['stub', '/usr/local/bin/python', undefined],
    ['declared', '/usr/bin/python3.11', 'platform team'],
  ]);
  t.same(pythonRows(target, [look], policy)[4]?.alsoAs, ['/bin/python3', '/usr/bin/python3']);
  t.end();
});

t.test('csv: what a spreadsheet would take for a formula is text', (t) => {
  t.equal(
    csv([
      ['a', 'b"c'],
      ['=1', ''],
    ]),
    '"a","b""c"\r\n"\'=1",""\r\n',
  );
  const file = new URL('../../../shared/oracles/misc/csv-injection-cases.json', import.meta.url);
  if (!existsSync(file)) {
    t.pass('the cases', { skip: `${file.pathname} is not here` });
    t.end();
    return;
  }
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly { input: unknown; cell: string }[] };
  for (const { input, cell } of cases)
    if (typeof input === 'string') t.equal(csvCell(input), cell, JSON.stringify(input));
  t.end();
});

t.test('log sources: a process writes some of them', (t) => {
  t.match(processesOfSource('auditd:SYSCALL/execve'), ['auditd']);
  t.match(processesOfSource('WinEventLog:Sysmon/EventCode=1'), ['Sysmon64.exe']);
  t.same(processesOfSource('WinEventLog:Security/EventCode=4688'), []);
  t.end();
});
