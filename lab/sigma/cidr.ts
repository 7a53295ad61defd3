import { isIP } from 'node:net';

/** Eight 16-bit groups; an IPv4 address is held in its IPv4-mapped form (RFC 4291, section 2.5.5.2). */
export type IpAddress = readonly number[];

export type CidrBlock = { readonly address: IpAddress; readonly prefixBits: number };

const mappedPrefixBits = 96;

/** Reads an IPv4 or IPv6 address, without a zone. `::ffff:10.0.0.1` and `10.0.0.1` are the same address. */
export function parseIp(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 4) return [0, 0, 0, 0, 0, 0xffff, ...ipv4Groups(text)];
  if (family !== 6 || text.includes('%')) return undefined;
  const [left = '', right] = text.split('::');
  const head = ipv6Groups(left);
  if (right === undefined) return head;
  const tail = ipv6Groups(right);
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function ipv6Groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ipv4Groups(group) : [parseInt(group, 16)]));
}

function ipv4Groups(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}

/** Reads `10.0.0.0/8`, `fe80::/10` or a single address; says what is wrong with anything else. */
export function parseCidr(text: string): CidrBlock | { readonly wrong: string } {
  const [ip = '', bits, ...rest] = text.split('/');
  const address = parseIp(ip);
  if (address === undefined) return { wrong: 'not an IPv4 or IPv6 address' };
  const offset = isIP(ip) === 4 ? mappedPrefixBits : 0;
  if (rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits)))
    return { wrong: 'no prefix length after the /' };
  const prefixBits = bits === undefined ? 128 : Number(bits) + offset;
  if (prefixBits > 128) return { wrong: 'the prefix is longer than the address' };
  const block = { address: masked(address, prefixBits), prefixBits };
  if (block.address.some((group, i) => group !== address[i])) return { wrong: 'bits are set after the prefix' };
  return block;
}

/** An IPv6 block does not hold IPv4 addresses, however short its prefix: `::/0` is all of IPv6 only. */
export function cidrHolds(block: CidrBlock, ip: IpAddress): boolean {
  if (block.prefixBits < mappedPrefixBits && isMappedIpv4(ip)) return false;
  for (let i = 0; i * 16 < block.prefixBits; i++) {
    const mask = groupMask(block.prefixBits, i);
    if (((ip[i] ?? 0) & mask) !== block.address[i]) return false;
  }
  return true;
}

function isMappedIpv4(ip: IpAddress): boolean {
  return ip[5] === 0xffff && ip.slice(0, 5).every((group) => group === 0);
}

function masked(address: IpAddress, prefixBits: number): IpAddress {
  return address.map((group, i) => group & groupMask(prefixBits, i));
}

function groupMask(prefixBits: number, index: number): number {
  const bits = Math.min(16, Math.max(0, prefixBits - index * 16));
  return (0xffff << (16 - bits)) & 0xffff;
}
