import { readFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { type PluginDeps, TransportFailure } from '../../../runner/ports.ts';
import { type Connected, connectClient } from './connect.ts';
import { Credentials, describeCredential } from './credentials.ts';
import { type KnownHosts, parseKnownHosts } from './known-hosts.ts';
import { Refusals } from '../../shared/refusals.ts';
import type { Hop } from './route.ts';

/** A connection to a target, over its jump hosts. `release` lets go of those, once the client is closed. */
export type Reached = Connected & { readonly remarks: readonly string[]; readonly release: () => void };

type Shared = { readonly reached: Promise<Reached>; users: number };

/** Makes connections; holds what they share: what is known of hosts and credentials, and the connections to jump hosts. */
export class Connections {
  readonly #resolve: PluginDeps['resolve'];
  readonly #credentials: Credentials;
  readonly #refusals = new Refusals();
  readonly #knownHosts = new Map<string, Promise<KnownHosts>>();
  readonly #jumpHosts = new Map<string, Shared>();

  constructor(deps: PluginDeps) {
    this.#resolve = deps.resolve;
    this.#credentials = new Credentials(deps.secrets);
  }

  /** One attempt, hop by hop. Throws {@link TransportFailure}. */
  async reach(hops: readonly [...Hop[], Hop], lookup: LookupFunction, signal: AbortSignal): Promise<Reached> {
    const before = hops.slice(0, -1);
    const hop = hops.at(-1) ?? hops[0];
    const through = isChain(before) ? await this.#share(before, lookup, signal) : undefined;
    try {
      const known = await this.#known(hop.knownHosts);
      const oldSignatures = hop.offer.pubkeyAcceptedAlgorithms.includes('ssh-rsa');
      const credential = await this.#credentials.get(hop.login, oldSignatures);
      const connected = await this.#refusals.guard(
        `${describeCredential(hop.login)} as ${hop.account}`,
        hop.name,
        signal,
        () => connectClient(hop, { credential, known, lookup, through: through?.client }, signal),
      );
      const remarks = connected.old.map(
        (one) => `${hop.name} uses an old algorithm, which the inventory allows it to: ${one}`,
      );
      return {
        ...connected,
        remarks: [...(through?.remarks ?? []), ...remarks],
        release: () => through?.release(),
      };
    } catch (error) {
      through?.release();
      throw error;
    }
  }

  /** One connection to each jump host, for all targets behind it, closed when the last of them is. */
  async #share(chain: readonly [...Hop[], Hop], lookup: LookupFunction, signal: AbortSignal): Promise<Reached> {
    const key = JSON.stringify(chain.map((hop) => ({ ...hop, name: '' })));
    for (;;) {
      const shared = this.#jumpHosts.get(key) ?? this.#openShared(key, this.reach(chain, lookup, signal));
      shared.users += 1;
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        shared.users -= 1;
        if (shared.users > 0) return;
        this.#forget(key, shared);
        void shared.reached.then(
          ({ client, release: behind }) => {
            client.end();
            behind();
          },
          () => undefined,
        );
      };
      try {
        return { ...(await shared.reached), release };
      } catch (error) {
        release();
        // Somebody else was stopped, and with him the connection that he was making for both.
        if (error instanceof TransportFailure && error.class === 'aborted' && !signal.aborted) continue;
        throw error;
      }
    }
  }

  #openShared(key: string, reached: Promise<Reached>): Shared {
    const shared: Shared = { reached, users: 0 };
    this.#jumpHosts.set(key, shared);
    void shared.reached.then(
      ({ client }) => {
        const forget = (): void => {
          this.#forget(key, shared);
        };
        client.on('error', forget).once('close', forget);
      },
      () => {
        this.#forget(key, shared);
      },
    );
    return shared;
  }

  #forget(key: string, shared: Shared): void {
    if (this.#jumpHosts.get(key) === shared) this.#jumpHosts.delete(key);
  }

  /** Read once: what a run trusts does not change while it goes on. */
  async #known(knownHosts: readonly string[]): Promise<KnownHosts> {
    const files = knownHosts.map((path) => this.#resolve(path));
    const name = files.join('\0');
    const reading = this.#knownHosts.get(name) ?? Promise.all(files.map(readKnownHosts)).then(parseKnownHosts);
    this.#knownHosts.set(name, reading);
    return reading;
  }
}

function isChain(hops: readonly Hop[]): hops is readonly [...Hop[], Hop] {
  return hops.length > 0;
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
