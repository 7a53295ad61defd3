import { dirname } from 'node:path';
import type { Account, Inventory, Overlay, Siem, Target, Weekly, Window } from '../domain/inventory.ts';
import type { Channel } from '../domain/scenario.ts';
import type { NonEmpty } from '../domain/non-empty.ts';
import { checkObject, listAt } from './check.ts';
import { groupsOf } from './groups.ts';
import { suppliedExecutables } from './executables.ts';
import { inventoryProblems, type InventoryReferences } from './inventory-checks.ts';
import {
  type InventoryFile,
  inventoryFile,
  overlayEntry,
  targetEntry,
  weekDays,
  windowEntry,
} from './inventory-schema.ts';
import { jumpHostsOf } from './jump-hosts.ts';
import { isPluginSetting, type Plugins, type Settings, siemSettings, targetSettings } from './plugin-settings.ts';
import { type Loaded, loaded, type Problem } from './problem.ts';
import type { SourceFile } from './source-file.ts';
import { withTargetFiles } from './target-files.ts';
import { readYamlFile } from './yaml-file.ts';

/** An inventory of 3,000 hosts has some 2 MB. */
const maxBytes = 16_777_216;

/**
 * Reads `inventory.yaml`, or says all that is wrong with it. Never throws for what the file holds, and never repeats a value
 * of a plug-in's settings, since a secret may stand there where its reference belongs.
 */
export async function loadInventory(
  file: string,
  plugins: Plugins,
  references: InventoryReferences = {},
): Promise<Loaded<Inventory>> {
  const { source, problems } = await readYamlFile(file, maxBytes);
  if (source === undefined) return loaded<Inventory>(undefined, problems);
  const whole = await withTargetFiles(source);
  const read = readInventory(whole.source, plugins, references);
  // A file with targets that cannot be read is one problem, not one for each thing that is then missing.
  return loaded(read.inventory, [...problems, ...whole.problems, ...(whole.whole ? read.problems : [])]);
}

/** As {@link loadInventory}, for a file that was read already. */
export function readInventory(
  source: SourceFile,
  plugins: Plugins,
  references: InventoryReferences,
): { readonly inventory?: Inventory; readonly problems: readonly Problem[] } {
  const checked = checkObject(source, [], inventoryFile, { quiet: isPluginSetting });
  const entries = <T>(list: string, read: (path: [string, number]) => T): T[] =>
    listAt(source.value, [list]).map((_, index) => read([list, index]));
  const settings = {
    targets: entries('targets', (path) => targetSettings(source, path, plugins.transports)),
    siems: entries('siems', (path) => siemSettings(source, path, plugins.siems)),
  };
  const problems = [
    ...checked.problems,
    ...settings.targets.flatMap(({ transport, accounts }) => [transport, ...accounts].flatMap((part) => part.problems)),
    ...settings.siems.flatMap((part) => part.problems),
    ...inventoryProblems(
      source,
      {
        windows: entries('windows', (path) => ({ path, fields: checkObject(source, path, windowEntry).fields })),
        targets: entries('targets', (path) => ({ path, fields: checkObject(source, path, targetEntry).fields })),
        expectations: entries('expectations', (path) => ({
          path,
          fields: checkObject(source, path, overlayEntry).fields,
        })),
        rollout: checked.fields,
      },
      references,
    ),
  ];
  const file = checked.whole;
  if (file === undefined || problems.length > 0) return { problems };
  return { inventory: toInventory(file, source, settings), problems };
}

type WeeklyFile = NonNullable<InventoryFile['windows'][number]['weekly']>;

type AllSettings = {
  readonly targets: readonly ReturnType<typeof targetSettings>[];
  readonly siems: readonly Settings[];
};

function toInventory(file: InventoryFile, source: SourceFile, settings: AllSettings): Inventory {
  return {
    file: source.file,
    sha256: source.sha256,
    engagement: file.engagement,
    windows: file.windows.flatMap(toWindow),
    targets: file.targets.map((target, index) => toTarget(target, settings.targets[index], file.groups, source.file)),
    siems: file.siems.map(({ id, kind }, index): Siem => ({ id, kind, settings: settings.siems[index]?.value })),
    expectations: file.expectations.map(toOverlay),
    limits: file.limits,
    ...(file.waves !== undefined && { waves: file.waves }),
    ...(file.pace !== undefined && { pace: file.pace }),
    ...(file.sample !== undefined && { sample: file.sample }),
    python: file.python,
  };
}

/** A list, so that a window without a time, which the checks refuse, needs no made-up one. */
function toWindow({ id, groups, span, weekly, freezes, cleanupReserve }: InventoryFile['windows'][number]): Window[] {
  const common = { id, groups, freezes, cleanupReserve };
  if (span !== undefined) return [{ ...common, open: { kind: 'span', ...span } }];
  if (weekly === undefined) return [];
  return [{ ...common, open: toWeekly(weekly) }];
}

function toWeekly({ days, from, to, timeZone }: WeeklyFile): Weekly {
  return {
    kind: 'weekly',
    days: days.map((day) => weekDays.indexOf(day) + 1),
    fromMinute: from,
    toMinute: to,
    timeZone,
  };
}

function toTarget(
  { transport, accounts, maintenance, executables, ...rest }: InventoryFile['targets'][number],
  settings: AllSettings['targets'][number] | undefined,
  groups: InventoryFile['groups'],
  file: string,
): Target {
  const channels: NonEmpty<Channel> = settings?.channels ?? ['exec'];
  const jumpHosts = jumpHostsOf(settings?.transport.value);
  return {
    ...rest,
    groups: groupsOf({ ...rest, transport }, groups),
    ...(jumpHosts.length > 0 && { jumpHosts }),
    ...(maintenance !== undefined && { maintenance: toWeekly(maintenance) }),
    executables: suppliedExecutables(executables, dirname(file)),
    transport: { kind: transport.kind, settings: settings?.transport.value, channels },
    accounts: accounts.map(({ name, role }, index): Account => ({
      name,
      role,
      settings: settings?.accounts[index]?.value,
    })),
  };
}

function toOverlay({ rule, ...entry }: InventoryFile['expectations'][number]): Overlay {
  return rule === undefined ? entry : { ...entry, rules: [rule] };
}
