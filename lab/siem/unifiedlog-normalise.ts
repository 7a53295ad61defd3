import path from 'node:path';
import { z } from 'zod';
import type { MakeNormaliser } from './collected-line.ts';
import { present } from './ecs-event.ts';
import { json, macEvent, macHostOf, unread } from './macos-event.ts';
import { macUserName } from './macos-processes.ts';

const entry = z.object({
  timestamp: z.string(),
  eventMessage: z.string(),
  processImagePath: z.string(),
  processID: z.number(),
  userID: z.number(),
});

/** Lines of `log stream --style ndjson`. */
export const normaliser: MakeNormaliser = () => (line) => {
  const parsed = entry.safeParse(json(line.text));
  const atMs = parsed.success ? timeOf(parsed.data.timestamp) : Number.NaN;
  if (!parsed.success || Number.isNaN(atMs)) return unread(line, 'macos.unifiedlog');
  const { eventMessage, processImagePath, processID, userID } = parsed.data;
  const executable = processImagePath === '' ? undefined : processImagePath;
  return {
    '@timestamp': new Date(atMs).toISOString(),
    message: eventMessage,
    event: macEvent(line, 'macos.unifiedlog', { category: ['host'], type: ['info'], action: 'logged' }),
    host: macHostOf(line),
    user: present({ id: String(userID), name: macUserName(userID) }),
    process: present({
      pid: processID,
      executable,
      name: executable === undefined ? undefined : path.posix.basename(executable),
    }),
  };
};

/** `2026-11-24 08:00:00.123456+0000` */
function timeOf(timestamp: string): number {
  return Date.parse(
    timestamp
      .replace(' ', 'T')
      .replace(/(\.\d{3})\d*/, '$1')
      .replace(/([+-]\d\d)(\d\d)$/, '$1:$2'),
  );
}
