import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import siem from '../../adapters/siems/files/index.ts';
import ssh from '../../adapters/transports/ssh/index.ts';
import { listLabRules } from '../../lab/range/audit.ts';
import { down, status, up } from '../../lab/range/lab.ts';
import { RUNTIME_DIR, standInFolders, stateFiles } from '../../lab/range/layout.ts';
import { processesOfLabHosts, waitUntil } from '../../lab/range/processes.ts';
import { LabRefused } from '../../lab/range/refused.ts';
import { macHost, macLogs } from '../../lab/standins/macos/host.ts';
import { shimCalls } from '../../lab/standins/macos/runtime-files.ts';
import type { EventHit, Question } from '../../runner/domain/siem.ts';
import { duration, instant, shift } from '../../runner/domain/time.ts';
import type { CommandOutcome, Session } from '../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import { requirement } from '../require.ts';
import { turn } from './turn.ts';

const python = '/opt/homebrew/bin/python3';
const home = '/Users/carol';
const never = new AbortController().signal;
const sources = {
  'macos:osquery/process_events': 'macos.osquery.process_events',
  'macos:osquery/socket_events': 'macos.osquery.socket_events',
  'macos:osquery/file_events': 'macos.osquery.file_events',
  'macos:endpointsecurity/ES_EVENT_TYPE_NOTIFY_EXEC': 'macos.endpointsecurity.exec',
  'macos:unifiedlog/log stream': 'macos.unifiedlog',
  'macos:syslog/system.log': 'macos.syslog',
} as const;
type Source = keyof typeof sources;

/** What the program says of itself. */
type Said = {
  readonly pid: number;
  readonly parent: string;
  readonly executable: string;
  readonly kernel: string;
  readonly cwd: string;
};

/** Connects, logs, and says what it is; the kernel's word for its executable beside its own. */
const program = `import json, os, socket, sys, syslog
try: socket.create_connection(("127.0.0.1", 9))
except OSError: pass
syslog.syslog(syslog.LOG_NOTICE, "checked " + sys.argv[1])
syslog.syslog(syslog.LOG_INFO, "not for system.log " + sys.argv[1])
image = lambda pid: os.readlink("/proc/%s/exe" % pid)
try: parent = image(os.getppid())
except OSError: parent = ""
print(json.dumps({"pid": os.getpid(), "parent": parent, "executable": sys.executable, "kernel": image("self"), "cwd": os.getcwd()}))
`;

let count = 0;
/** A marker that no other run of this test has. */
function newMarker(): string {
  count += 1;
  return `m${process.hrtime.bigint().toString(36)}x${count}`.padEnd(24, 'q').slice(0, 24);
}

/** The stand-in alone beside the lab's two hosts, and what the tests do with it. */
class Mac {
  readonly stateDir: string;
  readonly session: Session;

  constructor(stateDir: string, session: Session) {
    this.stateDir = stateDir;
    this.session = session;
  }

  get runtime(): string {
    return standInFolders(this.stateDir, macHost.name).runtime;
  }

  run(argv: readonly [string, ...string[]], cwd?: string): Promise<CommandOutcome> {
    const limit = { timeout: duration(60_000), signal: never };
    return this.session.run({ channel: 'exec', argv: [...argv], ...(cwd !== undefined && { cwd }) }, limit);
  }

  /** Its standard output; throws when it fails. */
  async said(argv: readonly [string, ...string[]], cwd?: string): Promise<string> {
    const { exit, stdout, stderr } = await this.run(argv, cwd);
    if (exit.kind !== 'code' || exit.code !== 0)
      throw new Error(`${argv.join(' ')}: ${JSON.stringify(exit)} ${Buffer.from(stderr).toString()}`);
    return Buffer.from(stdout).toString();
  }

  async put(path: string, text: string, mode = 0o644): Promise<void> {
    await this.session.put({ path, bytes: Buffer.from(text), mode }, never);
  }

  /** The events that the SIEM holds of a trace, asked for until those that are wanted are there. */
  async events(
    trace: { marker: string; processes?: Question['traces'][0]['processes']; files?: readonly string[] },
    wanted: Partial<Record<Source, number>>,
  ): Promise<readonly EventHit[]> {
    const ask = async (): Promise<readonly EventHit[]> => {
      const now = instant(Date.now());
      const window = { from: shift(now, -300_000), to: shift(now, 60_000) };
      const { marker, processes = [], files = [] } = trace;
      const one = { marker, hosts: [macHost.name] as const, processes, files, window };
      const all = Object.keys(sources);
      const question: Question = { traces: [one], sources: all, window: { ...window, basis: 'ingest' }, limit: 1000 };
      const answer = await this.#siem().events(question, never);
      if (!answer.complete.yes) throw new Error(answer.complete.because.detail);
      return answer.hits;
    };
    const isThere = async (): Promise<boolean> => {
      const hits = await ask();
      return Object.entries(wanted).every(([source, n]) => hits.filter((hit) => hit.source === source).length >= n);
    };
    await waitUntil(isThere, 30_000);
    return ask();
  }

  #siem() {
    const settings = siem.settings as unknown as { parse: (value: unknown) => Parameters<typeof siem.open>[0] };
    const datasets = Object.entries(sources).map(
      ([source, dataset]) => [source, { 'event.dataset': dataset }] as const,
    );
    const parsed = settings.parse({ path: stateFiles(this.stateDir).siemStore, sources: Object.fromEntries(datasets) });
    return siem.open(parsed, {
      ...realDeps,
      keep: (bytes, mediaType) => Promise.resolve({ sha256: '0'.repeat(64), bytes: bytes.length, mediaType }),
    });
  }
}

async function withMac(t: Test, work: (mac: Mac) => Promise<void>): Promise<void> {
  await turn();
  const folder = mkdtempSync(join(tmpdir(), 'lab-macos-test-'));
  const stateDir = join(folder, 'lab');
  try {
    const { standIns } = await up({ stateDir, standIns: [macHost.name], waitMs: 1_500_000, tied: true });
    const missing = standIns.find(({ name }) => name === macHost.name)?.missing;
    if (!requirement(t, 'the macOS stand-in', missing)) return;
    const { clientKey, knownHosts } = stateFiles(stateDir);
    const target = authorizedTarget({
      id: macHost.name,
      address: '127.0.0.1',
      kind: 'ssh',
      settings: { port: macHost.port, knownHosts },
      account: macHost.account,
      accountSettings: { key: `file:${clientKey}` },
    });
    await using session = await ssh.open(realDeps).connect(target, never);
    await work(new Mac(stateDir, session));
  } catch (error) {
    if (!(error instanceof LabRefused)) throw error;
    requirement(t, 'the lab', error.message);
  } finally {
    const { leftBehind } = await down({ stateDir, dropLogs: true });
    t.same(leftBehind, [], 'the lab left nothing behind');
    rmSync(folder, { recursive: true, force: true });
  }
}

t.test('macOS stand-in: what a real zsh, Python, launchd stub and sshd do on it', async (t) => {
  await withMac(t, async (mac) => {
    await mac.put(`${home}/Downloads/check.py`, program);

    await t.test('macOS stand-in: over ssh it looks like a Mac', async (t) => {
      const seen = await mac.said(['/bin/sh', '-c', 'echo $SHELL $HOME $PATH $(hostname); cd /tmp; pwd -P']);
      t.equal(seen, `/bin/zsh ${home} /usr/bin:/bin:/usr/sbin:/sbin lab-macos\n/private/tmp\n`);
      t.equal(await mac.said(['sw_vers', '-productName']), 'macOS\n');
      for (const absent of ['/home', '/work', '/root', '/usr/bin/setsid', '/etc/os-release'])
        t.same((await mac.run(['/bin/test', '-e', absent])).exit, { kind: 'code', code: 1 }, absent);
      t.notOk(existsSync('/Users/carol'), 'the machine itself has no such folder');
    });

    await t.test(
      'macOS stand-in: a script over ssh is in five sources, each as the program says of itself',
      async (t) => {
        const marker = newMarker();
        const line = `${python} check.py ${marker} 'two words'; true`;
        const said = JSON.parse(await mac.said(['/bin/sh', '-c', line], `${home}/Downloads`)) as Said;
        t.match(said, { executable: python, kernel: python, parent: '/bin/sh', cwd: `${home}/Downloads` });
        const processes = [{ pid: said.pid, executable: python, startedAt: instant(Date.now()) }];
        const files = [`${home}/Downloads/check.py`];
        const hits = await mac.events(
          { marker, processes, files },
          {
            'macos:osquery/process_events': 2,
            'macos:osquery/socket_events': 1,
            'macos:osquery/file_events': 1,
            'macos:endpointsecurity/ES_EVENT_TYPE_NOTIFY_EXEC': 2,
            'macos:unifiedlog/log stream': 2,
            'macos:syslog/system.log': 1,
          },
        );
        const of = (source: Source): readonly EventHit[] =>
          hits.filter((hit) => hit.source === source && (hit.pid === undefined || hit.pid === said.pid));
        const context = {
          host: macHost.name,
          user: macHost.account,
          process: python,
          'command-line': `${python} check.py ${marker} two words`,
          cwd: `${home}/Downloads`,
          parent: '/bin/sh',
          script: 'check.py',
        };
        for (const source of [
          'macos:osquery/process_events',
          'macos:endpointsecurity/ES_EVENT_TYPE_NOTIFY_EXEC',
        ] as const)
          t.match(of(source), [{ pid: said.pid, matched: { by: 'marker' }, fields: context }], source);
        t.match(of('macos:osquery/socket_events'), [
          {
            matched: { by: 'host-process-time' },
            fields: { process: python, user: 'carol', destination: '127.0.0.1:9' },
          },
        ]);
        t.match(of('macos:osquery/file_events'), [
          { matched: { by: 'host-file-time' }, fields: { host: macHost.name } },
        ]);
        t.match(of('macos:unifiedlog/log stream'), [{ fields: { user: 'carol' } }, { fields: { user: 'carol' } }]);
        t.match(of('macos:syslog/system.log'), [{ pid: said.pid, fields: { process: 'check.py' } }]);
        t.equal(of('macos:syslog/system.log').length, 1, 'nothing below notice is in system.log');
      },
    );

    await t.test(
      'macOS stand-in: a session’s own program has sshd as its parent, and the image before exec was zsh',
      async (t) => {
        const marker = newMarker();
        await mac.said([python, `${home}/Downloads/check.py`, marker]);
        const es = 'macos:endpointsecurity/ES_EVENT_TYPE_NOTIFY_EXEC';
        const wanted = { [es]: 2, 'macos:osquery/process_events': 2 } as const;
        const hits = (await mac.events({ marker }, wanted)).filter(({ fields }) => fields.process === python);
        for (const source of Object.keys(wanted))
          t.match(
            hits.filter((hit) => hit.source === source),
            [{ fields: { parent: '/usr/sbin/sshd', script: `${home}/Downloads/check.py` } }],
            source,
          );
        const lines = readFileSync(
          join(standInFolders(mac.stateDir, macHost.name).logs, macLogs.endpointSecurity),
          'utf8',
        );
        type Exec = { process: { executable: { path: string } }; event: { exec?: { args: readonly string[] } } };
        const before = lines
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Exec)
          .find(({ event }) => event.exec?.args[0] === python && event.exec.args.includes(marker));
        t.equal(before?.process.executable.path, '/bin/zsh');
      },
    );

    await t.test('macOS stand-in: both Pythons are copies that know where they are', async (t) => {
      const clt = '/Library/Developer/CommandLineTools/usr/bin/python3';
      t.equal(await mac.said(['xcode-select', '-p']), '/Library/Developer/CommandLineTools\n');
      for (const one of [python, clt]) {
        const said = JSON.parse(await mac.said([one, `${home}/Downloads/check.py`, newMarker()])) as Said;
        t.match(said, { executable: one, kernel: one });
      }
    });

    await t.test(
      'macOS stand-in: a launchd job runs once, with launchd as its parent, until it is booted out',
      async (t) => {
        const marker = newMarker();
        const [label, plist] = ['test.check', `${home}/Library/LaunchAgents/test.check.plist`];
        const strings = [python, `${home}/Downloads/check.py`, marker].map((one) => `<string>${one}</string>`).join('');
        await mac.put(
          plist,
          `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>Label</key><string>${label}</string>
<key>RunAtLoad</key><true/><key>StandardOutPath</key><string>/tmp/job.out</string>
<key>ProgramArguments</key><array>${strings}</array></dict></plist>`,
        );
        const domain = `gui/${macHost.uid}`;
        await mac.said(['launchctl', 'bootstrap', domain, plist]);
        const again = await mac.run(['launchctl', 'bootstrap', domain, plist]);
        t.match(
          [again.exit, Buffer.from(again.stderr).toString()],
          [{ code: 5 }, 'Bootstrap failed: 5: Input/output error\n'],
        );
        const wanted = {
          'macos:osquery/process_events': 1,
          'macos:endpointsecurity/ES_EVENT_TYPE_NOTIFY_EXEC': 1,
        } as const;
        const hits = await mac.events({ marker }, wanted);
        for (const source of Object.keys(wanted))
          t.match(
            hits.filter((hit) => hit.source === source),
            [{ fields: { parent: '/sbin/launchd', process: python, user: 'carol', cwd: '/' } }],
            source,
          );
        const ended = async (): Promise<boolean> =>
          (await mac.said(['launchctl', 'print', `${domain}/${label}`])).includes('last exit code = 0');
        t.ok(await waitUntil(ended, 20_000), 'the job has ended and is not started again');
        t.match(JSON.parse(await mac.said(['/bin/cat', '/tmp/job.out'])), { kernel: python, cwd: '/' });
        const store = (): string => readFileSync(join(stateFiles(mac.stateDir).siemStore, 'events.ndjson'), 'utf8');
        t.ok(await waitUntil(() => /Successfully spawned python3\[\d+\] because speculative/.test(store()), 20_000));
        await mac.said(['launchctl', 'bootout', `${domain}/${label}`]);
        t.match(await mac.run(['launchctl', 'print', `${domain}/${label}`]), { exit: { code: 113 } });
        t.match(await mac.run(['launchctl', 'bootstrap', 'gui/0', plist]), { exit: { code: 1 } }, 'not for others');
        t.equal(
          (await mac.events({ marker }, wanted)).filter(({ source }) => source === 'macos:osquery/process_events')
            .length,
          1,
        );
      },
    );

    await t.test('macOS stand-in: do shell script has osascript, then sh, as ancestors', async (t) => {
      const marker = newMarker();
      const script = `do shell script "${python} ${home}/Downloads/check.py ${marker}; true"`;
      await mac.said(['osascript', '-e', script]);
      const hits = await mac.events({ marker }, { 'macos:osquery/process_events': 3 });
      const rows = hits.filter(({ source }) => source === 'macos:osquery/process_events');
      t.match(rows.find(({ fields }) => fields.process === python)?.fields, { parent: '/bin/sh' });
      t.match(rows.find(({ fields }) => fields.process === '/bin/sh')?.fields, { parent: '/usr/bin/osascript' });
    });

    await t.test('macOS stand-in: an image is made, attached below /Volumes, and gone after detach', async (t) => {
      const image = `${home}/tools.dmg`;
      await mac.said(['hdiutil', 'create', '-volname', 'Tools', '-srcfolder', `${home}/Downloads`, image]);
      await mac.said(['hdiutil', 'attach', image, '-nobrowse']);
      t.equal(await mac.said(['ls', '/Volumes/Tools']), 'check.py\n');
      await mac.said(['hdiutil', 'detach', '/Volumes/Tools']);
      t.equal(await mac.said(['ls', '/Volumes']), '');
      t.match(await mac.run(['hdiutil', 'attach', `${home}/Downloads/check.py`]), { exit: { code: 1 } });
    });

    await t.test(
      'macOS stand-in: the shim /usr/bin/python3 refuses in a Mac’s words, and every call of it is known',
      async (t) => {
        t.same(shimCalls(mac.runtime), []);
        const { exit, stderr } = await mac.run(['/usr/bin/python3', '-c', 'print(1)']);
        t.same(exit, { kind: 'code', code: 1 });
        t.match(Buffer.from(stderr).toString(), /^xcode-select: error: no developer tools were found/);
        t.match(shimCalls(mac.runtime), [/ -c print\(1\)$/]);
      },
    );

    await t.test('macOS stand-in: its sensor ends: nothing arrives any more, and the lab is not whole', async (t) => {
      const sensor = (await status({ stateDir: mac.stateDir })).standIns
        .find(({ name }) => name === macHost.name)
        ?.processes.find(({ what }) => what === 'sensor')?.pid;
      if (sensor === undefined) throw new Error('the sensor does not run');
      const [before, after] = [newMarker(), newMarker()];
      await mac.said([python, '-c', 'pass', before]);
      t.ok((await mac.events({ marker: before }, { 'macos:osquery/process_events': 1 })).length > 0);
      process.kill(sensor, 'SIGTERM');
      t.ok(await waitUntil(async () => (await status({ stateDir: mac.stateDir })).is === 'partly', 20_000));
      const log = join(standInFolders(mac.stateDir, macHost.name).logs, macLogs.endpointSecurity);
      const { size } = statSync(log);
      await mac.said([python, '-c', 'pass', after]);
      const { auditLog } = stateFiles(mac.stateDir);
      t.ok(await waitUntil(() => readFileSync(auditLog, 'utf8').includes(after), 20_000), 'the kernel recorded it');
      t.same(await mac.events({ marker: after }, {}), []);
      t.equal(statSync(log).size, size);
    });
  });
  t.same(processesOfLabHosts(), []);
  t.notOk(existsSync(RUNTIME_DIR));
  t.same(await listLabRules(), []);
});
