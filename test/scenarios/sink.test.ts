import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { invocation } from '../../runner/pipeline/invocation.ts';
import { step } from '../fakes/site.ts';

const payloads = {
  read: (name: string) => readFileSync(join(import.meta.dirname, '../../scenarios/payloads', name), 'utf8'),
  zip: () => new Uint8Array(),
  deflate: (bytes: Uint8Array) => bytes,
  executable: () => new Uint8Array(),
};

t.test('payloads: with a sink, network payloads connect to it and to nothing else', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    request.resume().on('end', () => response.end('ok'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'detproof-sink-'));
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const sink = `localhost:${(server.address() as AddressInfo).port}`;
  const marker = 'abcdefghij0123456789klmn';
  const runs = [
    ['loopback-web.py', [], ['GET /status']],
    ['loopback-web.py', ['post'], ['POST /status', 'POST /status', 'POST /status']],
    ['loopback-connect.py', [], []],
  ] as const;
  for (const [index, [script, args, expected]] of runs.entries()) {
    const receiptPath = join(folder, `${index}.jsonl`);
    const place = { home: folder, run: 'r', marker, interpreter: 'python3', alias: 'a', separator: '/' } as const;
    const { files } = invocation(
      { ...step, script, args: [...args, marker] },
      { ...place, programSuffix: '', executables: {}, receiptPath, sink },
      payloads,
    );
    const path = join(folder, `${index}.py`);
    writeFileSync(path, files[0]?.bytes ?? '');
    asked.length = 0;
    await execa('python3', ['-I', path, ...args, marker], {
      env: { http_proxy: 'http://192.0.2.1:9' },
      timeout: 30_000,
    });
    t.same(asked, expected);
    const finished = JSON.parse(readFileSync(receiptPath, 'utf8').trim().split('\n')[1] ?? '') as object;
    t.match(finished, { did: /the sink/, destinations: [`127.0.0.1:${(server.address() as AddressInfo).port}`] });
  }
});
