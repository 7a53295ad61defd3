import { authorize, type AuthorizedTarget } from '../domain/authorize.ts';
import type { Reason } from '../domain/fact.ts';
import type { CheckItem, HostCheck } from '../domain/host-check.ts';
import type { Inventory, Target } from '../domain/inventory.ts';
import { type ClockOffset, duration, formatDuration, type Instant } from '../domain/time.ts';
import { type Transport, TransportFailure } from '../ports.ts';
import { dialectOf } from './dialect.ts';
import { failureReason, Host } from './host.ts';

/** Kerberos refuses beyond five minutes; a SIEM's searches by time go wrong long before. */
const mostOffsetMs = 60_000;

const timeoutMs = 20_000;

/** What the first touch of an account showed, and which sensors are running. Never throws for what the host does. */
export async function checkBefore(
  host: Host,
  allowed: AuthorizedTarget,
  found: { readonly clock?: ClockOffset } | { readonly failure: Reason },
  at: Instant,
  signal: AbortSignal,
): Promise<HostCheck> {
  const { target, account } = allowed;
  const of = { target: target.id, account: account.name, when: 'before' as const, at };
  if ('failure' in found) return { ...of, items: notReached(target, found.failure) };
  return {
    ...of,
    items: [
      item('reachable', 'ok', `${target.address} answers`),
      item('login', 'ok', `as ${account.name}`),
      item('interpreter', 'ok', target.interpreter),
      clockItem(found.clock),
      ...(await sensorItems(host, allowed, signal)),
      ...(isOverSsh(target) ? [item('ssh-service', 'ok', 'SSH is switched on')] : []),
    ],
  };
}

/** Whom a login or a connection fails for, the rest is not known of. */
function notReached(target: Target, { class: reasonClass, detail }: Reason): HostCheck['items'] {
  const unasked = (what: CheckItem['what']): CheckItem => item(what, 'unknown', 'not looked at: see above');
  const answers = item('reachable', 'ok', `${target.address} answers`);
  if (reasonClass === 'login' || reasonClass === 'host-key')
    return [answers, item('login', 'trouble', detail), unasked('interpreter'), unasked('clock')];
  if (reasonClass === 'not-started' || reasonClass === 'no-interpreter')
    return [answers, item('login', 'ok', 'it was taken'), item('interpreter', 'trouble', detail), unasked('clock')];
  if (reasonClass !== 'unreachable') return [item('reachable', 'unknown', detail)];
  const owner = 'detproof does not switch it on; its owner does, and off again afterwards';
  return [
    item('reachable', 'trouble', detail),
    ...(isOverSsh(target)
      ? [item('ssh-service', 'trouble', `perhaps SSH is not switched on (${owner}: ${target.owner})`)]
      : []),
  ];
}

function clockItem(clock: ClockOffset | undefined): CheckItem {
  if (clock === undefined) return item('clock', 'unknown', 'the host did not say what time it is there');
  const { offsetMs, uncertaintyMs } = clock;
  const off = `${formatDuration(Math.abs(offsetMs))} ${offsetMs < 0 ? 'behind' : 'ahead'} (±${uncertaintyMs} ms)`;
  return Math.abs(offsetMs) - uncertaintyMs > mostOffsetMs
    ? item('clock', 'trouble', `${off}: corrected here, but searches and rules of the SIEM may look at the wrong time`)
    : item('clock', 'ok', off);
}

/**
 * What is left of a host after its part: a new connection is made, since one that is open may outlive a host's isolation.
 * `before`: what was found on the same account then.
 */
export async function checkAfter(
  target: Target,
  before: HostCheck,
  deps: {
    /** The connection of the run; a login that was refused on it is not tried again. */
    readonly host: Host;
    readonly inventory: Inventory;
    readonly transport: Transport;
    readonly now: () => Instant;
    readonly signal: AbortSignal;
  },
): Promise<HostCheck> {
  const at = deps.now();
  const of = { target: target.id, account: before.account, when: 'after' as const, at };
  const off = isOverSsh(target)
    ? [item('ssh-service', 'to-confirm', `${target.owner} switches SSH off again and confirms it`)]
    : [];
  const allowed = authorize(deps.inventory, target, before.account, at, duration(0));
  if (allowed.is === 'refused')
    return { ...of, items: [item('reachable', 'unknown', `not looked at: ${allowed.why.detail}`), ...off] };
  const refusal = deps.host.refusal;
  if (refusal !== undefined)
    return {
      ...of,
      items: [item('login', 'trouble', `refused since, and not tried again: ${refusal.message}`), ...off],
    };
  await using host = new Host(deps.transport);
  try {
    await host.session(allowed.target, deps.signal);
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    const { class: reasonClass, detail } = failureReason(error);
    if (reasonClass === 'interrupted') return { ...of, items: [item('reachable', 'unknown', detail), ...off] };
    const gone = reasonClass === 'unreachable' || reasonClass === 'broken-off' || reasonClass === 'protocol';
    return {
      ...of,
      items: [
        item('reachable', 'trouble', `it was before, and a new connection was not made: ${detail}`),
        gone
          ? item('isolation', 'trouble', `it may have been isolated, or be down: ask the SOC, and ${target.owner}`)
          : item('isolation', 'unknown', 'it answers, but no longer takes the login'),
        ...off,
      ],
    };
  }
  return {
    ...of,
    items: [
      item('reachable', 'ok', 'a new connection was made'),
      item('isolation', 'ok', 'a new connection was made'),
      ...(await sensorItems(host, allowed.target, deps.signal)),
      ...off,
    ],
  };
}

/** Did a host fail in its part of the run, as `waves.abortAfter` counts? What was so before it is nothing that the run did. */
export function hasWorsened(before: HostCheck, after: HostCheck): boolean {
  return after.items.some(
    ({ what, sensor, state }) =>
      state === 'trouble' &&
      !before.items.some((one) => one.what === what && one.sensor === sensor && one.state === 'trouble'),
  );
}

/** One item for each sensor that the inventory names. */
async function sensorItems(host: Host, allowed: AuthorizedTarget, signal: AbortSignal): Promise<readonly CheckItem[]> {
  const { sensors = [], platform } = allowed.target;
  if (sensors.length === 0) return [];
  const of = (state: CheckItem['state'], detail: string): readonly CheckItem[] =>
    sensors.map((sensor) => ({ what: 'sensor', sensor, state, detail }));
  try {
    const { stdout, truncated } = await host.run(allowed, dialectOf(platform).processes(), { timeoutMs, signal });
    const running = new TextDecoder().decode(stdout);
    if (truncated || running.trim() === '') return of('unknown', 'the host did not list all of its processes');
    return sensors.map((sensor) =>
      isRunning(sensor, running)
        ? { what: 'sensor', sensor, state: 'ok', detail: 'it is running' }
        : { what: 'sensor', sensor, state: 'trouble', detail: 'no process of that name is running' },
    );
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    return of('unknown', `the processes could not be listed: ${error.message}`);
  }
}

/** Linux cuts the names of processes after 15 characters; macOS gives their paths. */
const cutLength = 15;

/** Is a process of this name in a listing, a process a line? Without case and `.exe`, which Windows does not care about. */
export function isRunning(name: string, listing: string): boolean {
  const plain = (text: string): string =>
    text
      .trim()
      .toLowerCase()
      .replace(/\.exe$/, '');
  const wanted = plain(name);
  return listing.split(/\r?\n/).some((line) => {
    const whole = plain(line);
    return [whole, whole.split(/[\\/]/).at(-1) ?? ''].some(
      (one) => one === wanted || (one.length === cutLength && wanted.length > cutLength && wanted.startsWith(one)),
    );
  });
}

function isOverSsh({ platform, transport }: Target): boolean {
  return platform === 'esxi' && transport.kind === 'ssh';
}

function item(what: CheckItem['what'], state: CheckItem['state'], detail: string): CheckItem {
  return { what, state, detail };
}
