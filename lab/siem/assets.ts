import { isOpen } from '../../runner/domain/authorize.ts';
import type { Weekly } from '../../runner/domain/inventory.ts';
import { parseInstant } from '../../runner/domain/time.ts';
import type { CollectedEvent } from './ecs-event.ts';

const everyDay = [1, 2, 3, 4, 5, 6, 7];
const weekly = (days: readonly number[], fromMinute: number, toMinute: number): Weekly => ({
  kind: 'weekly',
  days,
  fromMinute,
  toMinute,
  timeZone: 'Etc/UTC',
});

/** Maintenance windows as the SIEM's asset table has them, by host. A test holds them against those of inventory.yaml. */
export const maintenanceWindows: Readonly<Record<string, Weekly>> = {
  'lab-windows': weekly([7], 180, 181),
  'lab-windows-ssh': weekly(everyDay, 0, 1_440),
};

/** The event with what its host's owner declared: whether its time lies in the maintenance window. */
export function withAsset(event: CollectedEvent): CollectedEvent {
  const window = maintenanceWindows[event.host.name];
  const at = parseInstant(event['@timestamp']);
  if (window === undefined || at === undefined) return event;
  return { ...event, labels: { maintenance_window: isOpen(window, at) ? 'inside' : 'outside' } };
}
