import { type AuthorizedTarget, mayPass } from '../../../runner/domain/authorize.ts';
import {
  type PluginDeps,
  type Session,
  type Transport,
  TransportFailure,
  type TransportPlugin,
} from '../../../runner/ports.ts';
import { describeReference } from '../../shared/describe-reference.ts';
import { checkResolved } from '../../shared/passable-lookup.ts';
import { Refusals } from '../../shared/refusals.ts';
import { Master } from './master.ts';
import { placesOf } from './places.ts';
import { OpensshSession } from './session.ts';
import { type OpensshAccount, opensshAccount, type OpensshSettings, opensshSettings } from './settings.ts';

class OpensshTransport implements Transport {
  readonly #deps: PluginDeps;
  readonly #refusals = new Refusals();

  constructor(deps: PluginDeps) {
    this.#deps = deps;
  }

  async connect(authorized: AuthorizedTarget, signal: AbortSignal): Promise<Session> {
    const { target, account } = authorized;
    const settings = this.#absolute(opensshSettings.parse(target.transport.settings));
    const given = opensshAccount.parse(account.settings);
    const file = (path: string | undefined): string | undefined =>
      path === undefined ? undefined : this.#deps.resolve(path);
    const login = { ...given, key: file(given.key), certificate: file(given.certificate) };
    const agent = given.agent === undefined ? undefined : await this.#agent(given.agent);
    if (account.name.startsWith('-') || target.address.startsWith('-'))
      throw new TransportFailure('not-started', `${target.id}: neither an account nor an address begins with a dash`);
    const credential = `key ${given.key ?? ''} ${given.certificate ?? ''} agent ${describeReference(String(given.agent ?? ''))} as ${account.name}`;
    const to = { address: target.address, account: account.name, settings, login, agent };
    const { places, first, byCommand } = await placesOf(to, signal);
    if (byCommand !== undefined && authorized.neverTouch.length > 0)
      throw new TransportFailure(
        'not-started',
        `${target.id}: a ProxyCommand of the config connects to ${byCommand}, and over which hosts it does so cannot be held against the never-touch list of the engagement. Use ProxyJump`,
      );
    for (const place of places)
      if (!mayPass(authorized, place))
        throw new TransportFailure(
          'not-started',
          `${target.id} would be reached over ${place}, which is on the never-touch list of the engagement`,
        );
    await checkResolved(authorized, first);
    const master = await this.#refusals.guard(credential, target.id, signal, () =>
      Master.connect(target.id, to, signal),
    );
    return new OpensshSession(master, {
      host: target.id,
      clock: this.#deps.clock,
      shell: settings.shell ?? (target.platform === 'windows' ? 'cmd' : 'posix'),
      platform: target.platform,
      root: account.name === 'root',
    });
  }

  #absolute(settings: OpensshSettings): OpensshSettings {
    const { knownHosts, config } = settings;
    const files = typeof knownHosts === 'string' ? [knownHosts] : knownHosts;
    return {
      ...settings,
      knownHosts: files.map((path) => this.#deps.resolve(path)),
      ...(config === undefined ? {} : { config: this.#deps.resolve(config) }),
    };
  }

  async #agent(reference: string | true): Promise<string> {
    const name = reference === true ? 'env:SSH_AUTH_SOCK' : reference;
    try {
      const path = Buffer.from(await this.#deps.secrets.read(name))
        .toString('utf8')
        .replace(/\r?\n$/, '');
      if (path !== '') return path;
    } catch (cause) {
      throw new TransportFailure(
        'login',
        cause instanceof Error ? cause.message : `${describeReference(name)} cannot be read`,
        { cause },
      );
    }
    throw new TransportFailure(
      'login',
      `${describeReference(name)} names no agent socket. Is an agent running, and does ssh-add -l list a key?`,
    );
  }
}

const plugin: TransportPlugin<OpensshSettings, OpensshAccount> = {
  kind: 'openssh',
  summary:
    'SSH through OpenSSH’s own ssh, for certificates and FIDO keys; a command that a signal ended shows as exit code 255',
  settings: opensshSettings,
  account: opensshAccount,
  channels: ['exec'],
  open: (deps) => new OpensshTransport(deps),
};

export default plugin;
