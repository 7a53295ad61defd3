import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Logon } from './accounts.ts';

const sources = {
  sysmon: {
    provider: { Name: 'Microsoft-Windows-Sysmon', Guid: '{5770385f-c22a-43e0-bf4c-06f5698ffbd9}' },
    channel: 'Microsoft-Windows-Sysmon/Operational',
    keywords: '0x8000000000000000',
    level: 4,
    versions: { 1: 5, 3: 5, 11: 2 } as Readonly<Record<number, number>>,
  },
  security: {
    provider: { Name: 'Microsoft-Windows-Security-Auditing', Guid: '{54849625-5478-4994-a5ba-3e3b0328c30d}' },
    channel: 'Security',
    keywords: '0x8020000000000000',
    level: 0,
    versions: { 4688: 2, 4624: 2, 4625: 0 } as Readonly<Record<number, number>>,
  },
} as const;

/** The files of the event log, in the folder that it is given. */
export const eventLogFiles = { sysmon: 'sysmon.ndjson', security: 'security.ndjson' } as const;

/** Audit failure (winmeta.xml). */
const failureKeywords = '0x8010000000000000';
const taskOf: Readonly<Record<number, number>> = { 1: 1, 3: 3, 11: 11, 4688: 13312, 4624: 12544, 4625: 12544 };

/** The fields of an event, in the order of its manifest. */
export type EventData = Readonly<Record<string, string | number | boolean>>;

/**
 * The event log of one host as a log shipper passes it on, a file for each channel: a JSON object a line, `System` and `EventData` as in the XML of
 * the event. Written with one call each, so that a reader never finds half an event followed by another.
 */
export class EventLog {
  readonly #folder: string;
  readonly #computer: string;
  readonly #now: () => number;
  #record = 0;

  constructor(folder: string, computer: string, now: () => number = Date.now) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    this.#computer = computer;
    this.#now = now;
  }

  write(from: keyof typeof sources, eventId: number, data: EventData, atMs = this.#now()): void {
    const source = sources[from];
    this.#record += 1;
    const event = {
      System: {
        Provider: source.provider,
        EventID: eventId,
        Version: source.versions[eventId] ?? 0,
        Level: source.level,
        Task: taskOf[eventId] ?? 0,
        Opcode: 0,
        Keywords: eventId === 4625 ? failureKeywords : source.keywords,
        TimeCreated: { SystemTime: new Date(atMs).toISOString() },
        EventRecordID: this.#record,
        Correlation: {},
        Execution: { ProcessID: 3044, ThreadID: 4120 },
        Channel: source.channel,
        Computer: this.#computer,
        Security: from === 'sysmon' ? { UserID: 'S-1-5-18' } : {},
      },
      EventData: data,
    };
    appendFileSync(path.join(this.#folder, eventLogFiles[from]), `${JSON.stringify(event)}\n`, { mode: 0o600 });
  }
}

/** Sysmon's way to write a time. */
export function sysmonTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
}

/** Sysmon's way to name a user. */
export function userName({ domain, user }: Logon): string {
  return `${domain}\\${user}`;
}
