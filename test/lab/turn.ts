import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the abstract namespace of unix(7): the kernel lets go of it when its holder dies. */
const address = '\0detproof-lab-tests';
let mine: Promise<void> | undefined;

/**
 * Resolves when this test file is the only one that uses the lab; it then is until its process ends. There is one kernel audit
 * system, and tests that look at the machine before and after must not see another's lab.
 */
export function turn(): Promise<void> {
  return (mine ??= take());
}

async function take(): Promise<void> {
  while (!(await tryOnce())) await sleep(250);
}

function tryOnce(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve(true);
    });
  });
}
