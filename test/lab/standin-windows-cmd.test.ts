import { Readable } from 'node:stream';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { commandOf, expandVariables, parseCmd } from '../../lab/standins/windows/cmd/parse.ts';
import { quoteArgument, splitLine } from '../../lab/standins/windows/machine/command-line.ts';
import { Environment } from '../../lab/standins/windows/machine/environment.ts';
import type { WindowsHost } from '../../lab/standins/windows/host.ts';
import { windowsDialect } from '../../runner/pipeline/windows-dialect.ts';
import type { Command } from '../../runner/ports.ts';
import { requirement } from '../require.ts';
import { startTestHost } from './standin-windows-host.ts';

const missing =
  process.platform === 'linux' && existsSync('/usr/bin/python3') && existsSync('/usr/bin/openssl')
    ? undefined
    : 'it takes Linux, /usr/bin/python3 and openssl';

/** Runs a line of cmd.exe as an account, with the stand-in's own processes. */
async function cmd(
  { machine }: WindowsHost,
  line: string,
  { user = 'dana', stdin = '' } = {},
): Promise<{ readonly out: string; readonly err: string; readonly code: number }> {
  const account = machine.accounts.find(user);
  if (account === undefined) throw new Error(`no account ${user}`);
  const logon = machine.accounts.logon(account, 3);
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  const into = (chunks: Buffer[]) => ({ write: (bytes: Uint8Array) => void chunks.push(Buffer.from(bytes)) });
  const code = await machine.start({
    image: 'C:\\Windows\\System32\\cmd.exe',
    commandLine: `C:\\Windows\\system32\\cmd.exe /C "${line}"`,
    cwd: machine.home(logon),
    env: machine.environment(logon),
    logon,
    parent: machine.service('dcom'),
    stdin: Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
    stdout: into(out),
    stderr: into(err),
  }).exited;
  return { out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString(), code };
}

t.test('splitLine: command lines are split by the rules of the C runtime', (t) => {
  const cases: readonly [string, readonly string[]][] = [
    ['a b', ['a', 'b']],
    ['"C:\\Program Files\\x.exe" "a b" c', ['C:\\Program Files\\x.exe', 'a b', 'c']],
    // From "Parsing C++ command-line arguments", Microsoft C++ documentation.
    ['p "abc" d e', ['p', 'abc', 'd', 'e']],
    ['p a\\\\b d"e f"g h', ['p', 'a\\\\b', 'de fg', 'h']],
    ['p a\\\\\\"b c d', ['p', 'a\\"b', 'c', 'd']],
    ['p a\\\\\\\\"b c" d e', ['p', 'a\\\\b c', 'd', 'e']],
    ['p a"b"" c d', ['p', 'ab" c d']],
    ['p ""', ['p', '']],
    ['', []],
  ];
  for (const [line, words] of cases) t.same(splitLine(line), words, line);
  for (const word of ['', 'a', 'a b', 'a"b', 'a\\', 'a b\\', '\\"', 'c:\\x y\\', 'ä"\\\\"'])
    t.same(splitLine(`p ${quoteArgument(word)} z`), ['p', word, 'z'], word);
  t.end();
});

t.test('cmd: lines are parsed with its operators, escapes and redirections', (t) => {
  const text = (line: string): unknown => {
    const node = parseCmd(line);
    return node?.kind === 'command' ? [node.text, ...node.redirects] : node;
  };
  t.same(text('echo a^&b "c & d"'), ['echo a&b "c & d"']);
  t.same(text('echo hi>x 2>&1'), [
    'echo hi ',
    { handle: 1, kind: 'write', file: 'x' },
    { handle: 2, kind: 'same-as', other: 1 },
  ]);
  t.same(text('echo 2>x'), ['echo ', { handle: 2, kind: 'write', file: 'x' }]);
  t.same(text('echo a2>x'), ['echo a2', { handle: 1, kind: 'write', file: 'x' }], 'a digit of a word is no handle');
  t.same(text('type < "a b.txt"'), ['type ', { handle: 0, kind: 'read', file: 'a b.txt' }]);
  t.match(parseCmd('a & b && c || d | e'), {
    kind: 'then',
    right: { kind: 'or', left: { kind: 'and' }, right: { kind: 'pipe' } },
  });
  t.match(parseCmd('if not exist x (a) else b'), {
    kind: 'if',
    negated: true,
    then: { kind: 'group' },
    otherwise: { kind: 'command' },
  });
  for (const wrong of ['& a', 'a &&', '(a', 'a >', 'a | | b'])
    t.throws(() => parseCmd(wrong), /unexpected|incorrect/, wrong);
  const valueOf = (name: string): string | undefined => (name === 'X' ? 'y' : undefined);
  t.equal(
    expandVariables('%X% %NO% 100%', valueOf, undefined),
    'y %NO% 100%',
    'unknown names stay on the command line',
  );
  t.equal(expandVariables('%X% %NO%|%1 %%', valueOf, ['f', 'one']), 'y |one %', 'and vanish in a batch file');
  t.equal(expandVariables('%X:y=z%', valueOf, undefined), 'z');
  t.equal(expandVariables('%^X%', valueOf, undefined), '%^X%');
  const isProgram = (name: string): boolean => name === 'a b.exe';
  t.equal(commandOf('cmd.exe /c "a b.exe"', isProgram), '"a b.exe"', 'quotes around a program stay');
  t.equal(commandOf('cmd.exe /c "a b.exe" "x"', isProgram), 'a b.exe" "x', 'the first and the last of more go');
  t.equal(commandOf('cmd.exe /d /s /c "a b.exe"', isProgram), 'a b.exe', 'with /s too');
  t.equal(commandOf('cmd.exe', isProgram), undefined);
  t.end();
});

t.test('cmd: files, variables and results are those of Windows', async (t) => {
  if (!requirement(t, 'the Windows stand-in', missing)) return;
  await using windows = await startTestHost();
  const run = (line: string) => cmd(windows.host, line);
  const is = async (line: string, out: string, code = 0, err = ''): Promise<void> => {
    t.same(await run(line), { out, err, code }, line);
  };
  await is('echo %USERNAME%@%COMPUTERNAME%', 'dana@LAB-WINDOWS\r\n');
  await is('set X=1& set X& echo %X%', 'X=1\r\n%X%\r\n', 0);
  await is('md a\\b\\c & cd a\\b & cd & echo one> c\\t.txt& type c\\T.TXT', 'C:\\Users\\dana\\a\\b\r\none\r\n');
  await is('if exist a\\b (echo yes) else echo no', 'yes\r\n');
  await is('if not exist nowhere echo no', 'no\r\n');
  await is('copy a\\b\\c\\t.txt a\\u.txt', '        1 file(s) copied.\r\n');
  await is('echo two>> a\\u.txt& type a\\u.txt', 'one\r\ntwo\r\n');
  await is('move a\\u.txt a\\v.txt > nul & dir /b a', 'b\r\nv.txt\r\n');
  await is('del a\\v.txt & rd /s /q a & if exist a echo there', '');
  await is('type nowhere', '', 1, 'The system cannot find the file specified.\r\n');
  await is('exit 4294967295', '', 0xffffffff);
  await is('exit /b 5 || echo never', '', 5);
  await is(
    'nosuch',
    '',
    1,
    "'nosuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
  );
  await is('nosuch 2> nul || echo or', 'or\r\n');
  await is('hostname && echo and', 'LAB-WINDOWS\r\nand\r\n');
  await is('echo hidden > nul 2>&1', '');
  await is('echo a| python.exe -c "import sys; print(sys.stdin.read())"', 'a\r\n\r\n');
  await is('for %i in (1) do echo %i', '', 1, 'The stand-in does not know: for\r\n');
  await is('(echo nosuch 2^>nul& echo exit /b %%ERRORLEVEL%%)> b.cmd & b.cmd x', '', 9009);
  await is('D:', '', 1, 'The system cannot find the drive specified.\r\n');
});

t.test('programs: launchers, tasks and tools start what they are told, with the lineage of Windows', async (t) => {
  if (!requirement(t, 'the Windows stand-in', missing)) return;
  await using windows = await startTestHost();
  const { host } = windows;
  const home = 'C:\\Users\\dana';
  const write = (name: string, text: string): void => {
    const real = host.machine.tree.real(`${home}\\${name}`) ?? '';
    writeFileSync(real, text);
    host.machine.tree.own(real);
  };
  write(
    'run.py',
    'import sys, os\nprint(sys.argv[1], os.path.basename(__file__))\nopen("ran-" + sys.argv[1] + ".py", "w").write("# made\\n")\n',
  );
  write(
    'start.js',
    `new ActiveXObject("WScript.Shell").Run("\\"C:\\\\Program Files\\\\Python311\\\\python.exe\\" run.py js", 0, true);\n`,
  );
  write('odd.js', 'WScript.Echo("hi");\n');
  const parentOf = (marker: string): unknown => {
    const found = windows
      .events('sysmon')
      .filter(
        ({ System, EventData }) => System.EventID === 1 && /(?:python|updater)\.exe$/.test(String(EventData['Image'])),
      )
      .findLast(({ EventData }) => new RegExp(`\\b${marker}\\b`).test(String(EventData['CommandLine'])));
    return found?.EventData['ParentImage'];
  };
  const runs = async (line: string, marker: string, parent: string, out = `${marker} run.py\r\n`): Promise<void> => {
    const result = await cmd(host, line);
    t.match(result, { out, code: 0 }, `${line}: ${result.err}`);
    t.equal(parentOf(marker), `C:\\Windows\\${parent}`, `${line}: its parent`);
  };
  await runs('python.exe run.py direct', 'direct', 'System32\\cmd.exe');
  await runs('py -3 run.py launcher', 'launcher', 'py.exe');
  await runs('run.py association', 'association', 'py.exe');
  await runs('wscript.exe start.js', 'js', 'System32\\wscript.exe');
  await runs(`forfiles /p ${home} /m run.py /c "cmd /c python.exe @file each"`, 'each', 'System32\\cmd.exe');
  await runs(
    'copy "C:\\Program Files\\Python311\\python.exe" updater.exe > nul & updater.exe run.py renamed',
    'renamed',
    'System32\\cmd.exe',
  );
  for (const name of ['start.js', 'office-parent.cmd', 'start-programs.py'] as const)
    write(`payload-${name}`, readFileSync(new URL(`../../scenarios/payloads/${name}`, import.meta.url), 'utf8'));
  const python = '"C:\\Program Files\\Python311\\python.exe"';
  await runs(
    `wscript.exe //B //Nologo payload-start.js ${python} ${home}\\run.py payload`,
    'payload',
    'System32\\wscript.exe',
  );
  const office = `cmd.exe /d /c ${home}\\payload-office-parent.cmd ${python} ${home}\\run.py office`;
  t.match(await cmd(host, office), { out: 'office run.py\r\n', err: '', code: 0 });
  t.equal(parentOf('office'), `${home}\\winword.exe`, 'a copy of cmd.exe under the name of Word');
  const packed = `0x220x22C:\\Program Files\\Python311\\python.exe0x22 0x22${home}\\run.py0x22 packed0x22`;
  await runs(`forfiles.exe /p ${home} /m run.py /c "cmd /d /c ${packed}"`, 'packed', 'System32\\cmd.exe');
  t.match(await cmd(host, 'powershell.exe -NoProfile -File nowhere.ps1'), { code: 0xfffd0000, err: /does not exist/ });
  t.match(await cmd(host, 'wscript.exe odd.js'), { code: 1, err: /does not know this script/ });
  const task = `schtasks /create /tn Update /sc once /st 23:59 /f /tr "python.exe ${home}\\run.py task" > nul && schtasks /run /tn Update && schtasks /query /tn Update > nul && schtasks /delete /tn Update /f > nul`;
  t.equal((await cmd(host, task)).code, 0);
  for (let tries = 0; parentOf('task') === undefined && tries < 500; tries += 1)
    await new Promise((go) => setTimeout(go, 20));
  t.equal(parentOf('task'), 'C:\\Windows\\System32\\svchost.exe', 'a task is a child of the task service');
  t.match(await cmd(host, 'schtasks /query /tn Update'), { code: 1, err: /cannot find the file/ });
  t.match(await cmd(host, 'powershell.exe -NoProfile -Command "Get-Secret"'), {
    code: 1,
    err: /has no PowerShell and does not know this text: Get-Secret/,
  });
  t.equal((await cmd(host, 'powershell.exe -NoProfile -Command "exit 7"')).code, 7);
  t.match(await cmd(host, 'certutil -hashfile run.py SHA256'), {
    code: 0,
    out: /^SHA256 hash of run\.py:\r\n[\da-f]{64}\r\n/,
  });
  t.match(await cmd(host, 'runas /user:adm-lena cmd'), { code: 1, err: /^RUNAS ERROR/ });
  const renamed = windows.events('sysmon').find(({ EventData }) => String(EventData['Image']).endsWith('updater.exe'));
  t.equal(renamed?.EventData['OriginalFileName'], 'python.exe', 'a renamed copy keeps its original name');
  const created = windows
    .events('sysmon')
    .filter(({ System }) => System.EventID === 11)
    .map(({ EventData }) => EventData['TargetFilename']);
  t.ok(created.includes(`${home}\\ran-direct.py`), 'a script that a program drops is a file creation event');
  t.ok(created.includes(`${home}\\updater.exe`), 'and so is a copied program');
});

t.test('python.exe: a program sees Windows and not the machine below', async (t) => {
  if (!requirement(t, 'the Windows stand-in', missing)) return;
  await using windows = await startTestHost();
  const { host } = windows;
  const real = host.machine.tree.real('C:\\Users\\dana\\see.py') ?? '';
  writeFileSync(real, readFileSync(new URL('standin-windows-see.py', import.meta.url)));
  host.machine.tree.own(real);
  const result = await cmd(host, 'python.exe see.py marker');
  t.equal(result.err, '');
  const seen = JSON.parse(result.out) as Record<string, unknown>;
  t.match(seen, {
    argv: ['see.py', 'marker'],
    orig: ['python.exe', 'see.py', 'marker'],
    file: 'C:\\Users\\dana\\see.py',
    executable: 'C:\\Program Files\\Python311\\python.exe',
    cwd: 'C:\\Users\\dana',
    platform: ['nt', 'win32', '\\', 'LAB-WINDOWS', 'Windows', 'dana'],
    posix: 'ModuleNotFoundError',
    passwd: 'FileNotFoundError',
    proc: 'FileNotFoundError',
    temp: 'C:\\Users\\dana\\AppData\\Local\\Temp',
    text: 'x\r\n',
    child: ['lab-windows\\dana\r\n', 0],
    exit: 300,
    shell: 5,
    missing: 'FileNotFoundError',
    zipapp: ['C:\\Users\\dana\\app.pyz\\__main__.py', 'C:\\Users\\dana\\app.pyz\\inner.py', 'm'],
    module: ['C:\\Users\\dana\\inner_module.py', 'x'],
    compiled: 'compiled',
    link: ['C:\\Users\\dana\\link.py', true],
    tree: [],
    asyncio: 1,
  });
  const [started] = windows
    .events('sysmon')
    .filter(({ EventData }) => EventData['CommandLine'] === 'python.exe see.py marker');
  t.equal(started?.EventData['ProcessId'], seen['pid'], 'its pid is that of its event');
  t.equal(started?.EventData['ParentProcessId'], seen['ppid'], 'and so is its parent');
  const connection = windows.events('sysmon').find(({ System }) => System.EventID === 3);
  t.match(connection?.EventData, {
    DestinationIp: '127.0.0.1',
    Protocol: 'tcp',
    Initiated: true,
    ProcessId: seen['pid'],
  });
});

t.test('powershell.exe: the texts of the harness do what they say', async (t) => {
  if (!requirement(t, 'the Windows stand-in', missing)) return;
  await using windows = await startTestHost();
  const { host } = windows;
  const home = 'C:\\Users\\dana';
  const python = 'C:\\Program Files\\Python311\\python.exe';
  const run = (command: Command) =>
    cmd(host, command.argv.join(' '), { stdin: Buffer.from(command.stdin ?? []).toString('utf8') });
  const { probe, prepare, cleanUp, schedulers, processes } = windowsDialect;
  const probed = await run(probe(python, [`${home}\\Documents`, '~\\nowhere']));
  t.match(
    probed.out,
    /^home C:\\Users\\dana\nclock \d+\.\d{3}\ninterpreter C:\\Program Files\\Python311\\python\.exe\nabsent C:\\Users\\dana\\nowhere\n$/,
  );
  const wanted = { fresh: [`${home}\\run`], parents: [`${home}\\above`], inner: [`${home}\\run\\inner`] };
  const copies = [
    { kind: 'copy', from: python, to: `${home}\\run\\updater.exe` },
    { kind: 'link', from: python, to: `${home}\\run\\linked.exe` },
  ] as const;
  t.same(await run(prepare(wanted, copies)), { out: `made ${home}\\run\n`, err: '', code: 0 });
  t.equal((await cmd(host, `run\\updater.exe -c "print(1)" & run\\linked.exe -c "print(2)"`)).out, '1\r\n2\r\n');
  t.same(
    await run(prepare(wanted, [])),
    { out: `exists ${home}\\run\n`, err: '', code: 17 },
    'nothing is laid over what is there',
  );
  const { task } = schedulers;
  if (task === undefined) throw new Error('the dialect has no task scheduler');
  const argv = [python, '-c', 'import time; time.sleep(600)', 'amarkeramarkeramarker'] as const;
  const place = { folder: `${home}\\run`, name: 'Job', told: `${home}\\run\\told`, offsetMs: 0 };
  const scheduled = task.schedule({ argv, cwd: home, files: [], copies: [] }, place);
  if (scheduled === undefined) throw new Error('nothing was scheduled');
  t.equal((await run(scheduled.add)).code, 0);
  t.match((await run(processes())).out, /(?:^|\n)python\.exe\n/);
  const undone = await run(
    cleanUp([
      { kind: 'end-processes', marker: 'amarkeramarkeramarker' },
      { kind: 'remove', path: `${home}\\run` },
      { kind: 'remove-if-empty', path: `${home}\\above` },
      { kind: 'remove-task', name: 'Job' },
    ]),
  );
  const done = ['end-processes', `remove ${home}\\run`, `remove-if-empty ${home}\\above`, 'remove-task'];
  t.same(undone, { out: done.map((what) => `done ${what}\n`).join(''), err: '', code: 0 });
  t.notOk(host.machine.tree.exists(`${home}\\run`));
  t.match(
    await run(scheduled.add),
    { code: 19, err: `${home}\\run is gone\r\n` },
    'what comes after the clean-up leaves no task',
  );
  t.notOk(host.machine.tasks.find('Job'));
  t.notOk(
    [...host.machine.processes.values()].some(({ commandLine, isOver }) => commandLine.includes('amarker') && !isOver),
  );
});

t.test('Environment: names are told apart without regard to case', (t) => {
  const env = new Environment([['Path', 'a']]);
  env.set('PATH', 'b');
  t.same(env.entries(), [['Path', 'b']]);
  env.set('path', '');
  t.equal(env.get('PATH'), undefined);
  t.end();
});
