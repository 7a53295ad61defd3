import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { fill, invocation } from '../../runner/pipeline/invocation.ts';
import { python, pythonPackages, pythonPackagesMissing } from '../python-packages.ts';
import { requirement } from '../require.ts';
import { payloads } from './imagined-events.ts';
import { formsOf, scenariosFolder, shippedScenarios } from './library.ts';

const payloadsFolder = join(scenariosFolder, 'payloads');
const files = readdirSync(payloadsFolder);
const forms = formsOf(await shippedScenarios());

const version = await execa('python3', ['-c', 'import sys; print(*sys.version_info[:2])'], { reject: false });
const [major = 0, minor = 0] = version.stdout.split(' ').map(Number);
const tooOld = version.exitCode !== 0 || major < 3 || minor < 10 ? 'needs python3, 3.10 or later' : false;

/** A payload as the runner puts it together, with its receipt; that of a single file as its operator does. */
function composed(script: string, place: { readonly home: string; readonly receiptPath: string }): string {
  const step = { script, args: [], interpreter: 'plain', invocation: 'stdin', via: 'session' } as const;
  const [any] = forms.flatMap(({ steps }) => steps).filter(({ launcher }) => launcher === undefined);
  if (any === undefined) throw new Error('the library is empty');
  if (script === singleFile) return `${payloads.read(script)}${payloads.read('receipt.py')}\nmain()\n`;
  const { stdin } = invocation(
    { ...any, ...step },
    {
      ...place,
      run: 'r',
      marker: 'm',
      interpreter: '/usr/bin/python3',
      alias: 'a',
      separator: '/',
      programSuffix: '',
      executables: {},
    },
    payloads,
  );
  return new TextDecoder().decode(stdin);
}

const singleFile = 'single-file.py';
/** Python that is not run by itself. */
const modules: readonly string[] = ['inert_package.py'];

/** What one of the small programs that read source says of each; names and sources in, problems out. */
async function look(program: string, given: Readonly<Record<string, string>>): Promise<object> {
  const env = program === 'payload-grammar.py' ? { PYTHONPATH: pythonPackages } : {};
  const { stdout } = await execa(python, [join(import.meta.dirname, program)], { input: JSON.stringify(given), env });
  return JSON.parse(stdout) as object;
}

function allSources(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    files
      .filter((name) => name.endsWith('.py'))
      .map((name) => [
        name,
        modules.includes(name)
          ? payloads.read(name)
          : composed(name, { home: '/home/x', receiptPath: '/home/x/r/receipt.jsonl' }),
      ]),
  );
}

t.test('payloads: each file is used by a scenario', (t) => {
  const used = new Set(
    forms.flatMap(({ steps }) =>
      steps.flatMap(({ script, launcher }) => [script, ...(launcher?.files ?? []).map(({ from }) => from)]),
    ),
  );
  t.same(
    files.filter((name) => !used.has(name)),
    [],
    'payloads that no scenario runs',
  );
  t.end();
});

t.test('payloads: import and call nothing but what is listed as harmless', { skip: tooOld }, async (t) => {
  const sources = allSources();
  const nothing = Object.fromEntries(Object.keys(sources).map((name) => [name, []]));
  t.same(await look('payload-source.py', sources), nothing);
  const bad = {
    'f-string': "print(f'{1}')",
    walrus: '(a := 1)',
    annotation: 'a: int = 1',
    number: '1_000',
    library: 'import requests',
    module: 'from subprocess import run',
    alias: 'import os as json',
    system: "import os; os.system('id')",
    renamed: "import os; act = os.system; act('id')",
    'looked up': "import os; getattr(os, 'system')('id')",
    removes: "import os; os.remove('/etc/x')",
    kill: 'import os; os.kill(1, 9)',
    exec: "import base64; exec(base64.b64decode('aW1wb3J0IG9z'))",
    variable: 'exec(code)',
    writes: "open('/etc/x', 'w')",
    program: "import subprocess; subprocess.call(['rm', '-rf', '/'])",
    table: "import subprocess; calls = {'a': ['rm']}; subprocess.Popen(calls['a'])",
    unknown: 'import subprocess; subprocess.Popen(words)',
    shell: "import subprocess; subprocess.call(['esxcli', 'system', 'version', 'get'], shell=True)",
    pty: "import pty; pty.spawn(['/bin/sh'])",
  };
  const found = (await look('payload-source.py', bad)) as Readonly<Record<string, readonly string[]>>;
  for (const [what, problems] of Object.entries(found)) t.not(problems.length, 0, `${what}: ${problems.join(', ')}`);
});

t.test('payloads: are Python 3.5 by its own grammar', async (t) => {
  if (!requirement(t, 'parso', pythonPackagesMissing())) return;
  const sources = allSources();
  const nothing = Object.fromEntries(Object.keys(sources).map((name) => [name, []]));
  t.same(await look('payload-grammar.py', sources), nothing);
  const bad = {
    'f-string': "print(f'{1}')\n",
    annotation: 'a: int = 1\n',
    number: 'a = 1_000\n',
    walrus: '(a := 1)\n',
  };
  const found = (await look('payload-grammar.py', bad)) as Readonly<Record<string, readonly string[]>>;
  for (const [what, problems] of Object.entries(found)) t.not(problems.length, 0, `${what}: ${problems.join(', ')}`);
});

t.test('payloads: what Windows runs beside Python starts the interpreter, and does nothing else', (t) => {
  const others = files.filter((name) => !name.endsWith('.py'));
  t.same(others, ['office-parent.cmd', 'start.js']);
  t.match(
    payloads.read('start.js').replaceAll(/^\/\/.*\n/gm, ''),
    [
      'var given = WScript.Arguments;',
      `var line = '"' + given(0) + '" "' + given(1) + '" ' + given(2);`,
      "WScript.Quit(new ActiveXObject('WScript.Shell').Run(line, 0, true));",
      '',
    ].join('\n'),
  );
  t.match(
    payloads.read('office-parent.cmd').replaceAll(/^@rem .*\n/gm, ''),
    [
      '@copy /b "%SystemRoot%\\System32\\cmd.exe" "%~dp0winword.exe" >nul',
      '@"%~dp0winword.exe" /d /c "%1 %2 %3"',
      '',
    ].join('\n'),
  );
  t.end();
});

t.test(
  'payloads: finish with a receipt, and touch nothing but loopback, the receipt and programs that look',
  { skip: tooOld },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'detproof-payloads-'));
    t.teardown(() => {
      rmSync(folder, { recursive: true });
    });
    const marker = 'abcdefghij0123456789klmn';
    const runs = new Map(
      forms.flatMap(({ steps }) =>
        steps.map(({ script, args }) => [`${script} ${args.join(' ')}`, { script, args }] as const),
      ),
    );
    let number = 0;
    for (const [what, { script, args }] of runs) {
      number += 1;
      const place = join(folder, String(number));
      mkdirSync(place);
      const receiptPath = join(place, 'receipt.jsonl');
      writeFileSync(join(place, 'run.py'), composed(script, { home: folder, receiptPath }));
      const filled = [...args, ...(args.includes('{{marker}}') ? [] : ['{{marker}}'])].map((arg) =>
        fill(arg, { home: folder, run: 'r', marker }),
      );
      const own = script === singleFile ? ['--receipt', receiptPath] : [];
      const watch = [join(import.meta.dirname, 'payload-watch.py'), join(place, 'run.py'), ...own, ...filled];
      const { exitCode, stderr, stdio } = await execa('python3', ['-s', ...watch], {
        cwd: place,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        env: {
          http_proxy: 'http://192.0.2.1:9',
          HTTP_PROXY: 'http://192.0.2.1:9',
          ...(script === 'use-package.py' && { PYTHONPATH: payloadsFolder }),
        },
        timeout: 30_000,
        reject: false,
      });
      t.equal(exitCode, 0, `${what} ends well: ${stderr}`);
      const receipt = readFileSync(receiptPath, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
      t.match(receipt, [
        { receipt: 'started', marker },
        { receipt: 'finished', marker, did: /./ },
      ]);
      const events = stdio[3]
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as [string, readonly unknown[]]);
      t.same(
        events.filter((event) => !isHarmless(event, receiptPath)),
        [],
        `${what} does no harm`,
      );
      t.ok(
        events.some(([event, [path]]) => event === 'open' && path === receiptPath),
        `${what} was watched`,
      );
      const destinations = (receipt[1]?.['destinations'] ?? []) as readonly string[];
      const connected = events.filter(([event]) => event === 'socket.connect').map(([, [, address]]) => address);
      t.same(
        [...new Set(connected.map((address) => (address as readonly unknown[]).join(':')))],
        destinations,
        `${what} says where it connected to`,
      );
      t.same(readdirSync(place).sort(), ['receipt.jsonl', 'run.py'], `${what} leaves no other file`);
    }
  },
);

const looking = [
  'esxcli',
  'vim-cmd',
  '/usr/bin/osascript',
  '/bin/bash',
  '/usr/bin/sw_vers',
  '/usr/bin/defaults',
].concat(['powershell.exe', 'certutil.exe', 'cmd.exe', 'git.exe']);

function isHarmless([event, [first, second]]: readonly [string, readonly unknown[]], receiptPath: string): boolean {
  switch (event) {
    case 'open':
      // What a child is given in the place of a terminal.
      return first === receiptPath || first === '/dev/null';
    case 'socket.bind':
    case 'socket.connect':
      return Array.isArray(second) && second[0] === '127.0.0.1';
    case 'socket.getaddrinfo':
      return first === '127.0.0.1';
    case 'pty.spawn':
      return JSON.stringify(first) === '["/bin/true"]';
    case 'os.exec':
      return first === '/bin/true';
    case 'subprocess.Popen':
      // Which ones, and with what, is held against a list above.
      return Array.isArray(second) && looking.includes(String(second[0]));
    default:
      return false;
  }
}
