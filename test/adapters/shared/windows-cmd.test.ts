import fc from 'fast-check';
import t from 'tap';
import { cmdLine, inFolder, longestCmdLine } from '../../../adapters/shared/cmd-quote.ts';
import { argvOf, programOf, slashC } from './windows-shell-parser.ts';

/** Names that are in every environment, and such as an argument may happen to name. */
const variables = { PATH: 'C:\\Windows', OS: 'Windows_NT', A: '1', '1': 'one', X: '"&calc' };

/** What a program gets of a line, whether the line is given to `cmd /c` as it is, or in quotation marks once more. */
function received(line: string): readonly (readonly string[])[] {
  return [slashC(line), slashC(`"${line}"`)].map((text) => {
    const { name, commandLine } = programOf(text, variables);
    const argv = argvOf(commandLine);
    if (argv[0] !== name) throw new Error(`cmd.exe starts ${name}, which thinks that it is ${argv[0] ?? ''}`);
    return argv;
  });
}

const odd = fc.stringMatching(/^[ \t"\\^&|<>()%!,;=*?:~'`@A1xX$/-]{0,12}$/);
const variable = fc.constantFrom(
  '%PATH%',
  '%PATH:~0,1%',
  '%A%',
  '%X%',
  '^%A^%',
  '%%A%%',
  '%',
  '%%',
  '"%X%"',
  '%OS',
  '!A!',
);
const argument = fc.oneof(
  odd,
  fc.array(fc.oneof(variable, odd), { maxLength: 5 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[\0\r\n]/.test(text) && text.isWellFormed()),
);
const name = fc.constantFrom(
  'python.exe',
  'C:\\Program Files\\Python312\\python.exe',
  'C:\\Program Files (x86)\\A & B\\py^thon!.exe',
  'C:/Python/python.exe',
  '..\\x.exe',
  '.\\é\\a=b,c.exe',
);

t.test('cmd line: every program gets exactly the arguments that were given, under both readings of cmd /c', (t) => {
  fc.assert(
    fc.property(name, fc.array(argument, { maxLength: 6 }), (program, args) => {
      for (const argv of received(cmdLine([program, ...args]))) t.strictSame(argv, [program, ...args]);
    }),
    { numRuns: 3_000 },
  );
  t.end();
});

t.test('cmd line: what needs no quoting is left alone, and carets come only where they must', (t) => {
  for (const [argv, line] of [
    [['python.exe', 'C:\\run\\run.py', 'marker1', '--a=b', '-c'], 'python.exe C:\\run\\run.py marker1 --a=b -c'],
    [['python.exe', 'C:\\my run\\', 'a&b', 'a;b', ''], 'python.exe "C:\\my run\\\\" "a&b" "a;b" ""'],
    [['C:\\Program Files\\py.exe', 'x'], '@"C:\\Program Files\\py.exe" x'],
    [['py.exe', '-c', 'print("a")'], 'py.exe -c ^"print^(\\^"a\\^"^)^"'],
    [['py.exe', '100%'], 'py.exe ^"100^%^"'],
    [['py.exe', '%PATH%'], 'py.exe ^"^%^PATH^%^"'],
    [['cmd.exe', '/c', 'ver'], 'cmd.exe /c ver'],
  ] as [[string, ...string[]], string][])
    t.equal(cmdLine(argv), line);
  t.end();
});

t.test('cmd line: what a line cannot hold is refused with the reason, and nothing is ever cut', (t) => {
  for (const [argv, message] of [
    [['x.exe', 'a\nb'], /line break/],
    [['x.exe', 'a\rb'], /line break/],
    [['x.exe', 'a\0b'], /NUL/],
    [['x.exe', '\udc00'], /surrogate/],
    [[''], /name of a command/],
    [['-x'], /name of a command/],
    [['a"b.exe'], /name of a command/],
    [['C:\\%PATH%\\x.exe'], /name of a command/],
    [['ECHO', 'x'], /command of cmd\.exe.*cmd\.exe \/c ECHO/],
    [['x.exe', 'y'.repeat(longestCmdLine)], /8106 characters.*8100/],
  ] as [[string, ...string[]], RegExp][])
    t.throws(() => cmdLine(argv), { message }, String(message));
  t.equal(cmdLine(['x.exe', 'y'.repeat(longestCmdLine - 6)]).length, longestCmdLine);
  t.equal(inFolder('C:\\a b & c', 'x.exe'), 'cd /d "C:\\a b & c" && x.exe');
  for (const folder of ['', 'a"b', '%A%', 'a\nb'])
    t.throws(() => inFolder(folder, 'x.exe'), { message: /cannot be the folder/ });
  t.end();
});

t.test('cmd line: the parser it is held against knows when a line is not safe', (t) => {
  for (const line of ['x.exe a&b', 'x.exe "a" > b', 'x.exe a^', 'x.exe "a', 'x.exe (a)'])
    t.throws(() => programOf(line, variables));
  t.same(argvOf(programOf('x.exe %A% %NONE% ^%A^%', variables).commandLine), ['x.exe', '1', '%NONE%', '%A%']);
  t.same(argvOf('x.exe "a b" a\\\\b "c\\\\" \\"d "e""f"'), ['x.exe', 'a b', 'a\\\\b', 'c\\', '"d', 'e"f']);
  t.equal(slashC('"a b" c "d"'), 'a b" c "d');
  t.end();
});
