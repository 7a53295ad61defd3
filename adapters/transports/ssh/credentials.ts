import type { BaseAgent, ParsedKey } from 'ssh2';
import { type Secrets, TransportFailure } from '../../../runner/ports.ts';
import { modernAgent, modernKey } from './modern-signatures.ts';
import type { SshAccount } from './settings.ts';

/** What to log in with, whatever the account's name. */
export type Credential =
  | { readonly type: 'publickey'; readonly key: ParsedKey }
  | { readonly type: 'agent'; readonly agent: BaseAgent<ParsedKey> };

/** `key file:…` or `agent env:…`: says which credential it is without saying what it is. */
export function describeCredential(settings: SshAccount): string {
  return settings.key === undefined ? `agent ${agentReference(settings)}` : `key ${settings.key}`;
}

/**
 * Reads what an account refers to, once per run: opening an encrypted key is slow on purpose. Throws
 * {@link TransportFailure} `login`, which names the reference and never the value.
 */
export class Credentials {
  readonly #secrets: Secrets;
  readonly #read = new Map<string, Promise<Credential>>();

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  async get(settings: SshAccount): Promise<Credential> {
    const name = JSON.stringify([settings.key, settings.passphrase, settings.agent]);
    const reading = this.#read.get(name) ?? this.#load(settings);
    this.#read.set(name, reading);
    return reading;
  }

  async #load(settings: SshAccount): Promise<Credential> {
    const { default: ssh2 } = await import('ssh2');
    if (settings.key === undefined) {
      const socket = await this.#text(settings, agentReference(settings));
      if (socket === '')
        throw failure(settings, 'it names no socket. Is an agent running, and does ssh-add -l list a key?');
      return { type: 'agent', agent: modernAgent(new ssh2.OpenSSHAgent(socket)) };
    }
    const passphrase = settings.passphrase === undefined ? undefined : await this.#text(settings, settings.passphrase);
    const key = ssh2.utils.parseKey(await this.#bytes(settings, settings.key), passphrase);
    // What ssh2 says goes no further: a parser may quote what it was given.
    if (key instanceof Error)
      throw failure(
        settings,
        passphrase !== undefined
          ? `it cannot be opened with the passphrase ${settings.passphrase ?? ''}`
          : /passphrase|encrypted/i.test(key.message)
            ? 'it is encrypted. Give the account a passphrase (a reference to it), or use an agent'
            : 'it is not a private key that can be read (OpenSSH or PEM format)',
      );
    if (!key.isPrivateKey()) throw failure(settings, 'it is a public key; the private one is needed');
    return { type: 'publickey', key: modernKey(key) };
  }

  async #text(settings: SshAccount, reference: string): Promise<string> {
    return (await this.#bytes(settings, reference)).toString('utf8').replace(/\r?\n$/, '');
  }

  async #bytes(settings: SshAccount, reference: string): Promise<Buffer> {
    try {
      return Buffer.from(await this.#secrets.read(reference));
    } catch (cause) {
      // By contract the error names the reference and never the value.
      throw failure(settings, cause instanceof Error ? cause.message : `${reference} cannot be read`, cause);
    }
  }
}

function failure(settings: SshAccount, why: string, cause?: unknown): TransportFailure {
  return new TransportFailure('login', `no login with ${describeCredential(settings)}: ${why}`, { cause });
}

function agentReference({ agent }: SshAccount): string {
  return typeof agent === 'string' ? agent : 'env:SSH_AUTH_SOCK';
}
