import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import winrm from '../../adapters/transports/winrm/index.ts';
import { winrmSettings } from '../../adapters/transports/winrm/settings.ts';
import { down, up } from '../../lab/range/lab.ts';
import { standInFolders, stateFiles } from '../../lab/range/layout.ts';
import { waitUntil } from '../../lab/range/processes.ts';
import { LabRefused } from '../../lab/range/refused.ts';
import type { EcsEvent } from '../../lab/siem/ecs-event.ts';
import { duration } from '../../runner/domain/time.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import { requirement } from '../require.ts';
import { turn } from './turn.ts';

const never = new AbortController().signal;
const names = ['lab-windows', 'lab-windows-ssh'] as const;
const python = 'C:\\Program Files\\Python311\\python.exe';

t.test(
  'lab: the Windows stand-ins are there over WinRM and over a real sshd, and the SIEM has their events',
  async (t) => {
    await withLab(t, async (stateDir) => {
      const { clientKey, knownHosts, siemStore } = stateFiles(stateDir);
      const events = (marker: string, dataset: string): readonly EcsEvent[] =>
        readFileSync(join(siemStore, 'events.ndjson'), 'utf8')
          .split('\n')
          .filter((line) => line.includes(marker))
          .map((line) => JSON.parse(line) as EcsEvent)
          .filter((one) => one.event.dataset === dataset && one.process?.name === 'python.exe');
      const ssh = (...more: readonly string[]) => {
        const options = [
          '-F',
          'none',
          '-i',
          clientKey,
          '-o',
          `UserKnownHostsFile=${knownHosts}`,
          '-o',
          'BatchMode=yes',
        ];
        return execa('ssh', [...options, '-p', '2227', ...more], {
          reject: false,
          stripFinalNewline: false,
          input: 'print(6 * 7)\n',
        });
      };
      t.match(await ssh('dana@127.0.0.1', 'echo %COMSPEC%'), {
        stdout: 'C:\\Windows\\System32\\cmd.exe\r\n',
        exitCode: 0,
      });
      t.match(await ssh('dana@127.0.0.1', 'whoami & exit 7'), { stdout: 'lab-windows-ssh\\dana\r\n', exitCode: 7 });
      t.match(
        await ssh('dana@127.0.0.1', `"${python}" - msshmarkerofthistestab`),
        { stdout: '42\r\n', exitCode: 0 },
        'input goes through',
      );
      t.match(await ssh('-s', 'dana@127.0.0.1', 'sftp'), { stdout: '', failed: true }, 'there is no SFTP');
      t.match(await ssh('nobody@127.0.0.1', 'whoami'), { failed: true, stdout: '' }, 'nobody else comes in');
      const { secrets } = standInFolders(stateDir, 'lab-windows');
      for (const [port, settings] of [
        [2225, { tls: false }],
        [2226, { ca: join(secrets, 'ca.pem') }],
      ] as const) {
        const target = authorizedTarget({
          id: 'lab-windows',
          platform: 'windows',
          address: '127.0.0.1',
          kind: 'winrm',
          settings: winrmSettings.parse({ port, ...settings }),
          account: 'svc-backup',
          accountSettings: { password: `file:${join(secrets, 'svc-backup.password')}` },
        });
        await using session = await winrm.open(realDeps).connect(target, never);
        const argv = [python, '-c', 'import os; print(os.getpid())', `mwinrmmarkerofthistest${port}`] as const;
        const { exit, stdout } = await session.run(
          { argv: [...argv], channel: 'winrm' },
          { timeout: duration(60_000), signal: never },
        );
        t.same(exit, { kind: 'code', code: 0 });
        const pid = Number(Buffer.from(stdout).toString());
        for (const dataset of ['windows.sysmon_operational', 'windows.security']) {
          await waitUntil(() => events(argv[3], dataset).length > 0, 30_000);
          t.match(
            events(argv[3], dataset),
            [
              {
                host: { name: 'lab-windows', os: { type: 'windows' } },
                user: { name: 'svc-backup', domain: 'LAB-WINDOWS' },
                process: {
                  pid,
                  executable: python,
                  args: [python, ...argv.slice(1)],
                  parent: { executable: 'C:\\Windows\\System32\\cmd.exe' },
                },
              },
            ],
            `${dataset} over ${port}`,
          );
        }
      }
      const sshMarker = 'msshmarkerofthistestab';
      await waitUntil(() => events(sshMarker, 'windows.sysmon_operational').length > 0, 30_000);
      const [overSsh] = events(sshMarker, 'windows.sysmon_operational');
      t.match(overSsh, {
        host: { name: 'lab-windows-ssh' },
        user: { name: 'dana' },
        process: { parent: { name: 'cmd.exe' } },
      });
      t.match(overSsh?.process?.parent?.command_line, /cmd\.exe" \/c "/);
    });
    for (const name of names) t.notOk(existsSync(`/run/detproof-lab/${name}`), `${name} leaves nothing behind`);
  },
);

async function withLab(t: Test, work: (stateDir: string) => Promise<void>): Promise<void> {
  await turn();
  const folder = mkdtempSync(join(tmpdir(), 'lab-windows-test-'));
  const stateDir = join(folder, 'lab');
  try {
    const { standIns } = await up({ stateDir, standIns: [...names], waitMs: 1_500_000, tied: true });
    for (const name of names) if (!requirement(t, name, standIns.find((one) => one.name === name)?.missing)) return;
    await work(stateDir);
  } catch (error) {
    if (!(error instanceof LabRefused)) throw error;
    requirement(t, 'the lab', error.message);
  } finally {
    await down({ stateDir }).catch((error: unknown) => {
      if (!(error instanceof LabRefused)) throw error;
    });
    rmSync(folder, { recursive: true, force: true });
  }
}
