import plugin from '../../adapters/transports/winrm/index.ts';
import { duration } from '../../runner/domain/time.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import type { WinrmField } from './fan-out-winrm.ts';
import type { Endpoint } from './winrm-hosts.ts';

/** detproof's side of the WinRM fan-out benchmark: the field as JSON in the first argument, answers on standard output. */
const field = JSON.parse(process.argv[2] ?? '') as WinrmField;
const transport = plugin.open(realDeps);
const signal = new AbortController().signal;

async function host({ address, port }: Endpoint): Promise<string> {
  await using session = await transport.connect(
    authorizedTarget({
      id: address,
      address,
      kind: 'winrm',
      platform: 'windows',
      settings: { port, tls: false },
      account: field.account,
      accountSettings: { password: `file:${field.passwordFile}` },
    }),
    signal,
  );
  let said = '';
  for (let index = 0; index < field.commandsPerHost; index += 1) {
    const { stdout } = await session.run(
      { argv: [field.cmd, '/c', 'echo', address, String(index)], channel: 'winrm' },
      { timeout: duration(60_000), signal },
    );
    said += Buffer.from(stdout).toString();
  }
  return said;
}

process.stdout.write((await Promise.all(field.endpoints.map(host))).join(''));
const { user, system } = process.cpuUsage();
process.stderr.write(`${JSON.stringify({ cpuSeconds: (user + system) / 1e6 })}\n`);
