import type { BaseAgent, ParsedKey } from 'ssh2';
import { type Secrets, TransportFailure } from '../../../runner/ports.ts';
import { describeReference } from '../../shared/describe-reference.ts';
import { modernAgent, modernKey } from './modern-signatures.ts';

/** What to log in with, whatever the account's name. */
export type Credential =
  | { readonly type: 'publickey'; readonly key: ParsedKey }
  | { readonly type: 'agent'; readonly agent: BaseAgent<ParsedKey> }
  | { readonly type: 'password'; readonly password: string };

/** References to secrets: exactly one of key, agent and password. */
export type CredentialSettings = {
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly agent?: string | true | undefined;
  readonly password?: string | undefined;
};

/** `key file:…`, `password env:…` or `agent env:…`: says which credential it is without saying what it is. */
export function describeCredential(settings: CredentialSettings): string {
  if (settings.password !== undefined) return `password ${describeReference(settings.password)}`;
  return settings.key === undefined
    ? `agent ${describeReference(agentReference(settings))}`
    : `key ${describeReference(settings.key)}`;
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

  /** `oldSignatures`: an RSA key may sign with SHA-1. */
  async get(settings: CredentialSettings, oldSignatures: boolean): Promise<Credential> {
    const name = JSON.stringify([settings.key, settings.passphrase, settings.agent, settings.password, oldSignatures]);
    const reading = this.#read.get(name) ?? this.#load(settings, oldSignatures);
    this.#read.set(name, reading);
    return reading;
  }

  async #load(settings: CredentialSettings, oldSignatures: boolean): Promise<Credential> {
    if (settings.password !== undefined) {
      const password = await this.#text(settings, settings.password);
      if (password === '') throw failure(settings, 'it is empty');
      return { type: 'password', password };
    }
    const { default: ssh2 } = await import('ssh2');
    if (settings.key === undefined) {
      const socket = await this.#text(settings, agentReference(settings));
      if (socket === '')
        throw failure(settings, 'it names no socket. Is an agent running, and does ssh-add -l list a key?');
      const agent = new ssh2.OpenSSHAgent(socket);
      return { type: 'agent', agent: oldSignatures ? agent : modernAgent(agent) };
    }
    const passphrase = settings.passphrase === undefined ? undefined : await this.#text(settings, settings.passphrase);
    const key = ssh2.utils.parseKey(await this.#bytes(settings, settings.key), passphrase);
    // What ssh2 says goes no further: a parser may quote what it was given.
    if (key instanceof Error)
      throw failure(
        settings,
        passphrase !== undefined
          ? `it cannot be opened with the passphrase ${describeReference(settings.passphrase ?? '')}`
          : /passphrase|encrypted/i.test(key.message)
            ? 'it is encrypted. Give the account a passphrase (a reference to it), or use an agent'
            : 'it is not a private key that can be read (OpenSSH or PEM format)',
      );
    if (!key.isPrivateKey()) throw failure(settings, 'it is a public key; the private one is needed');
    return { type: 'publickey', key: oldSignatures ? key : modernKey(key) };
  }

  async #text(settings: CredentialSettings, reference: string): Promise<string> {
    return (await this.#bytes(settings, reference)).toString('utf8').replace(/\r?\n$/, '');
  }

  async #bytes(settings: CredentialSettings, reference: string): Promise<Buffer> {
    try {
      return Buffer.from(await this.#secrets.read(reference));
    } catch (cause) {
      // By contract the error names the reference and never the value.
      throw failure(
        settings,
        cause instanceof Error ? cause.message : `${describeReference(reference)} cannot be read`,
        cause,
      );
    }
  }
}

function failure(settings: CredentialSettings, why: string, cause?: unknown): TransportFailure {
  return new TransportFailure('login', `no login with ${describeCredential(settings)}: ${why}`, { cause });
}

function agentReference({ agent }: CredentialSettings): string {
  return typeof agent === 'string' ? agent : 'env:SSH_AUTH_SOCK';
}
