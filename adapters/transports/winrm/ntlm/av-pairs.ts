import { md5 } from './keys.ts';

/** AvId, [MS-NLMP] 2.2.2.1. */
export const avId = {
  end: 0,
  computerName: 1,
  domainName: 2,
  dnsComputerName: 3,
  dnsDomainName: 4,
  flags: 6,
  timestamp: 7,
  targetName: 9,
  channelBindings: 10,
} as const;

export type AvPair = { readonly id: number; readonly value: Uint8Array };

/** The pairs up to the end mark, which is left out. Throws RangeError for a list that is cut short. */
export function parseAvPairs(bytes: Uint8Array): readonly AvPair[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pairs: AvPair[] = [];
  for (let at = 0; ;) {
    const id = view.getUint16(at, true);
    const end = at + 4 + view.getUint16(at + 2, true);
    if (id === avId.end) return pairs;
    if (end > bytes.length) throw new RangeError('an AvPair is longer than its list');
    pairs.push({ id, value: bytes.slice(at + 4, end) });
    at = end;
  }
}

export function writeAvPairs(pairs: readonly AvPair[]): Uint8Array {
  const end: AvPair = { id: avId.end, value: new Uint8Array(0) };
  return Buffer.concat(
    [...pairs, end].map(({ id, value }) => {
      const pair = new Uint8Array(4 + value.length);
      const view = new DataView(pair.buffer);
      view.setUint16(0, id, true);
      view.setUint16(2, value.length, true);
      pair.set(value, 4);
      return pair;
    }),
  );
}

export function findAvPair(pairs: readonly AvPair[], id: number): Uint8Array | undefined {
  return pairs.find((pair) => pair.id === id)?.value;
}

/**
 * MsvAvChannelBindings: MD5 over gss_channel_bindings_struct (RFC 2744, 3.11) with empty addresses. `applicationData`: as
 * RFC 5929 makes it, for example `tls-server-end-point:` and the hash of a certificate.
 */
export function channelBindingsHash(applicationData: Uint8Array): Uint8Array {
  const head = new Uint8Array(20);
  new DataView(head.buffer).setUint32(16, applicationData.length, true);
  return md5(head, applicationData);
}
