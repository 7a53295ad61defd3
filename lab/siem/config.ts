import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

const schema = z.object({
  /** The lab's state folder. */
  stateDir: z.string(),
  /** Where events, alerts and rule health go. */
  storeDir: z.string(),
  auditLog: z.string(),
  hosts: z.array(
    z.object({
      name: z.string(),
      uid: z.int().nonnegative(),
      account: z.string(),
      /** Unix datagram socket to listen on for the host's syslog; its folder exists. */
      syslogSocket: z.string().optional(),
    }),
  ),
  /** Lines of stand-ins: those of a file, or, without one, those of syslog datagrams whose header bears the host's name. */
  standIns: z
    .array(
      z.object({
        host: z.string(),
        /** Names the module `<format>-normalise.ts`. */
        format: z.string().regex(/^[a-z][a-z0-9-]*$/),
        file: z.string().optional(),
      }),
    )
    .default([]),
  /** Where to listen for datagrams of stand-ins (UDP). */
  syslog: z.object({ address: z.string(), port: z.int().positive() }).optional(),
  /** Folder of Sigma rules; by default the project's reference detections. */
  rulesDir: z.string().default(path.resolve(import.meta.dirname, '../../scenarios/detections')),
  /** Where faults are switched on and off; by default beside the store. See faults.ts. */
  controlFile: z.string().optional(),
});

/** What the SIEM is told when it starts. Names that it does not know are other people's business. */
export type SiemConfig = z.infer<typeof schema> & { readonly controlFile: string };

/** Reads the file. Throws an error that says what is wrong with it. */
export function readConfig(file: string): SiemConfig {
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success)
    throw new Error(`${file} is no configuration of the lab's SIEM:\n${z.prettifyError(parsed.error)}`);
  const { controlFile, ...config } = parsed.data;
  return { ...config, controlFile: controlFile ?? path.resolve(config.storeDir, '../siem-faults.json') };
}
