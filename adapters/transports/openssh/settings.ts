import { z } from 'zod';
import { parseDuration } from '../../../runner/domain/time.ts';

const durationText = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'expected a duration such as 10s');

const files = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/** `transport:` of a target. Paths are relative to the inventory. */
export const opensshSettings = z.strictObject({
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('TCP port of sshd; 22 when neither this nor the config says another'),
  knownHosts: files.describe(
    'known_hosts file or files, @cert-authority lines included; a host whose key is not vouched for by one of them is not connected to',
  ),
  config: z
    .string()
    .min(1)
    .optional()
    .describe(
      'ssh_config(5) file, read by ssh itself, which may run what it names; without it ssh reads none, not even the user’s',
    ),
  jump: z
    .string()
    .regex(/^[^\s'"$\\`-][^\s'"$\\`]*$/)
    .optional()
    .describe(
      'hosts to go through, as ProxyJump takes them: [user@]host[:port],…; their keys and logins come from the config',
    ),
  shell: z
    .enum(['posix', 'cmd', 'powershell'])
    .optional()
    .describe('the login shell; cmd on Windows and posix elsewhere, when not said'),
  program: z.string().min(1).default('ssh').describe('OpenSSH’s client: a path, or a name found in PATH'),
  connectTimeout: durationText.default('15s').describe('from the start of ssh to the end of the login'),
  keepalive: durationText
    .default('15s')
    .describe('how often to ask a silent connection for a sign of life; three unanswered ones end it'),
});
export type OpensshSettings = z.output<typeof opensshSettings>;

/** What an account of a target adds. The files are for ssh to read: their paths are given to it, never what is in them. */
export const opensshAccount = z
  .strictObject({
    key: z
      .string()
      .min(1)
      .optional()
      .describe('path of a private key without a passphrase, or of a FIDO key’s handle (ed25519-sk, ecdsa-sk)'),
    certificate: z.string().min(1).optional().describe('path of the certificate for that key (KEY-cert.pub)'),
    agent: z
      .union([z.literal(true), z.string().regex(/^(?:env|file|exec):./)])
      .optional()
      .describe('reference to the path of an SSH agent’s socket; true means env:SSH_AUTH_SOCK'),
  })
  .refine(({ key, agent }) => key !== undefined || agent !== undefined, {
    error: 'give a key (a path), an agent, or both: the agent then holds that key',
  });
export type OpensshAccount = z.output<typeof opensshAccount>;
