import type { Inventory, Target } from '../domain/inventory.ts';
import { limited } from '../pipeline/limit.ts';
import { lookAt, type Looked } from '../pipeline/look-at.ts';
import { wavesOf } from '../pipeline/waves.ts';
import type { Transport } from '../ports.ts';
import { type App, Exit, exitCodes } from './app.ts';
import { type InterruptTexts, listenForInterrupts } from './interrupts.ts';
import { folderOf } from './material.ts';
import { tell } from './print.ts';

const noEvidence = { sha256: '0'.repeat(64), bytes: 0, mediaType: 'application/octet-stream' };

const interruptedLook: InterruptTexts = {
  first: 'Interrupted: ending what runs there. No further target is looked at.',
  again: 'The connections are still being closed; detproof ends by itself when they are.',
};

/** What plug-ins are given where no run keeps evidence. */
export function withoutEvidence(app: App, inventory: Inventory, inventoryFile: string): ReturnType<App['pluginDeps']> {
  return app.pluginDeps(inventory, folderOf(inventoryFile), () => Promise.resolve(noEvidence));
}

/**
 * Looks at every account of these targets, in groups within all limits of the inventory, as a run goes: a login loads a jump host or
 * a directory as much as an execution does. A small first wave is for what changes a host, and so not for this. Ctrl-C ends what runs there and the
 * connections, and then throws {@link Exit} with code 130.
 */
export async function lookAtTargets(
  app: App,
  inventory: Inventory,
  inventoryFile: string,
  targets: readonly Target[],
  told: (looked: Looked) => void = () => undefined,
): Promise<readonly Looked[]> {
  const transports: (target: Target) => Transport = app.transports(withoutEvidence(app, inventory, inventoryFile));
  const all: Looked[] = [];
  using interrupts = listenForInterrupts((line) => {
    tell(app, line);
  }, interruptedLook);
  const signal = interrupts.interrupt;
  const lookAtAll = async (target: Target): Promise<void> => {
    for (const account of target.accounts) {
      if (signal.aborted) return;
      const looked = await lookAt(target, account, {
        inventory,
        transport: transports(target),
        clock: app.clock,
        signal,
      });
      all.push(looked);
      told(looked);
    }
  };
  for (const group of wavesOf({ limits: inventory.limits }, targets)) await limited(group.length, group, lookAtAll);
  if (signal.aborted) throw new Exit(exitCodes.interrupted, 'Not all targets were looked at; nothing was put on them.');
  const place = ({ target, account }: Looked): string => `${target.id} ${account.name}`;
  return all.sort((a, b) => (place(a) < place(b) ? -1 : 1));
}
