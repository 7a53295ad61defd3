import { z } from 'zod';
import { parseDuration } from '../../../runner/domain/time.ts';

const durationText = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'expected a duration such as 10s');

const secretRef = z
  .string()
  .regex(
    /^(?:env|file|exec):./,
    'expected a reference such as file:keys/id_ed25519, env:NAME or exec:COMMAND, never the secret itself',
  );

/** `transport:` of a target. Paths are relative to the inventory. */
export const sshSettings = z.strictObject({
  port: z.int().min(1).max(65_535).default(22).describe('TCP port of sshd'),
  knownHosts: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe(
      'known_hosts file or files in the format of sshd(8); a host whose key is not in one of them is not connected to',
    ),
  connectTimeout: durationText.default('15s').describe('from the first packet to the end of the login'),
  keepalive: durationText
    .default('15s')
    .describe('how often to ask a silent connection for a sign of life; three unanswered ones end it'),
});
export type SshSettings = z.output<typeof sshSettings>;

/** What an account of a target adds: exactly one of `key` and `agent`. */
export const sshAccount = z
  .strictObject({
    key: secretRef.optional().describe('reference to a private key'),
    passphrase: secretRef.optional().describe('reference to the passphrase of that key'),
    agent: z
      .union([z.literal(true), secretRef])
      .optional()
      .describe('reference to the path of an SSH agent’s socket; true means env:SSH_AUTH_SOCK'),
  })
  .refine(({ key, agent }) => (key === undefined) !== (agent === undefined), {
    error: 'give exactly one of key (a reference to a private key) and agent',
  })
  .refine(({ key, passphrase }) => passphrase === undefined || key !== undefined, {
    error: 'a passphrase belongs to a key',
    path: ['passphrase'],
  });
export type SshAccount = z.output<typeof sshAccount>;
