import { once } from 'node:events';
import t from 'tap';
import { openConnection, type WinrmConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import { encodeEncrypted, encryptedContentType } from '../../../adapters/transports/winrm/http/encrypted-body.ts';
import { LoginRefused } from '../../../adapters/transports/winrm/http/login-refused.ts';
import type { ConnectionOptions } from '../../../adapters/transports/winrm/http/options.ts';
import { TransportFailure } from '../../../runner/ports.ts';
import { account, connectionTo, patient } from './winrm-peers/peer.ts';
import { type Conversation, response, ScriptedServer, token } from './winrm-peers/scripted-server.ts';

const soap = 'application/soap+xml;charset=UTF-8';

async function open(
  server: ScriptedServer,
  changes: Partial<ConnectionOptions> = {},
): Promise<WinrmConnection & AsyncDisposable> {
  const connection = await openConnection(connectionTo(server.port, changes), patient().signal);
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

function failureOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'it went well',
    (error: unknown) => error,
  );
}

async function post(connection: WinrmConnection, envelope: string): Promise<string> {
  return Buffer.from((await connection.post(envelope, patient())).body).toString();
}

/** Every connection began with a login of two requests without a body, and nothing but sealed bodies came after. */
function onlySealed(server: ScriptedServer): boolean {
  return server.conversations.every(({ requests }) =>
    requests.every(({ headers, body }, index) =>
      index < 2
        ? headers.authorization?.startsWith('Negotiate ') === true && body.length === 0
        : headers.authorization === undefined && headers['content-type'] === encryptedContentType,
    ),
  );
}

t.test('connection: the legs of a login and a sealed body go over the wire as Windows takes them', async (t) => {
  await using server = await ScriptedServer.start((conversation) => conversation.echo());
  await using connection = await open(server);
  t.equal(await post(connection, '<one/>'), '<one/>');
  t.equal(await post(connection, '<two/>'), '<two/>');
  const requests = server.conversations[0]?.requests ?? [];
  t.equal(server.conversations.length, 1);
  t.same(
    requests.map(({ headers }) => headers['content-length']),
    ['0', '0', String(requests[2]?.body.length), String(requests[3]?.body.length)],
  );
  t.equal(token(requests[0]?.headers.authorization).toString('latin1', 0, 9), 'NTLMSSP\0\u0001');
  t.ok(onlySealed(server));
  const body = requests[2]?.body ?? Buffer.alloc(0);
  const head =
    '--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n' +
    '\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=6\r\n' +
    '--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n';
  t.equal(body.toString('latin1', 0, head.length), head);
  t.equal(body.toString('hex', head.length, head.length + 8), '1000000001000000', 'signature length and version');
  t.equal(body.toString('hex', head.length + 16, head.length + 20), '00000000', 'the first sequence number');
  t.equal(body.toString('latin1', head.length + 20 + 6), '--Encrypted Boundary--\r\n');
  t.notOk(body.includes('<one/>'));
});

t.test('connection: a fault with status 500 is unsealed and handed on', async (t) => {
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.logIn();
    conversation.unseal(await conversation.request());
    conversation.respondSealed('<fault/>', 500);
  });
  await using connection = await open(server);
  const answer = await connection.post('<a/>', patient());
  t.equal(answer.status, 500);
  t.equal(Buffer.from(answer.body).toString(), '<fault/>');
});

/** What a host sends in place of a sealed answer → what the failure must say. All of them end the connection for good. */
const wrong: Record<string, { answer: (conversation: Conversation) => void; class: string; says: RegExp }> = {
  'plain SOAP': {
    answer: (conversation) => {
      conversation.respond(200, { 'Content-Type': soap }, '<s:Envelope/>');
    },
    class: 'protocol',
    says: /answered 200 in plain text after a login that seals every message/,
  },
  'a plain fault': {
    answer: (conversation) => {
      conversation.respond(500, { 'Content-Type': soap }, '<s:Envelope/>');
    },
    class: 'protocol',
    says: /answered 500 in plain text/,
  },
  'an empty 200': {
    answer: (conversation) => {
      conversation.respond(200);
    },
    class: 'protocol',
    says: /in plain text/,
  },
  'a flipped bit': {
    answer: (conversation) => {
      const { signature, ciphertext } = conversation.seal('<a/>');
      ciphertext[1] = (ciphertext[1] ?? 0) ^ 4;
      conversation.respond(200, { 'Content-Type': encryptedContentType }, encodeEncrypted({ signature, ciphertext }));
    },
    class: 'protocol',
    says: /changed, repeated or lost on its way \(the signature is wrong\)/,
  },
  'a skipped sequence number': {
    answer: (conversation) => {
      conversation.seal('<never sent/>');
      conversation.respondSealed('<a/>');
    },
    class: 'protocol',
    says: /sequence number 1 where 0 was due/,
  },
  'a length that is too large': {
    answer: (conversation) => {
      const body = Buffer.from(encodeEncrypted(conversation.seal('<a/>')));
      conversation.respond(
        200,
        { 'Content-Type': encryptedContentType },
        body.toString('latin1').replace('Length=4', 'Length=400'),
      );
    },
    class: 'protocol',
    says: /shorter than it says/,
  },
  'a 401': {
    answer: (conversation) => {
      conversation.respond(401, { 'WWW-Authenticate': 'Negotiate', Connection: 'close' });
    },
    class: 'login',
    says: /HTTP 401 on a connection that was logged in; the body was sealed.*Possible causes/,
  },
  'what is not HTTP': {
    answer: (conversation) => {
      conversation.socket.write('220 mail.example ESMTP\r\n');
    },
    class: 'protocol',
    says: /sent what is not HTTP/,
  },
};

for (const [name, { answer, class: failureClass, says }] of Object.entries(wrong))
  t.test(`connection: ${name} in place of a sealed answer ends it for good`, async (t) => {
    await using server = await ScriptedServer.start(async (conversation) => {
      await conversation.logIn();
      conversation.unseal(await conversation.request());
      answer(conversation);
    });
    await using connection = await open(server);
    await t.rejects(connection.post('<a/>', patient()), { class: failureClass, message: says });
    await t.rejects(connection.post('<b/>', patient()), { class: failureClass, message: says }, 'and again');
    t.equal(server.conversations.length, 1, 'nobody logged in again');
    t.equal(server.conversations[0]?.requests.length, 3, 'and nothing was sent again');
  });

t.test('connection: an answer sent twice is taken once; the next request is not answered by it', async (t) => {
  let sent: Uint8Array = Buffer.alloc(0);
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.logIn();
    conversation.unseal(await conversation.request());
    sent = response(200, { 'Content-Type': encryptedContentType }, encodeEncrypted(conversation.seal('<a/>')));
    conversation.socket.write(sent);
    conversation.unseal(await conversation.request());
    conversation.socket.write(sent);
  });
  await using connection = await open(server);
  t.equal(await post(connection, '<a/>'), '<a/>');
  await t.rejects(connection.post('<b/>', patient()), {
    class: 'protocol',
    message: /sequence number 0 where 1 was due/,
  });
});

t.test('connection: closed by the host between two requests, it logs in again before it sends', async (t) => {
  const closed = Promise.withResolvers<undefined>();
  await using server = await ScriptedServer.start(
    async (conversation) => {
      await conversation.logIn();
      conversation.respondSealed(conversation.unseal(await conversation.request()));
      conversation.socket.end();
      await once(conversation.socket, 'close');
      closed.resolve(undefined);
    },
    (conversation) => conversation.echo(),
  );
  await using connection = await open(server);
  t.equal(await post(connection, '<a/>'), '<a/>');
  await closed.promise;
  t.equal(await post(connection, '<b/>'), '<b/>');
  t.equal(await post(connection, '<c/>'), '<c/>');
  t.equal(server.conversations.length, 2);
  t.ok(onlySealed(server));
});

t.test('connection: an answer with Connection: close is taken, and the next request logs in again', async (t) => {
  await using server = await ScriptedServer.start(
    async (conversation) => {
      await conversation.logIn();
      const text = conversation.unseal(await conversation.request());
      conversation.respond(
        200,
        { 'Content-Type': encryptedContentType, Connection: 'close' },
        encodeEncrypted(conversation.seal(text)),
      );
    },
    (conversation) => conversation.echo(),
  );
  await using connection = await open(server);
  t.equal(await post(connection, '<a/>'), '<a/>');
  t.equal(await post(connection, '<b/>'), '<b/>');
  t.ok(onlySealed(server));
});

t.test('connection: a socket closed during a poll is lost, and what was sent is not sent again', async (t) => {
  await using server = await ScriptedServer.start(
    async (conversation) => {
      await conversation.logIn();
      await conversation.request();
      conversation.socket.resetAndDestroy();
    },
    (conversation) => conversation.echo(),
  );
  await using connection = await open(server);
  await t.rejects(connection.post('<receive/>', patient()), {
    class: 'lost',
    message: /broke after a request was sent, which the host may have got/,
  });
  t.equal(server.conversations.length, 1);
  t.equal(await post(connection, '<again/>'), '<again/>', 'the caller may decide to go on');
  t.equal(server.conversations.length, 2);
  t.ok(onlySealed(server));
});

t.test('connection: an answer that breaks off in the middle is lost', async (t) => {
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.logIn();
    const text = conversation.unseal(await conversation.request());
    const bytes = response(200, { 'Content-Type': encryptedContentType }, encodeEncrypted(conversation.seal(text)));
    conversation.socket.end(bytes.subarray(0, -5));
  });
  await using connection = await open(server);
  await t.rejects(connection.post('<a/>', patient()), { class: 'lost', message: /the host may have got/ });
});

t.test(
  'connection: no answer within the limit is lost, a signal is aborted; the next request logs in again',
  async (t) => {
    const asked = Promise.withResolvers<undefined>();
    await using server = await ScriptedServer.start(
      async (conversation) => {
        await conversation.logIn();
        await conversation.request();
      },
      async (conversation) => {
        await conversation.logIn();
        await conversation.request();
        asked.resolve(undefined);
      },
      (conversation) => conversation.echo(),
    );
    await using connection = await open(server);
    await t.rejects(connection.post('<a/>', { ...patient(), timeoutMs: 200 }), {
      class: 'lost',
      message: /did not answer within 200 ms; it may have got the request/,
    });
    const controller = new AbortController();
    const waiting = t.rejects(connection.post('<b/>', { timeoutMs: 60_000, signal: controller.signal }), {
      class: 'aborted',
      message: /stopped/,
    });
    await asked.promise;
    controller.abort();
    await waiting;
    await t.rejects(connection.post('<c/>', { timeoutMs: 60_000, signal: controller.signal }), {
      class: 'aborted',
      message: /stopped/,
    });
    t.equal(await post(connection, '<d/>'), '<d/>');
    t.equal(server.conversations.length, 3);
    t.ok(onlySealed(server));
  },
);

t.test('connection: closed by its owner during a request, that request is lost and no other is made', async (t) => {
  const asked = Promise.withResolvers<undefined>();
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.logIn();
    await conversation.request();
    asked.resolve(undefined);
  });
  await using connection = await open(server);
  const waiting = t.rejects(connection.post('<a/>', patient()), { class: 'lost', message: /the host may have got/ });
  await asked.promise;
  await t.rejects(connection.post('<second/>', patient()), {
    message: 'a WinRM connection carries one request at a time',
  });
  await connection.close();
  await waiting;
  await t.rejects(connection.post('<b/>', patient()), { class: 'lost', message: /was closed/ });
  t.equal(server.conversations.length, 1);
});

t.test('connection: the second login is refused: nothing is sent, and there is no third', async (t) => {
  await using server = await ScriptedServer.start(
    async (conversation) => {
      await conversation.logIn();
      conversation.respondSealed(conversation.unseal(await conversation.request()));
      conversation.socket.end();
    },
    async (conversation) => {
      await conversation.challenge();
      await conversation.request();
      conversation.respond(401, { 'WWW-Authenticate': 'Negotiate', Connection: 'close' });
    },
  );
  await using connection = await open(server);
  await post(connection, '<a/>');
  for (const envelope of ['<b/>', '<c/>'])
    t.ok((await failureOf(connection.post(envelope, patient()))) instanceof LoginRefused);
  t.equal(server.conversations.length, 2);
  t.ok(onlySealed(server));
});

t.test('connection: an answer split at every position is the same answer', async (t) => {
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.logIn();
    for (let cut = 1; ; cut += 1) {
      const text = conversation.unseal(await conversation.request());
      const bytes = response(200, { 'Content-Type': encryptedContentType }, encodeEncrypted(conversation.seal(text)));
      conversation.socket.write(bytes.subarray(0, cut));
      await new Promise(setImmediate);
      conversation.socket.write(bytes.subarray(cut));
    }
  });
  await using connection = await open(server);
  const length = response(
    200,
    { 'Content-Type': encryptedContentType },
    encodeEncrypted({ signature: new Uint8Array(16), ciphertext: new Uint8Array(4) }),
  ).length;
  const answers = new Set<string>();
  for (let cut = 1; cut < length; cut += 1) answers.add(await post(connection, '<a/>'));
  t.same([...answers], ['<a/>']);
});

/** What a host may answer to a login → what the failure must say. */
const logins: Record<
  string,
  { script: (conversation: Conversation) => Promise<void>; class: string; says: RegExp; refused?: boolean }
> = {
  'a host that offers only Basic': {
    script: async (conversation) => {
      await conversation.request();
      conversation.respond(401, { 'WWW-Authenticate': 'Basic realm="WSMAN, or so", Kerberos' });
    },
    class: 'login',
    says: /does not take a login by Negotiate with NTLM; it offers Basic, Kerberos/,
  },
  'a web server': {
    script: async (conversation) => {
      await conversation.request();
      conversation.respond(404, { 'Content-Type': 'text/html' }, '<html>');
    },
    class: 'protocol',
    says: /answered 404 where a login was due\. Is that a listener of WinRM/,
  },
  'a host without message encryption': {
    script: (conversation) =>
      conversation.challenge((message) => {
        message.writeUInt32LE((message.readUInt32LE(20) & ~0x20) >>> 0, 20);
        return message;
      }),
    class: 'protocol',
    says: /does not offer message encryption/,
  },
  'a challenge that is none': {
    script: (conversation) => conversation.challenge(() => Buffer.from('hello')),
    class: 'protocol',
    says: /is not an NTLM message/,
  },
  'a host that refuses': {
    script: async (conversation) => {
      await conversation.challenge();
      await conversation.request();
      conversation.respond(401, { 'WWW-Authenticate': 'Negotiate', Connection: 'close' });
    },
    class: 'login',
    says: /refused the login as LAB\\dana with NTLM \(HTTP 401; no body was sent yet\).*tried once/,
    refused: true,
  },
  'a host with one message too many': {
    script: async (conversation) => {
      await conversation.challenge();
      await conversation.request();
      conversation.respond(200, { 'WWW-Authenticate': 'Negotiate TlRMTVNTUAAA' });
    },
    class: 'protocol',
    says: /one more login message/,
  },
  'a host that hangs up during the login': {
    script: async (conversation) => {
      await conversation.challenge();
      await conversation.request();
      conversation.socket.end();
    },
    class: 'unreachable',
    says: /cannot be reached/,
  },
  'a mail server': {
    script: async (conversation) => {
      conversation.socket.write('220 mail.example ESMTP\r\n');
      await conversation.request();
    },
    class: 'protocol',
    says: /does not speak HTTP/,
  },
};

for (const [name, { script, class: failureClass, says, refused = false }] of Object.entries(logins))
  t.test(`login: ${name} is told apart`, async (t) => {
    await using server = await ScriptedServer.start(script);
    const failure = await failureOf(open(server));
    t.match(failure, { class: failureClass, message: says });
    t.equal(failure instanceof LoginRefused, refused);
    t.notMatch(failure instanceof TransportFailure ? `${failure.message}${failure.stack ?? ''}` : '', account.password);
    t.equal(server.conversations.length, 1);
    t.ok(server.conversations[0]?.requests.every(({ body }) => body.length === 0));
  });

t.test('login: a host that wraps its challenge in SPNEGO is understood', async (t) => {
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.challenge((message) => {
      const der = (tag: number, content: Uint8Array): Buffer =>
        Buffer.concat([Uint8Array.of(tag, 0x82, content.length >> 8, content.length & 0xff), content]);
      const state = Uint8Array.of(0xa0, 3, 0x0a, 1, 1);
      return der(0xa1, der(0x30, Buffer.concat([state, der(0xa2, der(0x04, message))])));
    });
    const { headers } = await conversation.request();
    if (token(headers.authorization).toString('latin1', 0, 9) === 'NTLMSSP\0\u0003') conversation.respond(200);
    else conversation.respond(400);
  });
  await using connection = await open(server);
  t.equal(connection.security.sealed, true);
});

t.test('login: a host that hangs is given up on in time, and a signal ends the waiting', async (t) => {
  const asked = Promise.withResolvers<undefined>();
  await using server = await ScriptedServer.start(async (conversation) => {
    await conversation.request();
    asked.resolve(undefined);
  });
  await t.rejects(open(server, { connectTimeoutMs: 200 }), {
    class: 'unreachable',
    message: /did not come to the end of a login within 200 ms/,
  });
  const controller = new AbortController();
  const opening = t.rejects(openConnection(connectionTo(server.port), controller.signal), {
    class: 'aborted',
    message: /stopped/,
  });
  await asked.promise;
  controller.abort();
  await opening;
  await t.rejects(openConnection(connectionTo(server.port), controller.signal), {
    class: 'aborted',
    message: /stopped/,
  });
});

t.test('login: over plain http only a scheme that seals is used; nobody is even connected to', async (t) => {
  await using server = await ScriptedServer.start((conversation) => conversation.echo());
  const password = (): Promise<Uint8Array> => {
    t.fail('the password was read');
    return Promise.resolve(new Uint8Array(0));
  };
  const schemes: ConnectionOptions['login'][] = [
    { kind: 'basic', user: 'dana', password },
    { kind: 'certificate' },
    { kind: 'kerberos', service: 'HTTP' },
  ];
  for (const login of schemes)
    await t.rejects(open(server, { login }), { class: 'login', message: /over plain http is refused/ });
  t.equal(server.conversations.length, 0);
});

t.test('login: a port that nobody listens on is unreachable', async (t) => {
  const server = await ScriptedServer.start();
  await server[Symbol.asyncDispose]();
  await t.rejects(open(server), { class: 'unreachable', message: /connection refused\. Is WinRM enabled there/ });
});
