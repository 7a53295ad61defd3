import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { Refusals } from '../../../adapters/shared/refusals.ts';
import type { WinrmConnection } from '../../../adapters/transports/winrm/http/connection.ts';
import { childrenOf, child } from '../../../adapters/transports/winrm/shell/element.ts';
import { ns } from '../../../adapters/transports/winrm/shell/namespaces.ts';
import { WinrmSession } from '../../../adapters/transports/winrm/shell/session.ts';
import { duration } from '../../../runner/domain/time.ts';
import type { Command, CommandOutcome } from '../../../runner/ports.ts';
import { realDeps } from '../../contract/authorized-target.ts';
import { plainConnection, ScriptedServer, type Seen } from './winrm-scripted-server.ts';

const never = new AbortController().signal;

export type Scripted = { readonly server: ScriptedServer; readonly session: WinrmSession };

/** A session with a scripted server; the shell that it makes first is already there. */
export async function scripted(
  t: Test,
  options: { operationTimeoutMs?: number; parallel?: number; prepare?: (server: ScriptedServer) => void } = {},
): Promise<Scripted> {
  const server = await ScriptedServer.start();
  options.prepare?.(server);
  t.teardown(() => server.stop());
  const session = await open(server, options);
  t.teardown(() => session[Symbol.asyncDispose]());
  return { server, session };
}

export function open(
  server: ScriptedServer,
  {
    operationTimeoutMs = 20_000,
    parallel = 4,
    open = () => Promise.resolve(plainConnection(server.url)),
  }: { operationTimeoutMs?: number; parallel?: number; open?: () => Promise<WinrmConnection> } = {},
): Promise<WinrmSession> {
  return WinrmSession.open(
    {
      target: 'win-1',
      url: server.url,
      operationTimeoutMs,
      parallel,
      clock: realDeps.clock,
      credential: 'password env:X as user',
      refusals: new Refusals(),
      remarks: [],
      open,
    },
    never,
  );
}

export function run(
  session: WinrmSession,
  argv: Command['argv'] = ['whoami.exe'],
  options: { timeoutMs?: number; signal?: AbortSignal } & Partial<Command> = {},
): Promise<CommandOutcome> {
  const { timeoutMs = 20_000, signal = never, ...command } = options;
  return session.run({ channel: 'winrm', ...command, argv }, { timeout: duration(timeoutMs), signal });
}

/** Standard input as the server got it, with whether its end came. */
export function stdinOf(seen: readonly Seen[]): {
  readonly bytes: Buffer;
  readonly ended: boolean;
  readonly largest: number;
} {
  const streams = seen
    .filter(({ action }) => action === 'Send')
    .flatMap(({ body }) => childrenOf(child(body, ns.shell, 'Send'), ns.shell, 'Stream'));
  const parts = streams.map((stream) => Buffer.from(stream.text, 'base64'));
  return {
    bytes: Buffer.concat(parts),
    ended: streams.map((stream) => stream.attributes.get('End')).join() === `${','.repeat(streams.length - 1)}true`,
    largest: Math.max(...parts.map(({ length }) => length)),
  };
}

export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000 && !condition(); tries += 1) await sleep(10);
  if (!condition()) throw new Error('it did not come about in 10 s');
}
