import { createConnection, createServer } from 'node:net';
import type { Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabRefused } from './refused.ts';

/** In the abstract namespace of unix(7): one per machine, no file, and the kernel lets go of it when its holder dies. */
const LOCK_ADDRESS = '\0detproof-lab';

/**
 * Runs `action` while no other process changes the lab on this machine. Waits up to `waitMs` for the lock, then throws
 * {@link LabRefused} naming the holder. `purpose` is what the holder tells others.
 */
export async function withLabLock<T>(purpose: string, waitMs: number, action: () => Promise<T>): Promise<T> {
  const until = Date.now() + waitMs;
  let server = await tryLock(purpose);
  while (server === undefined) {
    if (Date.now() >= until)
      throw new LabRefused(
        'lab-held',
        `Another process is changing the lab: ${await askHolder()}. Try again when it is done.`,
      );
    await sleep(100);
    server = await tryLock(purpose);
  }
  try {
    return await action();
  } finally {
    server.close();
  }
}

function tryLock(purpose: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(`pid ${process.pid}, ${purpose}`);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(LOCK_ADDRESS, () => {
      server.unref();
      resolve(server);
    });
  });
}

function askHolder(): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = createConnection(LOCK_ADDRESS);
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString('utf8')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(text === '' ? 'it does not say which' : text);
    });
  });
}
