import type { ConnectConfig } from 'ssh2';

/** What a connection negotiates, in the words of ssh_config(5). */
export const algorithmKinds = [
  'kexAlgorithms',
  'hostKeyAlgorithms',
  'ciphers',
  'macs',
  'pubkeyAcceptedAlgorithms',
] as const;
export type AlgorithmKind = (typeof algorithmKinds)[number];

/**
 * What ssh2 supports, in the order of OpenSSH 9. `old`: rests on SHA-1 or is broken (RFC 9142, RFC 8332, RFC 9212, RFC 8758), and is
 * offered only to a target whose settings say so.
 */
const supported: Readonly<
  Record<AlgorithmKind, { readonly modern: readonly string[]; readonly old: readonly string[] }>
> = {
  kexAlgorithms: {
    modern: [
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group-exchange-sha256',
      'diffie-hellman-group14-sha256',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
    ],
    old: ['diffie-hellman-group-exchange-sha1', 'diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'],
  },
  hostKeyAlgorithms: {
    modern: [
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ],
    old: ['ssh-rsa', 'ssh-dss'],
  },
  ciphers: {
    modern: [
      'aes128-gcm@openssh.com',
      'aes256-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes128-ctr',
      'aes192-ctr',
      'aes256-ctr',
    ],
    old: ['aes128-cbc', 'aes192-cbc', 'aes256-cbc', '3des-cbc'],
  },
  macs: {
    modern: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
    old: ['hmac-sha1-etm@openssh.com', 'hmac-sha1'],
  },
  // For a client key ssh2 itself chooses; the one that matters is whether a signature with SHA-1 may be made.
  pubkeyAcceptedAlgorithms: {
    modern: [
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ],
    old: ['ssh-rsa'],
  },
};

/** Lists in the syntax of ssh_config(5): `a,b` instead of, `+a` after, `^a` before and `-a` without the usual ones. */
export type AlgorithmLists = { readonly [Kind in AlgorithmKind]?: string | undefined };

export type Offer = Readonly<Record<AlgorithmKind, readonly string[]>>;

/** The names of a list that this transport does not have. */
export function unknownAlgorithms(kind: AlgorithmKind, list: string): readonly string[] {
  const { modern, old } = supported[kind];
  return names(list).filter((name) => ![...modern, ...old].some((known) => wildcard(name).test(known)));
}

export function knownAlgorithms(kind: AlgorithmKind): string {
  return [...supported[kind].modern, ...supported[kind].old].join(', ');
}

/** What to offer. Names that are not supported are left out. */
export function offer(lists: AlgorithmLists): Offer {
  const one = (kind: AlgorithmKind): readonly string[] => {
    const { modern, old } = supported[kind];
    const list = lists[kind];
    if (list === undefined) return modern;
    const named = names(list).flatMap((name) => [...modern, ...old].filter((known) => wildcard(name).test(known)));
    const others = modern.filter((name) => !named.includes(name));
    switch (list.charAt(0)) {
      case '+':
        return [...modern, ...named.filter((name) => !modern.includes(name))];
      case '^':
        return [...named, ...others];
      case '-':
        return others;
      default:
        return [...new Set(named)];
    }
  };
  return {
    kexAlgorithms: one('kexAlgorithms'),
    hostKeyAlgorithms: one('hostKeyAlgorithms'),
    ciphers: one('ciphers'),
    macs: one('macs'),
    pubkeyAcceptedAlgorithms: one('pubkeyAcceptedAlgorithms'),
  };
}

/** As ssh2 wants it; the names were checked against what it supports. */
export function ssh2Algorithms(offered: Offer, hostKeys: readonly string[]): NonNullable<ConnectConfig['algorithms']> {
  return {
    kex: offered.kexAlgorithms,
    serverHostKey: hostKeys,
    cipher: offered.ciphers,
    hmac: offered.macs,
    compress: ['none'],
  } as NonNullable<ConnectConfig['algorithms']>;
}

/** ssh2's event `handshake`: what was agreed on. */
export type Negotiated = {
  readonly kex: string;
  readonly serverHostKey: string;
  readonly cs: { readonly cipher: string; readonly mac: string };
  readonly sc: { readonly cipher: string; readonly mac: string };
};

/** Those of the old ones that a connection really uses: `key exchange diffie-hellman-group14-sha1`. */
export function oldOnes(agreed: Negotiated): readonly string[] {
  const used = (kind: AlgorithmKind, label: string, values: readonly string[]): readonly string[] =>
    [...new Set(values)].filter((value) => supported[kind].old.includes(value)).map((value) => `${label} ${value}`);
  return [
    ...used('kexAlgorithms', 'key exchange', [agreed.kex]),
    ...used('hostKeyAlgorithms', 'host key', [agreed.serverHostKey]),
    ...used('ciphers', 'cipher', [agreed.cs.cipher, agreed.sc.cipher]),
    ...used('macs', 'MAC', [agreed.cs.mac, agreed.sc.mac]),
  ];
}

function names(list: string): readonly string[] {
  return list
    .replace(/^[+^-]/, '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Wildcards are allowed in these lists (ssh_config(5), PATTERNS). */
function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[^\w*?]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
