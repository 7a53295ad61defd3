import { readFile } from 'node:fs/promises';
import type { AuthorizedTarget } from '../../../runner/domain/authorize.ts';
import {
  type PluginDeps,
  type Session,
  type Transport,
  TransportFailure,
  type TransportPlugin,
} from '../../../runner/ports.ts';
import { connectClient } from './connect.ts';
import { describeCredential, readCredential } from './credentials.ts';
import { type KnownHosts, parseKnownHosts } from './known-hosts.ts';
import { Refusals } from './refusals.ts';
import { SshSession } from './session.ts';
import { type SshAccount, sshAccount, type SshSettings, sshSettings } from './settings.ts';

class SshTransport implements Transport {
  readonly #deps: PluginDeps;
  readonly #refusals = new Refusals();
  readonly #knownHosts = new Map<string, Promise<KnownHosts>>();

  constructor(deps: PluginDeps) {
    this.#deps = deps;
  }

  async connect(authorized: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    const { target, account } = authorized;
    const settings = sshSettings.parse(target.transport.settings);
    const login = sshAccount.parse(account.settings);
    const known = await this.#known(settings);
    const client = await this.#refusals.guard(
      `${describeCredential(login)} for ${account.name}`,
      target.id,
      signal,
      async () =>
        connectClient(
          { id: target.id, address: target.address, account: account.name },
          settings,
          known,
          await readCredential(authorized, login, this.#deps.secrets),
          signal,
        ),
    );
    return new SshSession(client, target.id, this.#deps.clock);
  }

  /** Read once: what a run trusts does not change while it goes on. */
  async #known({ knownHosts }: SshSettings): Promise<KnownHosts> {
    const files = (typeof knownHosts === 'string' ? [knownHosts] : knownHosts).map((path) => this.#deps.resolve(path));
    const key = files.join('\0');
    const read = this.#knownHosts.get(key) ?? Promise.all(files.map(readKnownHosts)).then(parseKnownHosts);
    this.#knownHosts.set(key, read);
    return read;
  }
}

async function readKnownHosts(file: string): Promise<{ readonly file: string; readonly text: string }> {
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (cause) {
    throw new TransportFailure(
      'host-key',
      `${file} cannot be read, so no host key is known: ${cause instanceof Error ? cause.message : String(cause)}. Make it with ssh-keyscan and check its fingerprints out of band`,
      { cause },
    );
  }
}

const plugin: TransportPlugin<SshSettings, SshAccount> = {
  kind: 'ssh',
  summary: 'SSH to a host with a POSIX shell, with a key or an agent; host keys from known_hosts files',
  settings: sshSettings,
  account: sshAccount,
  open: (deps) => new SshTransport(deps),
};

export default plugin;
