import t from 'tap';
import { normaliser as security } from '../../lab/siem/windows-security-normalise.ts';
import { normaliser as sysmon } from '../../lab/siem/sysmon-normalise.ts';
import type { CollectedEvent } from '../../lab/siem/ecs-event.ts';
import { ecsTaxonomy } from '../../lab/sigma/ecs-taxonomy.ts';

const line = (text: string) => ({ host: 'lab-windows', id: 'an-id', text, receivedMs: 1_700_000_000_000 });

function event(id: number, data: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    System: {
      Provider: { Name: 'x' },
      EventID: id,
      EventRecordID: 7,
      Computer: 'LAB-WINDOWS',
      TimeCreated: { SystemTime: '2026-11-24T08:24:41.142Z' },
    },
    EventData: data,
  });
}

const read = (make: typeof sysmon, text: string): CollectedEvent | undefined => make()(line(text));

const creation = {
  UtcTime: '2026-11-24 08:24:41.100',
  ProcessGuid: '{a}',
  ProcessId: 4160,
  Image: 'C:\\Program Files\\Python311\\python.exe',
  OriginalFileName: 'python.exe',
  CommandLine: '"C:\\Program Files\\Python311\\python.exe" "C:\\a b\\run.py" x',
  CurrentDirectory: 'C:\\Users\\dana\\',
  User: 'LAB-WINDOWS\\dana',
  IntegrityLevel: 'Medium',
  Hashes: 'SHA256=ABCD,MD5=EF01',
  ParentProcessGuid: '{b}',
  ParentProcessId: 4156,
  ParentImage: 'C:\\Windows\\System32\\cmd.exe',
  ParentCommandLine: 'cmd.exe /c x',
  ParentUser: 'NT AUTHORITY\\SYSTEM',
};

t.test('sysmon: a process creation becomes a process of ECS', (t) => {
  const ecs = read(sysmon, event(1, creation));
  t.match(ecs, {
    '@timestamp': '2026-11-24T08:24:41.100Z',
    event: {
      id: 'an-id',
      module: 'windows',
      dataset: 'windows.sysmon_operational',
      code: '1',
      category: ['process'],
      type: ['start'],
    },
    host: { name: 'lab-windows', hostname: 'LAB-WINDOWS', os: { type: 'windows' } },
    user: { name: 'dana', domain: 'LAB-WINDOWS' },
    process: {
      pid: 4160,
      ppid: 4156,
      entity_id: '{a}',
      executable: 'C:\\Program Files\\Python311\\python.exe',
      name: 'python.exe',
      args: ['C:\\Program Files\\Python311\\python.exe', 'C:\\a b\\run.py', 'x'],
      args_count: 3,
      command_line: creation.CommandLine,
      working_directory: 'C:\\Users\\dana',
      hash: { sha256: 'abcd', md5: 'ef01' },
      pe: { original_file_name: 'python.exe' },
      parent: {
        pid: 4156,
        entity_id: '{b}',
        executable: 'C:\\Windows\\System32\\cmd.exe',
        name: 'cmd.exe',
        command_line: 'cmd.exe /c x',
        user: { name: 'SYSTEM', domain: 'NT AUTHORITY' },
      },
    },
    winlog: { event_data: { IntegrityLevel: 'Medium', Hashes: 'SHA256=ABCD,MD5=EF01' } },
  });
  t.end();
});

t.test('sysmon: what an event leaves out with a dash or not at all is absent', (t) => {
  const { ParentUser, ...rest } = creation;
  const ecs = read(
    sysmon,
    event(1, { ...rest, OriginalFileName: '-', Hashes: '-', CurrentDirectory: 'C:\\', User: '-' }),
  );
  t.ok(ParentUser);
  t.notOk(ecs?.process?.pe);
  t.notOk(ecs?.process?.hash);
  t.notOk(ecs?.user);
  t.notOk(ecs?.process?.parent?.user);
  t.equal(ecs?.process?.working_directory, 'C:\\', 'a drive keeps its backslash');
  t.end();
});

t.test('sysmon: connections and file creations', (t) => {
  const shared = {
    ProcessGuid: '{a}',
    ProcessId: 8,
    Image: 'C:\\p\\python.exe',
    User: 'LAB-WINDOWS\\dana',
    UtcTime: creation.UtcTime,
  };
  const network = {
    Protocol: 'tcp',
    Initiated: true,
    SourceIp: '127.0.0.1',
    SourcePort: 50000,
    DestinationIsIpv6: false,
    DestinationIp: '127.0.0.1',
    DestinationPort: 8080,
  };
  t.match(read(sysmon, event(3, { ...shared, ...network })), {
    event: { code: '3', category: ['network'], type: ['connection', 'start'] },
    process: { pid: 8, executable: 'C:\\p\\python.exe', name: 'python.exe' },
    source: { ip: '127.0.0.1', port: 50000 },
    destination: { address: '127.0.0.1', ip: '127.0.0.1', port: 8080 },
    network: { type: 'ipv4', transport: 'tcp', direction: 'egress', initiated: true },
  });
  t.match(read(sysmon, event(11, { ...shared, TargetFilename: 'C:\\x\\a.py' })), {
    event: { code: '11', category: ['file'], type: ['creation'] },
    file: { path: 'C:\\x\\a.py' },
  });
  t.end();
});

t.test('security: a process creation has hexadecimal ids, and belongs to the account that it runs as', (t) => {
  const data = {
    SubjectUserSid: 'S-1-5-18',
    SubjectUserName: 'LAB-WINDOWS$',
    SubjectDomainName: 'WORKGROUP',
    NewProcessId: '0x1040',
    NewProcessName: 'C:\\p\\python.exe',
    ProcessId: '0x103c',
    CommandLine: 'python.exe x',
    TargetUserSid: 'S-1-5-21-1',
    TargetUserName: 'dana',
    TargetDomainName: 'LAB-WINDOWS',
    ParentProcessName: 'C:\\Windows\\System32\\cmd.exe',
    MandatoryLabel: 'S-1-16-8192',
  };
  t.match(read(security, event(4688, data)), {
    '@timestamp': '2026-11-24T08:24:41.142Z',
    event: { dataset: 'windows.security', code: '4688', category: ['process'], type: ['start'] },
    user: { id: 'S-1-5-21-1', name: 'dana', domain: 'LAB-WINDOWS' },
    process: {
      pid: 0x1040,
      ppid: 0x103c,
      executable: 'C:\\p\\python.exe',
      command_line: 'python.exe x',
      args: ['python.exe', 'x'],
      parent: { pid: 0x103c, executable: 'C:\\Windows\\System32\\cmd.exe', name: 'cmd.exe' },
    },
  });
  t.match(read(security, event(4688, { ...data, TargetUserName: '-' })), {
    user: { name: 'LAB-WINDOWS$', domain: 'WORKGROUP' },
  });
  t.notOk(read(security, event(4688, data))?.process?.parent?.command_line, 'the parent’s command line is not told');
  const logon = {
    TargetUserName: 'dana',
    TargetDomainName: 'LAB-WINDOWS',
    LogonType: 3,
    IpAddress: '127.0.0.1',
    IpPort: 5,
  };
  t.match(read(security, event(4624, logon)), {
    event: { category: ['authentication'], action: 'logged-in', outcome: 'success' },
    source: { ip: '127.0.0.1', port: 5 },
    winlog: { event_data: { LogonType: '3' } },
  });
  t.match(read(security, event(4625, logon)), { event: { outcome: 'failure' } });
  t.end();
});

t.test('sysmon and security: a line that cannot be read is an event that says so little, never an error', (t) => {
  for (const make of [sysmon, security])
    for (const text of [
      '',
      'no JSON',
      '{}',
      '[]',
      '{"System":{},"EventData":{}}',
      event(1, { Image: {} }),
      event(255, {}),
    ]) {
      const ecs = read(make, text);
      t.match(ecs, { event: { id: 'an-id', module: 'windows', original: text }, host: { name: 'lab-windows' } }, text);
      t.ok(Number.isFinite(Date.parse(ecs?.['@timestamp'] ?? '')));
    }
  t.equal(read(sysmon, event(255, {}))?.event.code, '255');
  t.end();
});

t.test('sigma: field names of Windows lead to the fields that these events have', (t) => {
  const ecs = read(sysmon, event(1, creation));
  const at = (field: string): unknown =>
    field.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], ecs);
  for (const name of [
    'Image',
    'OriginalFileName',
    'CommandLine',
    'CurrentDirectory',
    'User',
    'IntegrityLevel',
    'Hashes',
    'ParentImage',
    'ParentCommandLine',
    'ParentUser',
    'EventID',
  ]) {
    const field = ecsTaxonomy.fields[name];
    t.ok(
      [field].flat().some((one) => typeof one === 'string' && at(one) !== undefined),
      `${name} → ${String(field)}`,
    );
  }
  t.end();
});
