import { readFile } from 'node:fs/promises';
import type { Platform } from '../../runner/domain/attack.ts';
import { type AuthorizedTarget, authorize } from '../../runner/domain/authorize.ts';
import type { Inventory, Target } from '../../runner/domain/inventory.ts';
import { duration, instant } from '../../runner/domain/time.ts';
import type { PluginDeps } from '../../runner/ports.ts';

/** A target that the real `authorize` lets through: an inventory of one host whose window is always open. */
export function authorizedTarget(host: {
  readonly id?: string;
  readonly address: string;
  readonly kind: string;
  readonly settings: unknown;
  readonly account: string;
  readonly accountSettings: unknown;
  readonly neverTouch?: readonly string[];
  readonly platform?: Platform;
}): AuthorizedTarget {
  const target: Target = {
    id: host.id ?? 'host-under-test',
    platform: host.platform ?? 'linux',
    address: host.address,
    transport: { kind: host.kind, settings: host.settings, channels: ['exec', 'shell'] },
    accounts: [{ name: host.account, role: 'standard', settings: host.accountSettings }],
    interpreter: '/usr/bin/python3',
    groups: ['all'],
    role: 'test',
    owner: 'tests',
    criticality: 'low',
    zone: 'test',
    names: {},
    executables: {},
    fidelity: 'real',
    parallel: 8,
  };
  const inventory: Inventory = {
    file: 'inventory.yaml',
    sha256: '0'.repeat(64),
    engagement: {
      id: 'tests',
      authorizedBy: 'tests',
      contacts: [],
      signedPlans: false,
      neverTouch: host.neverTouch ?? [],
      sink: 'loopback',
    },
    windows: [
      {
        id: 'always',
        groups: ['all'],
        open: { kind: 'span', from: instant(0), to: instant(Date.now() + 86_400_000) },
        freezes: [],
        cleanupReserve: duration(0),
      },
    ],
    targets: [target],
    siems: [],
    expectations: [],
    python: [],
    limits: { hosts: 1, perZone: 1 },
  };
  const authorization = authorize(inventory, target, host.account, instant(Date.now()), duration(1_000));
  if (authorization.is === 'refused') throw new Error(authorization.why.detail);
  return authorization.target;
}

/** The real outside world, as far as a transport uses it. */
export const realDeps: PluginDeps = {
  clock: {
    now: () => instant(Date.now()),
    sleep: () => Promise.reject(new Error('transports wait for the outside world, not for the clock')),
  },
  secrets: {
    async read(reference) {
      const [, kind, name = ''] = /^(env|file):(.+)$/.exec(reference) ?? [];
      if (kind === 'file') return readFile(name);
      const value = process.env[name];
      if (kind !== 'env' || value === undefined) throw new Error(`${reference} is not there`);
      return Buffer.from(value);
    },
  },
  resolve: (path) => path,
  keep: () => Promise.reject(new Error('transports keep nothing')),
};
