import type { CollectedLine } from './collected-line.ts';
import type { CollectedEvent, EcsEvent } from './ecs-event.ts';

type Dataset = EcsEvent['event']['dataset'];

/** The event of a line that is not what its source should hold: its text, and nothing that was read out of it. */
export function unread(line: CollectedLine, dataset: Dataset): CollectedEvent {
  return {
    '@timestamp': new Date(line.receivedMs).toISOString(),
    message: line.text,
    event: macEvent(line, dataset, { category: ['host'], type: ['info'], action: 'logged' }),
    host: macHostOf(line),
  };
}

/** What the events of all the sources of a Mac have. */
export function macEvent(
  { id, text }: CollectedLine,
  dataset: Dataset,
  what: Pick<CollectedEvent['event'], 'category' | 'type' | 'action' | 'outcome'>,
): CollectedEvent['event'] {
  return { id, kind: 'event', module: 'macos', dataset, ...what, original: text };
}

/** The collector says which host a line is from; the lines themselves do not, or only by a name that anybody may give. */
export function macHostOf({ host }: CollectedLine): CollectedEvent['host'] {
  return { name: host, hostname: host, os: { type: 'macos' } };
}

/** The value of a JSON text; undefined when it is none. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
