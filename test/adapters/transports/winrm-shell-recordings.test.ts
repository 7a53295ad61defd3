import { existsSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { decodeClixml } from '../../../adapters/shared/clixml.ts';
import { Refusals } from '../../../adapters/shared/refusals.ts';
import { readCommandId, readReceived, readShellId } from '../../../adapters/transports/winrm/shell/answers.ts';
import { child, type Element, parseXml } from '../../../adapters/transports/winrm/shell/element.ts';
import {
  commandRequest,
  createRequest,
  deleteRequest,
  envelope,
  receiveRequest,
  type Request,
  sendRequest,
  signalRequest,
} from '../../../adapters/transports/winrm/shell/envelope.ts';
import { readFault } from '../../../adapters/transports/winrm/shell/fault.ts';
import { adviceFor } from '../../../adapters/transports/winrm/shell/fault-codes.ts';
import { ns } from '../../../adapters/transports/winrm/shell/namespaces.ts';
import { WinrmSession } from '../../../adapters/transports/winrm/shell/session.ts';
import { duration } from '../../../runner/domain/time.ts';
import type { CommandOutcome } from '../../../runner/ports.ts';
import { realDeps } from '../../contract/authorized-target.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { plainConnection, type Reply, ScriptedServer } from './winrm-scripted-server.ts';

const oracles = new URL('../../../../shared/oracles/winrm/', import.meta.url);
const missing = existsSync(oracles) ? false : `${oracles.pathname} is not here`;

function recorded(name: string): Buffer {
  return readFileSync(new URL(`recordings/${name}`, oracles));
}

function body(name: string): Element {
  const found = child(parseXml(recorded(`${name}.response.xml`)), ns.soap, 'Body');
  if (found === undefined) throw new Error(`${name} has no Body`);
  return found;
}

function replay(name: string): Reply {
  return { body: recorded(`${name}.response.xml`).toString('utf8') };
}

t.test('winrm recordings: ids are read as old and new hosts write them', { skip: missing }, (t) => {
  t.equal(readShellId(body('create_shell')), '4283CBDC-3706-415B-88BD-B385F3E51A53');
  t.equal(readShellId(body('create_shell_v1_ws2003')), 'uuid:739990FF-1492-4CDD-80BB-6E07ADB06D85');
  t.equal(readCommandId(body('command')), 'CF84C20A-0A35-43FA-AF78-0B4711DA5F30');
  t.throws(() => readCommandId(body('create_shell')), { message: /no CommandId/ });
  t.end();
});

t.test('winrm recordings: streams and exit codes are read from every answer to Receive', { skip: missing }, (t) => {
  for (const [name, command, stdout, stderr, exitCode] of [
    ['receive_done_rc0', 'CF84C20A-0A35-43FA-AF78-0B4711DA5F30', 'hi\r\n', '', 0],
    ['receive_stdout_stderr_rc1', 'D37A8327-79AD-452F-BE0D-4B99A96B4A0B', 'out \r\n', 'err \r\n', 1],
    ['receive_five_streams', 'B0973E54-434E-4D99-B4BE-ADE584CE3BFB', 'output 1\noutput 2\n', '', 0],
    ['receive_codepage_65001', '1B922CC0-CE49-4A7E-AC46-B01C472B49A9', 'こんにちは\n', '', 0],
    ['receive_running_partial', 'D644AE56-61E5-4C1A-A135-E599B76B3035', 'hi\n', '', undefined],
    ['receive_done_no_streams_rc123', undefined, '', '', 123],
  ] as const) {
    const id =
      command ?? /CommandState CommandId="([^"]+)"/.exec(recorded(`${name}.response.xml`).toString())?.[1] ?? '';
    const { output, done } = readReceived(body(name), id.toLowerCase());
    const of = (stream: string): string =>
      Buffer.concat(output.filter((one) => one.stream === stream).map(({ bytes }) => bytes)).toString('utf8');
    t.same([of('stdout'), of('stderr'), done?.exitCode], [stdout, stderr, exitCode], name);
  }
  t.same(readReceived(body('receive_done_rc0'), 'another'), { output: [] }, 'of other commands nothing is taken');
  t.end();
});

t.test('winrm recordings: CLIXML of a real PowerShell is decoded', { skip: missing }, (t) => {
  const { output } = readReceived(body('receive_powershell_clixml_stderr'), '11111111-1111-1111-1111-111111111124');
  t.equal(
    decodeClixml(Buffer.concat(output.map(({ bytes }) => bytes)).toString('utf8')),
    [
      'Write-Error "Error" : Error',
      '    + CategoryInfo          : NotSpecified: (:) [Write-Error], WriteErrorExcep ',
      '   tion',
      '    + FullyQualifiedErrorId : Microsoft.PowerShell.Commands.WriteErrorExceptio ',
      '   n',
      ' ',
      '',
    ].join('\r\n'),
  );
  t.end();
});

t.test('winrm recordings: the three shapes of a fault are read', { skip: missing }, (t) => {
  const fault = (name: string): unknown => readFault(parseXml(recorded(`${name}.response.xml`)));
  t.match(fault('fault_operation_timeout'), { code: 2_150_858_793, text: /within the time specified/ });
  t.match(fault('fault_shell_not_found'), {
    code: 2_150_858_843,
    text: /^The WS-Man.*invalid selectors for the resource\.$/,
  });
  t.match(fault('fault_quota_max_shells'), { code: 2_150_859_173, text: /maximum number of 30 concurrent shells/ });
  t.match(fault('fault_must_understand'), {
    code: undefined,
    text: 's:MustUnderstand: header wsman:ResourceUri: Test reason.',
  });
  t.equal(fault('create_shell'), undefined);
  t.end();
});

t.test(
  'winrm recordings: every fault code that is known has a message that says what to do',
  { skip: missing },
  (t) => {
    const { codes } = JSON.parse(readFileSync(new URL('error-codes.json', oracles), 'utf8')) as {
      readonly codes: Readonly<Record<string, unknown>>;
    };
    t.ok(Object.keys(codes).length > 40);
    for (const code of Object.keys(codes)) t.match(adviceFor(Number(code)), /^[A-Z].{20,}/, code);
    t.equal(adviceFor(1), undefined);
    t.end();
  },
);

/** One row for each element, sorted: what is left when prefixes, order and case are not looked at. */
function rowsOf({ ns: namespace, name, attributes, text: own, children }: Element, path = ''): readonly string[] {
  const here = `${path}/{${namespace.split('/').at(-1) ?? ''}}${name}`;
  const kept = [...attributes].filter(([key, value]) => value !== 'false' || key !== 'mustUnderstand').sort();
  const row = `${here} ${kept.map(([key, value]) => `${key}=${value}`).join(' ')} ${own}`.toUpperCase();
  return [row, ...children.flatMap((one) => rowsOf(one, here))].sort();
}

/** Ours says more where the other client leaves it to the host, has no session id, and puts arguments into the command. */
const different = [/SESSIONID /, /WINRS_NOPROFILE/, /WINRS_CONSOLEMODE/, /IDLETIMEOUT/, /}ARGUMENTS/, /}COMMAND /];

t.test('winrm recordings: requests are those that a real host took, element by element', { skip: missing }, (t) => {
  const stdin = Buffer.from('Write-Host "output 1";');
  for (const [name, request] of [
    ['create_shell_codepage', () => createRequest()],
    ['command', (shell) => commandRequest(shell, 'cmd.exe /c echo hi')],
    ['receive_done_rc0', receiveRequest],
    ['send', (shell, command) => sendRequest(shell, command, stdin, false)],
    ['signal', (shell, command) => signalRequest(shell, command, 'ctrl_c')],
    ['delete', (shell) => deleteRequest(shell)],
  ] as [string, (shell: string, command: string) => Request][]) {
    const theirs = parseXml(recorded(`${name}.request.xml`));
    const header = child(theirs, ns.soap, 'Header');
    const shell = child(child(header, ns.wsman, 'SelectorSet'), ns.wsman, 'Selector')?.text ?? '';
    const command = /CommandId="([^"]+)"/.exec(recorded(`${name}.request.xml`).toString())?.[1] ?? '';
    const ours = parseXml(
      Buffer.from(
        envelope(request(shell, command), {
          to: child(header, ns.addressing, 'To')?.text ?? '',
          messageId: child(header, ns.addressing, 'MessageID')?.text ?? '',
          operationTimeoutMs: 20_000,
        }),
      ),
    );
    const rows = (element: Element): readonly string[] =>
      rowsOf(element)
        .map((row) => row.replace(/ END=FALSE/, ''))
        .filter((row) => !different.some((one) => one.test(row)));
    t.same(rows(ours), rows(theirs), name);
    t.ok(rows(ours).length > 10);
  }
  t.end();
});

/** Runs one command against a server that answers with what was recorded. */
async function conversation(
  t: Test,
  replies: Readonly<Record<string, readonly Reply[]>>,
): Promise<{ readonly outcome: CommandOutcome; readonly actions: readonly string[] }> {
  const server = await ScriptedServer.start();
  t.teardown(() => server.stop());
  for (const [action, queue] of Object.entries(replies)) server.queue(action, ...queue);
  const host = {
    target: 'win-1',
    url: server.url,
    operationTimeoutMs: 10_000,
    parallel: 1,
    clock: realDeps.clock,
    credential: 'none',
    refusals: new Refusals(),
    remarks: [],
    open: () => Promise.resolve(plainConnection(server.url)),
  };
  const signal = new AbortController().signal;
  await using session = await WinrmSession.open(host, signal);
  const outcome = await session.run({ argv: ['x.exe'], channel: 'winrm' }, { timeout: duration(20_000), signal });
  return { outcome, actions: server.actions() };
}

t.test('winrm recordings: the recorded conversations are held, in the order seen', { skip: missing }, async (t) => {
  const { conversations } = JSON.parse(recorded('index.json').toString()) as {
    readonly conversations: readonly { readonly name: string; readonly order: readonly string[] }[];
  };
  t.same(
    conversations.map(({ name }) => name),
    ['one command', 'slow command'],
  );
  const one = await conversation(t, {
    Create: [replay('create_shell')],
    Command: [replay('command')],
    Receive: [replay('receive_done_rc0')],
    Signal: [replay('signal')],
    Delete: [replay('delete')],
  });
  t.match(one.outcome, { exit: { kind: 'code', code: 0 }, truncated: false });
  t.equal(text(one.outcome.stdout), 'hi\r\n');
  const command = recorded('command.response.xml').toString();
  const order = conversations[1]?.order ?? [];
  const slow = await conversation(t, {
    Command: [{ body: command.replace(/CommandId>[^<]+/, 'CommandId>D644AE56-61E5-4C1A-A135-E599B76B3035') }],
    Receive: order.map(replay),
  });
  t.match(slow.outcome, { exit: { kind: 'code', code: 0 }, truncated: false });
  t.match(text(slow.outcome.stdout), /^hi\n[^]/);
  t.equal(slow.actions.filter((action) => action === 'Receive').length, order.length);
});

t.test(
  'winrm recordings: too many shells, as a host of 2012 says it, is told with what to do',
  { skip: missing },
  async (t) => {
    const message = await failureOf(t, conversation(t, { Create: [replay('fault_quota_max_shells')] }), 'not-started');
    t.match(
      message,
      /win-1 answered Create with fault 2150859173 \(0x803381A5\): .*30 concurrent shells.*raise MaxShellsPerUser/,
    );
  },
);

t.test('winrm: what is no XML, or more than SOAP allows, is not read', (t) => {
  const read = (text: string | Uint8Array): Element => parseXml(Buffer.from(text));
  t.equal(read(Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('<a>é</a>', 'utf16le')])).text, 'é');
  t.equal(read('<a><![CDATA[<]]>&amp;</a>').text, '<&');
  for (const [wrong, message] of [
    ['', /no XML/],
    ['<a>', /no XML/],
    ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', /DOCTYPE/],
    ['<a>&nbsp;</a>', /no XML/],
    ['<a:b/>', /no XML/],
    ['<a>'.repeat(60) + '</a>'.repeat(60), /nested/],
  ] as const)
    t.throws(() => read(wrong), { message }, wrong.slice(0, 40));
  t.throws(() => read(Buffer.of(0x3c, 0x61, 0xff)), { message: /no XML/ });
  t.end();
});
