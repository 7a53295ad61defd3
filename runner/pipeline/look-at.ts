import { authorize } from '../domain/authorize.ts';
import type { Reason } from '../domain/fact.ts';
import { type HostLook, parseHostLook } from '../domain/host-look.ts';
import type { Account, Inventory, Target } from '../domain/inventory.ts';
import { type ClockOffset, duration } from '../domain/time.ts';
import { type Clock, type Transport, TransportFailure } from '../ports.ts';
import { dialectOf } from './dialect.ts';
import { failureReason, Host } from './host.ts';

const timeoutMs = 60_000;

/** What one account of a target showed; `trouble` says how far it went. */
export type Looked = {
  readonly target: Target;
  readonly account: Account;
  readonly clock?: ClockOffset;
  readonly look?: HostLook;
  readonly trouble?: Reason;
};

/**
 * Logs in and looks, without a run: nothing is put on the host, and only its own tools are run. Engagement, window and
 * never-touch list are asked first, as for everything. Never throws for what the host does.
 */
export async function lookAt(
  target: Target,
  account: Account,
  deps: {
    readonly inventory: Inventory;
    readonly transport: Transport;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Looked> {
  const of = { target, account };
  const allowed = authorize(deps.inventory, target, account.name, deps.clock.now(), duration(0));
  if (allowed.is === 'refused') return { ...of, trouble: allowed.why };
  await using host = new Host(deps.transport);
  let clock: ClockOffset | undefined;
  let trouble: Reason | undefined;
  try {
    clock = (await host.probe(allowed.target, [], deps.signal)).clock;
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    trouble = failureReason(error);
    // Without the interpreter of the inventory there is all the more to look for.
    if (error.class !== 'not-started') return { ...of, trouble };
  }
  const known = { ...of, ...(clock === undefined ? {} : { clock }), ...(trouble === undefined ? {} : { trouble }) };
  try {
    const inspect = dialectOf(target.platform).inspect();
    const { stdout, truncated } = await host.run(allowed.target, inspect, { timeoutMs, signal: deps.signal });
    const look = parseHostLook(new TextDecoder().decode(stdout));
    if (!truncated && look.user !== '') return { ...known, look };
    return { ...known, trouble: { class: 'protocol', detail: `${target.id} did not say whole what it has` } };
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    return { ...known, trouble: failureReason(error) };
  }
}
