import type { LogSourceRef } from '../../../runner/domain/attack.ts';
import type { Reason } from '../../../runner/domain/fact.ts';
import type { Question } from '../../../runner/domain/siem.ts';
import type { Instant } from '../../../runner/domain/time.ts';
import type { Snapshot } from './line-files.ts';
import type { FilesSettings } from './settings.ts';

/** A line that could not be read may be the one that was asked for. */
export function problemOf(snapshot: Snapshot<object>): Reason | undefined {
  const { problems } = snapshot;
  return problems.length === 0 ? undefined : { class: 'protocol', detail: problems.slice(0, 3).join('; ') };
}

/** Lines before the oldest that is left are not searched; that matters when the window reaches back to them. */
export function tooLate(
  snapshot: Snapshot<{ readonly time: Instant; readonly ingested?: Instant | undefined }>,
  question: Question,
): Reason | undefined {
  const [oldest] = snapshot.items;
  const since = oldest?.ingested ?? oldest?.time;
  if (!snapshot.beginsLate || (since !== undefined && since <= question.window.from)) return undefined;
  const names = snapshot.read.map(({ file }) => file).join(', ');
  return {
    class: 'cut-short',
    detail: `${names} reach back to ${since ?? 'nowhere'} only, and the window begins at ${question.window.from}`,
  };
}

export function cutShort(found: number, limit: number): Reason | undefined {
  return found <= limit ? undefined : { class: 'cut-short', detail: `${found} hits, of which ${limit} were asked for` };
}

/** A source that the settings do not tell apart was not looked for. */
export function unmapped(question: Question, { sources }: FilesSettings): Reason | undefined {
  const missing: readonly LogSourceRef[] = question.sources.filter((source) => !Object.hasOwn(sources, source));
  return missing.length === 0
    ? undefined
    : {
        class: 'protocol',
        detail: `the inventory does not say which events of this SIEM are ${missing.join(', ')}. Add it under siems.sources.`,
      };
}
