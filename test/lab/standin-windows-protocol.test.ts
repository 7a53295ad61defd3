import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { parseXml } from '../../lab/standins/windows/winrm/xml.ts';
import type { XmlElement } from '../../lab/standins/windows/winrm/xml.ts';
import { requirement } from '../require.ts';
import { password, startTestHost } from './standin-windows-host.ts';

const recordings = path.resolve(import.meta.dirname, '../../../shared/oracles/winrm/recordings');
const missing = !existsSync(recordings)
  ? 'the recordings of real hosts are not here'
  : process.platform === 'linux' && existsSync('/usr/bin/python3') && existsSync('/usr/bin/openssl')
    ? undefined
    : 'it takes Linux, /usr/bin/python3 and openssl';

const recorded = (name: string): string => readFileSync(path.join(recordings, name), 'utf8');

/** Sends an envelope with Basic over the listener that allows it, and gives back status and answer. */
async function post(
  port: number,
  body: string,
  user = 'dana',
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/wsman`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/soap+xml;charset=UTF-8',
      Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    },
    body,
  });
  return { status: response.status, text: await response.text() };
}

const volatileText = new Set([
  'MessageID',
  'RelatesTo',
  'Address',
  'Selector',
  'ShellId',
  'CommandId',
  'Owner',
  'ClientIP',
  'Stream',
]);
const volatileAttributes = new Set(['CommandId', 'Machine']);
/** An id of one request that later hosts add to some of their answers. */
const optional = new Set(['ActivityId']);

/** An answer as what it is made of: elements, attributes and the texts that are the same on every host and every time. */
function shape(element: XmlElement): unknown {
  const attributes = [...element.attributes]
    .filter(([name]) => !/^(?:xmlns|s|a|b|e|f|n|w|x|p|rsp|cim|xsi|wsman)$/.test(name))
    .map(([name, value]) => [name, volatileAttributes.has(name) ? '*' : value])
    .sort();
  const text = element.children.length > 0 || volatileText.has(element.local) ? '' : element.text.trim();
  const children = element.children.filter(({ local }) => !optional.has(local)).map(shape);
  return { name: `${element.uri} ${element.local}`, attributes, text, children };
}

function idIn(text: string, local: 'ShellId' | 'CommandId'): string {
  const found = (element: XmlElement): string | undefined =>
    element.local === local ? element.text : element.children.map(found).find((one) => one !== undefined);
  return found(parseXml(text)) ?? '';
}

t.test('the Windows stand-in: its answers are made like those recorded from real hosts', async (t) => {
  if (!requirement(t, 'the recordings', missing)) return;
  await using windows = await startTestHost({ quotas: { maxShellsPerUser: 30 } });
  const port = windows.ports[3] ?? 0;
  const like = (answer: { status: number; text: string }, name: string, status = 200): void => {
    t.equal(answer.status, status, name);
    t.same(shape(parseXml(answer.text)), shape(parseXml(recorded(name))), name);
  };
  const created = await post(port, recorded('create_shell.request.xml'));
  like(created, 'create_shell.response.xml');
  const shell = idIn(created.text, 'ShellId');
  like(await post(port, recorded('create_shell_codepage.request.xml')), 'create_shell_codepage.response.xml');
  const inShell = (name: string, command = '', changes: readonly (readonly [string | RegExp, string])[] = []): string =>
    changes.reduce(
      (text, [from, to]) => text.replace(from, to),
      recorded(name)
        .replace(/(<wsman:Selector Name="ShellId">)[^<]*/, `$1${shell}`)
        .replace(/CommandId="[^"]*"/, `CommandId="${command}"`),
    );
  const run = async (line: string): Promise<string> => {
    const body = inShell('command.request.xml', '', [
      [/<rsp:Arguments>.*<\/rsp:Arguments>/, ''],
      ['cmd.exe', line.replaceAll('&', '&amp;').replaceAll('>', '&gt;')],
    ]);
    return idIn((await post(port, body)).text, 'CommandId');
  };
  const started = await post(port, inShell('command.request.xml'));
  like(started, 'command.response.xml');
  const command = idIn(started.text, 'CommandId');
  like(await post(port, inShell('receive_done_rc0.request.xml', command)), 'receive_done_rc0.response.xml');
  like(await post(port, inShell('signal.request.xml', command)), 'signal.response.xml');
  const both = await run('echo out & echo err 1>&2& exit 1');
  like(await post(port, inShell('receive_done_rc0.request.xml', both)), 'receive_stdout_stderr_rc1.response.xml');
  const waiting = await run('python.exe -c "print(input()); input()"');
  const oneSecond = [['PT10S', 'PT1S']] as const;
  const receive = inShell('fault_operation_timeout.request.xml', waiting, oneSecond);
  like(await post(port, receive), 'fault_operation_timeout.response.xml', 500);
  const given = Buffer.from('given\n').toString('base64');
  like(
    await post(port, inShell('send.request.xml', waiting, [[/(<rsp:Stream[^>]*>)[^<]*/, `$1${given}`]])),
    'send.response.xml',
  );
  const partial = await post(port, inShell('receive_done_rc0.request.xml', waiting));
  t.equal(partial.status, 200);
  t.match(partial.text, /CommandState\/Running"><\/rsp:CommandState>/, 'a command that still runs has no exit code');
  like(await post(port, inShell('delete.request.xml')), 'delete.response.xml');
  like(await post(port, inShell('receive_done_rc0.request.xml', waiting)), 'fault_shell_not_found.response.xml', 500);
  const running = [...windows.host.machine.processes.values()].filter(({ image }) => image.endsWith('python.exe'));
  for (let tries = 0; running.some(({ isOver }) => !isOver) && tries < 500; tries += 1)
    await new Promise((go) => setTimeout(go, 20));
  t.ok(
    running.every(({ isOver }) => isOver),
    'a shell that is closed ends its processes',
  );
});

t.test('the Windows stand-in: quotas, idle shells and bad requests end in the faults of the service', async (t) => {
  if (!requirement(t, 'the recordings', missing)) return;
  await using windows = await startTestHost({ quotas: { maxShellsPerUser: 2, maxConcurrentOperationsPerUser: 3 } });
  const port = windows.ports[3] ?? 0;
  const create = recorded('create_shell.request.xml');
  const code = (text: string): string | undefined => /WSManFault [^>]*Code="(\d+)"/.exec(text)?.[1];
  const shell = idIn((await post(port, create)).text, 'ShellId');
  await post(port, create);
  const tooMany = await post(port, create);
  t.equal(tooMany.status, 500);
  const withLimit = (text: string): unknown => shape(parseXml(text.replaceAll('of 2 concurrent', 'of 30 concurrent')));
  t.same(withLimit(tooMany.text), withLimit(recorded('fault_quota_max_shells.response.xml')), 'too many shells');
  t.equal((await post(port, create, 'adm-lena')).status, 200, 'the quota is each user’s own');
  const inShell = (name: string): string =>
    recorded(name).replace(/(<wsman:Selector Name="ShellId">)[^<]*/, `$1${shell}`);
  const long = inShell('command.request.xml').replace('cmd.exe', 'x'.repeat(40_000));
  t.equal(code((await post(port, long)).text), '2147942606', 'a command line that is too long');
  for (let started = 0; started < 3; started += 1)
    t.equal((await post(port, inShell('command.request.xml'))).status, 200);
  t.equal(code((await post(port, inShell('command.request.xml'))).text), '2150859174', 'too many operations');
  t.equal(
    code((await post(port, inShell('command.request.xml'), 'adm-lena')).text),
    '2150858843',
    'another user’s shell',
  );
  const cases: readonly [string, string, string][] = [
    ['not XML', '<s:Envelope', '2150858819'],
    ['a document type', `<!DOCTYPE x>${create}`, '2150858819'],
    ['no envelope', '<x/>', '2150858817'],
    ['another resource', create.replace('windows/shell/cmd', 'windows/shell/nosuch'), '2150858811'],
    ['another action', create.replace('transfer/Create', 'transfer/Put'), '2150858752'],
    ['a bad time-out', create.replace('PT20S', 'soon'), '2150858881'],
    [
      'a stream that is none',
      inShell('receive_done_rc0.request.xml').replace('stdout stderr', 'stdout nosuch'),
      '2150859149',
    ],
    ['no command id', inShell('receive_done_rc0.request.xml').replace(/ CommandId="[^"]*"/, ''), '87'],
    ['an account that may not', create, '5'],
  ];
  for (const [name, body, expected] of cases) {
    const answer = await post(port, body, name === 'an account that may not' ? 'guest' : 'dana');
    t.equal(answer.status, 500, name);
    t.equal(code(answer.text), expected, `${name}: ${answer.text.slice(0, 300)}`);
  }
  const big = await post(port, create.replace('stdin', `stdin${' '.repeat(600 * 1024)}`));
  t.equal(code(big.text), '2150858825', 'a larger envelope than the service takes');
  const header = '<x:Strange xmlns:x="urn:x" s:mustUnderstand="true"/><wsa:To>';
  const strange = await post(port, create.replace('<wsa:To>', header));
  t.match(strange.text, /s:MustUnderstand<.*|NotUnderstood qname="q:Strange"/);
  const idle = create.replace('<rsp:InputStreams>', '<rsp:IdleTimeOut>PT0.2S</rsp:IdleTimeOut><rsp:InputStreams>');
  await post(port, idle, 'adm-lena');
  const before = windows.host.service.open;
  for (let tries = 0; windows.host.service.open === before && tries < 500; tries += 1)
    await new Promise((go) => setTimeout(go, 20));
  t.equal(windows.host.service.open, before - 1, 'a shell that nobody uses closes itself');
});
