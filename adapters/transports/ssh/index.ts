import { type AuthorizedTarget, mayPass } from '../../../runner/domain/authorize.ts';
import {
  type PluginDeps,
  type Session,
  type Transport,
  TransportFailure,
  type TransportPlugin,
} from '../../../runner/ports.ts';
import { passableLookup } from '../../shared/passable-lookup.ts';
import { type HostConfig, noConfig, readClientConfig } from './client-config.ts';
import { Connections } from './connections.ts';
import { route } from './route.ts';
import { SshSession } from './session.ts';
import { type SshAccount, sshAccount, type SshSettings, sshSettings } from './settings.ts';

class SshTransport implements Transport {
  readonly #deps: PluginDeps;
  readonly #connections: Connections;
  readonly #configs = new Map<string, Promise<(host: string) => HostConfig>>();

  constructor(deps: PluginDeps) {
    this.#deps = deps;
    this.#connections = new Connections(deps);
  }

  async connect(authorized: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    const { target, account } = authorized;
    const settings = sshSettings.parse(target.transport.settings);
    const login = sshAccount.parse(account.settings);
    const lookUp = settings.config === undefined ? () => noConfig : await this.#config(settings.config);
    const hops = route(target, { name: account.name, login }, settings, lookUp);
    for (const { name, written, address, taken } of hops)
      for (const place of [written, address])
        if (!mayPass(authorized, place))
          throw new TransportFailure(
            'not-started',
            `${name} would be reached at ${place}, which is on the never-touch list of the engagement${taken}`,
          );
    const reached = await this.#connections.reach(hops, passableLookup(authorized), signal);
    const shell = settings.shell ?? (target.platform === 'windows' ? 'cmd' : 'posix');
    return new SshSession(reached, {
      host: target.id,
      clock: this.#deps.clock,
      shell,
      platform: target.platform,
      root: account.name === 'root',
    });
  }

  async #config(path: string): Promise<(host: string) => HostConfig> {
    const file = this.#deps.resolve(path);
    const reading = this.#configs.get(file) ?? readClientConfig(file);
    this.#configs.set(file, reading);
    return reading;
  }
}

const plugin: TransportPlugin<SshSettings, SshAccount> = {
  kind: 'ssh',
  summary: 'SSH to any host, by key, agent or password, over jump hosts; host keys from known_hosts files',
  settings: sshSettings,
  account: sshAccount,
  channels: ['exec', 'shell'],
  open: (deps) => new SshTransport(deps),
};

export default plugin;
