import type { CollectedEvent } from './ecs-event.ts';

/** A line that reached the SIEM by a file or a syslog datagram of a stand-in. */
export type CollectedLine = {
  /** The stand-in's name. */
  readonly host: string;
  /** To be the event's id; the same when the line is read again. */
  readonly id: string;
  readonly text: string;
  /** When the SIEM took it in, by the machine's clock. */
  readonly receivedMs: number;
};

/** Makes an event of a line; undefined for one that is not forwarded. Never throws: a line that it does not understand is an event that says so little. */
export type NormaliseLine = (line: CollectedLine) => CollectedEvent | undefined;

/** What a module `<format>-normalise.ts` for the lines of stand-ins exports as `normaliser`; called once per source, so that it may remember (a process table, say). */
export type MakeNormaliser = () => NormaliseLine;
