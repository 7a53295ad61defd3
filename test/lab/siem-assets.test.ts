import { join } from 'node:path';
import t from 'tap';
import { maintenanceWindows, withAsset } from '../../lab/siem/assets.ts';
import type { CollectedEvent } from '../../lab/siem/ecs-event.ts';
import { loadInventory } from '../../runner/load/inventory.ts';
import { discoverAdapters } from '../../runner/plugins.ts';

const project = join(import.meta.dirname, '../..');

t.test('assets: the SIEM knows the maintenance windows that the inventory declares, and no others', async (t) => {
  const inventory = await loadInventory(
    join(project, 'inventory.yaml'),
    await discoverAdapters(join(project, 'adapters')),
  );
  if (inventory.is !== 'loaded') throw new Error('inventory.yaml has problems');
  const declared = inventory.value.targets.flatMap(({ id, maintenance }) =>
    maintenance === undefined ? [] : [[id, maintenance]],
  );
  t.same(Object.fromEntries(declared), maintenanceWindows);
});

t.test('assets: an event says whether it lies in the window of its host, by its own time', (t) => {
  const event = (name: string, time: string): CollectedEvent => ({
    '@timestamp': time,
    event: {
      ...{ id: '1', kind: 'event', module: 'windows', dataset: 'windows.sysmon_operational', category: [], type: [] },
      ...{ action: 'x', ingested: time, original: '' },
    },
    host: { name, hostname: name, os: { type: 'windows' } },
  });
  const label = (name: string, time: string): string | undefined =>
    withAsset(event(name, time)).labels?.['maintenance_window'];
  t.equal(label('lab-windows', '2026-11-22T03:00:30Z'), 'inside', 'a Sunday, at three');
  t.equal(label('lab-windows', '2026-11-22T03:01:00Z'), 'outside');
  t.equal(label('lab-windows-ssh', '2026-11-24T12:00:00Z'), 'inside');
  t.equal(label('lab-macos', '2026-11-24T12:00:00Z'), undefined);
  t.end();
});
