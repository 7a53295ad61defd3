import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import plugin from '../../../adapters/transports/local.ts';
import { authorizedTarget, realDeps } from '../../contract/authorized-target.ts';
import { failureOf, transportContract } from '../../contract/transport-contract.ts';
import { duration } from '../../../runner/domain/time.ts';

const folder = await mkdtemp(join(tmpdir(), 'local-'));
t.teardown(() => rm(folder, { recursive: true }));

const transport = plugin.open(realDeps);
const target = authorizedTarget({
  address: 'localhost',
  kind: 'local',
  settings: {},
  account: 'me',
  accountSettings: {},
});

await transportContract(t, 'local', () => Promise.resolve({ transport, target, folder }));

t.test('local: an interactive shell is refused with what to do instead', async (t) => {
  await using session = await transport.connect(target, new AbortController().signal);
  const shell = session.run(
    { argv: ['/bin/true'], channel: 'shell' },
    { timeout: duration(1_000), signal: new AbortController().signal },
  );
  t.match(await failureOf(t, shell, 'not-started'), /use the channel exec/);
});
