import { connect } from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import type { Test } from 'tap';
import { requirement } from '../require.ts';
import { password, startTestHost } from './standin-windows-host.ts';
import { askPeer, peerMissing } from './standin-windows-peer.ts';
import type { PeerAnswer, PeerRequest } from './standin-windows-peer.ts';

const missing =
  process.platform !== 'linux'
    ? 'the stand-in runs on Linux'
    : (await execa('openssl', ['version'], { reject: false })).failed
      ? 'openssl is not installed'
      : (await execa('/usr/bin/python3', ['--version'], { reject: false })).failed
        ? '/usr/bin/python3 is not installed'
        : undefined;

function here(t: Test, name: string): boolean {
  return requirement(t, name, missing);
}

const pythonLine = '@"C:\\Program Files\\Python311\\python.exe"';

for (const client of ['pywinrm', 'pypsrp'] as const)
  t.test(`${client}: over http with NTLM and over https it runs commands of the Windows stand-in`, async (t) => {
    if (!here(t, 'the Windows stand-in') || !requirement(t, client, await peerMissing(client))) return;
    await using windows = await startTestHost();
    const [http = 0, https = 0, strict = 0] = windows.ports;
    const ca = path.join(windows.certificates, 'ca.pem');
    const overHttps = { url: `https://127.0.0.1:${https}/wsman`, ca };
    const ways: readonly [string, Pick<PeerRequest, 'url' | 'auth' | 'ca' | 'cert' | 'key'>][] = [
      ['NTLM over https', { ...overHttps, auth: 'ntlm' }],
      ['Basic over https', { ...overHttps, auth: 'basic' }],
      [
        'a client certificate over https',
        {
          ...overHttps,
          auth: 'certificate',
          cert: path.join(windows.certificates, 'dana.cert.pem'),
          key: path.join(windows.certificates, 'dana.key.pem'),
        },
      ],
    ];
    const short = [
      { command: 'whoami' },
      { command: 'cmd.exe', arguments: ['/c', 'echo', 'hi'] },
      { command: 'echo out & echo err 1>&2& exit 3' },
    ];
    const check = (name: string, { results, text = '' }: PeerAnswer): void => {
      t.ok(results, `${name}: ${text}`);
      const [who, hi, both] = results ?? [];
      t.same(who, { stdout: 'lab-windows\\dana\r\n', stderr: '', code: 0 }, `${name}: whoami`);
      t.same(hi, { stdout: 'hi\r\n', stderr: '', code: 0 }, `${name}: command and arguments as recorded`);
      t.same(both, { stdout: 'out \r\n', stderr: 'err \r\n', code: 3 }, `${name}: both streams and an exit code`);
    };
    for (const [name, way] of ways) check(name, await askPeer({ client, password, ...way, steps: short }));
    const long = [
      { command: `${pythonLine} -c "print('x' * 300000)"` },
      {
        command: `${pythonLine} -X utf8 -c "import time; print('h\u00e4', flush=True); time.sleep(3); print('again')"`,
      },
    ];
    const overHttp = { client, password, url: `http://127.0.0.1:${http}/wsman`, auth: 'ntlm' } as const;
    const answer = await askPeer({ ...overHttp, steps: [...short, ...long] });
    check('sealed NTLM over http', answer);
    t.equal(answer.results?.[3]?.stdout, `${'x'.repeat(300_000)}\r\n`, 'more output than an envelope holds');
    t.same(
      answer.results?.[4],
      { stdout: 'hä\r\nagain\r\n', stderr: '', code: 0 },
      'silence longer than OperationTimeout',
    );
    const strictUrl = `https://127.0.0.1:${strict}/wsman`;
    const bound = await askPeer({
      client,
      password,
      ca,
      url: strictUrl,
      auth: 'ntlm',
      steps: short,
    });
    check('NTLM over https with channel binding demanded', bound);
    if (client === 'pypsrp') {
      const unbound = await askPeer({
        client,
        password,
        ca,
        url: strictUrl,
        auth: 'ntlm',
        unbound: true,
        steps: short,
      });
      t.equal(unbound.results, undefined, 'without a channel binding nobody comes in where one is demanded');
      const relaxed = await askPeer({ client, password, ...overHttps, auth: 'ntlm', unbound: true, steps: short });
      check('NTLM over https without a channel binding where none is demanded', relaxed);
    }
    t.equal(windows.host.service.open, 0, 'no shell is left open');
  });

t.test('pypsrp: it sends input, interrupts, and sets folder and variables of its shell', async (t) => {
  if (!here(t, 'the Windows stand-in') || !requirement(t, 'pypsrp', await peerMissing('pypsrp'))) return;
  await using windows = await startTestHost();
  const { results, text } = await askPeer({
    client: 'pypsrp',
    url: `http://127.0.0.1:${windows.ports[0] ?? 0}/wsman`,
    auth: 'ntlm',
    password,
    environment: { COLOUR: 'blue' },
    folder: 'C:\\Users\\Public',
    steps: [
      { command: `${pythonLine} -`, stdin: ['import os\n', 'print(os.getcwd(), ', 'os.environ["colour"])\n'] },
      { command: `${pythonLine} -c "print(1, flush=True); import time; time.sleep(600)"`, interrupt: true },
      { command: 'whoami' },
    ],
  });
  const [input, interrupted, after] = results ?? [];
  t.same(input, { stdout: 'C:\\Users\\Public blue\r\n', stderr: '', code: 0 }, text ?? '');
  t.equal(interrupted?.stdout, '1\r\n', 'what was printed before Ctrl+C is kept');
  t.equal(interrupted?.code, 0xc000013a, 'Ctrl+C ends it with STATUS_CONTROL_C_EXIT');
  t.equal(after?.code, 0, 'the shell goes on');
});

t.test('the Windows stand-in: who may not come in gets a bare 401 and nothing else', async (t) => {
  if (!here(t, 'the Windows stand-in')) return;
  await using windows = await startTestHost();
  const [http = 0, https = 0, , open = 0] = windows.ports;
  const ca = path.join(windows.certificates, 'ca.pem');
  const url = `http://127.0.0.1:${http}/wsman`;
  const steps = [{ command: 'whoami' }];
  const refused = async (request: PeerRequest, name: string): Promise<void> => {
    const { error = '', text = '', results } = await askPeer(request);
    t.equal(results, undefined, name);
    t.match(
      `${error} ${text}`,
      /credentials were rejected|AuthenticationError|401|denied/i,
      `${name}: ${error} ${text}`,
    );
  };
  for (const client of ['pywinrm', 'pypsrp'] as const) {
    if (!requirement(t, client, await peerMissing(client))) continue;
    await refused({ client, url, auth: 'ntlm', password: 'wrong', steps }, `${client}: wrong password`);
    await refused({ client, url, auth: 'ntlm', user: 'nobody', password, steps }, `${client}: unknown account`);
    await refused(
      { client, url: `https://127.0.0.1:${https}/wsman`, ca, auth: 'basic', password: 'x', steps },
      `${client}: Basic`,
    );
  }
  const failed = windows.events('security').filter(({ System }) => System.EventID === 4625);
  t.ok(failed.length >= 3, 'each refusal is in the Security log');
  if ((await peerMissing('pywinrm')) === undefined) {
    await refused(
      { client: 'pywinrm', url, auth: 'ntlm', password, encryption: 'never', steps },
      'an unencrypted body over http',
    );
    const plain = await askPeer({
      client: 'pywinrm',
      url: `http://127.0.0.1:${open}/wsman`,
      auth: 'basic',
      password,
      encryption: 'never',
      steps,
    });
    t.equal(plain.results?.[0]?.stdout, 'lab-windows\\dana\r\n', 'AllowUnencrypted lets Basic in over http');
  }
  if ((await peerMissing('pypsrp')) === undefined) {
    const guest = await askPeer({ client: 'pypsrp', url, auth: 'ntlm', user: 'guest', password, steps });
    t.match(guest.text, /Code: 5\b/, 'an account that may not manage remotely is told so by fault 5');
  }
  const bare = await raw(http, 'POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  t.match(bare, /^HTTP\/1\.1 401 \r\n/, 'the reason phrase is empty, as recorded');
  t.match(bare, /\r\nWWW-Authenticate: Negotiate\r\n/);
  t.match(bare, /\r\nConnection: close\r\n/);
  const identify = await raw(
    http,
    'POST /wsman HTTP/1.1\r\nHost: x\r\nWSMANIDENTIFY: unauthenticated\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  );
  t.match(identify, /wsmid:ProductVersion>OS: 0\.0\.0 SP: 0\.0 Stack: 3\.0</, 'Identify needs no login');
});

/** Sends bytes and gives back all that comes until the connection ends. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let all = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (all += chunk));
    socket.on('end', () => {
      socket.destroy();
      resolve(all);
    });
    socket.on('error', reject);
  });
}
