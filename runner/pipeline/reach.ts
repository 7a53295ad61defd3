import { authorize } from '../domain/authorize.ts';
import type { Reason } from '../domain/fact.ts';
import type { HostCheck } from '../domain/host-check.ts';
import type { Target } from '../domain/inventory.ts';
import type { PlannedExecution } from '../domain/plan.ts';
import type { OnProgress } from '../domain/progress.ts';
import { duration } from '../domain/time.ts';
import { TransportFailure } from '../ports.ts';
import { dialectOf } from './dialect.ts';
import type { ExecuteDeps, Where } from './execute-deps.ts';
import { failureReason, type Host } from './host.ts';
import { checkBefore } from './host-checks.ts';
import { inTurn } from './limit.ts';
import { fixedParents } from './parents.ts';

/** What came of the first touch of an account on a host; `check` is absent when it was not touched at all. */
export type Reached = { readonly where: Where | Reason; readonly check?: HostCheck };

/** First touch of an account on a host, and the check before anything else. What goes wrong is a value: the other hosts go on. */
export async function reach(
  { deps, progress, interrupt }: { deps: ExecuteDeps; progress: OnProgress; interrupt: AbortSignal },
  host: Host,
  target: Target,
  account: string,
  own: readonly PlannedExecution[],
): Promise<Reached> {
  const { journal, clock } = deps;
  const allowed = authorize(deps.inventory, target, account, clock.now(), duration(0));
  const of = { target: target.id, account };
  const told = async (
    rest: { failure: Reason } | { clock?: Where['probe']['clock']; remarks: readonly string[] },
  ): Promise<void> => {
    const { clock: offset, failure, remarks } = { clock: undefined, failure: undefined, remarks: [], ...rest };
    const data = {
      ...of,
      ...(offset === undefined ? {} : { clock: offset }),
      ...(failure === undefined ? {} : { failure }),
      ...(remarks.length === 0 ? {} : { remarks }),
    };
    await journal.append({ type: 'host', data });
    progress({ kind: 'host', host: data });
  };
  if (allowed.is === 'refused') {
    await told({ failure: allowed.why });
    return { where: allowed.why };
  }
  const checked = async (found: Parameters<typeof checkBefore>[2]): Promise<HostCheck> => {
    const check = await checkBefore(host, allowed.target, found, clock.now(), interrupt);
    await journal.append({ type: 'host-check', data: check });
    progress({ kind: 'check', check });
    return check;
  };
  // The first record that names a host is on disk before the host is touched.
  await journal.append({ type: 'reaching', data: of });
  try {
    const folders = fixedParents(
      own.flatMap(({ creates }) => creates),
      dialectOf(target.platform),
    );
    const probe = await host.probe(allowed.target, folders, interrupt);
    const found = probe.clock === undefined ? {} : { clock: probe.clock };
    const { remarks = [] } = await host.session(allowed.target, interrupt);
    await told({ ...found, remarks });
    const absent = new Set([...probe.absent].map((path) => path.replace(/^~/, () => probe.home)));
    const where = { target, host, probe: { ...probe, absent }, schedule: inTurn() };
    return { where, check: await checked(found) };
  } catch (error) {
    if (!(error instanceof TransportFailure)) throw error;
    const failure = failureReason(error);
    await told({ failure });
    return { where: failure, check: await checked({ failure }) };
  }
}
