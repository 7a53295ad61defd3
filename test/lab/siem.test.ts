import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import t from 'tap';
import type { Test } from 'tap';
import { z } from 'zod';
import { techniquesOf } from '../../lab/siem/alert.ts';
import { hostileText } from '../../lab/siem/fault-effects.ts';
import { setFaults } from '../../lab/siem/faults.ts';
import type { Faults } from '../../lab/siem/fault-settings.ts';
import { Siem } from '../../lab/siem/siem.ts';
import { waitUntil } from '../../lab/range/processes.ts';
import { requirement } from '../require.ts';

const recorded = readFileSync(path.resolve(import.meta.dirname, 'siem-audit-recorded.txt'), 'utf8');
const marker = 'pxv3kabcdefghij0123456';
const hidden = `title: Python in a hidden folder
id: 5f0b7f9c-6d1c-4d53-9a0e-0d8a4c6f0a11
level: high
tags: [attack.execution, attack.t1059.006]
logsource: { product: linux, category: process_creation }
detection:
  selection: { Image|contains: python, CommandLine|contains: .cache/ }
  condition: selection
`;

function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'detproof siem '));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

const lineSchema = z.looseObject({
  id: z.string().optional(),
  '@timestamp': z.string(),
  message: z.string().optional(),
  event: z
    .looseObject({
      id: z.string().optional(),
      dataset: z.string().optional(),
      ingested: z.string().optional(),
      original: z.string().optional(),
    })
    .optional(),
  host: z.looseObject({ name: z.string() }).optional(),
  process: z
    .looseObject({
      args: z.array(z.string()).optional(),
      command_line: z.string().optional(),
      parent: z.looseObject({ executable: z.string().optional() }).optional(),
    })
    .optional(),
  rule: z.looseObject({ id: z.string(), name: z.string() }).optional(),
  events: z.array(z.string()).optional(),
  enabled: z.boolean().optional(),
  ok: z.boolean().optional(),
  error: z.union([z.string(), z.object({ code: z.string() })]).optional(),
  from: z.string().optional(),
  to: z.string().optional(),
});
type Line = z.infer<typeof lineSchema>;

/** A SIEM with its own clock, fed by hand. */
function siemFor(t: Test, own: { folder?: string; startMs?: number } = {}) {
  const folder = own.folder ?? folderFor(t);
  const audit = path.join(folder, 'audit.log');
  const [storeDir, rulesDir, controlFile] = ['siem', 'rules', 'siem-faults.json'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string];
  mkdirSync(rulesDir, { recursive: true });
  if (!existsSync(path.join(rulesDir, 'hidden.yml'))) writeFileSync(path.join(rulesDir, 'hidden.yml'), hidden);
  let nowMs = own.startMs ?? Date.parse('2026-11-24T12:00:00Z');
  const said: string[] = [];
  const hosts = [
    { name: 'lab-alpha', uid: 60101, account: 'alice' },
    { name: 'lab-beta', uid: 60102, account: 'bob' },
  ];
  const config = { stateDir: folder, storeDir, auditLog: audit, hosts, rulesDir, controlFile, standIns: [] };
  const siem = new Siem(config, (message) => said.push(message), { now: () => nowMs });
  return {
    folder,
    audit,
    storeDir,
    said,
    siem,
    feed: (text: string) => {
      appendFileSync(audit, text);
    },
    /** Lets time pass, in steps as in real life. */
    pass: (ms: number) => {
      for (const until = nowMs + ms; nowMs < until;) {
        nowMs += Math.min(100, until - nowMs);
        siem.tick();
      }
    },
    faults: (faults: Faults) => {
      writeFileSync(controlFile, JSON.stringify(faults));
    },
    lines: (file: 'events' | 'alerts' | 'rules'): readonly Line[] => linesIn(path.join(storeDir, `${file}.ndjson`)),
    heartbeat: () =>
      z
        .looseObject({
          '@timestamp': z.string(),
          faults: z.string(),
          faultsProblem: z.string().optional(),
          troubles: z.array(z.string()),
        })
        .parse(JSON.parse(readFileSync(path.join(storeDir, 'heartbeat.json'), 'utf8'))),
  };
}

function linesIn(file: string): readonly Line[] {
  const text = readFileSync(file, 'utf8');
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => lineSchema.parse(JSON.parse(line)));
}

/** The records of an execution by alice or bob. */
function execution(serial: number, args: readonly string[], uid = 60101): string {
  const head = `msg=audit(1795521600.000:${serial})`;
  return [
    `type=SYSCALL ${head}: arch=c000003e syscall=59 success=yes exit=0 ppid=4000000 pid=${4000000 + serial} auid=${uid} uid=${uid} exe="/usr/bin/python3.11" key="x"`,
    `type=EXECVE ${head}: argc=${args.length} ${args.map((arg, index) => `a${index}="${arg}"`).join(' ')}`,
    `type=CWD ${head}: cwd="/home"`,
    `type=PROCTITLE ${head}: proctitle=${Buffer.from(args.join('\0')).toString('hex').toUpperCase()}`,
    '',
  ].join('\n');
}

const hiddenRun = ['python3', '/tmp/.cache/x.py', marker];

t.test('siem: what came while it was down is taken in after a restart, and nothing twice', (t) => {
  const folder = folderFor(t);
  writeFileSync(path.join(folder, 'audit.log'), execution(1, ['python3', 'before']));
  const first = siemFor(t, { folder });
  first.pass(1000);
  t.same(first.lines('events'), [], 'what was in the log before is not new');
  first.feed(execution(2, ['python3', 'a']));
  // The third event is torn in two by the stop, as is the line.
  const third = execution(3, ['python3', 'b']);
  first.feed(third.slice(0, 300));
  first.pass(300);
  // Killed: no close, so the checkpoint may be older than the store.
  const second = siemFor(t, { folder, startMs: Date.parse('2026-11-24T12:01:00Z') });
  second.feed(third.slice(300));
  second.feed(execution(4, ['python3', 'c']));
  second.pass(1000);
  second.siem.close();
  const third3 = siemFor(t, { folder, startMs: Date.parse('2026-11-24T12:02:00Z') });
  third3.feed(execution(5, hiddenRun));
  third3.pass(1000);
  t.same(
    third3.lines('events').map(({ process }) => process?.args?.[1]),
    ['a', 'b', 'c', '/tmp/.cache/x.py'],
  );
  t.equal(third3.lines('alerts').length, 1);
  t.end();
});

t.test('siem: the recorded session becomes events and alerts with ingest times, ids and techniques', (t) => {
  const siem = siemFor(t);
  siem.feed(recorded);
  siem.pass(1000);
  const events = siem.lines('events');
  t.equal(new Set(events.map(({ event }) => event?.id)).size, events.length);
  t.ok(events.every(({ event }) => event?.ingested === '2026-11-24T12:00:00.100Z'));
  t.same([...new Set(events.map(({ host }) => host?.name))].sort(), ['lab-alpha', 'lab-beta']);
  const alerts = siem.lines('alerts');
  t.same(
    alerts.map(({ process }) => process?.args?.at(-1)),
    [marker, 'pxv3kshebang0123456789', 'pxv3kcwd0123456789012'],
  );
  t.match(alerts[0], {
    id: /^hidden-lab-alpha-/,
    '@timestamp': '2026-11-24T12:00:00.100Z',
    rule: {
      id: 'hidden',
      uuid: '5f0b7f9c-6d1c-4d53-9a0e-0d8a4c6f0a11',
      name: 'Python in a hidden folder',
      tags: Array,
    },
    severity: 'high',
    threat: { technique: { id: ['T1059.006'] } },
    host: { name: 'lab-alpha' },
  });
  t.same(alerts[0]?.events, [events.find(({ process }) => process?.args?.includes(marker))?.event?.id]);
  t.same(techniquesOf(['attack.t1059.006', 'attack.t1053', 'attack.execution', 'cve.2024.1']), ['T1059.006', 'T1053']);
  t.end();
});

t.test('siem: an event whose last record never comes is taken in all the same', (t) => {
  const siem = siemFor(t);
  siem.feed(execution(1, hiddenRun).split('\n').slice(0, 2).join('\n') + '\n');
  siem.pass(300);
  t.equal(siem.lines('events').length, 0);
  siem.pass(500);
  t.equal(siem.lines('events').length, 1);
  t.equal(siem.lines('alerts').length, 1);
  t.end();
});

t.test('siem: rule health covers the time without gaps, and follows rules as they change', (t) => {
  const siem = siemFor(t);
  const rules = path.join(siem.folder, 'rules');
  siem.pass(3000);
  writeFileSync(path.join(rules, 'broken.yml'), 'title: x\n');
  writeFileSync(path.join(rules, 'unmapped.yaml'), hidden.replace('linux', 'cobol'));
  writeFileSync(path.join(rules, 'notes.txt'), 'no rule');
  siem.pass(4000);
  const of = (id: string): readonly Line[] => siem.lines('rules').filter(({ rule }) => rule?.id === id);
  t.ok(of('hidden').length >= 6);
  for (const [index, line] of of('hidden').entries()) {
    t.match(line, { enabled: true, ok: true });
    if (index > 0) t.equal(line.from, of('hidden')[index - 1]?.to);
  }
  t.match(of('broken').at(-1), { enabled: true, ok: false, error: /broken:1:1 SIGMA_MISSING/ });
  t.match(of('unmapped').at(-1), { enabled: true, ok: false, error: /SIGMA_LOGSOURCE_UNMAPPED/ });
  t.same(of('notes'), []);
  t.end();
});

t.test('siem: each fault does what it says, from when the heartbeat says so, and goes away again', (t) => {
  const siem = siemFor(t);
  let serial = 0;
  /** Switches faults, has alice and bob run the same, and tells what arrived of it. */
  const under = (
    faults: Faults,
    afterMs = 1000,
  ): { events: readonly Line[]; alerts: readonly Line[]; rules: readonly Line[] } => {
    const before = { events: siem.lines('events').length, alerts: siem.lines('alerts').length };
    siem.faults(faults);
    siem.pass(300);
    const told = siem.lines('rules').length;
    serial += 2;
    siem.feed(execution(serial, hiddenRun) + execution(serial + 1, hiddenRun, 60102));
    siem.siem.takeSyslog({
      host: 'lab-alpha',
      timeMs: Date.parse('2026-11-24T12:00:00Z'),
      bytes: Buffer.from('<13>job: hello'),
    });
    siem.pass(afterMs);
    const rules = siem.lines('rules').slice(told);
    return {
      events: siem.lines('events').slice(before.events),
      alerts: siem.lines('alerts').slice(before.alerts),
      rules,
    };
  };
  const hostsOf = (lines: readonly Line[]): string => lines.map(({ host }) => host?.name.slice(4)).join(' ');

  t.equal(hostsOf(under({}).events), 'alpha alpha beta', 'none: the syslog line and both executions');
  t.equal(hostsOf(under({ dropHosts: ['lab-beta'] }).events), 'alpha alpha');
  t.equal(hostsOf(under({ dropSources: ['auditd'] }).events), 'alpha');
  t.equal(hostsOf(under({ dropSources: ['syslog'] }).events), 'alpha beta');

  const off = under({ rulesOff: ['hidden'] });
  t.same([off.events.length, off.alerts], [3, []]);
  t.ok(off.rules.length > 0 && off.rules.every(({ enabled, ok }) => enabled === false && ok === false));
  const failing = under({ rulesFailing: ['hidden'] });
  t.same(failing.alerts, []);
  t.ok(
    failing.rules.length > 0 &&
      failing.rules.every(({ enabled, ok, error }) => enabled === true && ok === false && error !== undefined),
  );
  const down = under({ detectorDown: true }, 3000);
  t.same([down.events.length, down.alerts, down.rules], [3, [], []], 'a detector that is down says nothing');
  const up = under({});
  t.ok((up.rules[0]?.from ?? '') > (failing.rules.at(-1)?.to ?? ''), 'nor about that time afterwards');

  const late = under({ alertDelayMs: { hidden: 2000 } });
  t.same(late.alerts, []);
  const ran = late.rules.at(-1)?.to ?? '';
  t.ok(ran < (late.events.at(-1)?.event?.ingested ?? ''), 'a rule that runs late does not say that it has run');
  const alertsBefore = siem.lines('alerts').length;
  siem.pass(3000);
  const [raised] = siem.lines('alerts').slice(alertsBefore);
  const lag = Date.parse(raised?.['@timestamp'] ?? '') - Date.parse(late.events[1]?.event?.ingested ?? '');
  t.ok(lag >= 2000 && lag <= 2200, `raised after ${lag} ms`);

  const offset = under({ clockOffsetMs: { 'lab-beta': -600_000 } });
  t.same(
    offset.events.map((line) => line['@timestamp'].slice(11, 16)),
    ['12:00', '12:00', '11:50'],
  );

  const [, cut] = under({ truncateCommandLine: 12 }).events;
  t.equal(cut?.process?.command_line, 'python3 /tmp');
  t.same(cut?.process?.args, ['python3', '/tmp']);
  t.notMatch(JSON.stringify(cut), marker, 'nothing tells the rest');
  t.notMatch(JSON.stringify(cut), Buffer.from(marker).toString('hex').toUpperCase());
  t.notOk(under({ dropParent: true }).events[1]?.process?.parent);
  t.equal(under({ wrongParent: '/usr/bin/bogus' }).events[1]?.process?.parent?.executable, '/usr/bin/bogus');

  const hostile = under({ hostileFields: true });
  t.equal(hostile.events[0]?.message, `hello${hostileText}`);
  t.ok(hostile.alerts[0]?.rule?.name.endsWith(hostileText));
  t.equal(hostile.events[1]?.process?.command_line, hiddenRun.join(' '), 'what decides is left alone');
  const named = under({ hostileFields: ['process.command_line'] });
  t.ok(named.events[1]?.process?.command_line?.endsWith(hostileText));

  const extra = under({ extraRules: [hidden.replace('Python in', 'Extra'), 'nonsense: ['] });
  t.same(extra.alerts.map(({ rule }) => rule?.id).sort(), ['extra-1', 'extra-1', 'hidden', 'hidden']);
  t.match(
    extra.rules.find(({ rule }) => rule?.id === 'extra-2'),
    { ok: false },
  );

  const skewed = under({ serverClockOffsetMs: 3_600_000 });
  t.match(skewed.events[1]?.event?.ingested, /T13:/);
  t.match(skewed.alerts[0]?.['@timestamp'], /T13:/);
  t.match(siem.heartbeat()['@timestamp'], /T13:/);
  t.ok(skewed.rules.length > 0 && skewed.rules.every(({ from }) => (from ?? '') > '2026-11-24T13'));
  const back = under({});
  t.ok(
    back.rules.length > 0 && back.rules.every(({ to }) => (to ?? '') < '2026-11-24T13'),
    'the clock goes back and rules run on',
  );

  siem.faults({ dropHost: ['x'] } as unknown as Faults);
  siem.pass(300);
  t.match(siem.heartbeat().faultsProblem, /dropHost/);
  rmSync(path.join(siem.folder, 'siem-faults.json'));
  siem.pass(300);
  t.match(siem.heartbeat(), { faults: 'none', faultsProblem: undefined });
  t.end();
});

t.test('siem: a full disk is said and survived, and what waited is written when there is room', async (t) => {
  const folder = folderFor(t);
  const small = path.join(folder, 'siem');
  mkdirSync(small);
  const mount = await execa('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'detproof-test', small], { reject: false });
  if (!requirement(t, 'a small file system', mount.exitCode === 0 ? undefined : 'mounting one is not allowed here'))
    return;
  const siem = siemFor(t, { folder });
  try {
    const fillers = Array.from({ length: 600 }, (_, n) => path.join(small, `filler${n}`));
    siem.feed(execution(1, ['python3', 'a']));
    siem.pass(1500);
    fillers.some((filler) => {
      try {
        writeFileSync(filler, Buffer.alloc(1024));
        return false;
      } catch {
        return true;
      }
    });
    const rulesBefore = siem.lines('rules').length;
    for (let n = 0; n < 8; n++) siem.feed(execution(100 + n, ['python3', 'x'.repeat(3000)]));
    siem.feed(execution(2, ['python3', 'b']));
    siem.pass(1500);
    siem.feed(execution(3, ['python3', 'c']));
    siem.pass(1500);
    t.match(siem.said.join('\n'), /events\.ndjson cannot be written: ENOSPC/);
    t.same(
      siem.lines('events').map(({ process }) => process?.args?.[1]),
      ['a'],
      'no half lines',
    );
    for (const filler of fillers) rmSync(filler, { force: true });
    siem.pass(3000);
    const got = siem.lines('events').map(({ process }) => process?.args?.[1]?.slice(0, 1));
    t.same(got, ['a', ...Array.from({ length: 8 }, () => 'x'), 'b', 'c'], 'nothing is missing, nothing twice');
    const told = siem.lines('rules').slice(rulesBefore);
    t.ok(
      told.some(({ ok, error }) => ok === false && typeof error === 'string' && error.includes('ENOSPC')),
      'rule health says it too',
    );
    t.same(siem.heartbeat().troubles, []);
  } finally {
    siem.siem.close();
    await execa('umount', [small]);
  }
});

t.test(
  'siem process: it listens, takes faults, recovers its listener, and stops cleanly with everything stored',
  async (t) => {
    const stateDir = folderFor(t);
    const [audit, socket, rulesDir] = ['audit.log', 'dev log', 'rules'].map((name) => path.join(stateDir, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(rulesDir);
    writeFileSync(path.join(rulesDir, 'hidden.yml'), hidden);
    writeFileSync(audit, '');
    writeFileSync(socket, 'left behind by a SIEM that was killed');
    const hosts = [{ name: 'lab-alpha', uid: 60101, account: 'alice', mntNs: 'x', syslogSocket: socket }];
    const config = path.join(stateDir, 'siem.json');
    writeFileSync(
      config,
      JSON.stringify({
        stateDir,
        storeDir: path.join(stateDir, 'siem'),
        auditLog: audit,
        hosts,
        rulesDir,
        controlSocket: 'x',
      }),
    );
    const main = path.resolve(import.meta.dirname, '../../lab/siem/main.ts');
    const siem = execa(process.execPath, [main, '--config', config], { reject: false });
    t.teardown(() => siem.kill('SIGKILL'));
    const lines = (file: string): readonly Line[] => linesIn(path.join(stateDir, 'siem', `${file}.ndjson`));
    const send = (text: string) =>
      execa('/usr/bin/python3', [
        '-c',
        'import socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.connect(sys.argv[1]); s.send(sys.argv[2].encode()); import time; time.sleep(.2)',
        socket,
        text,
      ]);
    t.ok(await waitUntil(() => existsSync(socket) && statSync(socket).isSocket(), 30_000));
    t.equal(statSync(socket).mode & 0o777, 0o666, 'every account may write to it');

    appendFileSync(audit, execution(1, hiddenRun));
    t.ok(await waitUntil(() => lines('alerts').length === 1, 30_000));
    await send('<13>job: first');
    t.ok(await waitUntil(() => lines('events').some(({ message }) => message === 'first'), 30_000));
    t.match(lines('events').at(-1), { user: { id: String(process.getuid?.()) }, process: { name: 'job' } });

    await setFaults(stateDir, { rulesOff: ['hidden'] });
    appendFileSync(audit, execution(2, hiddenRun));
    t.ok(await waitUntil(() => lines('events').length === 3, 30_000));
    await sleep(300);
    t.equal(lines('alerts').length, 1);
    await t.rejects(setFaults(stateDir, { nonsense: true } as unknown as Faults), /refuses.*nonsense/s);
    await setFaults(stateDir, {});
    await t.rejects(setFaults(path.join(stateDir, 'nowhere'), {}, 100), /is it running/);

    const { stdout } = await execa('pgrep', ['-P', String(siem.pid), '-f', 'syslog-sockets']);
    process.kill(Number(stdout), 'SIGKILL');
    await waitUntil(
      async () =>
        (await execa('pgrep', ['-P', String(siem.pid), '-f', 'syslog-sockets'], { reject: false })).exitCode === 0,
      30_000,
    );
    const heard = await waitUntil(async () => {
      await send('<13>job: second').catch(() => undefined);
      return lines('events').some(({ message }) => message === 'second');
    }, 30_000);
    t.ok(heard, 'the listener is back');

    appendFileSync(audit, execution(3, ['python3', 'last']));
    siem.kill('SIGTERM');
    const { exitCode, stderr } = await siem;
    t.equal(exitCode, 0, stderr);
    t.ok(
      lines('events').some(({ process: own }) => own?.args?.includes('last') === true),
      'what had come is stored',
    );
    t.notOk(existsSync(socket), 'the socket is gone');
    t.match(stderr, /ready\n.*faults: .*starting it again.*stopped\n?$/s);
    const wrong = await execa(process.execPath, [main, '--config', path.join(rulesDir, 'hidden.yml')], {
      reject: false,
    });
    t.not(wrong.exitCode, 0);
  },
);
