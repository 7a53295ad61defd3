import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { loadNormalisers } from './normalisers.ts';
import { Siem } from './siem.ts';
import { SyslogPort } from './syslog-port.ts';
import { SyslogReceiver } from './syslog-receiver.ts';

const pollMs = 100;

/** `node lab/siem/main.ts --config FILE`: the lab's SIEM, until SIGTERM or SIGINT. Says what troubles it on standard error. */
async function main(): Promise<void> {
  const { config: file } = parseArgs({ options: { config: { type: 'string' } } }).values;
  if (file === undefined) throw new Error('usage: node lab/siem/main.ts --config FILE');
  const config = readConfig(file);
  const siem = new Siem(config, log, { normalisers: await loadNormalisers(config.standIns) });
  const sockets = config.hosts.flatMap(({ name, syslogSocket }) =>
    syslogSocket === undefined ? [] : [{ host: name, path: syslogSocket }],
  );
  const receiver = new SyslogReceiver(
    sockets,
    (datagram) => {
      siem.takeSyslog(datagram);
    },
    log,
  );
  const port =
    config.syslog &&
    new SyslogPort(
      config.syslog,
      (datagram) => {
        siem.takeRelayed(datagram);
      },
      log,
    );
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      stop.abort();
    });
  // The port first: the sockets are what tells others that the SIEM listens.
  await port?.open();
  await receiver.open();
  log('ready');
  while (!stop.signal.aborted) {
    siem.tick();
    await sleep(pollMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await receiver.close();
  await port?.close();
  siem.close();
  log('stopped');
}

function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`);
}

await main();
