import t from 'tap';
import { matcherOf, referenceRules, isAboutPython } from './library.ts';

/** Lines that no scenario has, for the rules of Windows, macOS and ESXi; those of Linux are in rules.test.ts. */
const matcher = matcherOf(referenceRules());

type Start = {
  readonly line: string;
  readonly image?: string;
  readonly cwd?: string;
  readonly parent?: string;
  readonly user?: string;
};

function rulesOn(event: object): readonly string[] {
  return matcher
    .match(event as Readonly<Record<string, unknown>>)
    .flatMap(({ rule }) => (isAboutPython(rule) ? [rule.file] : []))
    .sort();
}

function start(platform: 'windows' | 'macos', given: Start, usual: Required<Omit<Start, 'line'>>): object {
  const { line, image, cwd, parent, user } = { ...usual, ...given };
  return {
    event: { category: ['process'], type: ['start'], module: platform },
    host: { os: { type: platform } },
    user: { name: user },
    process: {
      executable: image,
      command_line: line,
      working_directory: cwd,
      parent: { executable: parent, command_line: parent },
    },
    labels: { maintenance_window: 'outside' },
  };
}

const python = 'C:\\Program Files\\Python312\\python.exe';
const onWindows = (given: Start): readonly string[] =>
  rulesOn(
    start('windows', given, {
      image: python,
      cwd: 'C:\\Users\\eve\\',
      parent: 'C:\\Windows\\explorer.exe',
      user: 'eve',
    }),
  );
const onMac = (given: Start): readonly string[] =>
  rulesOn(start('macos', given, { image: '/usr/bin/python3', cwd: '/Users/eve', parent: '/bin/zsh', user: 'eve' }));

const windows: readonly (readonly [Start, ...string[]])[] = [
  [{ line: 'python C:\\Users\\eve\\AppData\\Local\\Temp\\a.py' }, 'windows-python-script-in-user-writable-folder'],
  [
    { line: '"C:\\Program Files\\Python312\\python.exe" -u "c:\\users\\EVE\\downloads\\my invoice.py" x' },
    'windows-python-script-in-user-writable-folder',
  ],
  [{ line: 'python a.py', cwd: 'C:\\Users\\Public\\x\\' }, 'windows-python-script-in-user-writable-folder'],
  [{ line: 'python -m a', cwd: 'C:\\Windows\\Temp\\' }, 'windows-python-script-in-user-writable-folder'],
  [{ line: 'python -m pip install x', cwd: 'C:\\Users\\eve\\AppData\\Local\\Temp\\' }],
  [{ line: 'python setup.py egg_info', cwd: 'C:\\Users\\eve\\AppData\\Local\\Temp\\pip-install-k3j\\x\\' }],
  [{ line: 'python C:\\Users\\eve\\AppData\\Local\\Programs\\tool\\a.py' }],
  [{ line: 'python C:\\work\\a.py C:\\Users\\eve\\AppData\\Local\\Temp\\in.csv' }],
  [{ line: 'python C:\\Users\\eve\\src\\a.py' }],
  [{ line: 'python', cwd: 'C:\\Users\\eve\\Downloads\\' }],
  [{ line: 'notepad C:\\Users\\eve\\Downloads\\a.py', image: 'C:\\Windows\\notepad.exe' }],
  [
    { line: 'python C:\\work\\a.py', parent: 'C:\\Program Files\\Microsoft Office\\root\\Office16\\EXCEL.EXE' },
    'windows-python-with-unusual-parent',
  ],
  [
    { line: 'cmd /c python x.py', image: 'C:\\Windows\\System32\\cmd.exe', parent: 'C:\\Windows\\System32\\mshta.exe' },
    'windows-python-with-unusual-parent',
  ],
  [{ line: 'cmd /c dir', image: 'C:\\Windows\\System32\\cmd.exe', parent: 'C:\\Windows\\System32\\mshta.exe' }],
  [
    { line: '"C:\\Users\\eve\\x.exe" "C:\\work\\a.py"', image: 'C:\\Users\\eve\\x.exe' },
    'windows-python-under-another-name',
  ],
  [{ line: 'ruff a.py', image: 'C:\\Users\\eve\\AppData\\Local\\Programs\\ruff\\ruff.exe' }],
  [{ line: 'python C:\\ProgramData\\Maintenance\\a.py' }, 'windows-maintenance-script-outside-window'],
  [{ line: 'python C:\\ProgramData\\x\\a.py' }, 'windows-standard-account-runs-python-from-program-data'],
  [{ line: 'python C:\\ProgramData\\x\\a.py', user: 'SYSTEM' }],
  [{ line: 'python -c "print(1)"' }],
  [{ line: 'python -c "print(1)"', user: 'svc-web' }, 'windows-service-account-runs-inline-python'],
  [{ line: 'python "C:\\Program Files\\agent\\agent.py" -c agent.ini', user: 'svc-web' }],
  [
    {
      line: 'powershell -File "C:\\Program Files\\agent\\x.ps1"',
      image: 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
      parent: python,
    },
  ],
  [
    {
      line: 'powershell -File C:\\Users\\eve\\x.ps1',
      image: 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
      parent: python,
    },
    'windows-python-starts-suspicious-program',
  ],
  [{ line: 'git status', image: 'C:\\Program Files\\Git\\cmd\\git.exe', parent: python }],
  [
    { line: 'cmd /c net user', image: 'C:\\Windows\\System32\\cmd.exe', parent: python },
    'windows-python-starts-discovery-commands',
  ],
  [{ line: 'cmd /c dotnet build', image: 'C:\\Windows\\System32\\cmd.exe', parent: python }],
];

const macos: readonly (readonly [Start, ...string[]])[] = [
  [{ line: 'python3 /Users/eve/Downloads/a.py' }, 'macos-python-script-in-download-or-temporary-directory'],
  [
    {
      line: 'Python /Volumes/Install Me/a.py',
      image: '/Library/Frameworks/Python.framework/Versions/3.12/Resources/Python.app/Contents/MacOS/Python',
    },
    'macos-python-script-in-download-or-temporary-directory',
  ],
  [{ line: 'python3 a.py', cwd: '/private/tmp' }, 'macos-python-script-in-download-or-temporary-directory'],
  [{ line: 'python3 -m pip install x', cwd: '/tmp' }],
  [{ line: 'python3 /Users/eve/src/a.py /tmp/out' }],
  [{ line: 'python3 /Users/eve/src/.hidden.py' }, 'macos-python-script-with-misleading-name'],
  [{ line: 'python3 /Users/eve/.venv/bin/flask run' }],
  [{ line: 'python3 /Users/eve/src/convert.py report.pdf' }],
  [{ line: 'python3 /System/Library/x/com.apple.tool.py' }],
  [{ line: 'python3 /Users/eve/a8f3kq0z2m5x7b1c9d4e.py' }, 'macos-python-script-with-random-name'],
  [{ line: 'python3 /Users/eve/internationalization.py' }],
  [{ line: 'python3 /Users/eve/migration20240131.py' }],
  [{ line: 'python3 /Users/eve/x.py', parent: '/sbin/launchd' }, 'macos-launchd-starts-python'],
  [{ line: 'python3 /usr/local/bin/tool', parent: '/sbin/launchd' }],
  [
    { line: 'curl -O https://example.org', image: '/usr/bin/curl', parent: '/usr/bin/python3' },
    'macos-python-has-shell-fetch',
  ],
  [{ line: 'curl -O https://example.org', image: '/usr/bin/curl' }],
  [{ line: 'osascript -e x', image: '/usr/bin/osascript' }],
];

const esxi: readonly (readonly [user: string, line: string, ...rules: string[]])[] = [
  ['root', 'python /vmfs/volumes/ds1/x/a.py', 'esxi-python-script-on-datastore'],
  ['root', 'cd /vmfs/volumes/ds1; python a.py', 'esxi-python-script-on-datastore'],
  ['root', 'python /vmfs/volumes/ds1/vendor-tools/../x/a.py', 'esxi-python-script-on-datastore'],
  ['root', '/bin/python3 /usr/lib/vmware/tool.py /vmfs/volumes/ds1'],
  ['root', 'ls /vmfs/volumes/ds1/python'],
  ['root', 'python -c "print(1)"'],
  ['root', 'cat x.py | python -', 'esxi-python-program-over-standard-input'],
  ['root', '/tmp/python/bin/python3 -V', 'esxi-python-outside-its-install-path'],
  ['root', 'vi /tmp/x/a.py'],
  ['root', 'PYTHONPATH=/tmp/lib python a.py', 'esxi-python-packages-from-writable-folder'],
  ['root', 'nohup vmkfstools -i a b'],
  ['root', 'setsid python3 /tmp/x/a.py &', 'esxi-root-detaches-python'],
  ['ops', 'python -c "print(1)"', 'esxi-python-by-unlisted-account'],
  ['ops', 'esxcli vm process list'],
];

t.test('rules of Windows: on program starts, those that they should fire on and no others', (t) => {
  for (const [given, ...expected] of windows) t.same(onWindows(given), expected, given.line);
  t.end();
});

t.test('rules of macOS: on program starts, those that they should fire on and no others', (t) => {
  for (const [given, ...expected] of macos) t.same(onMac(given), expected, given.line);
  t.end();
});

t.test('rules of ESXi: on lines handed over and typed, those that they should fire on and no others', (t) => {
  for (const [user, line, ...expected] of esxi)
    for (const [dataset, message] of [
      ['esxi.auth', `User '${user}' running command '${line}'`],
      ['esxi.shell', `[${user}]: ${line}`],
    ] as const)
      t.same(
        rulesOn({
          event: { module: 'esxi', dataset },
          host: { os: { platform: 'esxi' } },
          user: { name: user },
          message,
        }),
        expected,
        message,
      );
  t.end();
});
