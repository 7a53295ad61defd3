import { createHash, createHmac } from 'node:crypto';

type Names =
  | { readonly kind: 'hashed'; readonly salt: Buffer; readonly hash: Buffer }
  | { readonly kind: 'patterns'; readonly patterns: readonly HostPattern[] };
type HostPattern = { readonly negated: boolean; readonly regex: RegExp };

/** A line of a known_hosts file that holds a key. `at`: file and line, for messages. */
export type KnownHost = {
  readonly at: string;
  readonly marker?: 'revoked' | 'cert-authority';
  readonly names: Names;
  readonly type: string;
  readonly key: Buffer;
};

export type KnownHosts = {
  readonly files: readonly string[];
  readonly entries: readonly KnownHost[];
  /** Lines that could not be read, each as `file:line: what is wrong`. */
  readonly problems: readonly string[];
};

export type HostKeyVerdict =
  | { readonly is: 'known'; readonly at: string }
  | { readonly is: 'mismatch' | 'unknown' | 'revoked'; readonly message: string };

/** Reads known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Pure: the texts come in. */
export function parseKnownHosts(files: readonly { readonly file: string; readonly text: string }[]): KnownHosts {
  const entries: KnownHost[] = [];
  const problems: string[] = [];
  for (const { file, text } of files)
    for (const [index, line] of text.split('\n').entries()) {
      const at = `${file}:${index + 1}`;
      const read = parseLine(at, line.trim());
      if (typeof read === 'string') problems.push(`${at}: ${read}`);
      else if (read !== undefined) entries.push(read);
    }
  return { files: files.map(({ file }) => file), entries, problems };
}

/** The name under which a host is looked up: `host`, or `[host]:port` when the port is not 22. */
export function knownHostsName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** The entries for a name, in the order of the files: those of which `ssh-keygen -F NAME` would print the line. */
export function entriesFor(known: KnownHosts, name: string): readonly KnownHost[] {
  return known.entries.filter(({ names }) => matches(names, name));
}

/**
 * Host key algorithms to offer, those whose key is known first: a server with several keys then shows the known one
 * (as ssh(1) does). `supported` are the transport's own, by preference.
 */
export function orderHostKeyAlgorithms<Algorithm extends string>(
  known: KnownHosts,
  name: string,
  supported: readonly Algorithm[],
): Algorithm[] {
  const types = new Set(plain(entriesFor(known, name)).map(({ type }) => type));
  const held = (algorithm: string): boolean => types.has(algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm);
  return [...supported.filter(held), ...supported.filter((algorithm) => !held(algorithm))];
}

/** Is `key` (the blob that the server showed) the key of this host? */
export function checkHostKey(known: KnownHosts, host: string, port: number, key: Buffer): HostKeyVerdict {
  const name = knownHostsName(host, port);
  const entries = entriesFor(known, name);
  const type = keyType(key) ?? 'unknown';
  const shown = `${type} ${fingerprint(key)}`;
  const revoked = entries.find((entry) => entry.marker === 'revoked' && entry.key.equals(key));
  if (revoked !== undefined)
    return {
      is: 'revoked',
      message: `the host key of ${name} (${shown}) is marked as revoked in ${revoked.at}; whoever holds it may be an impostor. Do not connect before the owner of the host has explained it`,
    };
  const candidates = plain(entries);
  const match = candidates.find((entry) => entry.key.equals(key));
  if (match !== undefined) return { is: 'known', at: match.at };
  const [other] = [...candidates.filter((entry) => entry.type === type), ...candidates];
  if (other !== undefined)
    return {
      is: 'mismatch',
      message: `the host key of ${name} is not the known one: it showed ${shown}, ${other.at} holds ${other.type} ${fingerprint(other.key)}. Either the host got a new key or somebody is in between: ask the owner of the host, out of band, then replace that line`,
    };
  return { is: 'unknown', message: unknownHost(known, entries, { host, port, name, shown }) };
}

/** As `ssh-keygen -lf` prints it: `SHA256:` and unpadded base64. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function unknownHost(
  known: KnownHosts,
  entries: readonly KnownHost[],
  asked: { readonly host: string; readonly port: number; readonly name: string; readonly shown: string },
): string {
  const authority = entries.find(({ marker }) => marker === 'cert-authority');
  const elsewhere = asked.port === 22 ? undefined : plain(entriesFor(known, asked.host.toLowerCase()))[0];
  const port = asked.port === 22 ? '' : `-p ${asked.port} `;
  return [
    `no key of ${asked.name} is known: it showed ${asked.shown}, and nothing in ${known.files.join(', ')} matches`,
    authority !== undefined &&
      `; ${authority.at} trusts a certificate authority for it (@cert-authority), but host certificates are not supported: add the host's own key`,
    elsewhere !== undefined && `; ${elsewhere.at} is for ${asked.host} on port 22 only`,
    known.problems.length > 0 && `; lines that could not be read: ${known.problems.slice(0, 5).join('; ')}`,
    known.problems.length > 5 && ` and ${known.problems.length - 5} more`,
    `. To add it: ssh-keyscan ${port}${asked.host} >> ${known.files[0] ?? 'known_hosts'}, then compare its fingerprint with what the owner of the host tells you out of band`,
  ]
    .filter((part) => part !== false)
    .join('');
}

function plain(entries: readonly KnownHost[]): readonly KnownHost[] {
  return entries.filter(({ marker }) => marker === undefined);
}

/** An entry, undefined for a line that holds none, or what is wrong. */
function parseLine(at: string, line: string): KnownHost | string | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const fields = line.split(/[ \t]+/);
  const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
  if (marker !== undefined && marker !== '@revoked' && marker !== '@cert-authority')
    return `unknown marker ${JSON.stringify(marker)}`;
  const [namesText, type, keyText] = fields;
  if (namesText === undefined || type === undefined || keyText === undefined)
    return 'expected: host names, key type, key in base64';
  const names = parseNames(namesText);
  if (typeof names === 'string') return names;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(keyText)) return 'the key is not base64';
  const key = Buffer.from(keyText, 'base64');
  if (keyType(key) !== type) return `the key is not of the type ${JSON.stringify(type)}`;
  const mark =
    marker === undefined ? {} : { marker: marker === '@revoked' ? ('revoked' as const) : ('cert-authority' as const) };
  return { at, ...mark, names, type, key };
}

function parseNames(text: string): Names | string {
  if (!text.startsWith('|'))
    return {
      kind: 'patterns',
      patterns: text
        .split(',')
        .filter((pattern) => pattern !== '')
        .map((pattern) => ({ negated: pattern.startsWith('!'), regex: wildcard(pattern.replace(/^!/, '')) })),
    };
  // sshd(8): |1|base64 of the salt|base64 of HMAC-SHA1(salt, name); one name per line, no wildcards.
  const [, version, salt, hash] = text.split('|');
  if (version !== '1' || salt === undefined || hash === undefined)
    return 'expected a hashed name of the form |1|SALT|HASH';
  const hashed = { kind: 'hashed', salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } as const;
  return hashed.hash.length === 20 && hashed.salt.length === 20
    ? hashed
    : 'the salt or the hash of the name is not 20 bytes of base64';
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .toLowerCase()
    .split('')
    .map((char) => (char === '*' ? '.*' : char === '?' ? '.' : char.replace(/[^\w ]/u, String.raw`\$&`)))
    .join('');
  return new RegExp(`^${source}$`, 's');
}

/** A negated pattern that matches excludes the line, whatever else on it matches (ssh_config(5), PATTERNS). */
function matches(names: Names, name: string): boolean {
  if (names.kind === 'hashed') return createHmac('sha1', names.salt).update(name).digest().equals(names.hash);
  const hits = names.patterns.filter(({ regex }) => regex.test(name));
  return hits.length > 0 && !hits.some(({ negated }) => negated);
}

/** The first string of a key blob (RFC 4253, section 6.6). */
function keyType(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 0 && length <= key.length - 4 ? key.toString('latin1', 4, 4 + length) : undefined;
}
