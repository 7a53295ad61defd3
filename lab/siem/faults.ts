import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Faults } from './fault-settings.ts';

const heartbeatSchema = z.object({ faults: z.string(), faultsProblem: z.string().optional() });

/** What the heartbeat says while no fault is switched on. */
export const noFaults = 'none';

/** How a control file is named in the heartbeat: by its bytes. */
export function faultsDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Gives the lab's SIEM these faults in place of any that it has, and returns when they are in force; `{}` takes all away.
 * @param stateDir the lab's state folder, which holds the SIEM's store under `siem/`.
 * @throws when the SIEM refuses them or does not say within `timeoutMs` that they are in force.
 */
export async function setFaults(stateDir: string, faults: Faults, timeoutMs = 5000): Promise<void> {
  const controlFile = path.join(stateDir, 'siem-faults.json');
  const text = JSON.stringify(faults);
  const wanted = text === '{}' ? noFaults : faultsDigest(text);
  if (wanted === noFaults) {
    rmSync(controlFile, { force: true });
  } else {
    writeFileSync(`${controlFile}.next`, text, { mode: 0o600 });
    renameSync(`${controlFile}.next`, controlFile);
  }
  const until = Date.now() + timeoutMs;
  const heartbeatFile = path.join(stateDir, 'siem', 'heartbeat.json');
  for (;;) {
    const heartbeat = readHeartbeat(heartbeatFile);
    if (heartbeat?.faults === wanted) {
      if (heartbeat.faultsProblem === undefined) return;
      throw new Error(`the lab's SIEM refuses the faults: ${heartbeat.faultsProblem}`);
    }
    if (Date.now() >= until)
      throw new Error(
        `the lab's SIEM did not take the faults within ${timeoutMs} ms; is it running? (${heartbeatFile})`,
      );
    await sleep(50);
  }
}

function readHeartbeat(file: string): z.infer<typeof heartbeatSchema> | undefined {
  try {
    return heartbeatSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
