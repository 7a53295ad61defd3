import { readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import t from 'tap';
import { execveArgs, proctitleArgs, socketAddress } from '../../lab/siem/audit-decode.ts';
import { AuditJoiner } from '../../lab/siem/audit-join.ts';
import type { AuditEvent } from '../../lab/siem/audit-join.ts';
import { AuditNormaliser } from '../../lab/siem/audit-normalise.ts';
import { decodeText, parseAuditRecord } from '../../lab/siem/audit-record.ts';
import type { AuditRecord } from '../../lab/siem/audit-record.ts';
import type { CollectedEvent } from '../../lab/siem/ecs-event.ts';
import { LabHosts } from '../../lab/siem/lab-hosts.ts';
import { ProcessTable } from '../../lab/siem/process-table.ts';
import { requirement } from '../require.ts';

// Written by the lab's auditd on Linux 6.18, while alice's session on lab-alpha ran Python in many ways and bob's on
// lab-beta a few programs. Programs and arguments in it were chosen to be hard to decode.
const recorded = path.resolve(import.meta.dirname, 'siem-audit-recorded.txt');
const lines = readFileSync(recorded, 'utf8').trimEnd().split('\n');

const hosts = new LabHosts(
  [
    { name: 'lab-alpha', uid: 60101, account: 'alice' },
    { name: 'lab-beta', uid: 60102, account: 'bob' },
  ],
  () => 'root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n',
);
const gone = (): undefined => undefined;

function join(texts: readonly string[]): readonly AuditEvent[] {
  const joiner = new AuditJoiner<number>();
  const events = texts.flatMap((text, index) => {
    const record = parseAuditRecord(text);
    const event = record && joiner.add(record, index, 0);
    return event === undefined ? [] : [event];
  });
  return [...events, ...joiner.flush()];
}

function normalise(texts: readonly string[], table = new ProcessTable(1000, gone)): readonly CollectedEvent[] {
  const normaliser = new AuditNormaliser(hosts, table);
  return join(texts).flatMap((event) => normaliser.normalise(event) ?? []);
}

function record(text: string): AuditRecord {
  const parsed = parseAuditRecord(text);
  if (parsed === undefined) throw new Error(`no record: ${text}`);
  return parsed;
}

/** As ausearch(8) shows a text: bytes below blank as octal escapes. */
function escaped(text: string): string {
  return Array.from(text, (c) => (c < ' ' ? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}` : c)).join('');
}

t.test('audit record: type, time, serial and fields are read, quoted or not, plain or enriched', (t) => {
  const enriched = record(
    'node=web1 type=SYSCALL msg=audit(1795497050.031:6944): arch=c000003e syscall=59 comm="a b" exe=2F612062 key=(null)\x1dARCH=x86_64 SYSCALL=execve AUID="alice"',
  );
  t.match(enriched, { type: 'SYSCALL', timeMs: 1795497050031, serial: 6944 });
  t.equal(enriched.fields.get('SYSCALL'), 'execve');
  t.equal(decodeText(enriched.fields.get('exe')), '/a b');
  t.equal(decodeText(enriched.fields.get('comm')), 'a b');
  t.equal(decodeText(enriched.fields.get('key')), undefined);
  for (const text of ['', 'type=X', 'type=SYSCALL msg=audit(1.5:6): a=1', 'Nov 24 12:00:00 x: y'])
    t.equal(parseAuditRecord(text), undefined, text);
  t.end();
});

t.test('audit record: no text makes it throw', (t) => {
  const prefix = 'type=EXECVE msg=audit(1795497050.031:6944): ';
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z0-9_[\]="' ]*$/));
  fc.assert(
    fc.property(text, (rest) => {
      const parsed = parseAuditRecord(prefix + rest);
      if (parsed !== undefined) execveArgs([parsed]);
      socketAddress(rest);
      proctitleArgs(rest);
      return parsed !== undefined;
    }),
  );
  t.end();
});

t.test('EXECVE: arguments are the bytes that the program was given, whichever way they are written', (t) => {
  const encode = (bytes: Buffer): string => {
    const plain = bytes.every((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x22);
    return plain ? `"${bytes.toString('latin1')}"` : bytes.toString('hex').toUpperCase();
  };
  // As kernel/auditsc.c writes it: a long argument in pieces, new records as it likes.
  const argument = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '').toWellFormed());
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (args, size) => {
      const fields = args.flatMap((one, index) => {
        const bytes = Buffer.from(one);
        if (bytes.length <= size) return [`a${index}=${encode(bytes)}`];
        const hex = bytes.toString('hex').toUpperCase();
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, piece) =>
          hex.slice(piece * size * 2, (piece + 1) * size * 2),
        );
        return [`a${index}_len=${hex.length}`, ...pieces.map((piece, part) => `a${index}[${part}]=${piece}`)];
      });
      const records = [`argc=${args.length}`, ...fields].map((field) =>
        record(`type=EXECVE msg=audit(1795497050.031:6944): ${field}`),
      );
      t.same(execveArgs(records), args);
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('SOCKADDR: addresses of IPv4, IPv6 and unix sockets are read, others are named', (t) => {
  // The first four and the last were recorded with the rest; the IPv6 forms are those of RFC 5952, section 4 and 5.
  const table: readonly (readonly [string, unknown])[] = [
    ['020000097F0000010000000000000000', { family: 'inet', ip: '127.0.0.1', port: 9 }],
    ['0A001267000000000000000000000000000000000000000100000000', { family: 'inet6', ip: '::1', port: 4711 }],
    ['01002F746D702F6E6F20736F636B657400', { family: 'unix', path: '/tmp/no socket' }],
    ['0100006162737472616374', { family: 'unix', path: '@abstract' }],
    ['100000000000000000000000', { family: 'other', number: 16 }],
    [inet6('20010db8000000000000000000020001'), { family: 'inet6', ip: '2001:db8::2:1', port: 80 }],
    [inet6('20010db8000000010001000100010001'), { family: 'inet6', ip: '2001:db8:0:1:1:1:1:1', port: 80 }],
    [inet6('20010000000000010000000000000001'), { family: 'inet6', ip: '2001:0:0:1::1', port: 80 }],
    [inet6('00000000000000000000000000000000'), { family: 'inet6', ip: '::', port: 80 }],
    [inet6('20010db8000000000000000000000000'), { family: 'inet6', ip: '2001:db8::', port: 80 }],
    [inet6('00000000000000000000ffffc0000280'), { family: 'inet6', ip: '::ffff:192.0.2.128', port: 80 }],
    ['0200', { family: 'other', number: 2 }],
    ['02', undefined],
    ['not hex', undefined],
  ];
  for (const [saddr, address] of table) t.same(socketAddress(saddr), address, saddr);
  t.equal(socketAddress(undefined), undefined);
  t.end();
});

function inet6(address: string): string {
  return `0A00005000000000${address.toUpperCase()}00000000`;
}

t.test('audit join: interleaved events come apart, and each ends with its last record', (t) => {
  const events = join(lines);
  t.equal(new Set(events.map(({ serial }) => serial)).size, events.length, 'each event once');
  for (const { serial, records } of events) {
    t.ok(records.every((one) => one.serial === serial));
    t.equal(records.filter(({ type }) => type === 'SYSCALL').length, 1);
  }
  t.equal(events.length, new Set(lines.flatMap((text) => /^type=SYSCALL .*?:(\d+)\)/.exec(text)?.[1] ?? [])).size);
  t.end();
});

t.test(
  'audit join: an event without its last record is given out after a while, or to make room, but never twice',
  (t) => {
    const [syscall, title] = ['SYSCALL', 'PROCTITLE'].map(
      (type) => (serial: number) => record(`type=${type} msg=audit(1795497050.031:${serial}): x=${serial}`),
    ) as [(serial: number) => AuditRecord, (serial: number) => AuditRecord];
    const joiner = new AuditJoiner<string>({ patienceMs: 400, maxPending: 2, maxBytes: 200 });
    t.equal(joiner.add(syscall(1), 'one', 1000), undefined);
    t.equal(joiner.add(syscall(2), 'two', 1100), undefined);
    t.equal(joiner.oldestStart, 'one');
    t.same(joiner.overdue(1399), []);
    t.match(joiner.overdue(1400), [{ serial: 1 }]);
    t.equal(joiner.oldestStart, 'two');
    t.equal(joiner.add(title(1), 'late', 1401), undefined, 'a record that comes too late begins no event');
    joiner.add(syscall(3), 'three', 1402);
    t.match(joiner.add(syscall(4), 'four', 1403), { serial: 2 }, 'the oldest makes room');
    for (let n = 0; n < 100; n++) joiner.add(record('type=PATH msg=audit(1795497050.031:3): x=1'), 'path', 1404);
    const [third] = joiner.flush();
    t.ok((third?.records.length ?? 0) < 5, 'an event does not grow without end');
    t.equal(joiner.oldestStart, undefined);
    t.end();
  },
);

t.test('normalise: what the recorded session did is told in ECS, with parents and for the right host', (t) => {
  const events = normalise(lines);
  const of = (marker: string): readonly CollectedEvent[] =>
    events.filter(({ process }) => process?.args?.includes(marker) === true);
  const python = '/usr/bin/python3.11';

  const [exec, inet, v6] = of('pxv3kabcdefghij0123456');
  t.match(exec, {
    event: { module: 'auditd', dataset: 'auditd.execve', category: ['process'], type: ['start'], outcome: 'success' },
    host: { name: 'lab-alpha', os: { type: 'linux' } },
    user: { id: '60101', name: 'alice', audit: { id: '60101' } },
    process: {
      executable: python,
      name: 'python3.11',
      args: ['python3', '.cache/run.py', 'pxv3kabcdefghij0123456'],
      args_count: 3,
      command_line: 'python3 .cache/run.py pxv3kabcdefghij0123456',
      working_directory: '/tmp/job',
      parent: { executable: '/usr/bin/dash', command_line: 'sh -s' },
    },
  });
  t.match(exec?.event.id, /^lab-alpha-\d+-\d{13}$/);
  t.equal(exec?.event.original.split('\n').length, 6, 'all records are kept');
  t.match(inet, {
    event: { dataset: 'auditd.connect', category: ['network'], outcome: 'unknown' },
    destination: { ip: '127.0.0.1', port: 9, address: '127.0.0.1' },
    network: { type: 'ipv4', direction: 'egress', initiated: true },
    process: { pid: exec?.process?.pid, executable: python, working_directory: '/tmp/job' },
  });
  t.match(v6, { destination: { ip: '::1', port: 4711 }, network: { type: 'ipv6' } });

  t.match(of('pxv3kshebang0123456789')[0], {
    process: { executable: python, args: ['/usr/bin/python3', './.cache/run.py', String] },
  });
  t.same(of('pxv3kinline0123456789')[0]?.process?.args?.slice(3), [
    'pxv3kinline0123456789',
    'two words',
    'q"uote',
    '',
    'tab\tx',
    'ümläut',
    'line\nbreak',
  ]);
  t.match(of('pxv3kinline0123456789')[0]?.process?.parent, { executable: '/usr/bin/bash' });
  t.same(
    of('pxv3klong012345678901')[0]?.process?.args?.map(({ length }) => length),
    [7, 2, 4, 21, 7600, 4000, 4],
    'long arguments come whole',
  );
  t.equal(of('pxv3kcwd0123456789012')[0]?.process?.working_directory, '/tmp/job/dir with space');
  t.same(of('deadbeef')[0]?.process?.args?.slice(2), ['\ufffd\ufffdx', 'deadbeef', 'CAFE0123', '(null)']);

  const children = events.filter(({ process }) => process?.args?.[0] === '/bin/true' && process.args[1] === 'child');
  t.equal(children.length, 3);
  for (const child of children) t.equal(child.process?.parent?.executable, python);
  const renamed = events.filter(({ process }) => process?.args?.[0] === 'renamed echo');
  t.equal(renamed[0]?.process?.executable, '/usr/bin/echo', 'the program, not what it calls itself');
  t.equal(renamed[0]?.process?.parent?.executable, python, 'the parent had the image of its last exec');

  t.ok(of('pxv3kbob01234567890123').every(({ host, user }) => host.name === 'lab-beta' && user?.name === 'bob'));
  t.ok(of('pxv3kbob01234567890123').length > 0);
  const logins = events.filter(({ process }) => process?.parent?.executable === '/usr/sbin/sshd');
  t.same([...new Set(logins.map(({ host }) => host.name))].sort(), ['lab-alpha', 'lab-beta']);
  t.notOk(
    events.some(({ process }) => process?.args?.[0] === '/usr/sbin/cron'),
    'daemons belong to no lab host',
  );
  t.notOk(
    events.some(({ event }) => event.original.includes('/nonexistent/program')),
    'what failed to start did not start',
  );
  t.end();
});

t.test('normalise: ausearch reads the same out of the recorded log', async (t) => {
  const there = await execa('ausearch', ['--version'], { reject: false });
  if (!requirement(t, 'ausearch', there.exitCode === 0 ? undefined : 'the package auditd is not installed')) return;
  const { stdout } = await execa('ausearch', ['-i', '--input', recorded], {
    encoding: 'buffer',
    env: { LC_ALL: 'C.UTF-8' },
  });
  const shown = Buffer.from(stdout).toString('utf8').split('\n');
  const told = (type: string, serial: number): string | undefined => {
    const own = shown.filter((text) => text.startsWith(`type=${type} `) && text.includes(`:${serial}) : `));
    return own.length === 1 ? own[0]?.slice(own[0].indexOf(') : ') + 4).trimEnd() : undefined;
  };
  const compared = { EXECVE: 0, SOCKADDR: 0, PROCTITLE: 0, CWD: 0 };
  for (const { serial, records } of join(lines)) {
    const fieldOf = (type: string, name: string): string | undefined =>
      records.find((one) => one.type === type)?.fields.get(name);
    const args = execveArgs(records);
    const execve = told('EXECVE', serial);
    // It cuts what it shows at about 8000 characters, and shows records that continue each other one by one.
    if (execve !== undefined && args.length > 0) {
      const ours = `argc=${args.length} ${args.map((one, index) => `a${index}=${escaped(one)}`).join(' ')}`;
      t.equal(ours.trimEnd(), execve);
      compared.EXECVE += 1;
    }
    const address = socketAddress(fieldOf('SOCKADDR', 'saddr'));
    if (address?.family === 'inet' || address?.family === 'inet6') {
      t.equal(
        told('SOCKADDR', serial),
        `saddr={ saddr_fam=${address.family} laddr=${address.ip} lport=${address.port} }`,
      );
      compared.SOCKADDR += 1;
    }
    const title = fieldOf('PROCTITLE', 'proctitle');
    if (title !== undefined) {
      const ours = `proctitle=${proctitleArgs(title).map(escaped).join(' ')}`;
      t.equal(ours.trimEnd(), told('PROCTITLE', serial));
      compared.PROCTITLE += 1;
    }
    const cwd = decodeText(fieldOf('CWD', 'cwd'));
    if (cwd !== undefined) {
      t.equal(`cwd=${cwd}`, told('CWD', serial));
      compared.CWD += 1;
    }
  }
  t.ok(
    compared.EXECVE >= 39 && compared.SOCKADDR >= 6 && compared.PROCTITLE >= 90 && compared.CWD >= 40,
    JSON.stringify(compared),
  );
});

t.test('normalise: a host is known by login id before uid, and what is nobody’s is dropped', (t) => {
  const exec = (auid: number, uid: number): readonly CollectedEvent[] =>
    normalise([
      `type=SYSCALL msg=audit(1795497050.031:1): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 auid=${auid} uid=${uid} exe="/usr/bin/id" key="x"`,
      'type=EXECVE msg=audit(1795497050.031:1): argc=1 a0="id"',
      'type=PROCTITLE msg=audit(1795497050.031:1): proctitle="id"',
    ]);
  t.match(exec(60101, 0)[0], { host: { name: 'lab-alpha' }, user: { id: '0', name: 'root', audit: { id: '60101' } } });
  const [cronJob] = exec(4294967295, 60102);
  t.match(cronJob, { host: { name: 'lab-beta' }, user: { name: 'bob' } });
  t.notOk(cronJob?.user && 'audit' in cronJob.user);
  t.same(exec(1000, 1000), []);
  t.notOk('name' in (exec(60101, 4242)[0]?.user ?? { name: 1 }), 'a user without a name has none');
  t.notOk(
    'executable' in (exec(60101, 0)[0]?.process?.parent ?? { executable: 1 }),
    'a parent that is not known is not named',
  );
  t.end();
});

t.test('process table: /proc names a parent only if it was there at the time', (t) => {
  const images = new Map([
    [10, { startedMs: 1000, executable: '/usr/sbin/sshd', args: ['sshd: alice'] }],
    [11, { startedMs: 9000, executable: '/usr/bin/later' }],
  ]);
  const table = new ProcessTable(3, (pid) => images.get(pid));
  t.same(table.imageOf(10, 5000), { executable: '/usr/sbin/sshd', args: ['sshd: alice'] });
  t.same(table.imageOf(11, 5000), {}, 'it began after the event');
  t.same(table.imageOf(12, 5000), {}, 'there is none');

  table.executed(11, 1, { executable: '/usr/bin/earlier', args: ['e'] }, 4000);
  t.match(table.imageOf(11, 5000), { executable: '/usr/bin/earlier' });
  t.match(table.imageOf(11, 9500), { executable: '/usr/bin/later' }, 'the pid belongs to another process now');

  table.forked(20, { executable: '/usr/bin/bash' }, 21, 5000);
  t.same(table.imageOf(21, 5000), { executable: '/usr/bin/bash' });
  table.executed(22, 20, { executable: '/usr/bin/true', args: ['true'] }, 6000);
  table.forked(20, { executable: '/usr/bin/bash' }, 22, 6000);
  t.match(
    table.imageOf(22, 6000),
    { executable: '/usr/bin/true' },
    'the record of a vfork comes after the child’s exec',
  );
  table.forked(20, { executable: '/usr/bin/bash' }, 22, 7000);
  t.match(table.imageOf(22, 7000), { executable: '/usr/bin/bash' }, 'a new process has the number');

  for (let pid = 100; pid < 200; pid++) table.executed(pid, 1, { executable: '/x' }, 8000);
  t.equal(table.size, 3);
  t.end();
});

t.test('process table: this very process is found in /proc', (t) => {
  const table = new ProcessTable();
  const own = table.imageOf(process.pid, Date.now());
  t.ok(own.executable?.startsWith('/'));
  t.equal(own.args?.[0], process.argv0);
  t.same(table.imageOf(process.pid, Date.now() - process.uptime() * 1000 - 5000), {}, 'not before it began');
  t.end();
});

t.test(
  'normalise: the parent’s stale PROCTITLE is never taken for its command line, nor a thread for a process',
  (t) => {
    const syscall = (serial: number, rest: string): string =>
      `type=SYSCALL msg=audit(1795497050.031:${serial}): arch=c000003e success=yes auid=60101 uid=60101 ${rest}`;
    const child = (cloneFlags: string): unknown =>
      normalise([
        syscall(1, `syscall=56 a0=${cloneFlags} exit=51 ppid=1 pid=50 exe="/usr/sbin/cron"`),
        'type=PROCTITLE msg=audit(1795497050.031:1): proctitle=7368002D6300657865632063726F6E',
        syscall(2, 'syscall=59 exit=0 ppid=51 pid=52 exe="/usr/bin/dash"'),
        'type=EXECVE msg=audit(1795497050.031:2): argc=1 a0="sh"',
        'type=PROCTITLE msg=audit(1795497050.031:2): proctitle=7368',
      ])[0]?.process?.parent;
    t.same(child('1200011'), { pid: 51, executable: '/usr/sbin/cron', name: 'cron' });
    t.same(child('3d0f00'), { pid: 51 });
    t.end();
  },
);
