import plugin from '../../adapters/transports/ssh/index.ts';
import { duration } from '../../runner/domain/time.ts';
import { authorizedTarget, realDeps } from '../contract/authorized-target.ts';
import type { Field } from './fan-out.ts';

/** detproof's side of the fan-out benchmark: the field as JSON in the first argument, answers on standard output. */
const field = JSON.parse(process.argv[2] ?? '') as Field;
const transport = plugin.open(realDeps);
const signal = new AbortController().signal;

async function host(address: string): Promise<string> {
  await using session = await transport.connect(
    authorizedTarget({
      id: address,
      address,
      kind: 'ssh',
      settings: { port: field.port, knownHosts: field.knownHosts },
      account: field.account,
      accountSettings: { key: `file:${field.key}` },
    }),
    signal,
  );
  const outcomes = await Promise.all(
    Array.from({ length: field.commandsPerHost }, (_, index) =>
      session.run(
        { argv: ['/bin/echo', address, String(index)], channel: 'exec' },
        { timeout: duration(60_000), signal },
      ),
    ),
  );
  return outcomes.map(({ stdout }) => Buffer.from(stdout).toString()).join('');
}

process.stdout.write((await Promise.all(field.addresses.map(host))).join(''));
