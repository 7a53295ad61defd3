import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { withAsset } from './assets.ts';
import type { NormaliseLine } from './collected-line.ts';
import type { SiemConfig } from './config.ts';
import type { CollectedEvent } from './ecs-event.ts';
import { LogFollower, positionSchema } from './log-follower.ts';
import type { Normalisers } from './normalisers.ts';

type Source = { readonly host: string; readonly format: string; readonly normalise: NormaliseLine };
type Followed = Source & { readonly file: string; readonly follower: LogFollower };

const checkpointSchema = z.record(z.string(), positionSchema);

/** The host name in a syslog header: RFC 5424, RFC 3164, or what ESXi sends, RFC 3164 with an ISO time. */
const header = /^<\d{1,3}>(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\S+) (\S+) /;

/** The lines of stand-ins, as events: of files that are followed, with a place to go on from after a restart, and of datagrams. */
export class StandInLines {
  readonly #followed: readonly Followed[];
  readonly #relayed: ReadonlyMap<string, Source>;
  readonly #checkpointFile: string;
  readonly #trouble: (said: string) => void;
  #checkpoint = '';
  #sequence = 0;

  constructor(
    { standIns, storeDir }: Pick<SiemConfig, 'standIns' | 'storeDir'>,
    normalisers: Normalisers,
    trouble: (said: string) => void,
  ) {
    this.#checkpointFile = path.join(storeDir, 'checkpoint-stand-ins.json');
    this.#trouble = trouble;
    const checkpoints = readCheckpoints(this.#checkpointFile);
    const sources = standIns.map(({ host, format, file }) => {
      const make = normalisers.get(format);
      if (make === undefined) throw new Error(`no normaliser was loaded for lines of the format ${format}`);
      return { host, format, file, normalise: make() };
    });
    this.#followed = sources.flatMap(({ file, ...source }) =>
      file === undefined ? [] : [{ ...source, file, follower: new LogFollower(file, checkpoints[file] ?? 'end') }],
    );
    this.#relayed = new Map(
      sources.filter(({ file }) => file === undefined).map((source) => [source.host, source] as const),
    );
  }

  /** What has come to the files since the last call. */
  read(nowMs: number): readonly CollectedEvent[] {
    return this.#followed.flatMap(({ host, format, file, follower, normalise }) => {
      try {
        const lines = follower.read();
        if (follower.lost > 0) this.#trouble(`${file} was replaced while it was not being read; lines may be missing`);
        return lines.flatMap(({ text, start }) => {
          // Inode numbers are used again; the text tells two lines at one place apart.
          const digest = createHash('sha256').update(text).digest('hex').slice(0, 12);
          const id = `${host}-${format}-${start.inode}-${start.offset}-${digest}`;
          return [normalise({ host, id, text, receivedMs: nowMs }) ?? []].flat().map(withAsset);
        });
      } catch (error) {
        this.#trouble(`${file} cannot be read: ${(error as Error).message}`);
        return [];
      }
    });
  }

  /** One datagram; nothing when its header names no stand-in that sends any. */
  relayed(datagram: Buffer, nowMs: number): readonly CollectedEvent[] {
    const text = datagram.toString('utf8').replace(/[\0\n]+$/, '');
    const source = this.#relayed.get(header.exec(text)?.[1] ?? '');
    if (source === undefined) return [];
    this.#sequence += 1;
    const id = `${source.host}-${source.format}-${nowMs}-${this.#sequence}`;
    return [source.normalise({ host: source.host, id, text, receivedMs: nowMs }) ?? []].flat().map(withAsset);
  }

  /** To be called when everything that was read is stored. */
  saveCheckpoints(): void {
    const positions = this.#followed.flatMap(({ file, follower: { position } }) =>
      position === undefined ? [] : [[file, position] as const],
    );
    const text = JSON.stringify(Object.fromEntries(positions));
    if (positions.length === 0 || text === this.#checkpoint) return;
    try {
      writeFileSync(`${this.#checkpointFile}.next`, text, { mode: 0o600 });
      renameSync(`${this.#checkpointFile}.next`, this.#checkpointFile);
      this.#checkpoint = text;
    } catch (error) {
      this.#trouble(`the checkpoint of the stand-ins cannot be written: ${(error as Error).message}`);
    }
  }

  close(): void {
    for (const { follower } of this.#followed) follower.close();
  }
}

function readCheckpoints(file: string): z.infer<typeof checkpointSchema> {
  try {
    return checkpointSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // No checkpoint, or none that can be read: the first start.
    return {};
  }
}
