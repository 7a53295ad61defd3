import { open } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { elapsed, formatDuration, instant, parseInstant, shift } from '../../../runner/domain/time.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import { SiemFailure } from '../../../runner/ports.ts';
import type { Clock } from '../../../runner/ports.ts';

/** A SIEM that writes its heartbeat twice a second and has been silent for so long is not there. */
const deadAfterMs = 5_000;

const heartbeatSchema = z.object({ '@timestamp': z.string() });

/**
 * What time it is at the SIEM now, by its heartbeat; undefined when the folder has none. Throws {@link SiemFailure} when the heartbeat
 * is old, by the file's own time, since the SIEM's clock may be wrong.
 */
export async function readHeartbeat(folder: string, clock: Clock, signal: AbortSignal): Promise<Instant | undefined> {
  const file = path.join(folder, 'heartbeat.json');
  signal.throwIfAborted();
  let text: string;
  let writtenMs: number;
  try {
    // One file for both: the heartbeat is replaced twice a second.
    await using handle = await open(file, 'r');
    text = await handle.readFile({ encoding: 'utf8' });
    writtenMs = (await handle.stat()).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SiemFailure('unreachable', `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const silentMs = elapsed(instant(Math.trunc(writtenMs)), clock.now());
  if (silentMs > deadAfterMs)
    throw new SiemFailure(
      'unreachable',
      `the SIEM of ${folder} has been silent for ${formatDuration(silentMs)}. Start it again (for the lab: detproof lab up).`,
    );
  const time = timeIn(text);
  if (time === undefined) throw new SiemFailure('protocol', `${file} holds no @timestamp with its zone`);
  // The heartbeat is as old as its file: that much later it is there by now.
  return shift(time, Math.max(0, silentMs));
}

function timeIn(heartbeat: string): Instant | undefined {
  try {
    return parseInstant(heartbeatSchema.parse(JSON.parse(heartbeat))['@timestamp']);
  } catch {
    return undefined;
  }
}
