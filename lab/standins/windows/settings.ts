import { readFileSync } from 'node:fs';
import { z } from 'zod';

const authSchema = z
  .object({
    basic: z.boolean().default(false),
    negotiate: z.boolean().default(true),
    certificate: z.boolean().default(false),
    allowUnencrypted: z.boolean().default(false),
    cbtHardeningLevel: z.enum(['none', 'relaxed', 'strict']).default('relaxed'),
  })
  .prefault({});

const schema = z.object({
  /** The computer's name. */
  name: z.string().regex(/^[A-Za-z0-9-]{1,15}$/),
  /** Folder of the stand-in: its drive and what it runs with. Made where it is not there. */
  folder: z.string(),
  /** Folder of the files that the host's events are appended to, a JSON object a line. */
  eventLogs: z.string(),
  /** Numeric user and group id under which Python runs, when this process is root's. */
  uid: z.int().positive().optional(),
  accounts: z
    .array(
      z.object({
        name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$/),
        /** File with the password; its first line counts. */
        passwordFile: z.string().optional(),
        role: z.enum(['standard', 'admin', 'service']).default('standard'),
        remoteManagement: z.boolean().default(true),
      }),
    )
    .nonempty(),
  /** File that is written with what sshd's sessions must show at the door (bridge.py); readable for `uid` only. */
  sshSecretFile: z.string().optional(),
  listeners: z.array(
    z.object({
      address: z.string().regex(/^127\./, 'The stand-in listens on loopback addresses only.'),
      port: z.int().min(0).max(65_535),
      auth: authSchema,
      /** PEM files; absent: plain HTTP. */
      tls: z.object({ keyFile: z.string(), certFile: z.string(), caFile: z.string().optional() }).optional(),
    }),
  ),
  quotas: z
    .object({
      maxShellsPerUser: z.int().positive().default(30),
      maxConcurrentOperationsPerUser: z.int().positive().default(1500),
      maxEnvelopeSizekb: z.int().positive().default(500),
      idleTimeoutMs: z.int().positive().default(7_200_000),
    })
    .prefault({}),
});

/** What a stand-in is told when it starts. */
export type WindowsSettings = z.infer<typeof schema>;
/** The same, with everything left out that has a default. */
export type WindowsSettingsInput = z.input<typeof schema>;

/** Throws an error that says what is wrong with it. */
export function parseSettings(value: unknown): WindowsSettings {
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw new Error(`These are no settings of a Windows stand-in:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Reads the file that `--config` names. */
export function readSettings(file: string): WindowsSettings {
  return parseSettings(JSON.parse(readFileSync(file, 'utf8')));
}
