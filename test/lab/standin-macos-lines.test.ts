import t from 'tap';
import { AuditJoiner } from '../../lab/siem/audit-join.ts';
import { parseAuditRecord } from '../../lab/siem/audit-record.ts';
import type { MakeNormaliser } from '../../lab/siem/collected-line.ts';
import type { CollectedEvent } from '../../lab/siem/ecs-event.ts';
import { normaliser as endpointSecurity } from '../../lab/siem/endpointsecurity-normalise.ts';
import { normaliser as systemLog } from '../../lab/siem/macos-syslog-normalise.ts';
import { normaliser as osquery } from '../../lab/siem/osquery-normalise.ts';
import { normaliser as unifiedLog } from '../../lab/siem/unifiedlog-normalise.ts';
import { factsOf } from '../../lab/standins/macos/sensor/audit-facts.ts';
import type { AuditFact } from '../../lab/standins/macos/sensor/audit-facts.ts';
import { EndpointSecurityLog } from '../../lab/standins/macos/sensor/endpoint-security.ts';
import { MacProcesses } from '../../lab/standins/macos/sensor/mac-processes.ts';
import { messageOf, systemLogLine, unifiedLine } from '../../lab/standins/macos/sensor/message-logs.ts';
import { resultLine, rowOf } from '../../lab/standins/macos/sensor/osquery.ts';

const startMs = 1_795_507_798_067;
let serial = 0;

/** The facts of one event of an account's process, told as auditd does. */
function facts(call: string, key: string, records: readonly string[] = []): readonly AuditFact[] {
  serial += 1;
  const head = (type: string): string =>
    `type=${type} msg=audit(${((startMs + serial) / 1000).toFixed(3)}:${serial}): `;
  const ids = 'auid=60104 uid=60104 gid=60104 euid=60104 egid=60104 tty=pts0 ses=330 comm="x"';
  const texts = [
    `${head('SYSCALL')}arch=c000003e success=yes exit=0 ${call} ${ids} key="${key}"`,
    ...records.map((record) => record.replace(' ', ` ${head('').slice('type= '.length)}`).replace(/^/, 'type=')),
    `${head('PROCTITLE')}proctitle="x"`,
  ];
  const joiner = new AuditJoiner<number>();
  return texts.flatMap((text) => {
    const record = parseAuditRecord(text);
    if (record === undefined) throw new Error(`no record: ${text}`);
    const event = joiner.add(record, 0, 0);
    return event === undefined ? [] : factsOf(event);
  });
}

function events(make: MakeNormaliser, host: string, lines: readonly string[]): readonly CollectedEvent[] {
  const normalise = make();
  return lines.flatMap((text, index) => normalise({ host, id: `id-${index}`, text, receivedMs: startMs + 900 }) ?? []);
}

const python = '/opt/homebrew/bin/python3';
const execOf = (pid: number, ppid: number, exe: string, args: readonly string[], first = exe): readonly AuditFact[] =>
  facts(`syscall=59 ppid=${ppid} pid=${pid} exe="${exe}"`, 'detproof-macos-exec', [
    `EXECVE argc=${args.length} ${args.map((arg, index) => `a${index}="${arg}"`).join(' ')}`,
    'CWD cwd="/Users/carol"',
    `PATH item=0 name="${first}" inode=11 dev=00:2d mode=0100755 ouid=0 ogid=0 nametype=NORMAL`,
  ]);

t.test('macOS audit facts: an execution has its arguments, folder, file and, behind a first line, its script', (t) => {
  t.match(execOf(20, 10, python, [python, 'x.py', 'm1']), [
    { is: 'exec', pid: 20, ppid: 10, args: [python, 'x.py', 'm1'], cwd: '/Users/carol', script: undefined },
  ]);
  t.match(execOf(20, 10, '/bin/sh', ['/bin/sh', '/usr/bin/sw_vers'], '/usr/bin/sw_vers'), [
    { executable: '/bin/sh', script: '/usr/bin/sw_vers', file: { mode: 0o100755, inode: 11 }, tty: '/dev/pts/0' },
  ]);
  t.match(execOf(20, 10, python, [python, '-I', 'a/x.py'], 'a/x.py'), [{ script: '/Users/carol/a/x.py' }]);
  t.end();
});

t.test('macOS audit facts: other hosts’ events, failures, threads and files of unknown folders are none', (t) => {
  const exec = 'syscall=59 ppid=1 pid=2 exe="/bin/sh"';
  t.same(facts(exec, 'detproof-exec'), [], 'a rule of the lab’s own hosts');
  t.same(facts(`${exec} success=no`.replace('syscall', 'success=no syscall'), 'other'), []);
  const clone = (flags: string): string =>
    `syscall=56 a0=${flags} ppid=1 pid=2 exe="/bin/sh"`.replace('syscall', 'x=1 syscall');
  t.same(facts(clone('3d0f00'), 'detproof-macos-fork'), [], 'exit=0 is the child’s own return');
  const made = 'PATH item=1 name="x.py" inode=5 mode=0100644 ouid=60104 ogid=60104 nametype=CREATE';
  const file = (a0: string): readonly AuditFact[] =>
    facts(`syscall=257 a0=${a0} ppid=1 pid=2 exe="/bin/sh"`, 'detproof-macos-file', ['CWD cwd="/tmp"', made]);
  t.match(file('ffffff9c'), [{ is: 'create', path: '/private/tmp/x.py', file: { inode: 5 } }]);
  t.same(file('7'), [], 'below an open folder that no record names');
  t.end();
});

t.test(
  'Endpoint Security lines: fork, then exec: the pid stays, its version rises, the image before is the parent’s',
  (t) => {
    const log = new EndpointSecurityLog(new MacProcesses());
    const fork: AuditFact = { ...first(execOf(10, 1, '/bin/zsh', ['zsh'])), is: 'fork', child: 20 };
    const lines = [
      ...execOf(10, 1, '/bin/zsh', ['zsh', '-c', 'x']),
      fork,
      ...execOf(20, 10, python, [python, 'x.py', 'm1']),
    ].map((fact) => log.line(fact) ?? '');
    type Line = {
      event_type: number;
      global_seq_num: number;
      process: { executable: { path: string }; audit_token: { pid: number; pidversion: number } };
      event: {
        exec?: {
          target: { audit_token: { pid: number; pidversion: number }; parent_audit_token: { pidversion: number } };
        };
      };
    };
    const read = lines.map((line) => JSON.parse(line) as Line);
    t.same(
      read.map(({ event_type }) => event_type),
      [9, 11, 9],
    );
    t.same(
      read.map(({ global_seq_num }) => global_seq_num),
      [0, 1, 2],
    );
    const [, forked, last] = read;
    t.match(last?.process, { executable: { path: '/bin/zsh' }, audit_token: { pid: 20 } });
    const target = last?.event.exec?.target;
    t.equal(target?.audit_token.pid, 20);
    t.ok((target?.audit_token.pidversion ?? 0) > (last?.process.audit_token.pidversion ?? 0));
    t.equal(target?.parent_audit_token.pidversion, forked?.process.audit_token.pidversion);
    t.match(events(endpointSecurity, 'mac-a', lines), [
      { process: { pid: 10 } },
      {
        event: { dataset: 'macos.endpointsecurity.exec', type: ['start'] },
        host: { os: { type: 'macos' } },
        user: { name: 'carol' },
        process: {
          executable: python,
          args: [python, 'x.py', 'm1'],
          parent: { executable: '/bin/zsh', args: ['zsh', '-c', 'x'] },
        },
      },
    ]);
    const row = rowOf(first(execOf(20, 10, python, [python, 'x.py', 'm1'])), 1);
    const line = row === undefined ? '' : resultLine(row, 'mac-a', startMs);
    t.match(JSON.parse(line), {
      calendarTime: 'Tue Nov 24 08:09:58 2026 UTC',
      columns: { pid: '20', parent: '10', mode: '0755' },
    });
    t.match(events(osquery, 'mac-a', [line]), [
      { process: { parent: { executable: '/bin/zsh' } }, event: { action: 'exec' } },
    ]);
    t.match(
      events(osquery, 'mac-b', [line]),
      [{ process: { parent: { pid: 10, executable: undefined } } }],
      'not another host’s',
    );
    t.end();
  },
);

t.test(
  'Endpoint Security lines: the fork’s record comes after the child’s exec: the child keeps its own image',
  (t) => {
    const log = new EndpointSecurityLog(new MacProcesses());
    const parent = execOf(30, 1, '/bin/zsh', ['zsh']);
    const fork = { ...first(parent), is: 'fork', child: 31 } as AuditFact;
    const lines = [...parent, ...execOf(31, 30, python, [python]), fork].map((fact) => log.line(fact) ?? '');
    const child = execOf(32, 31, '/bin/sh', ['sh']).map((fact) => log.line(fact) ?? '');
    t.match(events(endpointSecurity, 'mac-c', [...lines, ...child]).at(-1), {
      process: { parent: { executable: python } },
    });
    t.end();
  },
);

t.test('Endpoint Security lines: a pid is used again: the image before is the new parent’s', (t) => {
  const log = new EndpointSecurityLog(new MacProcesses());
  const facts = [
    ...execOf(40, 1, '/bin/zsh', ['zsh']),
    ...execOf(41, 1, python, [python]),
    ...execOf(41, 40, '/bin/sh', ['sh']),
  ];
  const last = JSON.parse(facts.map((fact) => log.line(fact)).at(-1) ?? '') as unknown;
  t.match(last, { process: { executable: { path: '/bin/zsh' } }, event: { exec: { target: { ppid: 40 } } } });
  t.end();
});

t.test(
  'macOS messages: system.log has notice and above, and logins from info; the unified log leaves out debug',
  (t) => {
    const sent = (facility: number, level: number) =>
      messageOf(
        {
          host: 'lab-macos',
          timeMs: startMs,
          pid: 7,
          uid: 60104,
          bytes: Buffer.from(`<${facility * 8 + level}>python3[7]: hello\n`),
        },
        python,
      );
    const [user, auth] = [1, 4] as const;
    const inBoth = (facility: number, level: number): readonly boolean[] => [
      systemLogLine(sent(facility, level), 'lab-macos') !== undefined,
      unifiedLine(sent(facility, level)) !== undefined,
    ];
    t.same(
      [inBoth(user, 5), inBoth(user, 6), inBoth(user, 7)],
      [
        [true, true],
        [false, true],
        [false, false],
      ],
    );
    t.same(
      [inBoth(auth, 6), inBoth(auth, 7)],
      [
        [true, true],
        [false, false],
      ],
    );
    t.match(events(systemLog, 'lab-macos', [systemLogLine(sent(user, 5), 'lab-macos') ?? '']), [
      { '@timestamp': new Date(startMs + 900).toISOString(), message: 'hello', process: { name: 'python3', pid: 7 } },
    ]);
    t.match(events(unifiedLog, 'lab-macos', [unifiedLine(sent(user, 5)) ?? '']), [
      {
        '@timestamp': new Date(startMs).toISOString(),
        message: 'hello',
        process: { executable: python, pid: 7 },
        user: { name: 'carol' },
      },
    ]);
    const old = 'Dec 31 23:59:58 lab-macos x: y';
    t.match(events(systemLog, 'lab-macos', [old])[0]?.['@timestamp'], /^2025-12-31|^2026-01-01/, 'the year before');
    t.end();
  },
);

t.test('macOS normalisers: a line that is not what it should be is an event with its text and nothing else', (t) => {
  for (const make of [endpointSecurity, osquery, unifiedLog, systemLog])
    for (const text of ['', 'x', '{}', '[]', 'null', '{"name":"q_process_events","unixTime":1,"columns":{"pid":7}}'])
      t.match(events(make, 'mac-d', [text]), [
        { message: text, event: { module: 'macos', original: text }, process: undefined },
      ]);
  t.end();
});

function first(facts: readonly AuditFact[]): AuditFact {
  const [fact] = facts;
  if (fact === undefined) throw new Error('no fact');
  return fact;
}
