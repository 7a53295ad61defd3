import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { cleanupSubject, type CleanupStep } from '../../runner/domain/execution.ts';
import { windowsCommandLine, windowsQuote } from '../../runner/domain/windows-quote.ts';
import * as shell from '../../runner/pipeline/windows-shell.ts';
import { windowsDialect } from '../../runner/pipeline/windows-dialect.ts';
import { python, pythonPackages, pythonPackagesMissing } from '../python-packages.ts';
import { requirement } from '../require.ts';

const scripts: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(shell).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : [])),
);

function decoded([, ...args]: readonly string[]): string {
  return Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le');
}

t.test('windows scripts: each fits into a line of cmd.exe, and is what the host decodes', (t) => {
  t.ok(Object.keys(scripts).length >= 5);
  for (const [name, text] of Object.entries(scripts)) {
    const argv = shell.encodedCommand(text);
    t.ok(argv.join(' ').length <= 8_191 - 200, `${name} has ${argv.join(' ').length} characters as a command line`);
    t.equal(decoded(argv), text);
    t.match(argv.slice(1).join(' '), /^[-A-Za-z0-9+/= ]+$/, 'nothing that any shell reads as more than itself');
  }
  t.throws(() => shell.encodedCommand('Say "é"'), RangeError);
  t.end();
});

t.test('windows scripts: a PowerShell grammar takes each whole', (t) => {
  if (!requirement(t, 'a PowerShell grammar', pythonPackagesMissing())) {
    t.end();
    return;
  }
  const check = (input: Readonly<Record<string, string>>): unknown => {
    const script = fileURLToPath(new URL('powershell-syntax.py', import.meta.url));
    const { stdout, stderr } = spawnSync(python, [script], {
      input: JSON.stringify(input),
      env: { PYTHONPATH: pythonPackages },
      encoding: 'utf8',
    });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  };
  t.same(check(scripts), Object.fromEntries(Object.keys(scripts).map((name) => [name, []])));
  for (const [name, text] of Object.entries(scripts)) {
    const cut = text.slice(0, text.lastIndexOf('}'));
    t.not(
      (check({ [name]: cut }) as Record<string, unknown[]>)[name]?.length,
      0,
      `${name} without its last brace is refused`,
    );
  }
  t.end();
});

t.test('windows dialect: data goes over standard input and never into a command line', (t) => {
  const steps: readonly CleanupStep[] = [
    { kind: 'end-processes', marker: 'm'.repeat(24) },
    { kind: 'remove', path: String.raw`C:\Users\dana\r1` },
    { kind: 'remove-if-empty', path: String.raw`C:\ProgramData\Maintenance` },
    { kind: 'remove-task', name: 'abc' },
  ];
  const commands = [
    windowsDialect.probe(String.raw`C:\Python\python.exe`, [String.raw`~\x`]),
    windowsDialect.prepare({ fresh: ['C:\\r'], parents: ['C:\\p'], inner: ['C:\\r\\i'] }, [
      { kind: 'copy', from: 'C:\\python.exe', to: 'C:\\r\\a.exe' },
    ]),
    windowsDialect.cleanUp(steps),
    windowsDialect.processes(),
  ];
  for (const { argv, stdin } of commands) {
    const lines = new TextDecoder().decode(stdin);
    t.notMatch(decoded(argv), /C:\\|mmmm/);
    t.notMatch(lines, /\r/);
    t.ok(lines === '' || lines.endsWith('\n'));
  }
  t.equal(
    new TextDecoder().decode(windowsDialect.cleanUp(steps).stdin),
    steps.map((step) => `${step.kind}\n${cleanupSubject(step)}\n`).join(''),
  );
  t.throws(() => windowsDialect.probe('C:\\a\nb', []), RangeError, 'a line break would be another datum');
  for (const step of steps) t.match(windowsDialect.byHand(step), { what: /.{3}/, hint: /.{10}/ });
  t.end();
});

t.test('windows dialect: a scheduled task is named in the journal before it is made, and has no input of ours', (t) => {
  const { task } = windowsDialect.schedulers;
  const ready = { files: [], copies: [], argv: [String.raw`C:\py thon\python.exe`, 'C:\\a b.py', 'm'] as const };
  const made = task?.schedule({ ...ready, cwd: 'C:\\w' }, { folder: 'C:\\r', name: 'abc', told: '', offsetMs: 0 });
  t.match(made, { undo: { kind: 'remove-task', name: 'abc' }, files: [] });
  t.equal(new TextDecoder().decode(made?.add.stdin), 'abc\nC:\\py thon\\python.exe\n"C:\\a b.py" m\nC:\\w\nC:\\r\n');
  t.throws(
    () => task?.schedule({ ...ready, stdin: new Uint8Array() }, { folder: '', name: 'a', told: '', offsetMs: 0 }),
    RangeError,
  );
  t.end();
});

/** CommandLineToArgvW after the program's name, as Microsoft describes it ("Parsing C++ command-line arguments"). */
function parsed(line: string): readonly string[] {
  const found: string[] = [];
  let current: string | undefined;
  let isQuoted = false;
  for (let index = 0; index < line.length; index += 1) {
    const slashes = /^\\*/.exec(line.slice(index))?.[0].length ?? 0;
    if (slashes > 0) {
      const beforeQuote = line[index + slashes] === '"';
      current = (current ?? '') + '\\'.repeat(beforeQuote ? Math.floor(slashes / 2) : slashes);
      index += slashes - 1;
      if (beforeQuote && slashes % 2 === 1) {
        current += '"';
        index += 1;
      }
      continue;
    }
    const character = line[index] ?? '';
    if (character === '"') {
      isQuoted = !isQuoted;
      current ??= '';
    } else if ((character === ' ' || character === '\t') && !isQuoted) {
      if (current !== undefined) found.push(current);
      current = undefined;
    } else current = (current ?? '') + character;
  }
  return current === undefined ? found : [...found, current];
}

t.test('windows quoting: a program reads back every argument as it was', (t) => {
  t.equal(windowsQuote('plain'), 'plain');
  t.equal(windowsQuote(''), '""');
  t.equal(windowsQuote('a b'), '"a b"');
  t.equal(windowsQuote('a\\'), 'a\\');
  t.equal(windowsQuote('a b\\'), '"a b\\\\"');
  t.equal(windowsQuote('a"b'), '"a\\"b"');
  const texts = fc.array(fc.stringMatching(/^[ "\\a\tü]*$/), { maxLength: 5 });
  fc.assert(
    fc.property(texts, (argv) => t.same(parsed(windowsCommandLine(argv)), argv)),
    { numRuns: 300 },
  );
  t.end();
});
