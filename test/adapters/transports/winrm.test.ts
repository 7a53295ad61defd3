import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { stdinBootstrap } from '../../../adapters/shared/powershell.ts';
import plugin from '../../../adapters/transports/winrm/index.ts';
import { winrmAccount, winrmSettings } from '../../../adapters/transports/winrm/settings.ts';
import { WindowsHost } from '../../../lab/standins/windows/host.ts';
import { parseSettings } from '../../../lab/standins/windows/settings.ts';
import { duration } from '../../../runner/domain/time.ts';
import type { NonEmpty } from '../../../runner/domain/non-empty.ts';
import type { Session } from '../../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { failureOf, text } from '../../contract/transport-contract.ts';
import { windowsTransportContract } from '../../contract/windows-transport-contract.ts';

const never = new AbortController().signal;
const folder = await mkdtemp(join(tmpdir(), 'winrm-'));
// Python on the stand-in runs as another user.
await chmod(folder, 0o755);
const run = promisify(execFile);
const file = (name: string): string => join(folder, name);

await writeFile(file('password'), 'C0rrect horse é\r\n', { mode: 0o600 });
await writeFile(file('wrong'), 'tr0ub4dor\n');
await run('openssl', [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-sha256'],
  ...['-subj', '/CN=lab-win', '-addext', 'subjectAltName=IP:127.0.0.1'],
  ...['-keyout', file('key.pem'), '-out', file('cert.pem')],
]);

const host = await WindowsHost.start(
  parseSettings({
    name: 'LAB-WIN',
    folder: file('host'),
    eventLogs: file('events'),
    ...(process.getuid?.() === 0 ? { uid: 65_534 } : {}),
    accounts: [
      { name: 'dana', passwordFile: file('password') },
      { name: 'nobody', passwordFile: file('password'), remoteManagement: false },
    ],
    listeners: [
      { address: '127.0.0.1', port: 0, auth: {} },
      {
        address: '127.0.0.1',
        port: 0,
        auth: { basic: true, cbtHardeningLevel: 'strict' },
        tls: { keyFile: file('key.pem'), certFile: file('cert.pem') },
      },
    ],
  }),
);
t.teardown(async () => {
  await host[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const [http = 0, https = 0] = host.ports;
const transport = plugin.open(realDeps);
const python = 'C:\\Program Files\\Python311\\python.exe';

function target(
  settings: object,
  account = 'dana',
  accountSettings: object = { password: `file:${file('password')}` },
) {
  return authorizedTarget({ address: '127.0.0.1', kind: 'winrm', settings, account, accountSettings });
}

function open(...login: Parameters<typeof target>): Promise<Session> {
  return plugin.open(realDeps).connect(target(...login), never);
}

const running = (word: string): Promise<number> =>
  Promise.resolve([...host.machine.processes.values()].filter(({ commandLine }) => commandLine.includes(word)).length);

const local = (path: string): string => {
  const real = host.machine.tree.real(path);
  if (real === undefined) throw new Error(`${path} is on no drive of the host`);
  return real;
};

for (const name of ['plain', 'tls']) host.machine.tree.makeFolder(`C:\\Users\\dana\\${name}`);
for (const [name, settings] of [
  ['winrm, sealed over http', { tls: false, port: http }],
  ['winrm, https', { tls: true, port: https, ca: file('cert.pem') }],
] as const)
  await windowsTransportContract(t, name, () =>
    Promise.resolve({
      transport,
      target: target(settings),
      channel: 'winrm',
      python,
      folder: `C:\\Users\\dana\\${settings.tls ? 'tls' : 'plain'}`,
      local,
      running,
    }),
  );

t.test('winrm: basic inside TLS, a pinned certificate, and one that is taken unseen log in', async (t) => {
  const fingerprint = new X509Certificate(await readFile(file('cert.pem'))).fingerprint256;
  for (const settings of [
    { port: https, auth: 'basic', ca: file('cert.pem') },
    { port: https, fingerprint },
    { port: https, fingerprint: fingerprint.replaceAll(':', '').toLowerCase() },
    { port: https, insecureCertificate: true },
  ]) {
    await using session = await open(settings);
    const outcome = await session.run(
      { argv: ['whoami.exe'], channel: 'winrm' },
      { timeout: duration(20_000), signal: never },
    );
    t.match(text(outcome.stdout), /dana/, JSON.stringify(settings));
    t.equal(session.remarks?.length, 'insecureCertificate' in settings ? 1 : 0, 'what was not checked is said');
  }
  await failureOf(t, open({ port: https }), 'host-key');
  await failureOf(
    t,
    open({ port: https, fingerprint: fingerprint.replace(/^../, fingerprint.startsWith('00') ? '01' : '00') }),
    'host-key',
  );
  t.match(await failureOf(t, open({ port: https, ca: file('none.pem') }), 'host-key'), /none\.pem cannot be read/);
  await failureOf(t, open({ port: https, ca: file('cert.pem'), channelBinding: false }), 'login');
});

t.test('winrm: a name that stands for an address of the never-touch list is not connected to', async (t) => {
  for (const settings of [{ port: https }, { port: http, tls: false }]) {
    const named = authorizedTarget({
      address: 'localhost',
      kind: 'winrm',
      settings,
      account: 'dana',
      accountSettings: { password: `file:${file('password')}` },
      neverTouch: ['127.0.0.0/8'],
    });
    t.match(
      await failureOf(t, plugin.open(realDeps).connect(named, never), 'not-started'),
      /at 127\.0\.0\.1, which localhost stands for and which is on the never-touch list/,
    );
  }
});

t.test('winrm: a refused password is tried once in a run, an account without rights is told apart', async (t) => {
  const wrong = [{ tls: false, port: http }, 'dana', { password: `file:${file('wrong')}` }] as const;
  const one = plugin.open(realDeps);
  const attempts = await Promise.all([1, 2, 3].map(() => failureOf(t, one.connect(target(...wrong), never), 'login')));
  t.equal(attempts.filter((message) => message.includes('not tried again in this run')).length, 2);
  t.notMatch(attempts.join(), 'tr0ub4dor');
  const spoken = plugin.open({ ...realDeps, secrets: { read: () => Promise.resolve(Buffer.from('tr0ub4dor&3')) } });
  const byCommand = target({ tls: false, port: http }, 'dana', { password: 'exec:vault read -token=hunter2 esxi' });
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const message = await failureOf(t, spoken.connect(byCommand, never), 'login');
    if (attempt > 0) t.match(message, /password exec:… \(sha256 [\da-f]{8}\) as dana was refused before/);
    t.notMatch(message, /vault|hunter2/);
  }
  await using session = await one.connect(target({ tls: false, port: http }), never);
  t.ok(session, 'the good one of the same account is not affected');
  t.match(await failureOf(t, open({ tls: false, port: http }, 'nobody'), 'login'), /Remote Management Users/);
  t.match(await failureOf(t, open({ tls: false, port: http }, 'dana', {}), 'login'), /needs a password/);
  t.match(
    await failureOf(t, open({ tls: false, port: http }, 'dana', { password: 'env:NO_SUCH_VARIABLE' }), 'login'),
    /NO_SUCH_VARIABLE/,
  );
  await failureOf(t, open({ tls: false, port: 1 }), 'unreachable');
  await failureOf(t, open({ port: http, insecureCertificate: true, connectTimeout: '2s' }), 'unreachable');
});

t.test(
  'winrm: a PowerShell text too long for a command line goes by standard input, and that can be seen',
  async (t) => {
    await using session = await open({ tls: false, port: http });
    const powershell = (script: string): NonEmpty<string> => [
      ...([
        'powershell.exe',
        '-NoProfile',
        '-NonInteractive',
        '-ExecutionPolicy',
        'Bypass',
        '-EncodedCommand',
      ] as const),
      Buffer.from(script, 'utf16le').toString('base64'),
    ];
    const limit = { timeout: duration(20_000), signal: never };
    const short = await session.run({ argv: powershell('exit 9'), channel: 'winrm' }, limit);
    t.match(short, { exit: { code: 9 }, sent: powershell('exit 9').join(' ') });
    const long = await session.run({ argv: powershell(`${' '.repeat(4_000)}exit 9`), channel: 'winrm' }, limit);
    t.match(long, { exit: { code: 9 }, sent: powershell(stdinBootstrap).join(' ') });
  },
);

t.test('winrm: no shell stays on the host when sessions are closed', (t) => {
  t.equal(host.service.open, 0);
  t.end();
});

t.test('winrm: settings: what would send a password in the clear, or contradicts itself, is refused', (t) => {
  const faults = (schema: typeof winrmSettings | typeof winrmAccount, value: unknown): readonly string[] =>
    schema.safeParse(value).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  t.match(winrmSettings.parse({}), { tls: true, auth: 'negotiate', channelBinding: true, operationTimeout: '20s' });
  for (const good of [
    { tls: false },
    { auth: 'basic' },
    { auth: 'certificate', tlsMaxVersion: 'TLSv1.2' },
    { fingerprint: 'ab'.repeat(32) },
    { insecureCertificate: true },
  ])
    t.same(faults(winrmSettings, good), []);
  for (const [bad, message] of [
    [{ tls: false, auth: 'basic' }, /^auth: basic without tls would send the password in the clear/],
    [{ tls: false, auth: 'kerberos' }, /^auth: kerberos needs tls/],
    [{ tls: false, ca: 'x' }, /^ca: means nothing without tls/],
    [{ ca: 'x', fingerprint: 'ab'.repeat(32) }, /^fingerprint: give only one of ca, fingerprint/],
    [{ insecureCertificate: false }, /^insecureCertificate/],
    [{ fingerprint: 'abc' }, /^fingerprint: expected a SHA-256/],
    [{ operationTimeout: '61s' }, /^operationTimeout: expected at most 60s/],
    [{ port: 0 }, /^port/],
    [{ knownHosts: 'x' }, /Unrecognized key/],
  ] as const)
    t.match(faults(winrmSettings, bad).join('\n'), message, JSON.stringify(bad));
  t.same(faults(winrmAccount, { password: 'env:X' }), []);
  t.same(faults(winrmAccount, {}), []);
  t.same(faults(winrmAccount, { certificate: 'c.pem', key: 'file:k.pem' }), []);
  t.match(faults(winrmAccount, { password: 'hunter2' }).join(), /^password: expected a reference/);
  t.match(faults(winrmAccount, { certificate: 'c.pem' }).join(), /^certificate: a certificate and its key go together/);
  t.match(
    faults(winrmAccount, { password: 'env:X', certificate: 'c', key: 'env:Y' }).join(),
    /^password: give a password or/,
  );
  t.end();
});
