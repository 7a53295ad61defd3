import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { makeCertificates } from '../../lab/standins/windows/certificates.ts';
import { Sshd, sshdMissing, type SshdOptions } from '../adapters/transports/sshd.ts';
import { startTestHost, type TestHost } from '../lab/standin-windows-host.ts';
import type { RunReport } from '../../runner/domain/run-report.ts';
import { requirement } from '../require.ts';
import { Desk, endOf, type Ended } from './desk.ts';
import { Planted, writtenForms } from './planted.ts';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Every place in which an inventory names a secret. */
const places = [
  'keyboardAnswer',
  'sshPassword',
  'jumpPassword',
  'jumpPassphrase',
  'passphrase',
  'ntlmPassword',
  'basicPassword',
] as const;
type Secrets = Readonly<Record<(typeof places)[number], string>>;

/** With characters that every kind of encoding writes in its own way. */
function make(suffix: string): Secrets {
  return Object.fromEntries(
    places.map((place) => [place, `${place} "${randomBytes(6).toString('hex')}" & ä/+%<${suffix}`]),
  ) as Secrets;
}

/** Hosts of every kind that takes a secret, for one test. */
type Site = {
  readonly desk: Desk;
  readonly secrets: Secrets;
  readonly keyboard: Sshd;
  readonly plain: Sshd;
  readonly gateways: readonly [Sshd, Sshd];
  readonly last: Sshd;
  readonly windows: TestHost;
};

async function startSite(t: Test): Promise<Site> {
  const secrets = make('');
  const desk = new Desk();
  t.teardown(() => {
    desk[Symbol.dispose]();
  });
  const sshd = async (options: SshdOptions = {}): Promise<Sshd> => {
    const server = await Sshd.start(options);
    t.teardown(() => server[Symbol.asyncDispose]());
    return server;
  };
  const passwords = ['PasswordAuthentication yes', 'KbdInteractiveAuthentication no'];
  const questions = ['PasswordAuthentication no', 'KbdInteractiveAuthentication yes'];
  mkdirSync(join(desk.folder, 'known-to-hosts'));
  const passwordFile = (place: (typeof places)[number]): string => {
    const file = join(desk.folder, 'known-to-hosts', place);
    writeFileSync(file, secrets[place], { mode: 0o600 });
    return file;
  };
  const windows = await startTestHost({
    accounts: [
      { name: 'dana', passwordFile: passwordFile('ntlmPassword') },
      { name: 'erin', passwordFile: passwordFile('basicPassword') },
    ],
  });
  t.teardown(() => windows[Symbol.asyncDispose]());
  return {
    desk,
    secrets,
    windows,
    keyboard: await sshd({ pam: { password: secrets.keyboardAnswer }, config: questions }),
    plain: await sshd({ pam: { password: secrets.sshPassword }, config: passwords }),
    gateways: [await sshd({ pam: { password: secrets.jumpPassword }, config: passwords }), await sshd()],
    last: await sshd(),
  };
}

/** Writes secrets to where the inventory says that they are: as files, as variables, and as what a command prints. */
function plant(
  { desk, gateways: [, second], last, windows }: Site,
  secrets: Secrets,
  certificates: string,
): NodeJS.ProcessEnv {
  const file = (name: string): string => join(desk.folder, 'secrets', name);
  mkdirSync(file('.'), { recursive: true, mode: 0o700 });
  for (const place of ['sshPassword', 'ntlmPassword', 'basicPassword'] as const)
    writeFileSync(file(place), `${secrets[place]}\n`, { mode: 0o600 });
  // With the right passphrase, whatever is said to be it: a wrong one does not open the key.
  for (const [name, { key }, passphrase] of [
    ['jump-key', second, secrets.jumpPassphrase],
    ['key', last, secrets.passphrase],
  ] as const) {
    if (existsSync(file(name))) continue;
    copyFileSync(key, file(name));
    chmodSync(file(name), 0o600);
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', passphrase, '-f', file(name)]);
  }
  copyFileSync(join(certificates, 'dana.cert.pem'), file('client.cert.pem'));
  copyFileSync(join(windows.certificates, 'ca.pem'), join(desk.folder, 'ca.pem'));
  return {
    KEYBOARD_ANSWER: secrets.keyboardAnswer,
    JUMP_PASSWORD: secrets.jumpPassword,
    JUMP_PASSPHRASE: secrets.jumpPassphrase,
    PASSPHRASE: secrets.passphrase,
    CLIENT_KEY: readFileSync(join(certificates, 'dana.key.pem'), 'utf8'),
  };
}

/** An inventory that names every secret in the way that is usual for it, each of `env:`, `file:` and `exec:` at least once. */
function inventory({ desk, keyboard, plain, gateways, last, windows }: Site): void {
  const ssh = { kind: 'ssh', connectTimeout: '30s' };
  const jump = (sshd: Sshd, login: object): object => ({
    address: '127.0.0.1',
    port: sshd.port,
    knownHosts: sshd.knownHosts,
    account: 'user',
    ...login,
  });
  const [http = 0, https = 0] = windows.ports;
  const winrm = (port: number, more: object): object => ({ kind: 'winrm', port, connectTimeout: '30s', ...more });
  const onLinux = { platform: 'linux', interpreter: '/usr/bin/python3', groups: ['linux'], fidelity: 'real' };
  const onWindows = {
    platform: 'windows',
    interpreter: 'C:\\Program Files\\Python311\\python.exe',
    groups: ['windows'],
    fidelity: 'stand-in',
  };
  const at = ({ port, knownHosts }: Sshd): object => ({ port, knownHosts });
  const targets: readonly (readonly [id: string, kind: object, transport: object, account: object])[] = [
    ['keyboard', onLinux, { ...ssh, ...at(keyboard) }, { name: 'user', password: 'env:KEYBOARD_ANSWER' }],
    ['password', onLinux, { ...ssh, ...at(plain) }, { name: 'user', password: 'file:secrets/sshPassword' }],
    [
      'jump-password',
      onLinux,
      { ...ssh, ...at(last), jump: [jump(gateways[0], { password: 'env:JUMP_PASSWORD' })] },
      { name: 'user', key: `file:${last.key}` },
    ],
    [
      'jump-passphrase',
      onLinux,
      {
        ...ssh,
        ...at(last),
        jump: [jump(gateways[1], { key: 'file:secrets/jump-key', passphrase: 'env:JUMP_PASSPHRASE' })],
      },
      { name: 'user', key: `file:${last.key}` },
    ],
    [
      'passphrase',
      onLinux,
      { ...ssh, ...at(last) },
      { name: 'user', key: 'file:secrets/key', passphrase: 'env:PASSPHRASE' },
    ],
    ['openssh', onLinux, { kind: 'openssh', ...at(last), program: './ssh' }, { name: 'user', key: last.key }],
    ['here', onLinux, { kind: 'local' }, { name: userInfo().username }],
    [
      'ntlm',
      onWindows,
      winrm(http, { tls: false }),
      { name: 'dana', password: 'exec:cat /proc/self/environ >>seen/command; cat secrets/ntlmPassword' },
    ],
    [
      'basic',
      onWindows,
      winrm(https, { auth: 'basic', ca: 'ca.pem' }),
      { name: 'erin', password: 'file:secrets/basicPassword' },
    ],
    [
      'certificate',
      onWindows,
      winrm(https, { auth: 'certificate', ca: 'ca.pem', tlsMaxVersion: 'TLSv1.2' }),
      { name: 'dana', certificate: 'secrets/client.cert.pem', key: 'env:CLIENT_KEY' },
    ],
  ];
  const rest = { address: '127.0.0.1', role: 'test', owner: 'tests', criticality: 'low', zone: 'local' };
  const document = {
    engagement: { id: 'tests', authorizedBy: 'tests', contacts: ['tests'] },
    windows: [
      {
        id: 'always',
        groups: ['linux', 'windows'],
        span: { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' },
      },
    ],
    targets: targets.map(([id, kind, transport, account]) => ({
      id,
      ...kind,
      ...rest,
      transport,
      accounts: [account],
      names: { siem: [id] },
    })),
    // One wave: a secret is known from its first use on.
    limits: { hosts: 10, perZone: 10 },
    siems: [
      {
        id: 'siem',
        kind: 'files',
        path: 'siem',
        sources: {
          'auditd:SYSCALL/execve': { 'event.dataset': 'execve' },
          'WinEventLog:Sysmon/EventCode=1': { 'event.dataset': 'sysmon' },
        },
      },
    ],
    expectations: [{ scenarios: ['*'], within: '1s', observeFor: '1s' }],
  };
  writeFileSync(join(desk.folder, 'inventory.yaml'), JSON.stringify(document, null, 2));
  mkdirSync(join(desk.folder, 'seen'));
  writeFileSync(join(desk.folder, 'ssh'), '#!/bin/sh\ncat /proc/self/environ >>seen/ssh\nexec ssh "$@"\n', {
    mode: 0o755,
  });
}

/** A library with two scenarios that print every secret in every form, and say what is in their own environment. */
function library({ desk, secrets, windows }: Site): string {
  const folder = join(desk.folder, 'library');
  cpSync(join(project, 'scenarios'), folder, { recursive: true });
  const key = readFileSync(join(windows.certificates, 'dana.key.pem'), 'utf8');
  const lines = [...Object.values(secrets).flatMap(writtenForms), key];
  writeFileSync(
    join(folder, 'payloads/leaks.py'),
    `LINES = ${JSON.stringify(lines)}
def behaviour(arguments):
    try:
        with open('/proc/self/environ', 'rb') as own, open(${JSON.stringify(join(desk.folder, 'seen/payload'))}, 'ab') as seen:
            seen.write(own.read())
    except OSError:
        pass
    for stream in (sys.stdout, sys.stderr):
        stream.buffer.write('\\n'.join(LINES + ['']).encode())
        stream.flush()
    return {'did': LINES}
`,
  );
  for (const [name, analytic, element, source, rule] of [
    ['linux', 'AN0174', 'ScriptDir', 'auditd:SYSCALL/execve', 'python-script-in-hidden-directory'],
    [
      'windows',
      'AN0172',
      'ScriptPath',
      'WinEventLog:Sysmon/EventCode=1',
      'windows-python-script-in-user-writable-folder',
    ],
  ] as const)
    writeFileSync(
      join(folder, `${name}/test-leaks.yaml`),
      `title: Print every secret
analytic: ${analytic}
element: ${element}
purpose: emulation
why: a test
steps:
  - python: { script: leaks.py, args: ['{{marker}}'] }
expect:
  event: { sources: ['${source}'], within: 60s, context: [process] }
  alert: { rule: ${rule}, within: 5m, stance: must-alert }
`,
    );
  return folder;
}

t.test('secrets: planted in every place that an inventory names, found nowhere', async (t) => {
  if (!requirement(t, 'a real sshd', await sshdMissing())) return;
  if (!requirement(t, 'Python', existsSync('/usr/bin/python3') ? undefined : 'no /usr/bin/python3')) return;
  const site = await startSite(t);
  const { desk, windows } = site;
  inventory(site);
  desk.emptySiem();
  const ours = library(site);
  const strangers = join(desk.folder, 'strangers');
  mkdirSync(strangers);
  await makeCertificates(strangers, ['dana']);

  for (const { name, secrets, certificates, logsIn } of [
    { name: 'taken', secrets: site.secrets, certificates: windows.certificates, logsIn: () => true },
    {
      name: 'refused',
      secrets: make(' wrong'),
      certificates: strangers,
      logsIn: (target: string) => ['here', 'openssh'].includes(target),
    },
  ]) {
    const env = plant(site, secrets, certificates);
    const planted = new Planted({ ...secrets, clientKey: env['CLIENT_KEY'] ?? '' });
    const detproof = async (...args: readonly string[]): Promise<Ended> => {
      const child = desk.start(args, { ...env, DETPROOF_DEBUG: '1' });
      const ended = await planted.watchProcesses(child.pid, endOf(child));
      planted.lookIn(`stdout of ${args.join(' ')}`, ended.stdout);
      planted.lookIn(`stderr of ${args.join(' ')}`, ended.stderr);
      return ended;
    };
    const out = ['-o', `out-${name}`];
    const doctor = await detproof('doctor', '--json', ...out);
    t.ok([0, 3].includes(doctor.exitCode ?? -1), doctor.stderr);
    const run = await detproof('run', '--yes', '-l', ours, '-s', '*/test-leaks', '--no-variants', ...out);
    t.equal(run.exitCode, 3, run.stderr);
    const { stdout } = await detproof('report', '--json', ...out);
    const { executions } = JSON.parse(stdout) as RunReport;
    const leaks = executions.filter(({ plan }) => plan.scenario.endsWith('/test-leaks'));
    t.equal(leaks.length, 10, 'every kind of login');
    for (const { plan, execution } of leaks) {
      const expected = logsIn(plan.target) ? { kind: 'finished' } : { kind: 'not-run', why: { class: 'login' } };
      t.match(execution?.outcome, expected, `${plan.target}, ${name}`);
    }

    for (const folder of [`out-${name}`, 'seen', 'home']) planted.lookInFolder(join(desk.folder, folder));
    planted.lookInFolder(join(windows.folder, 'events'));
    for (const sshd of [site.keyboard, site.plain, ...site.gateways, site.last]) {
      planted.lookInFolder(sshd.home('user'));
      planted.lookIn('the log of sshd', sshd.log());
    }
    t.same(planted.found, [], `${name}: in no file, log, error, output or process`);
    t.same(readdirSync(join(desk.folder, 'seen')).sort(), ['command', 'payload', 'ssh'], 'environments were seen');
    if (name === 'taken')
      t.same(
        replacedIn(join(desk.folder, `out-${name}`)),
        [
          ...[
            'env:CLIENT_KEY',
            'env:JUMP_PASSPHRASE',
            'env:JUMP_PASSWORD',
            'env:KEYBOARD_ANSWER',
            'env:PASSPHRASE',
            'exec',
          ],
          ...['file:basicPassword', 'file:sshPassword'],
        ],
        'each was printed, and taken out',
      );
  }
});

/** The names of the secrets that something was put in place of. */
function replacedIn(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/«secret:([\w:.-]+):[\da-f]{8}»/g)].map(([, name = '']) => name),
  );
  return [...new Set(names)].sort();
}
