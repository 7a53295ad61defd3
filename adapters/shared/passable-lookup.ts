import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { type AuthorizedTarget, mayPass } from '../../runner/domain/authorize.ts';
import { TransportFailure } from '../../runner/ports.ts';

/**
 * For sockets: looks a name up as Node does, and refuses what stands for an address of the never-touch list, so that what was
 * held against the list is what is connected to. The error is a {@link TransportFailure} `not-started`.
 */
export function passableLookup(authorized: AuthorizedTarget): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      const found = error === null ? addresses : [];
      const [first] = found;
      const barred = found.find(({ address }) => !mayPass(authorized, address));
      if (first === undefined) callback(error, []);
      else if (barred !== undefined)
        callback(
          new TransportFailure(
            'not-started',
            `${authorized.target.id} would be reached at ${barred.address}, which ${name} stands for and which is on the never-touch list of the engagement`,
          ),
          [],
        );
      else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}

/** The same before something else looks the name up. A name that stands for nothing is for that to tell. */
export async function checkResolved(authorized: AuthorizedTarget, name: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  passableLookup(authorized)(name, { all: true }, (error) => {
    if (error instanceof TransportFailure) reject(error);
    else resolve(undefined);
  });
  return promise;
}
