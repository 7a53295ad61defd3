import { avId, type AvPair, findAvPair } from './av-pairs.ts';

/** Who logs in, as AUTHENTICATE wants it. */
export type Account = { readonly domain: string; readonly user: string };

/**
 * `DOMAIN\user` → both; `.\user` → an account of the host, under the name that its CHALLENGE gives; `user@dns.name` → all
 * of it is the user, as Windows takes it; `user` → without a domain, which the host completes.
 */
export function accountOf(name: string, targetInfo: readonly AvPair[]): Account {
  const slash = name.indexOf('\\');
  if (slash < 0) return { domain: '', user: name };
  const [domain, user] = [name.slice(0, slash), name.slice(slash + 1)];
  if (domain !== '.') return { domain, user };
  const host = findAvPair(targetInfo, avId.computerName);
  return { domain: host === undefined ? '' : Buffer.from(host).toString('utf16le'), user };
}
