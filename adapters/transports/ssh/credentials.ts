import type { AgentAuthMethod, PublicKeyAuthMethod } from 'ssh2';
import type { AuthorizedTarget } from '../../../runner/domain/authorize.ts';
import { type Secrets, TransportFailure } from '../../../runner/ports.ts';
import { modernAgent, modernKey } from './modern-signatures.ts';
import type { SshAccount } from './settings.ts';

/** What an account logs in with. `what` names it for messages; its value is in `method` only. */
export type Credential = { readonly what: string; readonly method: PublicKeyAuthMethod | AgentAuthMethod };

/** Reads what the account refers to. Throws {@link TransportFailure} `login`, which names the reference and never the value. */
export async function readCredential(
  { target, account }: AuthorizedTarget,
  settings: SshAccount,
  secrets: Secrets,
): Promise<Credential> {
  const what = describeCredential(settings);
  const refuse = (why: string, cause?: unknown): TransportFailure =>
    new TransportFailure('login', `no login to ${target.id} as ${account.name} with ${what}: ${why}`, { cause });
  const read = async (reference: string): Promise<Buffer> => {
    try {
      return Buffer.from(await secrets.read(reference));
    } catch (error) {
      throw refuse(error instanceof Error ? error.message : `${reference} cannot be read`, error);
    }
  };
  const { default: ssh2 } = await import('ssh2');
  if (settings.key === undefined) {
    const socket = (await read(agentReference(settings))).toString('utf8').trim();
    if (socket === '') throw refuse('it is empty. Is an agent running here, and does ssh-add -l list a key?');
    return {
      what,
      method: { type: 'agent', username: account.name, agent: modernAgent(new ssh2.OpenSSHAgent(socket)) },
    };
  }
  const passphrase =
    settings.passphrase === undefined
      ? undefined
      : (await read(settings.passphrase)).toString('utf8').replace(/\r?\n$/, '');
  const key = ssh2.utils.parseKey(await read(settings.key), passphrase);
  if (key instanceof Error) {
    // ssh2's own words go no further: a parser's message may quote what it was given.
    if (/encrypted/i.test(key.message))
      throw refuse('the key is encrypted. Give the account a passphrase reference, or put the key into an agent');
    if (passphrase !== undefined) throw refuse(`the passphrase (${settings.passphrase ?? ''}) does not open the key`);
    throw refuse('this is not a private key in a format that can be read (OpenSSH, PEM). Is it the .pub file?');
  }
  if (!key.isPrivateKey()) throw refuse('this is a public key; the private one is needed');
  return { what, method: { type: 'publickey', username: account.name, key: modernKey(key) } };
}

/** `key file:…` or `agent env:…`: says which credential it is without saying what it is. */
export function describeCredential(settings: SshAccount): string {
  return settings.key === undefined ? `agent ${agentReference(settings)}` : `key ${settings.key}`;
}

function agentReference({ agent }: SshAccount): string {
  return typeof agent === 'string' ? agent : 'env:SSH_AUTH_SOCK';
}
