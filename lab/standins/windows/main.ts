import { parseArgs } from 'node:util';
import { WindowsHost } from './host.ts';
import { readSettings } from './settings.ts';

/**
 * `node lab/standins/windows/main.ts --config FILE`: a Windows stand-in, until SIGTERM or SIGINT. Says on standard output when
 * it is ready, and on which ports: `ready {"ports":[5985]}`.
 */
async function main(): Promise<void> {
  const { config } = parseArgs({ options: { config: { type: 'string' } } }).values;
  if (config === undefined) throw new Error('usage: node lab/standins/windows/main.ts --config FILE');
  const host = await WindowsHost.start(readSettings(config));
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
  process.stdout.write(`ready ${JSON.stringify({ ports: host.ports, folder: host.machine.tree.root })}\n`);
  await stop;
  await host[Symbol.asyncDispose]();
}

await main();
