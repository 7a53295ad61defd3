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
import { Credentials, describeCredential } from './credentials.ts';
import { type KnownHosts, parseKnownHosts } from './known-hosts.ts';
import { Refusals } from './refusals.ts';
import { SshSession } from './session.ts';
import { type SshAccount, sshAccount, type SshSettings, sshSettings } from './settings.ts';

class SshTransport implements Transport {
  readonly #deps: PluginDeps;
  readonly #credentials: Credentials;
  readonly #refusals = new Refusals();
  readonly #knownHosts = new Map<string, Promise<KnownHosts>>();

  constructor(deps: PluginDeps) {
    this.#deps = deps;
    this.#credentials = new Credentials(deps.secrets);
  }

  async connect({ target, account }: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    const settings = sshSettings.parse(target.transport.settings);
    const login = sshAccount.parse(account.settings);
    const known = await this.#known(settings);
    const credential = await this.#credentials.get(login);
    const name = describeCredential(login);
    const client = await this.#refusals.guard(`${name} as ${account.name}`, target.id, signal, () =>
      connectClient(
        {
          target: target.id,
          address: target.address,
          account: account.name,
          with: name,
          method: { ...credential, username: account.name },
        },
        settings,
        known,
        signal,
      ),
    );
    return new SshSession(client, target.id, this.#deps.clock);
  }

  /** Read once: what a run trusts does not change while it goes on. */
  async #known({ knownHosts }: SshSettings): Promise<KnownHosts> {
    const files = (typeof knownHosts === 'string' ? [knownHosts] : knownHosts).map((path) => this.#deps.resolve(path));
    const name = files.join('\0');
    const reading = this.#knownHosts.get(name) ?? Promise.all(files.map(readKnownHosts)).then(parseKnownHosts);
    this.#knownHosts.set(name, reading);
    return reading;
  }
}

async function readKnownHosts(file: string): Promise<{ readonly file: string; readonly text: string }> {
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (cause) {
    throw new TransportFailure(
      'host-key',
      `${file} cannot be read, so no host key is known (${cause instanceof Error ? cause.message : String(cause)}). ` +
        'Make it with ssh-keyscan and compare its fingerprints with what the owners of the hosts tell you out of band',
      { cause },
    );
  }
}

const plugin: TransportPlugin<SshSettings, SshAccount> = {
  kind: 'ssh',
  summary: 'SSH to a host with a POSIX shell, by key or agent; host keys from known_hosts files',
  settings: sshSettings,
  account: sshAccount,
  open: (deps) => new SshTransport(deps),
};

export default plugin;
