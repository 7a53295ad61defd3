import { isRecord, listAt } from './check.ts';

/** Hosts that a transport goes through. A plug-in that knows such hosts has them in its settings as `jump: [{ address }]`. */
export function jumpHostsOf(transportSettings: unknown): readonly string[] {
  return listAt(transportSettings, ['jump']).flatMap((jump) =>
    isRecord(jump) && typeof jump['address'] === 'string' ? [jump['address']] : [],
  );
}
