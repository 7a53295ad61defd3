import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'ssh2';
import t, { type Test } from 'tap';
import { z } from 'zod';
import plugin from '../../adapters/transports/ssh/index.ts';
import { status } from '../../lab/range/lab.ts';
import { standInFolders, stateFiles } from '../../lab/range/layout.ts';
import { waitUntil } from '../../lab/range/processes.ts';
import { normaliser } from '../../lab/siem/esxi-normalise.ts';
import type { Command, CommandOutcome, Session } from '../../runner/ports.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import { requirement } from '../require.ts';
import { type Lab, project, withLab } from './lab-kit.ts';

const never = new AbortController().signal;
const name = 'lab-esxi';
const port = 2223;

type Event = ReturnType<ReturnType<typeof normaliser>>;

function event(line: string): Event {
  return normaliser()({ host: name, id: 'x', text: line, receivedMs: Date.parse('2026-11-24T12:00:00Z') });
}

/** What every line of the oracle means, in its order. */
const oracle: readonly (readonly [dataset: string, action: string, rest: object])[] = [
  ['esxi.shell', 'shell-service', { '@timestamp': '2025-08-22T07:35:29.000Z' }],
  ['esxi.shell', 'shell-command', { process: { command_line: 'vim-cmd vmsvc/snapshot.removeall 1' } }],
  ['esxi.shell', 'shell-command', { process: { command_line: 'esxcli system version get' }, user: { name: 'root' } }],
  ['esxi.shell', 'shell-service', { log: { syslog: { priority: 13, appname: 'ESXShell', procid: '132663' } } }],
  ['esxi.shell', 'shell-command', { process: { command_line: 'esxcli vm process list' }, user: { name: 'root' } }],
  ['esxi.shell', 'shell-command', { process: { command_line: 'esxcli network ip route ipv4 list' } }],
  ['esxi.auth', 'ssh-command', { process: { command_line: 'vim-cmd vmsvc/power.getstate 91 2>&1' } }],
  ['esxi.auth', 'ssh-command', { process: { command_line: /^\/bin\/sh -c '\( umask 77 && .*098="$/ } }],
  ['esxi.auth', 'login', { source: { ip: '192.168.127.10', port: 58470 }, event: { outcome: 'success' } }],
  ['esxi.auth', 'ssh-session-closed', { user: { name: 'root' }, '@timestamp': '2023-12-05T17:59:31.981Z' }],
  ['esxi.hostd', 'login', { source: { ip: '192.168.127.10' }, user: { name: 'root' } }],
  ['esxi.hostd', 'ssh-enabled', { user: { name: 'root' }, log: { syslog: { facility: { code: 20 } } } }],
  // Its date is blanked and its address masked where it was published.
  ['esxi.vobd', 'vob.user.ssh.session.opened', { '@timestamp': '2026-11-24T12:00:00.000Z' }],
];

const oracleFile = join(project, '../shared/oracles/esxi/log-lines.json');
const oracleLines = z.object({ lines: z.array(z.object({ line: z.string() })) });

t.test('esxi normaliser: every published line is understood', (t) => {
  const missing = existsSync(oracleFile) ? undefined : `there is no ${oracleFile}`;
  if (requirement(t, 'the published log lines', missing)) {
    const { lines } = oracleLines.parse(JSON.parse(readFileSync(oracleFile, 'utf8')));
    t.equal(lines.length, oracle.length);
    for (const [index, { line }] of lines.entries()) {
      const [dataset, action, rest] = oracle[index] ?? [];
      t.match(event(line), { event: { dataset, action, module: 'esxi', original: line }, host: { name } }, line);
      t.match(event(line), rest ?? {}, line);
    }
  }
  t.end();
});

t.test('esxi normaliser: what is cut, newer, failed or somebody else’s', (t) => {
  const vob = '[vob.user.ssh.session.opened] SSH session was opened for';
  for (const [line, expected] of [
    [
      `<38>2026-11-24T08:00:00.001Z esx7 sshd-session[12]: User 'svc' running command 'python3 /tmp/x.py mark`,
      { event: { action: 'ssh-command' }, user: { name: 'svc' }, process: { command_line: 'python3 /tmp/x.py mark' } },
    ],
    [
      `2026-11-24T08:00:00Z sshd[12]: User 'root' running command 'echo 'a' 'b''`,
      { process: { command_line: "echo 'a' 'b'" } },
    ],
    [
      '<14>2026-11-24T08:00:00.001Z esx7 shell[3]: [root]: python3 -c "print(\'[x]: y\')"',
      { process: { command_line: 'python3 -c "print(\'[x]: y\')"' } },
    ],
    [
      '2026-11-24T08:00:00.001Z In(38) sshd[9]: Failed keyboard-interactive/pam for invalid user eve from fd00::1 port 7 ssh2',
      { event: { action: 'login', outcome: 'failure' }, user: { name: 'eve' }, source: { ip: 'fd00::1', port: 7 } },
    ],
    [
      `<14>2026-11-24T08:00:00.001Z esx7 vobd[5]:  [UserLevelCorrelator] 77us: ${vob} 'root@10.0.0.9'.`,
      { event: { dataset: 'esxi.vobd' }, user: { name: 'root' }, source: { ip: '10.0.0.9' } },
    ],
    [
      '2026-11-24T08:00:00.001Z In(166) Hostd[5]: [Originator@6876 sub=Vimsvc.TaskManager opID=a-b user=vpxuser:VSPHERE.LOCAL\\x] Task Created : haTask-1',
      { event: { dataset: 'esxi.hostd', action: 'task-created' }, user: { name: 'vpxuser' } },
    ],
    ['2026-11-24T08:00:00.001Z In(14) shell[3]: something else', { event: { action: 'logged' } }],
  ] as const) {
    t.match(event(line), expected, line);
  }
  for (const line of [
    '',
    'no log line',
    '2026-11-24T08:00:00.001Z In(14) crond[3]: USER root pid 4 cmd /bin/hostd-probe.sh',
    "<14>2026-11-24T08:00:00.001Z esx7 Vpxa: User 'root' running command 'x'",
    '<999999>x',
  ])
    t.equal(event(line), undefined, line);
  t.end();
});

async function connect(lab: Lab, account: string, accountSettings: unknown): Promise<Session> {
  const { knownHosts } = stateFiles(lab.stateDir);
  const settings = { port, knownHosts };
  const target = authorizedTarget({ address: '127.0.0.1', kind: 'ssh', settings, account, accountSettings });
  return plugin.open(realDeps).connect(target, never);
}

function passwordOf(lab: Lab, account: string): string {
  return join(standInFolders(lab.stateDir, name).secrets, `${account}.password`);
}

function login(lab: Lab, account = 'root'): Promise<Session> {
  return connect(lab, account, { password: `file:${passwordOf(lab, account)}` });
}

async function run(
  session: Session,
  argv: Command['argv'],
  more: Partial<Command> = {},
): Promise<CommandOutcome & { readonly said: string }> {
  const outcome = await session.run({ argv, channel: 'exec', ...more }, { timeout: 30_000 as never, signal: never });
  return { ...outcome, said: Buffer.from(outcome.stdout).toString('utf8') };
}

function sh(session: Session, script: string): Promise<CommandOutcome & { readonly said: string }> {
  return run(session, ['/bin/sh', '-c', script]);
}

const stored = z.looseObject({
  message: z.string(),
  event: z.looseObject({ dataset: z.string(), action: z.string(), original: z.string() }),
  host: z.looseObject({ name: z.string() }),
  user: z.looseObject({ name: z.string() }).optional(),
  process: z.looseObject({ command_line: z.string() }).optional(),
  source: z.looseObject({ ip: z.string() }).optional(),
});

function events(lab: Lab): readonly z.infer<typeof stored>[] {
  const file = join(stateFiles(lab.stateDir).siemStore, 'events.ndjson');
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"name":"${name}"`))
    .map((line) => stored.parse(JSON.parse(line)));
}

/** The events whose text has this in it, once there are so many. */
async function eventsWith(lab: Lab, text: string, atLeast = 1): Promise<readonly z.infer<typeof stored>[]> {
  const find = () => events(lab).filter(({ event: { original } }) => original.includes(text));
  await waitUntil(() => find().length >= atLeast, 20_000);
  return find();
}

const program = `import os, sys
print(sys.argv[1], os.getuid(), os.getcwd(), sys.executable, sep="|")
`;

/** Keys that are typed in one go, and what is shown before the next are; otherwise the next prompt. */
type Typed = string | readonly [keys: string, shown: RegExp];

/** Types into a terminal with all its modes on, as a person's client asks for it. */
async function typing(lab: Lab, account: string, typed: readonly Typed[]): Promise<{ shown: string; rounds: number }> {
  const client = new Client();
  // ssh2 answers a round without prompts by itself.
  let rounds = 0;
  const debug = (said: string): void => {
    if (said.includes('Received USERAUTH_INFO_REQUEST')) rounds += 1;
  };
  let shown = '';
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
    finish(prompts.map(() => readFileSync(passwordOf(lab, account), 'utf8')));
  });
  await new Promise<void>((ready, failed) => {
    client.once('ready', ready).once('error', failed);
    client.connect({ host: '127.0.0.1', port, username: account, tryKeyboard: true, debug });
  });
  await new Promise<void>((ended, failed) => {
    client.shell({ term: 'xterm', cols: 132, rows: 40 }, (error, stream) => {
      if (error !== undefined) {
        failed(error);
        return;
      }
      const next = typed.values();
      let [seen, until] = ['', /~\] .\[6n/];
      stream.on('close', ended);
      stream.on('data', (chunk: Buffer) => {
        const text = chunk.toString('latin1');
        shown += text;
        seen += text;
        // BusyBox asks where the cursor is, last of its prompt: keys before the answer are typed ahead.
        if (text.includes('\x1b[6n')) stream.write('\x1b[1;20R');
        if (!until.test(seen)) return;
        const step = next.next().value ?? 'exit\r';
        // The editor shows its prompt again for some keys; a new one is on a line of its own.
        const [keys, then] = typeof step === 'string' ? [step, /\n[^]*~\] .\[6n/] : step;
        [seen, until] = ['', then];
        stream.write(keys);
      });
    });
  });
  client.end();
  return { shown, rounds };
}

async function liveTests(t: Test, lab: Lab): Promise<void> {
  await t.test('lab-esxi: is shown with what runs of it, and its secrets are root’s only', async (t) => {
    const now = await status({ stateDir: lab.stateDir });
    t.match(now.standIns, [{ name, platform: 'esxi', ports: [port], accounts: ['root', 'ops', 'svc-auto'] }]);
    const running = now.standIns[0]?.processes.filter(({ pid }) => pid !== undefined).map(({ what }) => what);
    t.same(running, ['holder', 'user namespace', 'vmsyslogd', 'sshd']);
    for (const account of ['root', 'ops', 'svc-auto']) t.equal(statSync(passwordOf(lab, account)).mode & 0o777, 0o600);
  });

  await t.test('lab-esxi: each account logs in by keyboard-interactive; a wrong password does not', async (t) => {
    for (const [account, uid] of [
      ['root', 0],
      ['ops', 1000],
      ['svc-auto', 1001],
    ] as const) {
      await using session = await login(lab, account);
      t.equal((await sh(session, 'echo $USER $HOME; hostname')).said, `${account} /\n${name}\n`);
      t.equal((await run(session, ['python3', '-c', 'import os; print(os.getuid())'])).said, `${uid}\n`);
    }
    await t.rejects(connect(lab, 'root', { password: `file:${passwordOf(lab, 'ops')}` }), { message: /password/ });
    const opened = await eventsWith(lab, 'vob.user.ssh.session.opened', 3);
    t.match(
      opened.map(({ user, source, event }) => [user?.name, source?.ip, event.dataset]),
      ['root', 'ops', 'svc-auto'].map((user) => [user, '127.0.0.1', 'esxi.vobd']),
    );
    t.ok((await eventsWith(lab, 'Accepted keyboard-interactive/pam for ops from 127.0.0.1 port ')).length === 1);
    t.match(await eventsWith(lab, 'error: PAM: Authentication failure for root'), [
      { event: { action: 'login', outcome: 'failure' }, user: { name: 'root' }, source: { ip: '127.0.0.1' } },
    ]);
    t.match(await eventsWith(lab, 'SSH for the host'), [{ event: { action: 'ssh-enabled', dataset: 'esxi.hostd' } }]);
  });

  await t.test('lab-esxi: an exec command is in auth.log only, a typed one in shell.log only', async (t) => {
    await using session = await login(lab);
    await session.put({ path: '/tmp/x.py', bytes: Buffer.from(program), mode: 0o600 }, never);
    const [byExec, byShell] = ['execmarkerabcdefghij0', 'shellmarkerabcdefghij'];
    const exec = await run(session, ['python3', '/tmp/x.py', byExec]);
    const shell = await run(session, ['python3', '/tmp/x.py', byShell], { channel: 'shell' });
    t.same([exec.exit, exec.said], [{ kind: 'code', code: 0 }, `${byExec}|0|/|/bin/python3\n`]);
    t.match([shell.exit, shell.said], [{ kind: 'code', code: 0 }, new RegExp(`${byShell}\\|0\\|/\\|/bin/python3`)]);
    t.match(await eventsWith(lab, byExec), [
      {
        event: { dataset: 'esxi.auth', action: 'ssh-command' },
        user: { name: 'root' },
        process: { command_line: new RegExp(`/tmp/x\\.py ${byExec}$`) },
      },
    ]);
    t.match(await eventsWith(lab, byShell), [
      {
        event: {
          dataset: 'esxi.shell',
          action: 'shell-command',
          original: /^<14>\S+Z lab-esxi shell\[\d+\]: \[root\]: /,
        },
        user: { name: 'root' },
        process: { command_line: `'python3' /tmp/x.py ${byShell}` },
      },
    ]);
    t.match(
      (await sh(session, `grep -c ${byExec} /var/log/auth.log; grep -c ${byShell} /var/log/shell.log`)).said,
      /^[12]\n1\n$/,
    );
    t.match((await sh(session, 'cat /var/log/shell.log')).said, /^\d{4}-\S+Z In\(14\) shell\[\d+\]: \[root\]: /m);
  });

  await t.test('lab-esxi: a long command and one of several lines are cut as ESXi cuts them', async (t) => {
    await using session = await login(lab);
    await sh(session, `: begin${'0123456789'.repeat(40)}end`);
    await sh(session, ': firstline\n: secondline');
    const [long] = await eventsWith(lab, ': begin0');
    t.equal(long?.process?.command_line.length, 200);
    t.match(await eventsWith(lab, ': firstline'), [{ process: { command_line: "/bin/sh -c ': firstline" } }]);
    t.same(
      events(lab).filter(({ message }) => message.includes('secondline')),
      [],
    );
  });

  await t.test('lab-esxi: it has what an ESXi shell has, and not what it has not', async (t) => {
    await using session = await login(lab);
    const asked = await sh(
      session,
      'for n in id bash sudo sftp-server esxcli vim-cmd python3 sha256sum; do which $n; done',
    );
    t.equal(asked.said, '/bin/esxcli\n/bin/vim-cmd\n/bin/python3\n/bin/sha256sum\n');
    t.match((await sh(session, 'ps -c')).said, /^\d+ +\d+ +vmsyslogd /m);
    t.match((await sh(session, 'uname -a')).said, /^VMkernel lab-esxi 8\.0\.2 /);
    t.match(JSON.parse((await run(session, ['esxcli', '--formatter=json', 'system', 'version', 'get'])).said), {
      Product: 'VMware ESXi',
    });
    t.match((await run(session, ['localcli', 'vm', 'process', 'list'])).said, /Display Name: lab-vm-1/);
    t.match((await run(session, ['vim-cmd', 'vmsvc/getallvms'])).said, /^Vmid/);
    t.equal(
      (await eventsWith(lab, 'haTask--', 2)).every(({ event: { dataset } }) => dataset === 'esxi.hostd'),
      true,
    );
    for (const argv of [
      ['esxcli', 'vm', 'process', 'kill', '-w', '2100117'],
      ['vim-cmd', 'vmsvc/power.off', '1'],
    ] as const) {
      const { exit, stderr } = await run(session, argv);
      t.same(exit, { kind: 'code', code: 1 });
      t.match(Buffer.from(stderr).toString('utf8'), /this stand-in for ESXi has no '(esxcli vm process kill|vim-cmd)/);
    }
    t.match(
      (await sh(session, 'df /tmp 2>&1; dd if=/dev/zero of=/tmp/full bs=1M count=40 2>&1; rm /tmp/full')).said,
      /No space/,
    );
    t.match((await sh(session, 'touch /vmfs/volumes/lab-datastore/x && ls /vmfs/volumes/*/x')).said, /x\n/);
  });

  await t.test('lab-esxi: its root is nobody on the machine', async (t) => {
    await using session = await login(lab);
    const { said } = await sh(session, 'ps -c | grep sshd | grep -v grep | head -1');
    const pid = said.split(' ')[0] ?? '';
    t.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t1900000000\t1900000000\t/m);
    t.match((await sh(session, 'kill -0 1 2>&1; ls /work /home /root /run/detproof-lab 2>&1')).said, /not permitted/);
    t.notMatch((await sh(session, 'ls /')).said, /home|root|work/);
    t.match((await sh(session, 'echo x 2>&1 > /bin/busybox; touch /usr/lib/*-linux-gnu/x 2>&1')).said, /Read-only/);
    t.match((await sh(session, 'python3 -c "import socket; socket.sethostname(\'x\')" 2>&1')).said, /PermissionError/);
  });

  await t.test('lab-esxi: typed lines: as edited, not what a program reads, not what was interrupted', async (t) => {
    const { shown, rounds } = await typing(lab, 'ops', [
      'echo one twp\x7fo\r',
      // Both at once: the second line is for the program.
      "python3 -c 'print(input()[::-1])'\rsecret answer\r",
      '\x1b[A\x1b[A\r',
      'echo never\x03',
      'echo ab\x1b[D\x1b[3~c gone\x17\x01\x1b[12;120R\x1b[Cx\x08\x05\r',
      ['cat /etc/hostn\t', /hostn[^]*ame/],
      '\r',
      ['sleep 1\recho later\r', /echo later\s+later\s[^]*~\] .\[6n/],
    ]);
    t.equal(rounds, 2, 'after the password comes a round without a prompt');
    t.match(shown, /rewsna terces/);
    const lines = (await eventsWith(lab, '[ops]: exit')).length === 1 ? events(lab) : [];
    t.same(
      lines
        .filter(({ event: { action }, user }) => action === 'shell-command' && user?.name === 'ops')
        .map(({ process }) => process?.command_line),
      [
        'echo one two',
        "python3 -c 'print(input()[::-1])'",
        'echo one two',
        'echo ac ',
        'cat /etc/hostname ',
        'sleep 1',
        'echo later',
        'exit',
      ],
      shown,
    );
    t.match(await eventsWith(lab, "Session closed for 'ops' on /dev/char/pty/t"), [
      { event: { dataset: 'esxi.auth' } },
    ]);
  });
}

t.test('lab-esxi: on this machine', async (t) => {
  await withLab(
    t,
    async (lab) => {
      const missing = (await status({ stateDir: lab.stateDir })).standIns[0]?.missing;
      if (!requirement(t, name, missing)) return;
      await liveTests(t, lab);
    },
    { standIns: [name] },
  );
});
