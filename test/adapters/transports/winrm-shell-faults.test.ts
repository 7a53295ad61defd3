import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { LoginRefused } from '../../../adapters/shared/refusals.ts';
import { child } from '../../../adapters/transports/winrm/shell/element.ts';
import { ns } from '../../../adapters/transports/winrm/shell/namespaces.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { created, fault, plainConnection, received, type Reply, ScriptedServer } from './winrm-scripted-server.ts';
import { open, run, scripted, until } from './winrm-scripted-session.ts';

t.test('winrm shell: a quota of operations: the shell is made anew and the command tried once more', async (t) => {
  for (const code of [2_150_859_174, 2_150_859_240]) {
    const { server, session } = await scripted(t);
    server.queue('Command', fault(code));
    t.match(await run(session), { exit: { code: 0 } });
    t.same(server.actions().slice(0, 5), ['Create', 'Command', 'Delete', 'Create', 'Command']);
    server.queue('Command', fault(code), fault(code));
    t.match(await failureOf(t, run(session), 'not-started'), /Lower the target’s parallel/);
  }
});

t.test('winrm shell: a host without room for another shell: the command waits for one of ours', async (t) => {
  const { server, session } = await scripted(t);
  const released = Promise.withResolvers<undefined>();
  server.queue('Receive', async () => {
    await released.promise;
    return received([], 0);
  });
  server.queue('Create', fault(2_150_859_173), fault(2_150_859_236));
  const first = run(session);
  await until(() => server.actions().includes('Receive'));
  const others = [run(session), run(session)];
  await until(() => server.actions().filter((action) => action === 'Create').length === 3);
  released.resolve(undefined);
  for (const outcome of await Promise.all([first, ...others])) t.match(outcome.exit, { kind: 'code', code: 0 });
  await session[Symbol.asyncDispose]();
  server.queue('Create', fault(2_150_859_173));
  t.match(
    await failureOf(t, open(server), 'not-started'),
    /raise MaxShellsPerUser/,
    'of nobody else’s shells it is told',
  );
});

t.test('winrm shell: a shell that the host forgot while it was idle is replaced', async (t) => {
  const { server, session } = await scripted(t);
  await run(session);
  server.queue('Command', fault(2_150_858_843));
  t.match(await run(session), { exit: { code: 0 } });
  server.queue('Receive', fault(2_150_858_843));
  t.match(await failureOf(t, run(session), 'lost'), /restarted.*how the command went cannot be told/);
});

t.test(
  'winrm shell: a connection lost mid-poll: the same command is asked for again, nothing is sent twice',
  async (t) => {
    const { server, session } = await scripted(t);
    server.queue(
      'Receive',
      received([['stdout', 'a']]),
      { close: 'halfway' },
      { close: 'silently' },
      received([['stdout', 'b']], 7),
    );
    const outcome = await run(session);
    t.same(outcome.exit, { kind: 'code', code: 7 });
    t.equal(text(outcome.stdout), 'ab');
    t.ok(outcome.truncated, 'what was in the lost answer may be missing, and that is said');
    t.equal(server.actions().filter((action) => action === 'Command').length, 1);
    const ids = server.seen
      .filter(({ action }) => action === 'Receive')
      .map(
        ({ shellId, body }) =>
          `${shellId ?? ''} ${child(child(body, ns.shell, 'Receive'), ns.shell, 'DesiredStream')?.attributes.get('CommandId') ?? ''}`,
      );
    t.equal(new Set(ids).size, 1, 'with the same ids');
    t.ok(server.connections > 1);
  },
);

t.test(
  'winrm shell: a login that the host forgot mid-poll is made again, and the same command asked for',
  async (t) => {
    const { server, session } = await scripted(t);
    server.queue('Receive', received([['stdout', 'a']]), { body: '', status: 401 }, received([['stdout', 'b']], 0));
    const outcome = await run(session);
    t.match(outcome, { exit: { kind: 'code', code: 0 } });
    t.equal(text(outcome.stdout), 'ab');
    t.equal(server.connections, 2);
    t.equal(server.actions().filter((action) => action === 'Command').length, 1);
  },
);

t.test('winrm shell: logins are made one after the other, and a refused one is the last', async (t) => {
  const server = await ScriptedServer.start();
  t.teardown(() => server.stop());
  let opening = 0;
  let most = 0;
  let logins = 0;
  let refuseFrom = 4;
  const session = await open(server, {
    parallel: 5,
    open: async () => {
      opening += 1;
      logins += 1;
      most = Math.max(most, opening);
      const refused = logins >= refuseFrom;
      await sleep(30);
      opening -= 1;
      if (refused) throw new LoginRefused('the password has expired');
      return plainConnection(server.url);
    },
  });
  t.teardown(() => session[Symbol.asyncDispose]());
  const slow = async (): Promise<Reply> => {
    await sleep(300);
    return received([['stdout', 'hi']], 0);
  };
  server.queue('Receive', slow, slow, slow);
  const outcomes = await Promise.all([run(session), run(session), run(session)]);
  t.ok(outcomes.every(({ exit }) => exit.kind === 'code' && exit.code === 0));
  t.same([most, logins], [1, 3]);
  refuseFrom = 0;
  server.queue('Receive', slow, slow, slow, slow);
  const results = await Promise.allSettled([run(session), run(session), run(session), run(session)]);
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 3, 'connections that are there go on');
  t.equal(logins, 4);
  server.queue('Receive', slow, slow, slow, slow, slow);
  const again = await Promise.allSettled([run(session), run(session), run(session), run(session), run(session)]);
  t.equal(again.filter(({ status }) => status === 'fulfilled').length, 3);
  t.match(
    again.find(({ status }) => status === 'rejected'),
    { reason: { message: /not tried again in this run/ } },
  );
  t.equal(logins, 4, 'one refusal, and none after it');
});

t.test('winrm shell: the answer to Command lost: outcome unknown, not sent again, its shell closed', async (t) => {
  const { server, session } = await scripted(t);
  for (const close of ['silently', 'halfway'] as const) {
    const before = server.actions().filter((action) => action === 'Command').length;
    server.queue('Command', { close });
    const message = await failureOf(t, run(session), 'lost');
    t.match(message, /Outcome unknown: whether the command was started cannot be told, and it is not sent again/);
    t.match(message, /Its shell was closed/);
    t.equal(server.actions().filter((action) => action === 'Command').length, before + 1);
    t.equal(server.actions().at(-1), 'Delete');
  }
});

t.test(
  'winrm shell: a host that never comes back: outcome unknown, and that the command may still be running',
  async (t) => {
    const { server, session } = await scripted(t);
    server.queue('Receive', async () => {
      await server.stop();
      return { close: 'silently' };
    });
    const message = await failureOf(t, run(session, ['x.exe'], { timeoutMs: 60_000 }), 'lost');
    t.match(message, /Outcome unknown: how the command went cannot be told.*may still be running/);
  },
);

t.test(
  'winrm shell: an answer to another request, a fault of the login, or no SOAP at all is told apart',
  async (t) => {
    const { server, session } = await scripted(t);
    const other = received([], 0);
    if (!('body' in other)) throw new Error('no body');
    server.queue('Receive', {
      body: other.body.replace('a:RelatesTo>uuid:0</a:RelatesTo', 'a:RelatesTo >uuid:0</a:RelatesTo '),
    });
    t.match(await failureOf(t, run(session), 'lost'), /answered another request than Receive/);
    server.queue('Create', fault(5));
    t.match(await failureOf(t, run(session), 'login'), /Remote Management Users/);
    server.queue(
      'Create',
      { body: '<html>Not Found</html>', status: 404 },
      { body: '<html><p>', status: 200 },
      { body: '', status: 503 },
    );
    t.match(await failureOf(t, run(session), 'protocol'), /HTTP status 404, and no SOAP.*<html>.*winrm enumerate/);
    t.match(await failureOf(t, run(session), 'protocol'), /HTTP status 200, and no SOAP/);
    t.match(await failureOf(t, run(session), 'protocol'), /HTTP status 503 with nothing/);
    server.queue('Create', created(''));
    t.match(await failureOf(t, run(session), 'protocol'), /no ShellId/);
    t.match(await run(session), { exit: { code: 0 } }, 'and the session goes on');
  },
);
