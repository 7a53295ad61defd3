import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import plugin from '../../../adapters/transports/ssh/index.ts';
import { sshSettings } from '../../../adapters/transports/ssh/settings.ts';
import { WindowsHost } from '../../../lab/standins/windows/host.ts';
import { parseSettings } from '../../../lab/standins/windows/settings.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { windowsTransportContract } from '../../contract/windows-transport-contract.ts';
import { requirement } from '../../require.ts';
import { Sshd, sshdMissing } from './sshd.ts';

const python = 'C:\\Program Files\\Python311\\python.exe';

t.test('ssh on Windows: the stand-in behind a real sshd', async (t) => {
  if (!requirement(t, 'sshd', await sshdMissing())) return;
  const folder = await mkdtemp(join(tmpdir(), 'ssh-windows-'));
  // Sessions of sshd come in as another user than this one, and so does Python.
  await chmod(folder, 0o755);
  const file = (name: string): string => join(folder, name);
  await writeFile(file('password'), 'not used over SSH\n', { mode: 0o600 });
  await using host = await WindowsHost.start(
    parseSettings({
      name: 'LAB-WIN',
      folder: file('host'),
      eventLogs: file('events'),
      uid: 60_123,
      accounts: [{ name: 'dana', passwordFile: file('password') }],
      listeners: [],
      sshSecretFile: file('ssh-secret'),
    }),
  );
  const { tree, door, processes } = host.machine;
  const bridge = `/usr/bin/python3 -I -S -B ${join(tree.root, 'python/bridge.py')}`;
  await using sshd = await Sshd.start({
    sftp: false,
    config: [
      'MaxStartups 50:30:100',
      `ForceCommand exec ${bridge} --door ${door.socket} --ssh-secret ${file('ssh-secret')} --account dana`,
    ],
  });
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const transport = plugin.open(realDeps);
  const target = authorizedTarget({
    platform: 'windows',
    address: '127.0.0.1',
    kind: 'ssh',
    settings: sshSettings.parse({ port: sshd.port, knownHosts: sshd.knownHosts }),
    account: 'user',
    accountSettings: { key: `file:${sshd.key}` },
  });
  await windowsTransportContract(t, 'ssh, cmd on Windows', () =>
    Promise.resolve({
      transport,
      target,
      channel: 'exec',
      python,
      folder: 'C:\\Users\\dana',
      local: (path) => tree.real(path) ?? '/nonexistent',
      running: (word) =>
        Promise.resolve([...processes.values()].filter(({ commandLine }) => commandLine.includes(word)).length),
      // Its sshd is one of Linux, where a process can hand on no more.
      exitBits: 8,
    }),
  );
});
