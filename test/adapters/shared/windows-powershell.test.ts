import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { decodeClixml } from '../../../adapters/shared/clixml.ts';
import { cmdLine, longestCmdLine } from '../../../adapters/shared/cmd-quote.ts';
import {
  encodedScript,
  fitPowershell,
  type PowershellCommand,
  powershellCommand,
  stdinBootstrap,
} from '../../../adapters/shared/powershell.ts';
import { powershellShellLine } from '../../../adapters/shared/windows-line.ts';
import { endTreeScript } from '../../../adapters/shared/windows-processes.ts';
import { fileCodes, getScript, putScript, WindowsFiles } from '../../../adapters/shared/windows-files.ts';
import { instant } from '../../../runner/domain/time.ts';
import type { NonEmpty } from '../../../runner/domain/non-empty.ts';
import type { CommandOutcome } from '../../../runner/ports.ts';
import { failureOf } from '../../contract/transport-contract.ts';
import { python, pythonPackages, pythonPackagesMissing } from '../../python-packages.ts';
import { requirement } from '../../require.ts';

const never = new AbortController().signal;

t.test('powershell: a text goes with the command as long as the line fits, then by standard input, whole', (t) => {
  const input = Buffer.from('data\n');
  const longest = Array.from({ length: 4_000 }, (_, length) => length).findLast(
    (length) => powershellCommand('x'.repeat(length), input).stdin === input,
  );
  t.ok(longest !== undefined && longest > 2_900 && longest < 3_100, `${longest ?? ''} characters fit`);
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => text.isWellFormed()),
      fc.nat(200),
      (text, times) => {
        const script = text.repeat(times);
        const { argv, stdin } = powershellCommand(script, input);
        t.ok(cmdLine(argv).length <= longestCmdLine);
        const told = encodedScript(argv);
        if (told !== stdinBootstrap) t.ok(told === script && input.equals(stdin));
        else {
          const [first = '', ...rest] = Buffer.from(stdin).toString('utf8').split('\n');
          t.equal(Buffer.from(first, 'base64').toString('utf8'), script);
          t.equal(rest.join('\n'), 'data\n');
        }
      },
    ),
    { numRuns: 100 },
  );
  t.end();
});

t.test('powershell: a command that somebody else made is re-routed only when it is PowerShell and too long', (t) => {
  const { argv } = powershellCommand('exit 3');
  const [program, ...options] = argv;
  t.same(fitPowershell(argv, Buffer.from('x')), { argv, stdin: Buffer.from('x') });
  const long: typeof argv = [
    program,
    ...options.slice(0, -1),
    Buffer.from('#'.repeat(5_000), 'utf16le').toString('base64'),
  ];
  t.equal(encodedScript(fitPowershell(long, Buffer.of()).argv), stdinBootstrap);
  const other: typeof argv = ['python.exe', '-c', '#'.repeat(9_000)];
  t.equal(fitPowershell(other, Buffer.of()).argv, other, 'which is refused later, not cut');
  t.equal(encodedScript(['powershell.exe', '-Command', 'x']), undefined);
  t.end();
});

const anywhere = { channel: 'exec', cwd: "C:\\it's here" } as const;
const hardLines: readonly NonEmpty<string>[] = [
  ['python.exe', '-c', 'print(1); x = $(id) `a`', "it's", '\u2019', '@(1)', '%PATH%', '-x:y', '-Xy', '&', '|', '{}'],
  ['C:\\Program Files\\Python311\\python.exe', 'a\\', 'plain'],
  ['python.exe', '', 'say "hi"', 'a b\\', "o'clock"],
];

t.test('powershell line: what a PowerShell login shell is given is exact, and its exit code is the program’s', (t) => {
  const line = (argv: NonEmpty<string>, cwd?: string): string =>
    powershellShellLine({ argv, channel: 'exec', ...(cwd === undefined ? {} : { cwd }) });
  t.equal(line(['python.exe', '-c', 'pass', '-x']), 'python.exe -c pass -x; exit $LASTEXITCODE');
  t.equal(
    line(['C:\\a b\\p.exe', "it's", '$x', 'x\u2019y']),
    "& 'C:\\a b\\p.exe' 'it''s' '$x' 'x\u2019\u2019y'; exit $LASTEXITCODE",
  );
  t.equal(line(['p.exe'], 'C:\\x'), "Set-Location -LiteralPath 'C:\\x' -ErrorAction Stop; p.exe; exit $LASTEXITCODE");
  for (const hard of ['', 'a"b', 'a b\\'])
    t.match(
      line(['p.exe', hard]),
      /^\$i=New-Object Diagnostics\.ProcessStartInfo '?p\.exe'?,'.*exit \$p\.ExitCode$/,
      JSON.stringify(hard),
    );
  for (const wrong of [[''], ['-x'], ['a"b'], ['p', 'a\nb'], ['p', '\ud800'], ['p', 'x'.repeat(32_000)]] as const)
    t.throws(() => line([...wrong] as unknown as NonEmpty<string>), /cannot be|is the most/);
  t.end();
});

t.test('powershell: the harness’s texts are short enough for a command line, and a grammar takes them', (t) => {
  const scripts = { putScript, getScript, endTreeScript, stdinBootstrap };
  for (const text of Object.values(scripts)) {
    t.equal(encodedScript(powershellCommand(text).argv), text);
    t.notMatch(text, /\$input\b/i, 'which would make powershell.exe read the input by itself');
    t.match(text, /^[\n\x20-\x7e]+$/, 'plain ASCII, whatever encoding a host thinks of');
  }
  if (!requirement(t, 'a PowerShell grammar', pythonPackagesMissing())) {
    t.end();
    return;
  }
  const checker = fileURLToPath(new URL('../../pipeline/powershell-syntax.py', import.meta.url));
  const lines = Object.fromEntries(
    hardLines.map((argv, at) => [`line ${at}`, powershellShellLine({ argv, ...anywhere })]),
  );
  const { stdout } = spawnSync(python, [checker], {
    input: JSON.stringify({ ...scripts, ...lines, broken: putScript.slice(0, -40) }),
    env: { PYTHONPATH: pythonPackages },
    encoding: 'utf8',
  });
  const { broken, ...faults } = JSON.parse(stdout) as Record<string, readonly string[]>;
  t.same(faults, Object.fromEntries(Object.keys({ ...scripts, ...lines }).map((name) => [name, []])));
  t.not(broken?.length, 0, 'the grammar does find faults');
  t.end();
});

t.test('clixml: errors are decoded, progress is dropped, everything else stays', (t) => {
  const objs = (inner: string): string =>
    `#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">${inner}</Objs>`;
  const progress =
    '<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Object</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing modules for first use.</AV></PR></MS></Obj>';
  for (const [stderr, expected] of [
    ['plain\r\n', 'plain\r\n'],
    ['', ''],
    [objs(progress), ''],
    [
      objs(`${progress}<S S="Error">a_x000D__x000A_</S><S S="Error">b &lt;&#233;&amp;_x005F_x0041_ _xD83D__xDE00_</S>`),
      'a\r\nb <é&_x0041_ 😀',
    ],
    [`native\r\n${objs('<S S="Error">x</S>')}${objs('<S S="Warning">y</S>')}\r\nlast`, 'native\r\nxylast'],
    [`${objs('<S S="Error">x</S>')}<Objs><S S="Error">z</S></Objs>`, 'xz'],
    ['#< CLIXML\r\n<Objs><S S="Error">cut', '#< CLIXML\r\n<Objs><S S="Error">cut'],
    [objs('<S S="Error">&nothing; &#x110000;</S>'), '&nothing; &#x110000;'],
  ] as const)
    t.equal(decodeClixml(stderr), expected);
  t.end();
});

/** A host whose PowerShell answers as told. */
function answering(outcome: Partial<CommandOutcome>): {
  readonly files: WindowsFiles;
  readonly asked: PowershellCommand[];
} {
  const asked: PowershellCommand[] = [];
  const files = new WindowsFiles((command) => {
    asked.push(command);
    const empty = new Uint8Array();
    const now = instant(0);
    return Promise.resolve({
      exit: { kind: 'code', code: 0 },
      stdout: empty,
      stderr: empty,
      truncated: false,
      sent: '',
      startedAt: now,
      endedAt: now,
      ...outcome,
    });
  }, 'win-1');
  return { files, asked };
}

t.test('windows files: a file is sent as its path, its hash and lines of base64', async (t) => {
  const { files, asked } = answering({});
  const bytes = Uint8Array.from({ length: 150_001 }, (_, index) => (index * 31) % 256);
  await files.put({ path: 'C:\\Users\\é\\a b.py', bytes }, never);
  t.equal(encodedScript(asked[0]?.argv ?? []), putScript);
  const [path = '', hash, ...lines] = Buffer.from(asked[0]?.stdin ?? [])
    .toString('latin1')
    .trimEnd()
    .split('\n');
  t.equal(Buffer.from(path, 'base64').toString('utf8'), 'C:\\Users\\é\\a b.py');
  t.equal(hash, createHash('sha256').update(bytes).digest('hex'));
  t.equal(lines.length, 3);
  t.ok(Buffer.concat(lines.map((line) => Buffer.from(line, 'base64'))).equals(bytes));
});

t.test('windows files: a file comes back only whole and with the hash that the host read', async (t) => {
  const bytes = Buffer.from('some bytes');
  const hash = createHash('sha256').update(bytes).digest('hex');
  const said = (text: string): WindowsFiles => answering({ stdout: Buffer.from(text) }).files;
  const [first, second] = [bytes.subarray(0, 5).toString('base64'), bytes.subarray(5).toString('base64')];
  const limit = { maxBytes: 100, signal: never };
  t.ok(bytes.equals(await said(`${first}\r\n${second}\r\nsha256 ${hash}\r\n`).get('x', limit)));
  t.equal(
    (await said(`sha256 ${createHash('sha256').digest('hex')}\r\n`).get('x', limit)).length,
    0,
    'an empty file is a file',
  );
  for (const wrong of [`${first}\r\nsha256 ${hash}\r\n`, `${first}\r\n${second}\r\n`, '', 'Welcome!\r\n'])
    t.match(await failureOf(t, said(wrong).get('x', limit), 'file'), /x on win-1: .*SHA-256/);
});

t.test('windows files: what the host says is told with the right class', async (t) => {
  for (const [code, failureClass, message] of [
    [fileCodes.absent, 'not-found', /no such file or folder/],
    [fileCodes.exists, 'file', /exists already/],
    [fileCodes.unreadable, 'file', /cannot be read/],
    [fileCodes.differs, 'file', /SHA-256/],
    [fileCodes.tooLong, 'cut-short', /longer/],
    [fileCodes.full, 'file', /no space is left on the disk there/],
    [fileCodes.failed, 'file', /failed.*84 \(Access is denied\)/],
    [1, 'file', /exit code 1/],
  ] as const) {
    const { files } = answering({ exit: { kind: 'code', code }, stderr: Buffer.from('Access is denied\r\n') });
    t.match(await failureOf(t, files.put({ path: 'C:\\x', bytes: Buffer.of() }, never), failureClass), message);
    await failureOf(t, files.get('C:\\x', { maxBytes: 1, signal: never }), failureClass);
  }
  const { files } = answering({ exit: { kind: 'timeout', survivors: [] } });
  await failureOf(t, files.get('C:\\x', { maxBytes: 1, signal: AbortSignal.abort() }), 'aborted');
});
