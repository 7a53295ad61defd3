import { TransportFailure } from '../../../runner/ports.ts';
import { type AlgorithmLists, type Offer, offer } from './algorithms.ts';
import { type HostConfig, noConfig } from './client-config.ts';
import type { CredentialSettings } from './credentials.ts';
import type { SshAccount, SshSettings } from './settings.ts';

/** One host to log in to: a jump host, or the target itself. */
export type Hop = {
  /** For messages: the target's id, or `jump host 192.0.2.1 of TARGET`. */
  readonly name: string;
  /** As the inventory or ProxyJump writes it; `address` is what the ssh_config file makes of it. */
  readonly written: string;
  readonly address: string;
  readonly port: number;
  readonly account: string;
  readonly login: CredentialSettings;
  readonly knownHosts: readonly string[];
  readonly offer: Offer;
  readonly connectTimeout: string;
  readonly keepalive: string;
  /** What was taken from an ssh_config file, for messages. */
  readonly taken: string;
};

const usual = { port: 22, connectTimeout: '15s', keepalive: '15s' } as const;

/** How many hosts a ProxyJump may lead over, its jump hosts' own included. */
const longestChain = 8;

/**
 * The hosts to log in to one after the other, the target last: what the inventory says, then what the ssh_config file says,
 * then what is usual. Pure. Throws {@link TransportFailure} `not-started` or `login`.
 */
export function route(
  target: { readonly id: string; readonly address: string },
  account: { readonly name: string; readonly login: SshAccount },
  settings: SshSettings,
  lookUp: (host: string) => HostConfig = () => noConfig,
): readonly [...Hop[], Hop] {
  const config = lookUp(target.address);
  const knownHosts = list(settings.knownHosts);
  const times = {
    connectTimeout: settings.connectTimeout ?? config.connectTimeout ?? usual.connectTimeout,
    keepalive: settings.keepalive ?? config.keepalive ?? usual.keepalive,
  };
  const last = (): Hop => ({
    name: target.id,
    written: target.address,
    address: config.hostName ?? target.address,
    port: settings.port ?? config.port ?? usual.port,
    account: account.name,
    login: withIdentity(account.login, config, target.id),
    knownHosts,
    offer: offer(merged(config.algorithms, settings.algorithms)),
    ...times,
    taken: config.taken,
  });
  if (settings.jump !== undefined)
    return [
      ...settings.jump.map((jump) => ({
        name: `jump host ${jump.address} of ${target.id}`,
        written: jump.address,
        address: jump.address,
        port: jump.port,
        account: jump.account,
        login: withIdentity(jump, lookUp(jump.address), jump.address),
        knownHosts: jump.knownHosts === undefined ? knownHosts : list(jump.knownHosts),
        offer: offer(jump.algorithms ?? {}),
        ...times,
        taken: '',
      })),
      last(),
    ];
  const hops: Hop[] = [];
  let ahead = config.jump;
  // ssh(1) reaches the first host of a ProxyJump by that host's own ProxyJump.
  while (ahead.length > 0) {
    const found = ahead.map((jump) => ({ jump, config: lookUp(jump.address) }));
    hops.unshift(
      ...found.map(({ jump, config: own }): Hop => ({
        name: `jump host ${jump.address} of ${target.id}`,
        written: jump.address,
        address: own.hostName ?? jump.address,
        port: jump.port ?? own.port ?? usual.port,
        account: jump.user ?? own.user ?? account.name,
        login: own.identityFile === undefined ? account.login : { key: `file:${own.identityFile}` },
        knownHosts,
        offer: offer(own.algorithms),
        ...times,
        taken: own.taken || config.taken,
      })),
    );
    if (hops.length > longestChain)
      throw new TransportFailure(
        'not-started',
        `${target.id}: ProxyJump leads over more than ${longestChain} hosts, or in a circle${config.taken}`,
      );
    ahead = found[0]?.config.jump ?? [];
  }
  return [...hops.map((hop) => ({ ...hop, login: withIdentity(hop.login, noConfig, hop.name) })), last()];
}

/** `key: config` → the file that it stands for. */
function withIdentity(login: CredentialSettings, config: HostConfig, name: string): CredentialSettings {
  if (login.key !== 'config') return login;
  if (config.identityFile === undefined)
    throw new TransportFailure(
      'login',
      `no login to ${name}: its key is to come from an ssh_config file (key: config), and no IdentityFile is set for it there${config.taken}`,
    );
  return { ...login, key: `file:${config.identityFile}` };
}

function merged(config: AlgorithmLists, settings: AlgorithmLists | undefined): AlgorithmLists {
  return { ...config, ...settings };
}

function list(names: string | readonly string[]): readonly string[] {
  return typeof names === 'string' ? [names] : names;
}
