import { z } from 'zod';
import { parseDuration } from '../../../runner/domain/time.ts';
import { algorithmKinds, knownAlgorithms, unknownAlgorithms } from './algorithms.ts';

const durationText = z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'expected a duration such as 10s');

const secretRef = z
  .string()
  .regex(
    /^(?:env|file|exec):./,
    'expected a reference such as file:keys/id_ed25519, env:NAME or exec:COMMAND, never the secret itself',
  );

const port = z.int().min(1).max(65_535);

const knownHosts = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/** One login: exactly one of `key`, `agent` and `password`. */
const credential = {
  key: z
    .union([z.literal('config'), secretRef])
    .optional()
    .describe('reference to a private key; config: the IdentityFile that the ssh_config file names for the host'),
  passphrase: secretRef.optional().describe('reference to the passphrase of that key'),
  agent: z
    .union([z.literal(true), secretRef])
    .optional()
    .describe('reference to the path of an SSH agent’s socket; true means env:SSH_AUTH_SOCK'),
  password: secretRef
    .optional()
    .describe('reference to a password, for the methods keyboard-interactive and password, whichever the server takes'),
};

type Credential = { readonly [Key in keyof typeof credential]?: unknown };

const oneCredential = [
  ({ key, agent, password }: Credential) => [key, agent, password].filter((one) => one !== undefined).length === 1,
  { error: 'give exactly one of key (a reference to a private key), agent and password (a reference to one)' },
] as const;
const passphraseHasKey = [
  ({ key, passphrase }: Credential) => passphrase === undefined || key !== undefined,
  { error: 'a passphrase belongs to a key', path: ['passphrase'] as string[] },
] as const;

const algorithms = z
  .strictObject(
    Object.fromEntries(
      algorithmKinds.map((kind) => [
        kind,
        z
          .string()
          .min(1)
          .refine((list) => unknownAlgorithms(kind, list).length === 0, {
            error: ({ input }) =>
              `not supported: ${unknownAlgorithms(kind, String(input)).join(', ')}; known: ${knownAlgorithms(kind)}`,
          })
          .optional(),
      ]),
    ) as Record<(typeof algorithmKinds)[number], z.ZodOptional<z.ZodString>>,
  )
  .describe(
    'for old hosts: lists as in ssh_config(5), such as kexAlgorithms: +diffie-hellman-group14-sha1; the use of an old one is reported',
  );

/** A host on the way. */
const jump = z
  .strictObject({
    address: z.string().min(1),
    port: port.default(22),
    account: z.string().min(1),
    ...credential,
    knownHosts: knownHosts.optional().describe('for this host; otherwise those of the target'),
    algorithms: algorithms.optional(),
  })
  .refine(...oneCredential)
  .refine(...passphraseHasKey);
export type Jump = z.output<typeof jump>;

/** `transport:` of a target. Paths are relative to the inventory. */
export const sshSettings = z.strictObject({
  port: port.optional().describe('TCP port of sshd; 22 when neither this nor the ssh_config file says another'),
  knownHosts: knownHosts.describe(
    'known_hosts file or files in the format of sshd(8); a host whose key is not in one of them is not connected to',
  ),
  config: z
    .string()
    .min(1)
    .optional()
    .describe(
      'ssh_config(5) file to take HostName, Port, IdentityFile, ProxyJump, ServerAliveInterval, ConnectTimeout and the algorithms from, looked up by address; what the inventory says goes first',
    ),
  jump: z
    .array(jump)
    .min(1)
    .max(8)
    .optional()
    .describe('hosts to go through, in this order, each with its own login and its host key checked'),
  algorithms: algorithms.optional(),
  shell: z
    .enum(['posix', 'cmd', 'powershell'])
    .optional()
    .describe('the login shell; cmd on Windows and posix elsewhere, when not said'),
  connectTimeout: durationText.optional().describe('from the first packet to the end of the login; 15s when not said'),
  keepalive: durationText
    .optional()
    .describe(
      'how often to ask a silent connection for a sign of life; three unanswered ones end it; 15s when not said',
    ),
});
export type SshSettings = z.output<typeof sshSettings>;

/** What an account of a target adds. */
export const sshAccount = z
  .strictObject(credential)
  .refine(...oneCredential)
  .refine(...passphraseHasKey);
export type SshAccount = z.output<typeof sshAccount>;
