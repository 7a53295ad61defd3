import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import t from 'tap';
import { openConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import { LoginRefused } from '../../../adapters/transports/winrm/http/login-refused.ts';
import type { ConnectionOptions } from '../../../adapters/transports/winrm/http/options.ts';
import { Certificate, connectionTo, patient } from './winrm-peers/peer.ts';

type Seen = { readonly authorization: string | undefined; readonly body: string; readonly client: string | undefined };

/** An https server that answers by what it is shown, as Windows does for Basic and for mapped certificates. */
class HttpsHost implements AsyncDisposable {
  readonly port: number;
  readonly seen: Seen[];
  /** TLS connections made, whether or not a request came over them. */
  readonly connections: () => number;
  readonly #server: Server;

  private constructor(server: Server, seen: Seen[], connections: () => number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.seen = seen;
    this.connections = connections;
  }

  static async start(
    tls: Certificate,
    accepts: (seen: Seen) => boolean,
    options: { readonly clientCa?: Certificate; readonly maxVersion?: 'TLSv1.2' } = {},
  ): Promise<HttpsHost> {
    const seen: Seen[] = [];
    let connections = 0;
    const { clientCa, maxVersion } = options;
    const server = createServer(
      {
        cert: tls.pem,
        key: tls.keyPem,
        ...(clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ca: clientCa.pem }),
        ...(maxVersion === undefined ? {} : { maxVersion }),
      },
      (request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          const { socket } = request;
          const found: Seen = {
            authorization: request.headers.authorization,
            body: Buffer.concat(chunks).toString(),
            client:
              socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate()?.subject : undefined,
          };
          seen.push(found);
          if (accepts(found))
            response.writeHead(200, { 'Content-Type': 'application/soap+xml;charset=UTF-8' }).end(found.body);
          else response.writeHead(401, { 'WWW-Authenticate': 'Negotiate' }).end();
        });
      },
    );
    server.on('secureConnection', () => (connections += 1));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpsHost(server, seen, () => connections);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const password = 'pass:wörd';
const basic: ConnectionOptions['login'] = {
  kind: 'basic',
  user: 'dana',
  password: () => Promise.resolve(Buffer.from(password)),
};
const basicHeader = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;

function to(host: HttpsHost, changes: Partial<ConnectionOptions>): ConnectionOptions {
  return connectionTo(host.port, { https: true, login: basic, ...changes });
}

async function echoes(options: ConnectionOptions): Promise<boolean> {
  const connection = await openConnection(options, patient().signal);
  const answers = [await connection.post('<a/>', patient()), await connection.post('<b/>', patient())];
  await connection.close();
  return answers.map(({ body }) => Buffer.from(body).toString()).join() === '<a/>,<b/>';
}

t.test('TLS: a certificate is taken from its authority, by its fingerprint, or where nothing is asked', async (t) => {
  await using tls = await Certificate.make();
  await using host = await HttpsHost.start(tls, ({ authorization }) => authorization === basicHeader);
  const fingerprint = tls.fingerprint256;
  const ways = [
    ['authority', { ca: tls.pem }],
    ['fingerprint', { fingerprint256: fingerprint }],
    ['fingerprint', { fingerprint256: fingerprint.replaceAll(':', '').toLowerCase() }],
    ['nothing', { insecure: true }],
  ] as const;
  for (const [trusted, options] of ways) {
    const connection = await openConnection(to(host, { tls: options }), patient().signal);
    t.match(connection.security, {
      scheme: 'basic',
      sealed: false,
      tls: { trusted, fingerprint256: fingerprint, version: 'TLSv1.3', channelBinding: false },
    });
    await connection.close();
  }
});

t.test(
  'TLS: the wrong certificate is refused before anything is sent, with what was expected and presented',
  async (t) => {
    await using tls = await Certificate.make();
    await using other = await Certificate.make();
    await using host = await HttpsHost.start(tls, () => true);
    const presented = tls.fingerprint256;
    const ways = [
      [{}, new RegExp(`presented was one with SHA-256 fingerprint ${presented}: it is self-signed`)],
      [{ ca: other.pem }, /it is self-signed/],
      [
        { fingerprint256: other.fingerprint256 },
        new RegExp(
          `expected the certificate with SHA-256 fingerprint ${other.fingerprint256}, presented was ${presented}`,
        ),
      ],
      // A pin is asked even where nothing else is.
      [{ fingerprint256: other.fingerprint256, insecure: true }, /expected the certificate/],
    ] as const;
    for (const [options, message] of ways)
      await t.rejects(openConnection(to(host, { tls: options }), patient().signal), { class: 'host-key', message });
    t.equal(host.seen.length, 0);
  },
);

t.test('TLS: a trusted certificate for another name, or out of date, is refused', async (t) => {
  await using named = await Certificate.make({ names: 'DNS:elsewhere.example' });
  await using host = await HttpsHost.start(named, () => true);
  await t.rejects(openConnection(to(host, { tls: { ca: named.pem } }), patient().signal), {
    class: 'host-key',
    message: /it is for another name/,
  });
  await using expired = await Certificate.make({ days: -1 });
  await using late = await HttpsHost.start(expired, () => true);
  await t.rejects(openConnection(to(late, { tls: { ca: expired.pem } }), patient().signal), {
    class: 'host-key',
    message: /it has expired/,
  });
});

t.test('TLS: a name in the URL is asked of the certificate and told to the host', async (t) => {
  await using tls = await Certificate.make();
  await using host = await HttpsHost.start(tls, () => true);
  const options = to(host, { tls: { ca: tls.pem } });
  t.ok(await echoes({ ...options, endpoint: { ...options.endpoint, host: 'localhost' } }));
});

t.test('TLS: a port that speaks plain HTTP is unreachable, with a hint', async (t) => {
  await using tls = await Certificate.make();
  await using host = await HttpsHost.start(tls, () => true);
  const options = connectionTo(host.port, { login: basic, https: true });
  const { createServer: plain } = await import('node:http');
  const server = plain().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await t.rejects(openConnection({ ...options, endpoint: { ...options.endpoint, port } }, patient().signal), {
    class: 'unreachable',
    message: /Is that an https listener/,
  });
  server.close();
});

t.test(
  'Basic: every request carries it, inside TLS; a refusal comes with its causes and ends the connection',
  async (t) => {
    await using tls = await Certificate.make();
    await using host = await HttpsHost.start(tls, ({ authorization }) => authorization === basicHeader);
    t.ok(await echoes(to(host, { tls: { ca: tls.pem } })));
    t.same(
      host.seen.map(({ authorization }) => authorization),
      [basicHeader, basicHeader],
    );
    const wrong: ConnectionOptions['login'] = {
      kind: 'basic',
      user: 'dana',
      password: () => Promise.resolve(Buffer.from('wrong')),
    };
    const connection = await openConnection(to(host, { tls: { ca: tls.pem }, login: wrong }), patient().signal);
    for (const envelope of ['<a/>', '<b/>']) {
      const failure: unknown = await connection.post(envelope, patient()).catch((error: unknown) => error);
      t.ok(failure instanceof LoginRefused);
      t.match(failure, {
        class: 'login',
        message: /as dana with Basic .*the body was not sealed.*Basic is off on the host/,
      });
    }
    t.equal(host.seen.length, 3, 'it was tried once');
    await connection.close();
  },
);

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
  t.test(`client certificate: shown over ${maxVersion} with the header of MS-WSMV`, async (t) => {
    await using tls = await Certificate.make();
    await using client = await Certificate.make({ subject: '/CN=dana' });
    const header = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';
    await using host = await HttpsHost.start(
      tls,
      (seen) => seen.authorization === header && seen.client === 'CN=dana',
      { clientCa: client },
    );
    const shown = {
      ca: tls.pem,
      maxVersion,
      clientCertificate: client.pem,
      clientKey: () => Promise.resolve(client.keyPem),
    };
    t.ok(await echoes(to(host, { login: { kind: 'certificate' }, tls: shown })));
    await using stranger = await Certificate.make({ subject: '/CN=dana' });
    const other = { ...shown, clientCertificate: stranger.pem, clientKey: () => Promise.resolve(stranger.keyPem) };
    const connection = await openConnection(to(host, { login: { kind: 'certificate' }, tls: other }), patient().signal);
    await t.rejects(connection.post('<a/>', patient()), {
      class: 'login',
      message: /with a client certificate .*no account is mapped to the certificate/,
    });
    await connection.close();
  });

t.test('client certificate: one that does not fit its key is said before the host is asked', async (t) => {
  await using tls = await Certificate.make();
  await using client = await Certificate.make();
  await using host = await HttpsHost.start(tls, () => true);
  const mixed = { ca: tls.pem, clientCertificate: client.pem, clientKey: () => Promise.resolve(tls.keyPem) };
  await t.rejects(openConnection(to(host, { login: { kind: 'certificate' }, tls: mixed }), patient().signal), {
    class: 'login',
    message: /certificate and the key/,
  });
  t.equal(host.connections(), 0);
});

t.test('TLS: what is allowed at most is what is spoken', async (t) => {
  await using tls = await Certificate.make();
  await using host = await HttpsHost.start(tls, () => true);
  const connection = await openConnection(to(host, { tls: { ca: tls.pem, maxVersion: 'TLSv1.2' } }), patient().signal);
  t.equal(connection.security.tls?.version, 'TLSv1.2');
  await connection.close();
});

t.test('Kerberos: without the optional package the failure says what to install', async (t) => {
  await using tls = await Certificate.make();
  await using host = await HttpsHost.start(tls, () => true);
  const options = to(host, { tls: { ca: tls.pem }, login: { kind: 'kerberos', service: 'HTTP' } });
  await t.rejects(openConnection(options, patient().signal), { class: 'login', message: /npm install kerberos/ });
  t.equal(host.seen.length, 0);
});
