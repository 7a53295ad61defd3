/** An IPv4 address is the IPv6 address that it is mapped to (RFC 4291, 2.5.5.2), so that both spellings are one. */
type Network = { readonly first: bigint; readonly length: number };

const mapped = 0xffff_0000_0000n;
const isIpv4 = (address: bigint): boolean => address >> 32n === mapped >> 32n;

type Compiled = {
  readonly names: ReadonlyMap<string, string>;
  readonly networks: readonly { readonly network: Network; readonly entry: string }[];
};

/** A list is asked before every touch, and may be long. */
const compiled = new WeakMap<readonly string[], Compiled>();

/**
 * The first entry of a never-touch list that one of these names is: an id, a host name, an IP address, in any spelling, or an
 * address in a network (CIDR). Undefined when none is.
 */
export function barredBy(neverTouch: readonly string[], names: readonly string[]): string | undefined {
  const list = compiled.get(neverTouch) ?? compile(neverTouch);
  compiled.set(neverTouch, list);
  for (const name of names) {
    const address = addressOf(name);
    const entry =
      list.names.get(plain(name)) ??
      (address === undefined ? undefined : list.networks.find(({ network }) => covers(network, address))?.entry);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function compile(neverTouch: readonly string[]): Compiled {
  const parsed = neverTouch.map((entry) => ({ entry, network: networkOf(entry) }));
  return {
    names: new Map(parsed.map(({ entry }) => [plain(entry), entry])),
    networks: parsed.flatMap(({ entry, network }) => (network === undefined ? [] : [{ entry, network }])),
  };
}

function covers({ first, length }: Network, address: bigint): boolean {
  // Whoever names all of IPv6 does not mean IPv4.
  if (length < 96 && isIpv4(address)) return false;
  const rest = BigInt(128 - length);
  return first >> rest === address >> rest;
}

function networkOf(entry: string): Network | undefined {
  const [, text = entry, bits] = /^(.*)\/(\d{1,3})$/.exec(plain(entry)) ?? [];
  const first = addressOf(text);
  if (first === undefined) return undefined;
  const offset = isIpv4(first) && !text.includes(':') ? 96 : 0;
  const length = bits === undefined ? 128 : Number(bits) + offset;
  return length > 128 ? undefined : { first, length };
}

/** Without case, the root's dot and an IPv6 address's brackets. */
function plain(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

/** Also in spellings that resolvers take, such as 127.1 and 0x7f000001 (URL Standard, IPv4 parser); a zone is no part of it. */
function addressOf(name: string): bigint | undefined {
  const text = plain(name).replace(/%.*$/, '');
  const isIpv6 = text.includes(':');
  if (!isIpv6 && !/(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(text)) return undefined;
  const url = isIpv6 ? `http://[${text}]/` : `http://${text}/`;
  if (/[/\s@?#\\]/.test(text) || !URL.canParse(url)) return undefined;
  const host = new URL(url).hostname;
  if (!isIpv6) return mapped | number(host.split('.'), 10, 8n);
  const [before = '', after] = host.slice(1, -1).split('::');
  const groups = (half: string): readonly string[] => (half === '' ? [] : half.split(':'));
  const high = groups(before);
  const low = groups(after ?? '');
  const zeros = Array.from({ length: 8 - high.length - low.length }, () => '0');
  return number([...high, ...zeros, ...low], 16, 16n);
}

function number(parts: readonly string[], radix: number, width: bigint): bigint {
  return parts.reduce((sum, part) => (sum << width) | BigInt(Number.parseInt(part, radix)), 0n);
}
