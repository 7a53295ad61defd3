import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { child } from '../../../adapters/transports/winrm/shell/element.ts';
import { ns } from '../../../adapters/transports/winrm/shell/namespaces.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { accepted, commandId, fault, received, type Reply } from './winrm-scripted-server.ts';
import { run, scripted, stdinOf, until } from './winrm-scripted-session.ts';

t.test('winrm shell: a command is created, sent, received, let go of, and its shell deleted at the end', async (t) => {
  const { server, session } = await scripted(t);
  const outcome = await run(session, ['python.exe', 'C:\\run\\a b.py', 'x']);
  t.match(outcome, { exit: { kind: 'code', code: 0 }, truncated: false, sent: 'python.exe "C:\\run\\a b.py" x' });
  t.equal(text(outcome.stdout), 'hi\r\n');
  await session[Symbol.asyncDispose]();
  t.same(server.actions(), ['Create', 'Command', 'Send', 'Receive', 'Signal', 'Delete']);
  t.equal(server.connections, 1, 'one connection is enough');
  const command = server.seen[1];
  t.equal(
    child(child(command?.body, ns.shell, 'CommandLine'), ns.shell, 'Command')?.text,
    'python.exe "C:\\run\\a b.py" x',
  );
  t.same(stdinOf(server.seen), { bytes: Buffer.of(), ended: true, largest: 0 }, 'its input ends at once');
  t.match(child(child(server.seen[4]?.body, ns.shell, 'Signal'), ns.shell, 'Code')?.text, /signal\/terminate$/);
});

t.test('winrm shell: output cut anywhere, in streams, characters and packets, comes back whole', async (t) => {
  const { server, session } = await scripted(t);
  const bytes = Buffer.from('héllo – €uro 😀\n');
  for (let cut = 0; cut <= bytes.length; cut += 1)
    server.queue(
      'Receive',
      { ...received([['stdout', bytes.subarray(0, cut)]]), cuts: [1, 200, 201, 400] },
      received(
        [
          ['stderr', 'err'],
          ['stdout', bytes.subarray(cut)],
          ['stdout', ''],
        ],
        3,
      ),
    );
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const outcome = await run(session);
    t.equal(text(outcome.stdout), bytes.toString());
    t.equal(text(outcome.stderr), 'err');
    t.same(outcome.exit, { kind: 'code', code: 3 });
  }
});

t.test('winrm shell: exit codes are unsigned, of Done alone, and unknown where the host gives none', async (t) => {
  const { server, session } = await scripted(t);
  const both = received([], 5);
  if (!('body' in both)) throw new Error('no body');
  const running = `<rsp:CommandState CommandId="${commandId}" State="${ns.shell}/CommandState/Running"><rsp:ExitCode>9</rsp:ExitCode></rsp:CommandState>`;
  server.queue(
    'Receive',
    received([], 2_147_943_401),
    received([], 4_294_901_760),
    received([], -1_073_741_510),
    { body: both.body.replace('<rsp:CommandState', `${running}<rsp:CommandState`) },
    received([], null),
    received([], 'x'),
  );
  const codes = [];
  for (let count = 0; count < 5; count += 1) codes.push((await run(session)).exit);
  t.same(codes, [
    { kind: 'code', code: 2_147_943_401 },
    { kind: 'code', code: 4_294_901_760 },
    { kind: 'code', code: 0xc000013a },
    { kind: 'code', code: 5 },
    { kind: 'signal', signal: 'unknown cause (the host gave no exit code)' },
  ]);
  t.match(await failureOf(t, run(session), 'lost'), /"x" is no exit code.*Outcome unknown/);
});

t.test('winrm shell: a time-out of the long poll is asked again on Receive, and a failure anywhere else', async (t) => {
  const { server, session } = await scripted(t);
  const timedOut = fault(2_150_858_793);
  server.queue('Receive', received([['stdout', 'a']]), timedOut, timedOut, received([['stdout', 'b']], 0));
  const outcome = await run(session);
  t.equal(text(outcome.stdout), 'ab');
  t.notOk(outcome.truncated);
  server.queue('Command', timedOut);
  t.match(await failureOf(t, run(session), 'lost'), /whether the command was started cannot be told.*not sent again/);
  t.equal(server.actions().filter((action) => action === 'Command').length, 2);
  server.queue('Create', timedOut);
  t.match(await failureOf(t, run(session), 'not-started'), /2150858793.*overloaded/);
});

t.test('winrm shell: standard input goes in pieces that the oldest host takes, the last with End', async (t) => {
  const { server, session } = await scripted(t);
  const bytes = Uint8Array.from({ length: 250_001 }, (_, index) => (index * 7) % 256);
  server.queue('Receive', async () => {
    await until(() => stdinOf(server.seen).ended && stdinOf(server.seen).bytes.length === bytes.length);
    return received([['stdout', 'read']], 0);
  });
  t.equal(text((await run(session, ['x.exe'], { stdin: bytes })).stdout), 'read', 'sent while the Receive was waiting');
  const { bytes: got, ended, largest } = stdinOf(server.seen);
  t.ok(got.equals(bytes) && ended);
  t.equal(largest, 90_000);
  server.queue('Send', fault(2_150_858_843));
  t.match(await run(session, ['x.exe'], { stdin: bytes }), { exit: { code: 0 } }, 'input may be left unread');
});

t.test('winrm shell: a time-out sends ctrl_c, hears the rest, terminates, and closes the shell', async (t) => {
  const { server, session } = await scripted(t);
  const released = Promise.withResolvers<undefined>();
  server.queue('Receive', received([['stdout', 'begun ']]), async () => {
    await released.promise;
    return received([['stdout', 'bye']], 0xc000013a);
  });
  server.queue('Signal', () => {
    released.resolve(undefined);
    return accepted('x');
  });
  const outcome = await run(session, ['x.exe'], { timeoutMs: 300 });
  t.same(outcome.exit, { kind: 'timeout', survivors: [] });
  t.equal(text(outcome.stdout), 'begun bye');
  const signals = server.seen.flatMap(
    ({ body }) => child(child(body, ns.shell, 'Signal'), ns.shell, 'Code')?.text ?? [],
  );
  t.same(
    signals.map((uri) => uri.split('/').at(-1)),
    ['ctrl_c', 'terminate'],
  );
  t.same(server.actions().slice(-2), ['Signal', 'Delete']);
  await run(session);
  t.equal(server.actions().filter((action) => action === 'Create').length, 2, 'the next gets a new shell');
});

t.test(
  'winrm shell: a command that does not listen to ctrl_c is ended with its shell, an abort as a time-out',
  async (t) => {
    const { server, session } = await scripted(t);
    const controller = new AbortController();
    const silent = (): Promise<Reply> => new Promise(() => undefined);
    server.queue('Receive', silent, silent);
    const began = performance.now();
    t.same((await run(session, ['x.exe'], { timeoutMs: 100 })).exit, { kind: 'timeout', survivors: [] });
    t.ok(performance.now() - began < 15_000);
    const running = run(session, ['x.exe'], { signal: controller.signal });
    await until(() => server.actions().filter((action) => action === 'Receive').length === 2);
    controller.abort();
    t.same((await running).exit, { kind: 'timeout', survivors: [] });
    t.equal(server.actions().at(-1), 'Delete');
    const before = server.seen.length;
    await failureOf(t, run(session, ['x.exe'], { signal: controller.signal }), 'aborted');
    t.equal(server.seen.length, before, 'what is stopped before is not even sent');
    server.queue('Receive', silent);
    server.queue('Delete', { close: 'silently' });
    server.queue('Signal', { close: 'silently' });
    t.match(
      await failureOf(t, run(session, ['x.exe'], { timeoutMs: 100 }), 'lost'),
      /time was over.*did not answer/,
      'what could not be ended is said',
    );
  },
);

t.test('winrm shell: a shell runs ten commands, and one that starts in a folder is not used again', async (t) => {
  const { server, session } = await scripted(t);
  for (let count = 0; count < 11; count += 1) await run(session);
  t.equal(server.actions().filter((action) => action === 'Create').length, 2);
  await run(session, ['x.exe'], { cwd: 'C:\\Program Files & more' });
  const create = server.seen.filter(({ action }) => action === 'Create').at(-1);
  t.equal(
    child(child(create?.body, ns.shell, 'Shell'), ns.shell, 'WorkingDirectory')?.text,
    'C:\\Program Files & more',
  );
  t.equal(server.actions().at(-1), 'Delete');
  server.queue('Create', fault(2_147_942_667));
  t.match(
    await failureOf(t, run(session, ['x.exe'], { cwd: 'C:\\none' }), 'not-started'),
    /C:\\none.*folder to start in does not exist/,
  );
});

t.test('winrm shell: more output than is kept is read and dropped', async (t) => {
  const { server, session } = await scripted(t);
  const block = received([['stdout', Buffer.alloc(200_000, 'x')]]);
  server.queue('Receive', ...Array.from({ length: 10 }, () => block), received([], 0));
  const outcome = await run(session);
  t.match(outcome, { exit: { code: 0 }, truncated: true });
  t.equal(outcome.stdout.length, 1024 * 1024);
});

t.test('winrm shell: commands at once go over connections of their own, up to parallel, and no more', async (t) => {
  const { server, session } = await scripted(t, { parallel: 3 });
  let open = 0;
  let most = 0;
  const slow = async (): Promise<Reply> => {
    open += 1;
    most = Math.max(most, open);
    await sleep(100);
    open -= 1;
    return received([['stdout', 'hi\r\n']], 0);
  };
  server.queue('Receive', ...Array.from({ length: 9 }, () => slow));
  const outcomes = await Promise.all(Array.from({ length: 9 }, () => run(session)));
  t.ok(outcomes.every(({ exit }) => exit.kind === 'code' && exit.code === 0));
  t.equal(most, 3);
  t.ok(server.connections <= 7);
  t.equal(server.actions().filter((action) => action === 'Create').length, 3);
});

t.test('winrm shell: what XML or cmd.exe cannot carry is refused before anything is sent', async (t) => {
  const { server, session } = await scripted(t);
  const before = server.seen.length;
  for (const argv of [
    ['x.exe', 'a\0b'],
    ['x.exe', 'a\nb'],
    ['x.exe', '\x1b[31m'],
    ['x.exe', '\ud800'],
    ['x.exe', 'x'.repeat(9_000)],
    [''],
    ['a"b'],
    ['dir', 'C:\\'],
  ] as [string, ...string[]][])
    await failureOf(t, run(session, argv), 'not-started');
  await failureOf(t, run(session, ['x.exe'], { channel: 'shell' }), 'not-started');
  t.equal(server.seen.length, before);
  t.match(await run(session, ['x.exe', 'é€😀\t<&>"']), { exit: { code: 0 } });
});

t.test('winrm shell: closing a session ends what runs, closes its shells and lets go of its connections', async (t) => {
  const { server, session } = await scripted(t);
  server.queue('Receive', () => new Promise<Reply>(() => undefined));
  const running = run(session);
  await until(() => server.actions().includes('Receive'));
  await session[Symbol.asyncDispose]();
  t.same((await running).exit, { kind: 'timeout', survivors: [] });
  const count = (name: string): number => server.actions().filter((action) => action === name).length;
  t.equal(count('Create'), count('Delete'), 'every shell was deleted');
  await failureOf(t, run(session), 'aborted');
});
