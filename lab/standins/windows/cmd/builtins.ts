import type { Builtin, BuiltinCall } from './builtin.ts';
import { fail, say } from './builtin.ts';
import { CmdExit } from './exit.ts';
import { fileBuiltins } from './file-builtins.ts';

const version = 'Microsoft Windows [Version 10.0.20348.2340]';

const echo: Builtin = (call) => {
  const text = call.args;
  if (/^\s*(?:on|off)\s*$/i.test(text)) return Promise.resolve(0);
  return text.trim() === '' ? say(call, 'ECHO is on.') : say(call, text.slice(1));
};

const set: Builtin = async (call) => {
  const { env } = call.shell.process;
  const text = call.args.trim();
  if (/^\/[ap]\b/i.test(text)) return fail(call, 'The stand-in does not know: set /a, set /p');
  const assignment = /^"?([^="]+)=(.*?)"?$/s.exec(text.startsWith('"') ? text : call.args.trimStart());
  if (assignment !== null) {
    env.set(assignment[1] ?? '', assignment[2] ?? '');
    return 0;
  }
  const prefix = text.replaceAll('"', '').toUpperCase();
  const found = env.entries().filter(([name]) => name.toUpperCase().startsWith(prefix));
  if (found.length === 0) return fail(call, `Environment variable ${text} not defined`);
  return say(call, found.map(([name, value]) => `${name}=${value}`).join('\r\n'));
};

const cd: Builtin = async (call) => {
  const { process, machine } = call.shell;
  const text = call.args.replace(/\/d\s/i, ' ').trim().replaceAll('"', '');
  if (text === '') return say(call, process.cwd);
  const folder = machine.tree.resolve(text, process.cwd);
  if (!machine.tree.isFolder(folder)) return fail(call, 'The system cannot find the path specified.');
  process.cwd = machine.tree.target(folder) ?? folder;
  return 0;
};

const exit: Builtin = ({ shell, args }) => {
  const code = /(-?\d+)/.exec(args)?.[1];
  return Promise.reject(new CmdExit(code === undefined ? shell.errorLevel : Number(code) >>> 0));
};

const call: Builtin = (own) => {
  if (own.args.trim().startsWith(':')) return fail(own, 'The stand-in does not know: call :label');
  return own.shell.line(own.args.trim(), own.streams);
};

const start: Builtin = async (own) => {
  const { shell, args } = own;
  const line = args.replace(/^\s*"[^"]*"/, '').replace(/^(?:\s*\/(?:b|min|max|i|wait|low|normal))*\s*/i, '');
  if (line === '') return fail(own, 'The stand-in does not know: start without a command');
  const running = shell.line(line, own.streams);
  return /\/wait/i.test(args) ? running : 0;
};

/** What cmd.exe has and the stand-in has not. */
const unknown = [
  'for',
  'goto',
  'setlocal',
  'endlocal',
  'pushd',
  'popd',
  'assoc',
  'ftype',
  'pause',
  'shift',
  'vol',
  'label',
];

export const builtins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ...fileBuiltins,
  ['echo', echo],
  ['set', set],
  ['cd', cd],
  ['chdir', cd],
  ['exit', exit],
  ['call', call],
  ['start', start],
  ['rem', () => Promise.resolve(0)],
  ['cls', () => Promise.resolve(0)],
  ['title', () => Promise.resolve(0)],
  ['ver', async (own) => (await say(own, ''), say(own, version))],
  ...unknown.map((name) => [name, (own: BuiltinCall) => fail(own, `The stand-in does not know: ${name}`)] as const),
]);
